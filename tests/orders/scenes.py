"""Recorded books at many moments, and the markets of a paper venue on which they are laid out.

Of three assets two markets are recorded, against the third. The market between the two, which nobody recorded, lies
around the price that the recorded ones imply, with a spread of its own. A second market of the same worth, for the
venue's own routing, has the book of another moment.
"""

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from exchange.paper.catalogue import ABILITIES
from exchange.paper.recorded import RecordedMarket, info_of, is_snapshot

DATA = Path(__file__).parent.parent / "data" / "depth"
MOMENTS = 12  # of each recording
LEVELS = 40
Level = tuple[Decimal, Decimal]
Book = dict[str, list[Level]]
# File, base, other base, and what both are traded for.
TRIPLES = (
    ("binance-2021-04-17-10sym", "STEEM", "VET", "ETH"),
    ("binance-2021-04-17-10sym", "ONT", "BUSD", "TRY"),
    ("binance-2021-04-17-10sym", "QSP", "GTO", "BTC"),
    ("binanceus-2021-08-14-4sym", "MANA", "ZRX", "USD"),
    ("binanceus-2021-08-14-4sym", "BAT", "HNT", "USD"),
)


@dataclass(frozen=True)
class Scene:
    """Names of the four markets, what the venue says of each, and its book."""

    base: str
    other: str
    bridge: str
    infos: dict[str, dict[str, Any]]
    books: dict[str, Book]

    @property
    def direct(self) -> str:
        return self.base + self.other

    @property
    def recorded(self) -> str:
        return self.base + self.bridge

    @property
    def twin(self) -> str:
        return twin_of(self.recorded)


def twin_of(symbol: str) -> str:
    return f"{symbol}2"


@cache
def recordings(file: str) -> dict[str, list[Book]]:
    """Each market's book at so many moments of the recording."""
    with gzip.open(DATA / f"{file}.jsonl.gz", "rt") as rows:
        lines = [json.loads(line) for line in rows]
    markets: dict[str, RecordedMarket] = {}
    found: dict[str, list[Book]] = {}
    every = max(len(lines) // MOMENTS, 1)
    for number, line in enumerate(lines, 1):
        _hear(markets, line)
        if number % every == 0:
            for symbol, market in markets.items():
                found.setdefault(symbol, []).append(_book(market))
    return found


def _hear(markets: dict[str, RecordedMarket], line: dict[str, Any]) -> None:
    if line["t"] == "http" and "depth" in line["url"] and is_snapshot(line["data"]):
        symbol = line["url"].split("symbol=")[1].split("&")[0]
        if symbol not in markets:
            markets[symbol] = RecordedMarket(info_of(symbol, None), line["data"])
    elif line["t"] == "recv":
        frame = json.loads(line["data"])
        symbol = str(frame.get("stream", "")).partition("@")[0].upper()
        if "@depth" in str(frame.get("stream", "")) and symbol in markets:
            markets[symbol].hear(json.dumps(frame["data"]))


def _book(market: RecordedMarket) -> Book:
    body = market.depth(LEVELS)
    return {side: [(Decimal(row[0]), Decimal(row[1])) for row in body[side]] for side in ("bids", "asks")}


# ------------------------------------------------------------------ markets
def info(symbol: str, base: str, quote: str, like: Book) -> dict[str, Any]:
    """As the recording's own year shows it; what nobody recorded has rules as fine as its price."""
    known = info_of(base + quote, None)
    if not known["filters"]:
        tick = Decimal(1).scaleb(_middle(like).adjusted() - 4)
        step = max((quantity for _price, quantity in like["asks"]), default=Decimal(1)).adjusted()
        known = {**known, "filters": _filters(tick, Decimal(1).scaleb(min(step - 4, 0)), _middle(like))}
    names = {"symbol": symbol, "baseAsset": base, "quoteAsset": quote, "status": "TRADING"}
    shown = ("PRICE_FILTER", "LOT_SIZE", "NOTIONAL", "MIN_NOTIONAL")
    kept = [row for row in known["filters"] if row["filterType"] in shown]
    return {**known, **ABILITIES, **names, "filters": kept}


def _filters(tick: Decimal, step: Decimal, price: Decimal) -> list[dict[str, Any]]:
    least = (price * step * 10).quantize(Decimal("1e-8"), ROUND_UP)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{tick:f}",
            "maxPrice": "1000000",
            "tickSize": f"{tick:f}",
        },
        {"filterType": "LOT_SIZE", "minQty": f"{step:f}", "maxQty": "90000000", "stepSize": f"{step:f}"},
        {"filterType": "MIN_NOTIONAL", "minNotional": f"{least:f}", "applyToMarket": True},
    ]


def _middle(book: Book) -> Decimal:
    return (book["bids"][0][0] + book["asks"][0][0]) / 2


@cache
def infos(triple: tuple[str, str, str, str]) -> dict[str, dict[str, Any]]:
    """Of the four markets; they stay the same for all scenes of the three assets."""
    file, base, other, bridge = triple
    books = recordings(file)
    first, second = books[base + bridge][0], books[other + bridge][0]
    between = implied(first, second, random.Random(0), Decimal("1e-8"))
    found = {
        base + bridge: info(base + bridge, base, bridge, first),
        other + bridge: info(other + bridge, other, bridge, second),
    }
    known = found[base + bridge]
    made = info(base + other, base, other, between)
    steps = [row for row in known["filters"] if row["filterType"] == "LOT_SIZE"]
    made["filters"] = [*steps, *(row for row in made["filters"] if row["filterType"] != "LOT_SIZE")]
    twin = {**known, "symbol": twin_of(base + bridge), "quoteAsset": f"{bridge}2"}
    return {**found, base + other: made, twin["symbol"]: twin}


def implied(first: Book, second: Book, dice: random.Random, tick: Decimal) -> Book:
    """The market between two: around what both imply, from nearly nothing to four per cent wide, as deep as one."""
    middle = _middle(first) / _middle(second)
    half = middle * Decimal(repr(10 ** dice.uniform(-3.3, -1.4))) / 2
    found: Book = {}
    for side, sign, rounding in (("bids", -1, ROUND_DOWN), ("asks", 1, ROUND_UP)):
        levels, seen = [], set()
        for number, (_price, quantity) in enumerate(first[side]):
            away = half + middle * Decimal("0.0004") * number
            price = ((middle + sign * away) / tick).to_integral_value(rounding) * tick
            if price > 0 and price not in seen:
                seen.add(price)
                levels.append((price, quantity))
        found[side] = levels
    return found


def in_steps(book: Book, row: dict[str, Any]) -> Book:
    """In whole steps of the market: some books were recorded when steps were finer, and no part of one is sold."""
    step = Decimal(next(item["stepSize"] for item in row["filters"] if "stepSize" in item))
    whole = {side: [(price, quantity // step * step) for price, quantity in book[side]] for side in book}
    return {side: [level for level in whole[side] if level[1]] for side in whole}


def scenes(dice: random.Random) -> Iterator[Scene]:
    """One after the other, for ever."""
    while True:
        triple = dice.choice(TRIPLES)
        file, base, other, bridge = triple
        known, rows = recordings(file), infos(triple)
        # The same moment, counted from the end: one was asked for later than the other.
        moments = min(len(known[base + bridge]), len(known[other + bridge]))
        moment, another = -1 - dice.randrange(moments), -1 - dice.randrange(moments)
        first, second = known[base + bridge][moment], known[other + bridge][moment]
        tick = Decimal(next(row["tickSize"] for row in rows[base + other]["filters"] if "tickSize" in row))
        books = {
            base + bridge: first,
            other + bridge: second,
            base + other: implied(first, second, dice, tick),
            twin_of(base + bridge): known[base + bridge][another],
        }
        yield Scene(
            base, other, bridge, rows, {name: in_steps(book, rows[name]) for name, book in books.items()}
        )
