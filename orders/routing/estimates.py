"""What a trade would bring on the books as they are published now, our fee taken off."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from django.conf import settings

from exchange.errors import DomainError
from exchange.money import divide, floor_to_step
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from markets.walks import Level, Walk, walk
from orders import rules
from orders.models import Side
from orders.routing.ways import ZERO, Hop, Out, told_of

ONE = Decimal(1)


class Books:
    """The books of one decision: each read once, and all of them on record."""

    def __init__(self) -> None:
        self._read: dict[str, markets.PublishedBook | None] = {}

    def of(self, market: Market) -> markets.PublishedBook:
        """Raises Out for one that is not of this moment."""
        if market.symbol not in self._read:
            self._read[market.symbol] = markets.published_book(market.symbol)
        book = self._read[market.symbol]
        if book is None or book.state != "LIVE" or book.age_ms > settings.ROUTE_BOOK_AGE_MS:
            raise Out("stale_book")
        return book

    def whole(self, market: Market) -> markets.PublishedBook | None:
        """All kept levels, if they are published: nobody waits for them."""
        return markets.whole_book(market.symbol, wait_ms=0)

    def told(self) -> dict[str, dict[str, object]]:
        return {symbol: told_of(book) for symbol, book in self._read.items() if book is not None}


def hop(
    books: Books,
    market: Market,
    side: str,
    *,
    rate: rules.Rate,
    quantity: Decimal | None = None,
    quote: Decimal | None = None,
    limit: Decimal | None = None,
    also: Sequence[Market] = (),
) -> Hop:
    """One trade in the market, no further than the limit; with `also` on the books of these markets too, as the venue
    routes it: whose quote is another asset of the same worth. Raises Out when nothing trades."""
    book = books.of(market)
    levels = merged(side, [book, *_fresh(books, also)])
    through = partial(
        walk, side=side, quantity=quantity, quote=quote, limit=limit, step=filters.step_size(market.filters),
        scale=market.quote.scale,
    )  # fmt: skip
    found = through(levels)
    if found.is_beyond and not also and (whole := books.whole(market)) is not None:
        found = through(whole.facing(side))
    return _hop(market, side, found, rate)


def _hop(market: Market, side: str, found: Walk, rate: rules.Rate) -> Hop:
    if not found.quantity:
        raise Out("no_liquidity")
    received = market.base if side == Side.BUY else market.quote
    paid, gross = (found.quote, found.quantity) if side == Side.BUY else (found.quantity, found.quote)
    fee = rules.fee_of(gross, rate.taker_bps, received.scale)
    return Hop(
        symbol=market.symbol,
        side=side,
        paid_asset=market.quote_id if side == Side.BUY else market.base_id,
        received_asset=received.code,
        paid=paid,
        received=gross - fee,
        fee=fee,
        average=found.average,
        share=ONE if found.is_complete else found.share,  # of a total less than a step costs is left
    )


def _fresh(books: Books, also: Sequence[Market]) -> list[markets.PublishedBook]:
    found = []
    for market in also:
        try:
            found.append(books.of(market))
        except Out:
            continue  # the venue may find more than we see, never less
    return found


def merged(side: str, books: Sequence[markets.PublishedBook]) -> list[Level]:
    """The levels of several books as one, best first; of the same price the first book's first."""
    if len(books) == 1:
        return list(books[0].facing(side))
    rows = [
        (Decimal(level[0]), number, level) for number, book in enumerate(books) for level in book.facing(side)
    ]
    sign = 1 if side == Side.BUY else -1
    return [level for _price, _number, level in sorted(rows, key=lambda row: (sign * row[0], row[1]))]


# ------------------------------------------------------------------ from one asset to another
def hop_giving(books: Books, give: str, get: str, amount: Decimal, rate: rules.Rate, market: Market) -> Hop:
    """The trade that gives so much of the one asset at the market's price, in whole steps; Out when it cannot be."""
    if not market.is_trading:
        raise Out("market_closed")
    side = Side.SELL if market.base_id == give else Side.BUY
    book = books.of(market)
    best = book.best_bid if side == Side.SELL else book.best_ask
    if best is None:
        raise Out("no_liquidity")
    tick, step = filters.tick_size(market.filters), filters.step_size(market.filters)
    limit = rules.protection_price(side, best, settings.MARKET_PROTECTION_BPS, tick)
    if side == Side.SELL:
        quantity, quote = floor_to_step(amount, step), None
        _require_allowed(market, side, best, quantity=quantity)
    elif market.allows_quote_quantity:
        places = min(market.quote.scale, market.quote_precision)
        quantity, quote = None, floor_to_step(amount, Decimal(1).scaleb(-places))
        _require_allowed(market, side, best, quote=quote)
    else:
        quantity, quote = floor_to_step(divide(amount, limit), step), None
        _require_allowed(market, side, best, quantity=quantity)
    return hop(books, market, side, rate=rate, quantity=quantity, quote=quote, limit=limit)


def _require_allowed(
    market: Market, side: str, best: Decimal, *, quantity: Decimal | None = None, quote: Decimal | None = None
) -> None:
    if (quantity if quote is None else quote) in (None, ZERO):
        raise Out("too_small")
    try:
        filters.check(
            market.filters, side=side, type="MARKET", quantity=quantity, quote_quantity=quote, reference=best
        )
    except DomainError:
        raise Out("too_small") from None
