"""Recordings of the real venue, and books worked out from them in the plainest way."""

import gzip
import json
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

OURS = Path(__file__).parent.parent / "data" / "depth"
# Where a checkout stands beside more recordings, those are played as well.
BESIDE = Path(__file__).parents[3] / "shared" / "data" / "depth"
SESSION = OURS / "binance-2021-04-17-10sym.jsonl.gz"
SNAPSHOT = "snapshot"
Said = tuple[str, str, Any]
Texts = tuple[str, str]


def recordings() -> list[Path]:
    """Every recorded session that is here, each name once."""
    found = {file.name: file for folder in (BESIDE, OURS) for file in folder.glob("*.jsonl*")}
    return [found[name] for name in sorted(found)]


def session(file: Path = SESSION) -> list[Said]:
    """(kind, symbol, body) in the order of arrival: the snapshots and every frame of the combined stream."""
    return [(kind, symbol, body) for _at, kind, symbol, body, _raw in lines_of(file)]


def lines_of(file: Path) -> Iterator[tuple[float, str, str, Any, str]]:
    """Also when it came, in seconds, and the text as it came."""
    for line in gzip.decompress(file.read_bytes()).decode().splitlines():
        row = json.loads(line)
        if row["t"] == "http" and "/depth?" in row["url"]:
            symbol = parse_qs(urlsplit(row["url"]).query)["symbol"][0]
            yield row["ts"], SNAPSHOT, symbol, json.loads(row["data"]), row["data"]
        elif row["t"] == "recv" and "stream" in (frame := json.loads(row["data"])):
            yield (
                row["ts"], frame["stream"], frame["stream"].partition("@")[0].upper(), frame["data"], row["data"]
            )  # fmt: skip


def first_ids(said: list[Said]) -> dict[str, int]:
    """Each followed book's first recorded update id."""
    firsts: dict[str, int] = {}
    for kind, symbol, body in said:
        if "@depth" in kind:
            firsts.setdefault(symbol, body["U"])
    return firsts


@dataclass
class PlainBook:
    """Two dictionaries of Decimals: the snapshot and every later event, applied when all is over."""

    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)

    def put(self, bids: Any, asks: Any) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in levels:
                side[Decimal(price)] = Decimal(quantity)

    def best_first(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        bids = sorted(((p, q) for p, q in self.bids.items() if q), reverse=True)
        return bids, sorted((p, q) for p, q in self.asks.items() if q)


def plain_book(snapshot: Any, diffs: list[Any]) -> PlainBook:
    book = PlainBook()
    book.put(snapshot["bids"], snapshot["asks"])
    for diff in diffs:
        if diff["u"] > snapshot["lastUpdateId"]:
            book.put(diff["b"], diff["a"])
    return book


# ------------------------------------------------------------------ by the documented rule, event by event
class Ladder:
    """One side by number: exact prices in their order, each with the texts that were said last."""

    def __init__(self, rows: Any) -> None:
        self._prices: list[Decimal] = []
        self._texts: dict[Decimal, Texts] = {}
        self.put(rows)

    def put(self, rows: Any) -> None:
        for price_text, quantity in rows:
            price = Decimal(price_text)
            if not Decimal(quantity):
                if self._texts.pop(price, None):
                    del self._prices[bisect_left(self._prices, price)]
                continue
            if price not in self._texts:
                insort(self._prices, price)
            self._texts[price] = (price_text, quantity)

    def lowest(self, count: int) -> list[Texts]:
        return [self._texts[price] for price in self._prices[:count]]

    def highest(self, count: int) -> list[Texts]:
        return [self._texts[price] for price in self._prices[: -count - 1 : -1]] if count else []


class RuledBook:
    """Snapshot and events as the venue's page on managing a local book has it, with nothing left out."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._waiting: list[Any] = []
        self._bids, self._asks = Ladder(()), Ladder(())

    @property
    def is_live(self) -> bool:
        return self.last is not None

    def snapshot(self, body: Any) -> None:
        """Meets the events that wait; one that does not meet them changes nothing."""
        last = body["lastUpdateId"]
        waiting = [event for event in self._waiting if event["u"] > last]
        if self.is_live or (waiting and waiting[0]["U"] > last + 1):
            return
        self.last, self._waiting = last, []
        self._bids, self._asks = Ladder(body["bids"]), Ladder(body["asks"])
        for event in waiting:
            self.event(event)

    def event(self, event: Any) -> None:
        if self.last is None:
            self._waiting.append(event)
        elif event["U"] > self.last + 1:
            self.last, self._waiting = None, [event]
        elif event["u"] > self.last:
            self._bids.put(event["b"])
            self._asks.put(event["a"])
            self.last = event["u"]

    def bids(self, count: int) -> list[Texts]:
        """The best so many, best first, in the texts that were said."""
        return self._bids.highest(count)

    def asks(self, count: int) -> list[Texts]:
        return self._asks.lowest(count)

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.bids(1), self.asks(1)
        return bool(bid and ask and Decimal(bid[0][0]) >= Decimal(ask[0][0]))
