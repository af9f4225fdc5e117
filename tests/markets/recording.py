"""The recorded session, and a book worked out from it in the plainest way."""

import gzip
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SESSION = Path(__file__).parent.parent / "data" / "depth" / "binance-2021-04-17-10sym.jsonl.gz"
SNAPSHOT = "snapshot"


def session() -> list[tuple[str, str, Any]]:
    """(kind, symbol, body) in the order of arrival: the snapshots and every frame of the combined stream."""
    found: list[tuple[str, str, Any]] = []
    for line in gzip.decompress(SESSION.read_bytes()).decode().splitlines():
        row = json.loads(line)
        if row["t"] == "http":
            symbol = parse_qs(urlsplit(row["url"]).query)["symbol"][0]
            found.append((SNAPSHOT, symbol, json.loads(row["data"])))
        elif row["t"] == "recv":
            frame = json.loads(row["data"])
            found.append((frame["stream"], frame["stream"].partition("@")[0].upper(), frame["data"]))
    return found


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
