"""The books an order may take from: its own, and with smart order routing those of the same group."""

from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from itertools import count
from typing import TYPE_CHECKING

from exchange.paper import errors
from exchange.paper.accounts import Account, Order
from exchange.paper.book import Resting
from exchange.paper.market import Market

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Offer = tuple[Market, Resting]
TYPES = ("LIMIT", "MARKET")


def require_routable(venue: "Venue", order: Order) -> None:
    """Only LIMIT and MARKET by quantity, on a symbol of a group."""
    if not any(order.symbol in group["symbols"] for group in venue.sors):
        raise errors.unsupported("SOR")
    if order.type not in TYPES:
        raise errors.BAD_ORDER
    if order.quote_quantity:
        raise errors.not_required("quoteOrderQty")


def books(venue: "Venue", market: Market, order: Order) -> list[Market]:
    """Its own market first, then those with a quote asset of the same worth that are open."""
    if not order.used_sor:
        return [market]
    groups = (group["symbols"] for group in venue.sors if market.symbol in group["symbols"])
    others = [venue.live[symbol] for symbols in groups for symbol in symbols if symbol != market.symbol]
    return [market, *(other for other in others if other.is_open)]


def is_own(account: Account, order: Order, maker: Resting) -> bool:
    """A trade with it would be one of the account with itself, and is not allowed."""
    return maker.owner == account.account_id and order.stp != "NONE"


def first(account: Account, markets: list[Market], order: Order) -> Offer | None:
    """The best offer of all books; elsewhere than on the order's own, none of its own account's."""
    best: Offer | None = None
    limit = None if order.at_any_price else order.price
    for market in markets:
        maker = market.book.first(order.side, limit)
        if maker is None or (market is not markets[0] and is_own(account, order, maker)):
            continue
        if best is None or _rank(order, maker) < _rank(order, best[1]):
            best = market, maker
    return best


def offers(account: Account, markets: list[Market], order: Order) -> Iterator[Offer]:
    """All that the order could trade with, best first; of its own account's orders nothing, unless that is allowed."""
    limit = None if order.at_any_price else order.price
    turn = count()
    ranked = (
        (
            (_rank(order, maker), number, next(turn), market, maker)
            for maker in market.book.facing(order.side, limit)
            if not is_own(account, order, maker)
        )
        for number, market in enumerate(markets)
    )
    for _price, _number, _turn, market, maker in merge(*ranked):
        yield market, maker


def _rank(order: Order, maker: Resting) -> Decimal:
    return maker.price if order.side == "BUY" else -maker.price
