"""The strategies: direct takes the market itself; smart takes what brings more than it, after our fees."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from django.conf import settings

from exchange.binance.models import SOR
from exchange.money import floor_to_step
from markets import queries as markets
from markets import rules as filters
from orders.models import RouteKind, Side, Strategy
from orders.routing.choice import Rule
from orders.routing.crossing import cross_way
from orders.routing.estimates import Books, hop
from orders.routing.paths import two_hops
from orders.routing.ways import ZERO, Asked, Out, Route, Way, better_by

Choose = Callable[[Asked, Rule], Route]


def route_of(asked: Asked, rule: Rule) -> Route:
    """What the rule's strategy finds for the order now."""
    return STRATEGIES[Strategy(rule.strategy)](asked, rule)


def direct(asked: Asked, rule: Rule) -> Route:
    """The market itself, whatever else there is."""
    books = Books()
    way = _tried(RouteKind.DIRECT, lambda: _direct(books, asked))
    return Route(rule, asked, (way,), way, books.told())


def smart(asked: Asked, rule: Rule) -> Route:
    """The way that brings the most for what is paid, and fills no less of it, by more than what it risks."""
    books = Books()
    itself = _tried(RouteKind.DIRECT, lambda: _direct(books, asked))
    cross = _tried(RouteKind.CROSS, lambda: _cross(books, asked, rule))
    sor = _tried(RouteKind.SOR, lambda: _sor(books, asked, cross))
    ways = (itself, cross, sor, *_over_bridges(books, asked, rule))
    return Route(rule, asked, ways, _best(ways), books.told())


STRATEGIES: dict[Strategy, Choose] = {Strategy.DIRECT: direct, Strategy.SMART: smart}


def _best(ways: tuple[Way, ...]) -> Way:
    """Of two that bring the same the earlier one: each further way is one more thing that can go wrong."""
    best = itself = ways[0]
    for way in ways[1:]:
        if not way.out and way.share >= itself.share and _is_worth_it(way, itself):
            best = way if best is itself or _beats(way, best) else best
    return best


def _is_worth_it(way: Way, itself: Way) -> bool:
    """A trade with another customer need not bring more: at the venue the two could not trade with each other."""
    if itself.rate is None:
        return way.rate is not None
    gain = better_by(way, itself)
    if gain is None:
        return False
    return gain >= 0 if way.kind == RouteKind.CROSS else gain > _least_gain(way.kind)


def _least_gain(kind: RouteKind) -> Decimal:
    return Decimal(settings.ROUTE_TWO_LEGS_MIN_BPS) if kind == RouteKind.TWO_LEGS else ZERO


def _beats(way: Way, best: Way) -> bool:
    gain = better_by(way, best)
    return gain is not None and gain > 0


def _tried(kind: RouteKind, look: Callable[[], Way], over: str = "") -> Way:
    try:
        return look()
    except Out as reason:
        return Way(kind, out=str(reason), over=over)


# ------------------------------------------------------------------ the ways
def _direct(books: Books, asked: Asked) -> Way:
    found = hop(
        books,
        asked.market,
        asked.side,
        rate=asked.rate,
        quantity=asked.quantity,
        quote=asked.quote_quantity,
        limit=asked.price,
    )
    return Way(RouteKind.DIRECT, (found,))


def _cross(books: Books, asked: Asked, rule: Rule) -> Way:
    if not rule.allows_crossing:
        raise Out("crossing_off")
    return cross_way(books, asked)


def _sor(books: Books, asked: Asked, cross: Way) -> Way:
    """The venue's own routing takes LIMIT orders by quantity, as a market order by quantity is here (binance.md 11).

    Where another customer's order could be met, it would be met at the venue, which then ends it.
    """
    if cross.hops:
        raise Out("meets_ours")
    if SOR not in asked.market.abilities:
        raise Out("not_offered")
    if asked.quantity is None:
        raise Out("by_total")
    group = markets.sor_group(asked.market.base_id).select_related("base", "quote")
    others = [market for market in group if market.symbol != asked.market.symbol and market.is_trading]
    found = hop(
        books,
        asked.market,
        asked.side,
        rate=asked.rate,
        quantity=asked.quantity,
        limit=asked.price,
        also=others,
    )
    return Way(RouteKind.SOR, (found,))


def _over_bridges(books: Books, asked: Asked, rule: Rule) -> Iterator[Way]:
    for over in rule.bridges:
        if over in (asked.paid_asset, asked.received_asset):
            continue
        yield _tried(RouteKind.TWO_LEGS, lambda over=over: _two_legs(books, asked, over), over)  # type: ignore[misc]


def _two_legs(books: Books, asked: Asked, over: str) -> Way:
    """Only for who says what is given: what is got in the end is not known before the second trade."""
    if not asked.is_market:
        raise Out("limit")
    if asked.side == Side.BUY and asked.quote_quantity is None:
        raise Out("by_amount_bought")
    amount = asked.quantity if asked.side == Side.SELL else asked.quote_quantity
    assert amount is not None, "a sale is by quantity by now"
    first, second = two_hops(books, asked.user, asked.paid_asset, over, asked.received_asset, amount)
    if asked.side == Side.SELL and first.paid != amount:
        raise Out("off_step" if _is_off_step(first.symbol, amount) else "no_liquidity")
    return Way(RouteKind.TWO_LEGS, (first, second), over=over)


def _is_off_step(symbol: str, amount: Decimal) -> bool:
    return floor_to_step(amount, filters.step_size(markets.market(symbol).filters)) != amount
