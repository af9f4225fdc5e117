"""What reports of the venue say of resting orders that are being taken back from there, whatever road they came by."""

from decimal import Decimal

import structlog
from django.db.models import Sum
from django.utils import timezone

from exchange.binance.errors import NotSent
from exchange.gate import services as gate
from exchange.money import EXACT
from exchange.prepared import update
from markets.models import Market
from markets.rules import Act, allows
from orders import rules
from orders.models import Cross, Crossing, Fill, Order, VenueOrder

log = structlog.get_logger()
State = Cross.State


def note_smaller(order: Order, venue_order: VenueOrder, quantity: Decimal) -> bool:
    """True when the size is the one that was asked for to trade the difference here: the customer's order stays as
    large as it is, and may be made smaller once less. The caller holds the locks of both."""
    if order.crossing != Crossing.UNDER_WAY:
        return False
    asked = Cross.objects.filter(maker=order, sent=venue_order, state=State.ASKED, to_quantity=quantity)
    cross = asked.select_for_update().first()
    if cross is None:
        return False
    assert venue_order.quantity is not None, "a total is never amended"
    _take(cross, EXACT.subtract(venue_order.quantity, quantity))
    venue_order.quantity, order.amends = quantity, order.amends + 1
    update(venue_order, "quantity")
    update(order, "amends")
    return True


def note_closed(order: Order, venue_order: VenueOrder) -> None:
    """What stood at the venue for the order has ended and all its trades are booked: what is left of it is ours to
    trade, if it was to be taken back. The caller holds the locks of both."""
    asked = Cross.objects.filter(maker=order, sent=venue_order, state=State.ASKED)
    cross = asked.select_for_update().first()
    if cross is None:
        return
    assert venue_order.quantity is not None, "a total is never taken back"
    left = EXACT.subtract(venue_order.quantity, venue_order.cumulative_quantity)
    if left > 0 and rules.is_closed(venue_order.status):
        _take(cross, left)
    else:
        miss(cross, "filled_meanwhile")


def _take(cross: Cross, quantity: Decimal) -> None:
    cross.state, cross.taken = State.TAKEN, quantity
    cross.save(update_fields=["state", "taken"])
    log.info("cross.taken", cross=cross.pk, maker=cross.maker_id)


def miss(cross: Cross, reason: str) -> None:
    """Nothing was taken back, and nothing will be."""
    cross.state, cross.reason, cross.ended_at = State.MISSED, reason, timezone.now()
    cross.save(update_fields=["state", "reason", "ended_at"])
    log.info("cross.missed", cross=cross.pk, reason=reason)


def require_way_back(*orders: Order) -> None:
    """Nothing is taken from the market that staff let nobody place there again, or the market itself does not take;
    raises NotSent."""
    for order in orders:
        if is_closed(order.market):
            raise NotSent("the market is closed")
        if (stop := gate.stop_against(**order.named)) is not None:
            raise NotSent(f"stopped: {stop.code}")


def is_closed(market: Market) -> bool:
    """Nothing new can be placed there now, whoever has placed it before."""
    return not allows(market.status, Act.PLACE)


def booked_of(order: Order, venue_order: VenueOrder) -> Decimal:
    """How much of what was sent is in the books: all that the order traded, but of one that traded with another
    customer, or went to the venue again, what this venue order did."""
    return booked_at_venue(venue_order.pk) if order.crossing else order.cumulative_quantity


def booked_at_venue(venue_order_id: int) -> Decimal:
    """The sum of its own trades."""
    fills = Fill.objects.filter(venue_order=venue_order_id)
    return Decimal(fills.aggregate(booked=Sum("quantity", default=Decimal(0)))["booked"])


def is_superseded(order: Order, venue_order: VenueOrder) -> bool:
    """True when something else stands for the order at the venue by now: what became of this one ends nothing."""
    return bool(order.crossing) and VenueOrder.objects.filter(order=order, pk__gt=venue_order.pk).exists()
