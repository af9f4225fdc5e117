"""What one customer may have: a share of the open orders of the house, and no order larger than their tier allows."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from django.conf import settings

from accounts import queries as accounts
from accounts.models import User
from exchange.money import divide, floor_to_step
from exchange.prepared import Given, Prepared
from ledger import queries as books
from markets import rules as filters
from markets.models import Market
from orders.errors import OrderTooLarge, PricesDelayed, TooManyOpen
from orders.models import Leg, Order, Type
from orders.rules import TAKING_ROOM
from orders.services.listtickets import ListTicket, said_of
from orders.services.sanity import last_price
from orders.services.tickets import Plan, Ticket

# The venue counts each kind for the whole account (binance.md 9).
STOPS = (Type.STOP_LOSS, Type.STOP_LOSS_LIMIT, Type.TAKE_PROFIT, Type.TAKE_PROFIT_LIMIT)
COUNTED = (
    ("MAX_NUM_ORDERS", "maxNumOrders", "every"),
    ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", "stops"),
    ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", "icebergs"),
    ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", "lists"),
)


def require_within_limits(user: User, market: Market, ticket: Ticket, plan: Plan) -> None:
    """Raises TooManyOpen and OrderTooLarge; orders that come at the same moment may be one too many."""
    require_value(user, market, ticket, plan)
    _require_room(user, market, [("", ticket)] if _rests(ticket) else [])


def require_list_within_limits(
    user: User, market: Market, ticket: ListTicket, plans: Mapping[Leg, Plan]
) -> None:
    """The same of all orders of a list. Those that wait count from now on, so nothing stands in their way later."""
    for leg, one in ticket.legs.items():
        with said_of(leg):
            require_value(user, market, one, plans.get(leg))
    _require_room(
        user, market, [item for item in ticket.legs.items() if item[0] not in plans or _rests(item[1])]
    )


def _rests(ticket: Ticket) -> bool:
    """A stop waits for its price at the venue, whatever its time in force once it trades."""
    return ticket.type != Type.MARKET and not (
        ticket.type == Type.LIMIT and ticket.time_in_force in ("IOC", "FOK")
    )


def _require_room(user: User, market: Market, asked: Sequence[tuple[str, Ticket]]) -> None:
    if not asked:
        return
    open_now = _count(_OPEN.all(user=user.pk, market=market.pk))
    more = _count((ticket.type, ticket.iceberg_quantity, leg) for leg, ticket in asked)
    for name, key, kind in COUNTED:
        most = _share(market.filters, name, key)
        if most and more[kind] and open_now[kind] + more[kind] > most:
            raise TooManyOpen(kind=kind, most=most)


def _count(orders: Iterable[tuple[str, Decimal | None, str]]) -> dict[str, int]:
    """By kind; the venue knows only of lists of two that end each other, and of each pair one is the upper one."""
    found = list(orders)
    return {
        "every": len(found),
        "stops": sum(type in STOPS for type, _shown, _leg in found),
        "icebergs": sum(shown is not None for _type, shown, _leg in found),
        "lists": sum(leg == Leg.ABOVE for _type, _shown, leg in found),
    }


_OPEN = Prepared(
    lambda: Order.objects.filter(
        user=Given("user"), market=Given("market"), status__in=TAKING_ROOM
    ).values_list("type", "iceberg_quantity", "leg")
)


def _share(rules: Sequence[filters.Filter], name: str, key: str) -> int:
    """How many of those that the venue allows the house one customer may have, at least one; zero: no rule."""
    whole = next((filters.number(item, key) for item in rules if item.get("filterType") == name), Decimal(0))
    share = whole * settings.OPEN_ORDERS_SHARE_PERCENT / 100
    return int(share.to_integral_value(ROUND_CEILING))


def require_value(user: User, market: Market, ticket: Ticket, plan: Plan | None) -> None:
    """Raises OrderTooLarge with the amount that is allowed, and PricesDelayed when nobody knows what it is worth.

    Without a plan it is an order that waits for another.
    """
    value, most = _value(market, ticket, plan), accounts.order_value_limit(user)
    if value is None:
        if plan is None:
            raise PricesDelayed()
        return
    worth = value if market.quote_id == settings.REFERENCE_ASSET else books.worth(market.quote_id, value)
    if worth is None:
        raise PricesDelayed()
    if worth > most:
        raise _too_large(market, ticket, share=divide(most, worth), most=most)


def _value(market: Market, ticket: Ticket, plan: Plan | None) -> Decimal | None:
    """In the quote asset; None for a sale at any price while the market has none."""
    if ticket.quote_quantity is not None:
        return ticket.quote_quantity
    price, quantity = (plan.price, plan.quantity) if plan else (ticket.price, ticket.quantity)
    price = price or ticket.stop_price or last_price(market)
    return None if price is None or quantity is None else price * quantity


def _too_large(market: Market, ticket: Ticket, *, share: Decimal, most: Decimal) -> OrderTooLarge:
    """`share`: the part of the order that is allowed."""
    if ticket.quote_quantity is not None:
        places = min(market.quote.scale, market.quote_precision)
        step, field, amount = Decimal(1).scaleb(-places), "quote_quantity", ticket.quote_quantity
    else:
        step, field, amount = filters.step_size(market.filters), "quantity", ticket.quantity or Decimal(0)
    nearest = floor_to_step(amount * share, step)
    return OrderTooLarge(field=field, most=most, asset=settings.REFERENCE_ASSET, nearest=nearest)
