"""What one customer may have: a share of the open orders of the house, and no order larger than their tier allows."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

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
from orders.services import house
from orders.services.listtickets import ListTicket, said_of
from orders.services.sanity import last_price
from orders.services.tickets import Plan, Ticket


def require_within_limits(user: User, market: Market, ticket: Ticket, plan: Plan) -> None:
    """Raises TooManyOpen, TooMuchOfAnAsset and OrderTooLarge, and Busy where all customers together have what the
    venue allows; orders that come at the same moment may be one too many."""
    require_value(user, market, ticket, plan)
    house.require_position(user, market, side=ticket.side, quantity=plan.quantity)
    _require_room(user, market, [("", ticket)] if _rests(ticket) else [])


def require_list_within_limits(
    user: User, market: Market, ticket: ListTicket, plans: Mapping[Leg, Plan]
) -> None:
    """The same of all orders of a list. Those that wait count from now on, so nothing stands in their way later."""
    for leg, one in ticket.legs.items():
        with said_of(leg):
            require_value(user, market, one, plans.get(leg))
            house.require_position(user, market, side=one.side, quantity=one.quantity)
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
    more = _count((ticket.type, ticket.iceberg_quantity, leg) for leg, ticket in asked)
    shares = {
        place: kinds
        for place, rules, prefix in house.places(market)
        if (kinds := _shares(rules, prefix, more))
    }
    if shares:
        _require_shares(user, market, shares, more)
    house.require_room(market, more)


def _shares(rules: Sequence[filters.Filter], prefix: str, more: Mapping[str, int]) -> dict[str, int]:
    """How many of each kind one customer may have there, of the kinds that are asked for and limited."""
    return {
        kind: house.whole_share_of(most)
        for name, key, kind in house.COUNTED
        if more[kind] and (most := house.most_of(rules, prefix + name, key))
    }


def _require_shares(
    user: User, market: Market, shares: Mapping[str, Mapping[str, int]], more: Mapping[str, int]
) -> None:
    """What is open everywhere says also what is open in the market."""
    is_everywhere = house.EVERYWHERE in shares
    found = _OPEN_EVERYWHERE.all(user=user.pk) if is_everywhere else _OPEN.all(user=user.pk, market=market.pk)
    for place, kinds in shares.items():
        open_now = _count(told for *told, at in found if place in (house.EVERYWHERE, at))
        for kind, most in kinds.items():
            if open_now[kind] + more[kind] > most:
                raise TooManyOpen(kind=kind, most=most, is_everywhere=not place)


def _count(orders: Iterable[Sequence[Any]]) -> dict[str, int]:
    """By kind; the venue knows only of lists of two that end each other, and of each pair one is the upper one."""
    found = list(orders)
    return {
        "every": len(found),
        "stops": sum(type in house.STOPS for type, _shown, _leg in found),
        "icebergs": sum(shown is not None for _type, shown, _leg in found),
        "lists": sum(leg == Leg.ABOVE for _type, _shown, leg in found),
    }


_OPEN = Prepared(
    lambda: Order.objects.filter(
        user=Given("user"), market=Given("market"), status__in=TAKING_ROOM
    ).values_list("type", "iceberg_quantity", "leg", "market")
)
_OPEN_EVERYWHERE = Prepared(
    lambda: Order.objects.filter(user=Given("user"), status__in=TAKING_ROOM).values_list(
        "type", "iceberg_quantity", "leg", "market"
    )
)


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
