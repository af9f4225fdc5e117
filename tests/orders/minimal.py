"""The smallest trades there are, through the books: a customer who makes many of them must not be richer by one."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from accounts.models import User
from exchange.binance.models import ExchangeInfo, SymbolInfo
from exchange.money import multiply, round_down, round_up
from ledger import services as ledger
from ledger.models import Hold, LedgerException
from markets import rules as filters
from markets import services as markets
from markets.models import Market
from orders import rules
from tests.factories import balance, fund, make_user, venue_account
from tests.orders.test_exactness import FILES, recorded

SEED, BPS, PURSE = 5, 10, Decimal(1000)
VENUE_SCALE = 8  # the venue rounds quote amounts to eight decimals
FINEST, OTHERS = "ETHBTC", ("DYDXBTC", "BTCUSDT", "YFIBTC")


def symbol_of(name: str) -> SymbolInfo:
    return next(symbol for symbol in recorded(FILES[0]) if symbol.symbol == name)


def store(*names: str) -> None:
    """The recorded symbols are listed, as the catalogue makes them."""
    markets.store_catalogue(ExchangeInfo(tuple(symbol_of(name) for name in names), ()))
    Market.objects.update(is_listed=True)


@dataclass(frozen=True)
class Trade:
    number: int
    side: str
    quantity: Decimal
    quote: Decimal
    gift: Decimal  # what the venue's rounding gave the customer: the venue's own loss


@dataclass(frozen=True)
class Outcome:
    """In the quote asset, with the base at the one price there was."""

    trades: int
    gifts: Decimal
    gained: Decimal  # what the customer is richer by, never more than the gifts


def minimal_trades(symbol: SymbolInfo, count: int) -> Iterator[Trade]:
    """One to nine steps at one price, bought and sold in any order; the venue rounds now up, now down."""
    dice, price, step = random.Random(SEED), price_of(symbol), filters.step_size(symbol.filters)
    for number in range(1, count + 1):
        side, quantity = dice.choice(["BUY", "SELL"]), step * dice.randrange(1, 10)
        exact = multiply(price, quantity)
        quote = dice.choice([round_up, round_down])(exact, VENUE_SCALE)
        yield Trade(number, side, quantity, quote, exact - quote if side == "BUY" else quote - exact)


def price_of(symbol: SymbolInfo) -> Decimal:
    return filters.tick_size(symbol.filters) * 12347


def trade_through_the_books(name: str, count: int) -> Outcome:
    """A customer makes so many minimal trades in the listed market; fails at the first one that enriches them."""
    symbol, user, venue = symbol_of(name), make_user(name.lower()), venue_account().pk
    market = Market.objects.select_related("base", "quote").get(symbol=name)
    for asset in (market.base_id, market.quote_id):
        fund(user, asset, str(PURSE))
    price, base, quote, gifts = price_of(symbol), PURSE, PURSE, Decimal(0)
    start = before = quote + multiply(base, price)
    for trade in minimal_trades(symbol, count):
        fee = book(user, venue, market, trade, price)
        is_buy = trade.side == "BUY"
        base += trade.quantity - fee if is_buy else -trade.quantity
        quote += -trade.quote if is_buy else trade.quote - fee
        assert balance(user, market.base_id) == (base, 0), trade
        assert balance(user, market.quote_id) == (quote, 0), trade
        after = quote + multiply(base, price)
        assert after <= before + trade.gift, f"{trade}: {before} became {after}"
        before, gifts = after, gifts + trade.gift
    user.refresh_from_db()
    assert not (user.is_frozen or LedgerException.objects.exists())
    return Outcome(count, gifts, before - start)


def book(user: User, venue: int, market: Market, trade: Trade, price: Decimal) -> Decimal:
    """As orders do: a hold at the price, the fill at the venue's amount, the rest back; gives our fee."""
    spent, got, received = (
        (market.quote, market.base, trade.quantity)
        if trade.side == "BUY"
        else (market.base, market.quote, trade.quote)
    )
    held = rules.hold_of(
        trade.side, quantity=trade.quantity, price=price, quote_quantity=None, quote_scale=market.quote.scale
    )
    order, fee = user.pk * 10**6 + trade.number, rules.fee_of(received, BPS, got.scale)
    ledger.hold(user_id=user.pk, asset=spent.pk, amount=held, cause=Hold.Cause.ORDER, cause_id=order)
    ledger.post_fill(
        ledger.FillPosting(
            key=f"{venue}:{market.symbol}:{trade.number}", user_id=user.pk, venue_account_id=venue, order_id=order,
            side=trade.side, base=market.base_id, quote=market.quote_id, quantity=trade.quantity,
            quote_quantity=trade.quote, fee=fee, commission=Decimal(0), commission_asset="",
        ),
        is_last=True,
    )  # fmt: skip
    return fee
