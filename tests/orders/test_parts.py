"""Trades in the smallest and oddest parts: to the last digit what the venue says, and never to anybody's gain."""

import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

import pytest

from accounts.models import User
from exchange.binance.models import ExchangeInfo, SymbolInfo
from exchange.money import multiply, round_down, round_up
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Hold, LedgerException
from markets import rules as filters
from markets import services as markets
from markets.models import Asset, Market
from orders import rules, services
from orders.models import Fill, Order
from tests.factories import balance, fund, held_by_the_house, make_user, publish_book, venue_account
from tests.orders.test_exactness import FILES, recorded
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell
from tests.venue import Venue, trade_body

TOLD_SINGLY, SEED = 30, 5
VENUE_SCALE = 8  # the venue rounds quote amounts to eight decimals
FINEST, OTHERS = "ETHBTC", ("DYDXBTC", "BTCUSDT", "YFIBTC")
BPS = 10


def symbol_of(name: str) -> SymbolInfo:
    return next(symbol for symbol in recorded(FILES[0]) if symbol.symbol == name)


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
    markets.store_catalogue(ExchangeInfo((symbol_of(FINEST),), ()))
    Market.objects.update(is_listed=True)
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
    venue.on("GET", "/api/v3/myTrades", (200, [in_list(part) for part in parts]))
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
@dataclass
class Purse:
    base: Decimal
    quote: Decimal

    def worth(self, price: Decimal) -> Decimal:
        return self.quote + multiply(self.base, price)


@dataclass(frozen=True)
class Trade:
    side: str
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    gift: Decimal  # what the venue's rounding gave the customer: the venue's own loss


def minimal_trades(symbol: SymbolInfo, count: int, scales: tuple[int, int]) -> list[Trade]:
    """One to nine steps at one price, bought and sold in any order, with our fee by the product's own rules."""
    dice, (price, step) = random.Random(SEED), (price_of(symbol), filters.step_size(symbol.filters))
    trades = []
    for _number in range(count):
        side, quantity = dice.choice(["BUY", "SELL"]), step * dice.randrange(1, 10)
        exact = multiply(price, quantity)
        quote = dice.choice([round_up, round_down])(exact, VENUE_SCALE)
        received, scale = (quantity, scales[0]) if side == "BUY" else (quote, scales[1])
        fee = rules.fee_of(received, BPS, scale)
        trades.append(Trade(side, quantity, quote, fee, exact - quote if side == "BUY" else quote - exact))
    return trades


def price_of(symbol: SymbolInfo) -> Decimal:
    return filters.tick_size(symbol.filters) * 12347


def settle(purse: Purse, trade: Trade, price: Decimal, scale: int) -> None:
    """As the books do: a hold at the price, rounded up; the trade at the venue's amount; the rest back."""
    held = rules.hold_of(
        trade.side, quantity=trade.quantity, price=price, quote_quantity=None, quote_scale=scale
    )
    if trade.side == "BUY":
        assert held >= min(trade.quote, round_up(price * trade.quantity, scale))
        purse.quote, purse.base = purse.quote - trade.quote, purse.base + trade.quantity - trade.fee
    else:
        assert held == trade.quantity
        purse.base, purse.quote = purse.base - trade.quantity, purse.quote + trade.quote - trade.fee


@pytest.mark.parametrize("name", [FINEST, *OTHERS])
def test_25_000_minimal_trades_at_one_price_make_nobody_richer(name: str) -> None:
    """Of four symbols, 100,000 in all. What is gained is never more than the venue's own rounding gave away."""
    symbol = symbol_of(name)
    scales = filters.scales(symbol.filters, symbol.base_precision, symbol.quote_precision)
    price, purse, gifts = price_of(symbol), Purse(Decimal(1000), Decimal(1000)), Decimal(0)
    start = before = purse.worth(price)
    for trade in minimal_trades(symbol, 25_000, scales):
        settle(purse, trade, price, scales[1])
        after = purse.worth(price)
        assert after <= before + trade.gift, f"{trade}: {before} became {after}"
        before, gifts = after, gifts + trade.gift
    assert before < start + gifts, "no fee was ever taken"


@pytest.mark.parametrize("name", [FINEST, *OTHERS])
def test_the_books_settle_minimal_trades_like_that(db: None, name: str) -> None:
    symbol, alice = symbol_of(name), make_user()
    scales = filters.scales(symbol.filters, symbol.base_precision, symbol.quote_precision)
    for asset, scale in zip((symbol.base, symbol.quote), scales, strict=True):
        Asset.objects.create(code=asset, scale=scale)
        fund(alice, asset, "1000")
    price, purse = price_of(symbol), Purse(Decimal(1000), Decimal(1000))
    for number, trade in enumerate(minimal_trades(symbol, 80, scales), start=1):
        settle(purse, trade, price, scales[1])
        book(symbol, number, trade, price, alice, scales[1])
    assert balance(alice, symbol.base) == (purse.base.normalize(), 0)
    assert balance(alice, symbol.quote) == (purse.quote.normalize(), 0)
    assert books.first_broken_row() == ""


def book(symbol: SymbolInfo, number: int, trade: Trade, price: Decimal, user: User, scale: int) -> None:
    amount = rules.hold_of(
        trade.side, quantity=trade.quantity, price=price, quote_quantity=None, quote_scale=scale
    )
    asset = symbol.quote if trade.side == "BUY" else symbol.base
    ledger.hold(user_id=user.pk, asset=asset, amount=amount, cause=Hold.Cause.ORDER, cause_id=number)
    ledger.post_fill(
        ledger.FillPosting(
            key=f"1:{symbol.symbol}:{number}", user_id=user.pk, venue_account_id=venue_account().pk, order_id=number,
            side=trade.side, base=symbol.base, quote=symbol.quote, quantity=trade.quantity,
            quote_quantity=trade.quote, fee=trade.fee, commission=Decimal(0), commission_asset="",
        ),
        is_last=True,
    )  # fmt: skip
