"""Trades in the smallest and oddest parts: to the last digit what the venue says, and never to anybody's gain."""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest

from accounts.models import User
from exchange.binance.models import SymbolInfo
from exchange.money import round_down, round_up
from ledger import queries as books
from ledger.models import Account, Hold, LedgerException
from markets import rules as filters
from markets.models import Market
from orders import rules, services
from orders.models import Fill, Order
from tests.factories import (
    balance,
    fund,
    held_by_the_house,
    make_user,
    publish_book,
    publish_ticker,
    venue_account,
)
from tests.orders.minimal import FINEST, OTHERS, SEED, VENUE_SCALE, store, symbol_of, trade_through_the_books
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell
from tests.venue import Venue, trade_body

TOLD_SINGLY = 30


# ------------------------------------------------------------------ one order in a thousand parts
@dataclass(frozen=True)
class Part:
    """A trade as the venue tells it."""

    number: int
    price: Decimal
    quantity: Decimal
    quote: Decimal
    commission: Decimal
    commission_asset: str


def odd_parts(symbol: SymbolInfo, limit: Decimal, count: int) -> list[Part]:
    """Odd numbers of steps at odd prices below the limit; the venue rounds each quote amount, now up, now down."""
    dice = random.Random(SEED)
    tick, step = filters.tick_size(symbol.filters), filters.step_size(symbol.filters)
    parts = []
    for number in range(1, count + 1):
        price, quantity = limit - tick * dice.randrange(1, 9), step * dice.randrange(1, 400, 2)
        rounded = dice.choice([round_up, round_down])(price * quantity, VENUE_SCALE)
        commission = Decimal(dice.randrange(1, 99)).scaleb(-8)
        asset = dice.choice([symbol.base, symbol.quote, "BNB"])
        parts.append(Part(number, price, quantity, rounded, commission, asset))
    return parts


def in_stream(order: Order, part: Part, quantity: Decimal, quote: Decimal) -> Any:
    return event(
        order, "TRADE", "PARTIALLY_FILLED", t=part.number, L=f"{part.price:f}", l=f"{part.quantity:f}",
        Y=f"{part.quote:f}", z=f"{quantity:f}", Z=f"{quote:f}", n=f"{part.commission:f}", N=part.commission_asset,
    )  # fmt: skip


def in_list(part: Part) -> dict[str, Any]:
    return trade_body(
        4711, part.number, f"{part.price:f}", f"{part.quantity:f}", f"{part.quote:f}", symbol=FINEST,
        commission=f"{part.commission:f}", commissionAsset=part.commission_asset,
    )  # fmt: skip


@pytest.fixture
def market(db: None) -> Market:
    """The finest recorded symbol, as the catalogue makes it: tick times step has ten decimals."""
    store(FINEST)
    market = Market.objects.select_related("base", "quote").get(symbol=FINEST)
    assert market.quote.scale > VENUE_SCALE
    return market


@pytest.mark.parametrize(("side", "count"), [("BUY", 1000), ("SELL", 100)])
def test_a_thousand_odd_parts_sum_to_what_the_venue_says(
    market: Market, venue: Venue, side: str, count: int
) -> None:
    """Some are told one by one, the rest is found in the venue's list when the end of the order is told."""
    alice, limit = make_user(), Decimal("0.068371")
    parts = odd_parts(symbol_of(FINEST), limit, count)
    quantity, quote = (
        sum((getattr(part, name) for part in parts), Decimal(0)) for name in ("quantity", "quote")
    )
    venue_account()
    publish_ticker("BTCUSDT", "40000")
    publish_book(FINEST, bids=[("0.068000", "5")], asks=[("0.068400", "5")])
    for asset in ("ETH", "BTC"):
        fund(alice, asset, "1000")
    order = placed(venue, alice, side, quantity, limit if side == "BUY" else Decimal("0.068"))
    sums = list(
        zip(
            accumulate(part.quantity for part in parts), accumulate(part.quote for part in parts), strict=True
        )
    )
    for part, so_far in zip(parts[:TOLD_SINGLY], sums, strict=False):
        tell(in_stream(order, part, *so_far))
    listed = [in_list(part) for part in parts]
    venue.on(
        "GET",
        "/api/v3/myTrades",
        lambda asked: (200, [row for row in listed if row["id"] >= int(asked.get("fromId", 0))]),
    )
    tell(event(order, "NEW", "FILLED", z=f"{quantity:f}", Z=f"{quote:f}"))

    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity, order.cumulative_quote) == ("FILLED", quantity, quote)
    received = [part.quantity if side == "BUY" else part.quote for part in parts]
    got_scale = (market.base if side == "BUY" else market.quote).scale
    fees = sum((rules.fee_of(amount, order.fee_bps, got_scale) for amount in received), Decimal(0))
    got, paid, cost = ("ETH", "BTC", quote) if side == "BUY" else ("BTC", "ETH", quantity)
    assert balance(alice, paid) == ((1000 - cost).normalize(), 0)
    assert balance(alice, got) == ((1000 + sum(received) - fees).normalize(), 0)
    assert held_by_the_house(Account.Type.FEES, got) == fees > 0
    require_venue_agrees(parts, side)


def placed(venue: Venue, alice: User, side: str, quantity: Decimal, price: Decimal) -> Order:
    venue.places()
    return services.place_order(
        user=alice, ticket=ticket(symbol=FINEST, side=side, quantity=quantity, price=price)
    )


def require_venue_agrees(parts: list[Part], side: str) -> None:
    """The venue account in the books is what the venue's own statement of the trades gives."""
    sign = 1 if side == "BUY" else -1
    theirs = {"ETH": Decimal(1000), "BTC": Decimal(1000), "BNB": Decimal(0)}
    for part in parts:
        theirs["ETH"] += sign * part.quantity
        theirs["BTC"] -= sign * part.quote
        theirs[part.commission_asset] -= part.commission
    assert books.venue_position(venue_account().pk) == theirs
    assert Fill.objects.count() == len(parts)
    assert not Hold.objects.filter(is_open=True).exists()
    assert not LedgerException.objects.exists()
    assert books.first_broken_row() == ""


# ------------------------------------------------------------------ minimal trades
@pytest.mark.parametrize("name", [FINEST, *OTHERS])
def test_250_minimal_trades_through_the_books_make_nobody_richer(db: None, name: str) -> None:
    """Of four symbols, 1,000 in all; `make prove` makes 100,000. Only the venue's own rounding ever gives anything."""
    store(name)
    outcome = trade_through_the_books(name, 250)
    assert outcome.gained < outcome.gifts, "no fee was ever taken"
    assert held_by_the_house(Account.Type.FEES, Market.objects.get().base_id) > 0
    assert books.first_broken_row() == ""
