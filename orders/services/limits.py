"""What one customer may have: a share of the open orders of the house, and no order larger than their tier allows."""

from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings

from accounts import queries as accounts
from accounts.models import User
from exchange.money import divide, floor_to_step
from exchange.prepared import Given, Prepared
from ledger import queries as books
from markets import rules as filters
from markets.models import Market
from orders.errors import OrderTooLarge, PricesDelayed, TooManyOpen
from orders.models import Order, Type
from orders.rules import OPENING
from orders.services import house
from orders.services.sanity import last_price
from orders.services.tickets import Plan, Ticket


def require_within_limits(user: User, market: Market, ticket: Ticket, plan: Plan) -> None:
    """Raises TooManyOpen, TooMuchOfAnAsset and OrderTooLarge, and Busy where all customers together have what the
    venue allows; orders that come at the same moment may be one too many."""
    require_value(user, market, ticket, plan)
    house.require_position(user, market, side=ticket.side, quantity=plan.quantity)
    if plan.time_in_force in ("IOC", "FOK") or plan.type == Type.MARKET:
        return  # it never rests
    kinds = {"every"} | ({"stops"} if ticket.type in house.STOPS else set())
    kinds |= {"icebergs"} if ticket.iceberg_quantity is not None else set()
    for place, rules, prefix in house.places(market):
        _require_share(user, place, rules, prefix, kinds)
    house.require_room(market, kinds)


def _require_share(
    user: User, place: str, rules: Sequence[filters.Filter], prefix: str, kinds: set[str]
) -> None:
    wanted = [
        (kind, house.whole_share_of(most))
        for name, key, kind in house.COUNTED
        if kind in kinds and (most := house.most_of(rules, prefix + name, key))
    ]
    if not wanted:
        return
    counts = _open_orders(user, place)
    for kind, most in wanted:
        if counts[kind] >= most:
            raise TooManyOpen(kind=kind, most=most, is_everywhere=not place)


def _open_orders(user: User, place: str) -> dict[str, int]:
    found = _OPEN.all(user=user.pk, market=place) if place else _OPEN_EVERYWHERE.all(user=user.pk)
    return {
        "every": len(found),
        "stops": sum(type in house.STOPS for type, _shown in found),
        "icebergs": sum(shown is not None for _type, shown in found),
    }


_OPEN = Prepared(
    lambda: Order.objects.filter(user=Given("user"), market=Given("market"), status__in=OPENING).values_list(
        "type", "iceberg_quantity"
    )
)
_OPEN_EVERYWHERE = Prepared(
    lambda: Order.objects.filter(user=Given("user"), status__in=OPENING).values_list(
        "type", "iceberg_quantity"
    )
)


def require_value(user: User, market: Market, ticket: Ticket, plan: Plan) -> None:
    """Raises OrderTooLarge with the amount that is allowed, and PricesDelayed when nobody knows what it is worth."""
    value, most = _value(market, ticket, plan), accounts.order_value_limit(user)
    if value is None:
        return
    worth = value if market.quote_id == settings.REFERENCE_ASSET else books.worth(market.quote_id, value)
    if worth is None:
        raise PricesDelayed()
    if worth > most:
        raise _too_large(market, ticket, share=divide(most, worth), most=most)


def _value(market: Market, ticket: Ticket, plan: Plan) -> Decimal | None:
    """In the quote asset; None for a sale at any price while the market has none."""
    if ticket.quote_quantity is not None:
        return ticket.quote_quantity
    price = plan.price or ticket.stop_price or last_price(market)
    return None if price is None or plan.quantity is None else price * plan.quantity


def _too_large(market: Market, ticket: Ticket, *, share: Decimal, most: Decimal) -> OrderTooLarge:
    """`share`: the part of the order that is allowed."""
    if ticket.quote_quantity is not None:
        places = min(market.quote.scale, market.quote_precision)
        step, field, amount = Decimal(1).scaleb(-places), "quote_quantity", ticket.quote_quantity
    else:
        step, field, amount = filters.step_size(market.filters), "quantity", ticket.quantity or Decimal(0)
    nearest = floor_to_step(amount * share, step)
    return OrderTooLarge(field=field, most=most, asset=settings.REFERENCE_ASSET, nearest=nearest)
