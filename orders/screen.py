"""What the trade page shows at first paint, read once from the queries."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.models import User
from exchange.errors import OUTAGES
from exchange.gate import choosing
from exchange.gate import queries as gate
from ledger import queries as books
from markets import queries as markets
from markets import rules
from markets.models import Market
from orders import queries
from orders.models import Channel, Side, Status, Type
from orders.rules import Rate

LEVELS = 15


@dataclass(frozen=True)
class Level:
    price: Decimal
    quantity: Decimal
    total: Decimal


def levels(side: Iterable[tuple[str, str]]) -> list[Level]:
    """The best levels of a side with the quantity down to each."""
    pairs = [(Decimal(price), Decimal(quantity)) for price, quantity in list(side)[:LEVELS]]
    totals = accumulate(quantity for _price, quantity in pairs)
    return [Level(price, quantity, total) for (price, quantity), total in zip(pairs, totals, strict=True)]


def public_part(market: Market) -> dict[str, Any]:
    """Ticker, book and tape of the market, as last published."""
    book = markets.published_book(market.symbol)
    asks, bids = (levels(book.asks), levels(book.bids)) if book else ([], [])
    return {
        "market": market,
        "ticker": markets.tickers().get(market.symbol),
        "book": book,
        "asks": asks[::-1],
        "bids": bids,
        "spread": asks[0].price - bids[0].price if asks and bids else None,
        "trades": markets.recent_trades(market.symbol)[:30],
        "tick": rules.tick_size(market.filters),
        "step": rules.step_size(market.filters),
        "min_notional": rules.min_notional(market.filters),
        "listed": markets.shown(),
    }


def offer(market: Market) -> dict[str, bool]:
    """Which parts of the ticket make sense in this market."""
    types = set(market.order_types) or set(Type.values)
    return {
        "has_stops": {Type.STOP_LOSS_LIMIT, Type.TAKE_PROFIT_LIMIT} <= types,
        "has_pairs": "OCO" in market.abilities and {Type.LIMIT_MAKER, Type.STOP_LOSS_LIMIT} <= types,
        "has_chains": Type.LIMIT in types,
        "can_rest": Type.LIMIT_MAKER in types,
        "can_hide": "ICEBERG" in market.abilities,
        "can_trail": "TRAILING_STOP" in market.abilities,
    }


def own_part(user: User, market: Market) -> dict[str, Any]:
    """The customer's open orders, latest fills and the two balances of the market."""
    held = {row.asset: row for row in books.balances(user.pk)}
    return {
        "open_orders": queries.open_orders(user),
        "fills": queries.fills_of(user)[:20],
        "balances": list(held.values()),
        "base_balance": held.get(market.base_id),
        "quote_balance": held.get(market.quote_id),
    }


def stops(user: Any, market: Market) -> dict[str, str]:
    """The sides in which staff have stopped this person's orders here, with what is said of it."""
    with suppress(*OUTAGES):  # the page is readable while the database is away, and places nothing then
        return gate.stopped_sides(market=market.symbol, customer=user.pk or 0, channel=Channel.SITE)
    return {}


def obstacle(user: Any, market: Market, stopped: dict[str, str]) -> str:
    """Why this person cannot trade here now: a word for the page, or nothing."""
    if not user.is_authenticated:
        return "anonymous"
    if user.is_frozen or user.is_locked:
        return "frozen" if user.is_frozen else "locked"
    if not user.is_verified:
        return "unverified"
    if not market.is_trading:
        return "halted"
    if len(stopped) == len(Side):
        return "stopped"
    return "paused" if choosing.is_placing_paused() else ""


def settings_of(market: Market, obstacle_word: str, rate: Rate) -> dict[str, Any]:
    """What the page's script has to know, as plain texts."""
    return {
        "symbol": market.symbol,
        "base": market.base_id,
        "quote": market.quote_id,
        "tick": format(rules.tick_size(market.filters).normalize(), "f"),
        "step": format(rules.step_size(market.filters).normalize(), "f"),
        "baseScale": market.base.scale,
        "quoteScale": market.quote.scale,
        "feeBps": rate.taker_bps,
        "makerFeeBps": rate.maker_bps,
        "staleSeconds": settings.BOOK_STALE_SECONDS,
        "obstacle": obstacle_word,
        "siteName": settings.SITE_NAME,
    }


def texts() -> dict[str, str]:
    """The sentences that the page's script writes."""
    return {
        "live": _("Live"),
        "delayed": _("Delayed"),
        "connecting": _("Connecting"),
        "reconnecting": _("Reconnecting in {seconds} s"),
        "offline": _("Offline"),
        "stale": _("Prices as of {time}: the venue's feed is silent. New orders wait until it is back."),
        "syncing": _("The book is being rebuilt. New orders wait until it is complete."),
        "paused": _("New orders wait until prices are live again. Cancelling works."),
        "spread": _("Spread {spread} ({percent}%)"),
        "waitsFor": _("from {price}"),
        "trails": _("trailing {percent}%"),
        "noCandles": _("No candles for this interval yet."),
        "chartFailed": _("The candles could not be loaded. Try another interval or reload the page."),
        "sending": _("Sending…"),
        "placed": _("Order {id} is placed."),
        "listPlaced": _("List {id} of two orders is placed."),
        "threePlaced": _("List {id} of three orders is placed."),
        "inList": _("list {id}"),
        "pending": _("Order {id} is recorded; the venue has not answered yet: it is being checked."),
        "filled": _("Order {id} is filled."),
        "rejected": _("Order {id} was not accepted: {reason}"),
        "expired": _("Order {id} ended without being filled completely."),
        "farAbove": _("Your limit is {percent}% above the best offer."),
        "farBelow": _("Your limit is {percent}% below the best bid."),
        "movesPrice": _("This order would move the price by {percent}%."),
        "onlyPart": _("The book as it is would fill only {percent}% of this order."),
        "unknown": _(
            "No answer came. Look at your open orders before you send it again; sending the same again is safe."
        ),
        "canceling": _("Cancelling…"),
        "changeOrder": _("Change order {id}"),
        "cancelOrder": _("Cancel order {id}"),
        "canceled": _("Order {id} is canceled."),
        "fill": _("{side} {quantity} {base} at {price}"),
        "BUY": _("Bought"),
        "SELL": _("Sold"),
        "buy": _("Buy"),
        "sell": _("Sell"),
        **{kind.value.lower(): str(kind.label) for kind in Type},
        "notANumber": _("Enter a plain number such as 1234.5."),
        "noOpen": _("No open orders."),
        "noFills": _("No fills yet."),
        "noBalances": _("No balances yet."),
        "summary": _("Best bid {bid}, best ask {ask}."),
        **{f"status{status.value}": capfirst(str(status.label)) for status in Status},
    }
