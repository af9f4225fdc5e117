"""Whether a market's price can be believed, and whether an order's price is meant.

The book, the last trade and the close of an earlier minute are told apart from each other: one that is false, if only
for a tick, stands alone.
"""

import time
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from exchange.money import EXACT, ceil_to_step, floor_to_step, plain
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from orders.errors import FarFromPrice, PricesDelayed, PricesUnsure
from orders.models import Side
from orders.rules import BPS
from orders.services.shapes import Priced

ONE = Decimal(1)


@dataclass(frozen=True)
class Prices:
    """What each source says now; None when it says nothing, or nothing fresh."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    earlier: Decimal | None = None

    @property
    def elsewhere(self) -> list[Decimal]:
        """What is said of the price by others than the book."""
        return [price for price in (self.last, self.earlier) if price]

    def facing(self, side: str) -> list[Decimal]:
        """All that is said of what an order of this side would pay or get."""
        own = self.ask if side == Side.BUY else self.bid
        return [*([own] if own else []), *self.elsewhere]

    @property
    def are_unsure(self) -> bool:
        """They lie so far apart that one of them must be false."""
        told = [price for price in (self.bid, self.ask, *self.elsewhere) if price]
        return bool(told) and max(told) > _times(min(told), ONE + settings.PRICES_UNSURE_BPS / BPS)


def prices_of(market: Market, book: markets.PublishedBook | None) -> Prices:
    """The book as far as it is fresh, and what others say."""
    fresh = book if book and is_fresh(book) else None
    return Prices(
        bid=fresh.best_bid if fresh else None,
        ask=fresh.best_ask if fresh else None,
        last=last_price(market),
        earlier=markets.minute_close(market.symbol),
    )


def decision(book: markets.PublishedBook | None, prices: Prices) -> dict[str, object]:
    """What an order was decided upon, to be kept with it: the book's prices and quantities are the venue's own texts,
    ages are in milliseconds."""
    seen = book and {
        "epoch": book.epoch,
        "u": book.u,
        "state": book.state,
        "age_ms": book.age_ms,
        "bid": book.bids[0] if book.bids else None,
        "ask": book.asks[0] if book.asks else None,
    }
    others = {"last": prices.last, "earlier": prices.earlier}
    return {"book": seen, **{name: price and plain(price) for name, price in others.items()}}


def is_fresh(book: markets.PublishedBook) -> bool:
    """LIVE, and said so a moment ago."""
    return book.is_fresh(time.time_ns() // 1_000_000, settings.BOOK_STALE_SECONDS)


def last_price(market: Market) -> Decimal | None:
    """What the market last traded at; None while nobody knows."""
    found = markets.ticker(market.symbol)
    now_ms = time.time_ns() // 1_000_000
    if found is None or not found.is_fresh(now_ms, settings.BOOK_STALE_SECONDS):
        return None
    return Decimal(found.last) or None


def require_sure(prices: Prices) -> None:
    """An order that takes what the book offers is refused while nobody else says a price, or another one."""
    if not prices.elsewhere:
        raise PricesDelayed()
    if prices.are_unsure:
        raise PricesUnsure()


def require_near(market: Market, order: Priced, prices: Prices) -> None:
    """A purchase far above the market, or a sale far below, is a slip of the finger. One that waits for a stop price is
    measured by that; where prices differ, by the one it is farthest from."""
    known = [order.stop_price] if order.stop_price else prices.facing(order.side)
    if order.price is None or not known:
        return
    slack = Decimal(settings.LIMIT_FAR_BPS + (order.trailing_delta or 0)) / BPS
    tick = filters.tick_size(market.filters)
    if order.side == Side.BUY:
        most = floor_to_step(_times(min(known), ONE + slack), tick)
        if order.price > most:
            raise FarFromPrice(is_above=True, market=min(known), nearest=most)
        return
    least = ceil_to_step(_times(max(known), max(ONE - slack, Decimal(0))), tick)
    if order.price < least:
        raise FarFromPrice(is_above=False, market=max(known), nearest=least)


def _times(price: Decimal, factor: Decimal) -> Decimal:
    return EXACT.multiply(price, factor)
