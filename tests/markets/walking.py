"""Random orders priced by a walk of the book, then executed by the paper venue on the very same book."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

from exchange.paper.accounts import MAIN, down, text
from exchange.paper.errors import ApiError
from exchange.paper.market import Market
from exchange.paper.venue import Venue
from markets.queries import PublishedBook
from markets.walks import Walk, walk
from tests.exchange.paper.people import KEYS

PLENTY = Decimal(10**12)
ORDERS_A_VENUE = 250  # large orders empty a book; then a new one is laid out
DEEPEST = 5000
UNIT = Decimal("1e-8")
# Such a part of the orders is priced by a book as it is published.
PUBLISHED = 0.5


@dataclass
class Tally:
    """How many orders were compared, by how they went; `differences` is empty when all were as priced."""

    kinds: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def orders(self) -> int:
        return sum(self.kinds.values())


def walk_and_execute(orders: int, seed: int) -> Tally:
    """Goes on until so many orders were executed; those the venue's rules refuse come on top."""
    dice, tally = random.Random(seed), Tally()
    while tally.orders < orders:
        venue = Venue(None, KEYS, levels=120, deepest=120)
        for asset in {name for market in venue.live.values() for name in (market.base, market.quote)}:
            venue.accounts[MAIN].receive(asset, PLENTY)
        for _number in range(min(ORDERS_A_VENUE, orders - tally.orders)):
            one_order(venue, dice, tally)
    return tally


def one_order(venue: Venue, dice: random.Random, tally: Tally) -> None:
    market = dice.choice(list(venue.live.values()))
    for _moment in range(dice.randrange(4)):
        venue.makers[market.symbol].act()
    side, book = dice.choice(["BUY", "SELL"]), market.depth(DEEPEST)
    levels = book["asks" if side == "BUY" else "bids"]
    if not levels:
        return
    kind, asked = ticket(market, dice, levels)
    book_known = as_published(market.symbol, book, dice) if dice.random() < PUBLISHED else None
    priced = walk(
        levels if book_known is None else book_known.facing(side),
        side,
        quantity=asked.get("quantity"),
        quote=asked.get("quoteOrderQty"),
        limit=asked.get("price"),
        step=market.filters.step,
        scale=8,
    )
    params = {name: text(value) for name, value in asked.items()}
    params |= {"type": "LIMIT", "timeInForce": "IOC"} if "price" in asked else {"type": "MARKET"}
    try:
        order, fills = venue.trading.place(
            venue.accounts[MAIN], market, {"symbol": market.symbol, "side": side, **params}
        )
    except ApiError:
        tally.refused += 1
        return
    if book_known is not None and priced.is_beyond and len(book_known.facing(side)) < len(levels):
        tally.kinds["beyond what is known"] += 1
        if priced.quantity > order.executed:
            tally.differences.append(f"{market.symbol} {side} {asked}: more priced than there was")
        return
    how = "published, " if book_known is not None else ""
    tally.kinds[f"{how}{kind} {'in full' if priced.is_complete else 'in part'}"] += 1
    tally.differences += differences(priced, asked, order, fills)


def as_published(symbol: str, book: dict[str, Any], dice: random.Random) -> PublishedBook:
    """The book as another process reads it: so many levels are known, and beyond them every other one is missing."""
    known = dice.choice([None, 3, 10, 40, 100])
    sides = {
        side: rows if known is None else rows[:known] + rows[known + 1 :: 2]
        for side, rows in ((side, book[side]) for side in ("bids", "asks"))
    }
    told = {"symbol": symbol, "epoch": 1, "u": book["lastUpdateId"], "event_ms": 0, "published_ms": 0}
    body = json.loads(json.dumps({**told, "state": "LIVE", "known": known, **sides}))
    return PublishedBook(**body)


def ticket(market: Market, dice: random.Random, levels: list[list[str]]) -> tuple[str, dict[str, Decimal]]:
    """From the smallest order to one and a half of the whole side of the book."""
    whole = sum((Decimal(quantity) for _price, quantity in levels), Decimal(0))
    part = Decimal(repr(1.5 * 10 ** -dice.uniform(0, 4)))
    kind = dice.choice(["quantity", "total", "limit"])
    if kind == "total":
        worth = sum((Decimal(price) * Decimal(quantity) for price, quantity in levels), Decimal(0))
        return kind, {"quoteOrderQty": (worth * part).quantize(Decimal("1e-8"), ROUND_DOWN)}
    asked = {"quantity": whole * part // market.filters.step * market.filters.step}
    if kind == "limit":
        asked["price"] = Decimal(dice.choice(levels[: dice.choice([2, 10, 120])])[0])
    return kind, asked


def differences(
    priced: Walk, asked: dict[str, Decimal], order: Any, fills: list[dict[str, Any]]
) -> list[str]:
    wanted = asked.get("quantity", order.quantity)
    executed, total, worst = summed(fills)
    pairs = {
        "quantity": (priced.quantity, executed),
        "quote": (priced.quote, total),
        "worst": (priced.worst, worst),
        # Of a level of several orders the venue rounds each trade: less than a unit for each further trade.
        "the venue's own quote": (True, 0 <= total - order.quote <= UNIT * (len(fills) - levels_of(fills))),
        "complete": (priced.is_complete, order.executed == wanted and not priced.is_beyond),
    }
    if "quantity" in asked:
        pairs["share"] = ((priced.share * wanted).quantize(Decimal("1e-20")), executed)
    return [
        f"{order.symbol} {order.side} {asked}: {name} {ours} is not {theirs}"
        for name, (ours, theirs) in pairs.items()
        if ours != theirs
    ]


def levels_of(fills: list[dict[str, Any]]) -> int:
    return len({fill["price"] for fill in fills})


def summed(fills: list[dict[str, Any]]) -> tuple[Decimal, Decimal, Decimal | None]:
    """Quantity, quote and worst price of the executions.

    The venue rounds the quote of each trade, and a book does not tell how many orders a level is made of: where its
    last digit depends on that, the level is rounded as one.
    """
    levels: dict[Decimal, Decimal] = {}
    for fill in fills:
        price = Decimal(fill["price"])
        levels[price] = levels.get(price, Decimal(0)) + Decimal(fill["qty"])
    total = sum((down(price * quantity) for price, quantity in levels.items()), Decimal(0))
    return sum(levels.values(), Decimal(0)), total, list(levels)[-1] if levels else None
