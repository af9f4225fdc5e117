"""What the venue allows all customers together, for all have one account there (binance.md 9).

Counted at most a glance ago while there is room enough, and anew for each order when there is not: who finds none is
told that the exchange is busy, for it is nobody's fault.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from django.conf import settings
from django.db.models import Count, F, Q, Sum

from accounts.models import User
from exchange.gate.models import VenueAccount
from exchange.money import plain
from ledger import queries as books
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from orders.errors import Busy, TooMuchOfAnAsset
from orders.models import FINAL, Leg, Order, Side, Type, VenueOrder
from orders.rules import OPENING

# The venue counts each kind in a market, and again everywhere.
STOPS = (Type.STOP_LOSS, Type.STOP_LOSS_LIMIT, Type.TAKE_PROFIT, Type.TAKE_PROFIT_LIMIT)
COUNTED = (
    ("MAX_NUM_ORDERS", "maxNumOrders", "every"),
    ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", "stops"),
    ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", "icebergs"),
    ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", "lists"),
)
PAIRED = (Leg.ABOVE, Leg.BELOW)
EVERYWHERE = ""
# Seconds for which a count serves while there is room for so many more than were counted.
GLANCE, ROOM = 1, 50
POSITION_GLANCE, FILTERS_GLANCE = 5, 10
ZERO = Decimal(0)


@dataclass(frozen=True)
class House:
    """What all customers together have open, of each kind."""

    every: int
    stops: int
    icebergs: int
    lists: int
    buying: Decimal


NOT_COUNTED = House(0, 0, 0, 0, ZERO)
_seen: dict[str, tuple[float, House]] = {}
_positions: dict[int, tuple[float, dict[str, Decimal]]] = {}
_filters: list[tuple[float, list[filters.Filter]]] = []


def forget() -> None:
    """Nothing was counted yet."""
    for known in (_seen, _positions, _filters):
        known.clear()


def require_room(market: Market, more: Mapping[str, int]) -> None:
    """The venue takes so many more of each kind; raises Busy."""
    for place, rules, prefix in places(market):
        wanted = {
            kind: most - more[kind]
            for name, key, kind in COUNTED
            if more[kind] and (most := most_of(rules, prefix + name, key))
        }
        if wanted:
            house = _house(place, wanted)
            if any(getattr(house, kind) > most for kind, most in wanted.items()):
                raise Busy()


def require_position(user: User, market: Market, *, side: str, quantity: Decimal | None) -> None:
    """A purchase leaves what is held of the asset, and what is being bought, within the venue's limit.

    Raises TooMuchOfAnAsset where it is the customer's own share, and Busy where no account of the house has room.
    """
    most = _most_held(market)
    if not most or side != Side.BUY or quantity is None:
        return
    own, share = _owned(user, market) + _buying(market, user), share_of(most)
    if own + quantity > share:
        raise TooMuchOfAnAsset(field="quantity", most=plain(share), asset=market.base_id)
    with_room(list(VenueAccount.objects.filter(is_enabled=True)), market, side=side, quantity=quantity)


def with_room(
    accounts: Sequence[VenueAccount], market: Market, *, side: str, quantity: Decimal | None
) -> Sequence[VenueAccount]:
    """Those of the accounts in which a purchase stays within the venue's limit, which counts each by itself; raises
    Busy where it does in none."""
    most = _most_held(market)
    if not most or side != Side.BUY or quantity is None:
        return accounts
    buying = _buying_at(market)
    found = [
        account
        for account in accounts
        if _position(account.pk).get(market.base_id, ZERO) + buying.get(account.pk, ZERO) + quantity <= most
    ]
    if not found:
        raise Busy()
    return found


def _most_held(market: Market) -> Decimal:
    """Of the market's base, in one account; zero: there is no rule."""
    found = (item for item in market.filters if item.get("filterType") == "MAX_POSITION")
    return next((filters.number(item, "maxPosition") for item in found), ZERO)


def places(market: Market) -> list[tuple[str, Sequence[filters.Filter], str]]:
    """Where the venue counts, in the market and everywhere; its filters there, and what their names begin with."""
    return [(market.symbol, market.filters, ""), (EVERYWHERE, _filters_of_the_venue(), "EXCHANGE_")]


def _filters_of_the_venue() -> list[filters.Filter]:
    if not _filters or time.monotonic() - _filters[0][0] >= FILTERS_GLANCE:
        _filters[:] = [(time.monotonic(), markets.filters_of_the_venue())]
    return _filters[0][1]


def most_of(rules: Sequence[filters.Filter], name: str, key: str) -> int:
    """What a filter of this name allows; zero: there is none."""
    return int(next((filters.number(item, key) for item in rules if item.get("filterType") == name), ZERO))


def share_of(most: Decimal | int) -> Decimal:
    """What one customer may have of it."""
    return Decimal(most) * settings.OPEN_ORDERS_SHARE_PERCENT / 100


def whole_share_of(most: int) -> int:
    """The same of what cannot be parted, at least one."""
    return int(share_of(most).to_integral_value(ROUND_CEILING))


def _owned(user: User, market: Market) -> Decimal:
    row = books.balance(user.pk, market.base_id)
    return row.available + row.held


def _house(place: str, wanted: dict[str, int]) -> House:
    at, house = _seen.get(place, (0, NOT_COUNTED))
    is_roomy = all(getattr(house, kind) + ROOM <= most for kind, most in wanted.items())
    if is_roomy and house is not NOT_COUNTED and time.monotonic() - at < GLANCE:
        return house
    house = _counted(place)
    _seen[place] = (time.monotonic(), house)
    return house


def _open(place: str) -> Q:
    return Q(status__in=OPENING) & (Q(market=place) if place else Q())


def _counted(place: str) -> House:
    told = Order.objects.filter(_open(place)).aggregate(
        every=Count("pk"),
        stops=Count("pk", filter=Q(type__in=STOPS)),
        icebergs=Count("pk", filter=Q(iceberg_quantity__isnull=False)),
        lists=Count("order_list", filter=Q(leg__in=PAIRED), distinct=True),
        buying=Sum(F("quantity") - F("cumulative_quantity"), filter=Q(side=Side.BUY)),
    )
    return House(**{**told, "buying": told["buying"] or ZERO})


def _buying(market: Market, user: User) -> Decimal:
    found = Order.objects.filter(_open(market.symbol), side=Side.BUY, user=user)
    left = found.aggregate(left=Sum(F("quantity") - F("cumulative_quantity")))["left"]
    return Decimal(left or 0)


def _buying_at(market: Market) -> dict[int, Decimal]:
    """What orders may still buy in the market, by venue account."""
    found = VenueOrder.objects.exclude(status__in=FINAL).filter(
        order__market=market, order__side=Side.BUY, order__status__in=OPENING
    )
    left = Sum(F("quantity") - F("cumulative_quantity"))
    rows = found.order_by().values("venue_account").annotate(left=left).values_list("venue_account", "left")
    return {account: bought or ZERO for account, bought in rows}


def _position(venue_account_id: int) -> dict[str, Decimal]:
    at, found = _positions.get(venue_account_id, (0, {}))
    if not at or time.monotonic() - at >= POSITION_GLANCE:
        found = books.venue_position(venue_account_id)
        _positions[venue_account_id] = (time.monotonic(), found)
    return found
