"""Whom of our own customers an order would meet: at the price that rests, at or inside the venue's best."""

from decimal import Decimal

from django.conf import settings

from exchange.money import EXACT, divide, floor_to_step, multiply, round_down
from markets import rules as filters
from markets.models import Market
from markets.walks import Level, walk
from orders import queries, rules
from orders.models import Order, RouteKind, Side
from orders.routing.estimates import ONE, Books
from orders.routing.ways import ZERO, Asked, Hop, Out, Way

Met = tuple[Order, Decimal]


def cross_way(books: Books, asked: Asked) -> Way:
    """As much as possible against resting orders of others, the rest on the venue's book without them. Raises Out."""
    if asked.time_in_force == "FOK":
        raise Out("all_or_nothing")
    if asked.is_total and asked.quantity is not None:
        raise Out("by_total")
    book = books.of(asked.market)
    best = book.best_ask if asked.side == Side.BUY else book.best_bid
    if best is None:
        raise Out("no_liquidity")
    met = _met(asked, best)
    if not met:
        raise Out("nobody")
    levels = without(met, list(book.facing(asked.side)))
    return Way(
        RouteKind.CROSS, (_hop(asked, met, levels),), makers=tuple((order.pk, part) for order, part in met)
    )


def _met(asked: Asked, best: Decimal) -> list[Met]:
    limit = best if asked.price is None else rules.nearer(asked.side, best, asked.price)
    found: list[Met] = []
    left, is_total = asked.quantity, asked.quantity is None
    total = asked.quote_quantity
    for maker in queries.resting_against(asked.user, asked.market, asked.side, limit)[
        : settings.CROSS_MAKERS
    ]:
        assert maker.price is not None and maker.left is not None, "a limit order has both"
        wanted = left
        if total is not None:
            wanted = floor_to_step(divide(total, maker.price), _step(asked.market))
        assert wanted is not None, "an order is by quantity or by total"
        if not wanted:
            break
        part = min(wanted, maker.left)
        if not is_allowed(asked.market, maker.price, EXACT.subtract(maker.left, part)):
            continue
        rest = EXACT.subtract(total or ZERO, cost(asked.market, maker, part))
        if is_total and not _is_total_allowed(asked.market, maker.price, rest):
            continue
        if not is_total and not is_allowed(asked.market, maker.price, EXACT.subtract(wanted, part)):
            continue
        found.append((maker, part))
        if is_total:
            total = rest
        else:
            left = EXACT.subtract(wanted, part)
    return found


def _step(market: Market) -> Decimal:
    return filters.step_size(market.filters)


def is_allowed(market: Market, price: Decimal, rest: Decimal) -> bool:
    """What is left of an order is nothing, or enough to be an order at the venue."""
    if not rest:
        return True
    least = filters.least_quantity(market.filters)
    return rest >= least and multiply(rest, price) >= filters.min_notional(market.filters)


def _is_total_allowed(market: Market, price: Decimal, rest: Decimal) -> bool:
    return is_less_than_a_step(market, price, rest) or rest >= filters.min_notional(market.filters)


def is_less_than_a_step(market: Market, price: Decimal, total: Decimal) -> bool:
    """True when the total pays for nothing at this price."""
    return total < multiply(price, _step(market)) or not total


def without(met: list[Met], levels: list[Level]) -> list[Level]:
    """The levels less what would be taken back from them."""
    gone: dict[Decimal, Decimal] = {}
    for order, part in met:
        assert order.price is not None
        gone[order.price] = gone.get(order.price, ZERO) + part
    found = []
    for price, quantity in levels:
        left = Decimal(quantity) - gone.get(Decimal(price), ZERO)
        if left > 0:
            found.append((price, str(left)))
    return found


def _hop(asked: Asked, met: list[Met], levels: list[Level]) -> Hop:
    market = asked.market
    quantity = sum((part for _order, part in met), ZERO)
    quote = sum((cost(market, order, part) for order, part in met), ZERO)
    rest = walk(
        levels,
        asked.side,
        quantity=None if asked.quantity is None else asked.quantity - quantity,
        quote=None if asked.quantity is not None else (asked.quote_quantity or ZERO) - quote,
        limit=asked.price,
        step=_step(market),
        scale=market.quote.scale,
    )
    quantity, quote = quantity + rest.quantity, quote + rest.quote
    received = market.base if asked.side == Side.BUY else market.quote
    paid, gross = (quote, quantity) if asked.side == Side.BUY else (quantity, quote)
    fee = rules.fee_of(gross, asked.rate.taker_bps, received.scale)
    wanted = asked.quantity if asked.quantity is not None else asked.quote_quantity
    got = quantity if asked.quantity is not None else quote
    assert wanted, "an order wants something"
    share = ONE if rest.is_complete else divide(got, wanted)
    return Hop(
        symbol=market.symbol,
        side=asked.side,
        paid_asset=asked.paid_asset,
        received_asset=received.code,
        paid=paid,
        received=gross - fee,
        fee=fee,
        average=divide(quote, quantity),
        share=share,
    )


def cost(market: Market, order: Order, quantity: Decimal) -> Decimal:
    """What a trade at the resting price costs, rounded as the venue would."""
    assert order.price is not None
    return round_down(multiply(order.price, quantity), min(market.quote.scale, market.quote_precision))
