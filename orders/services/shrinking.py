"""An order that the venue says is smaller now holds less, once for each size."""

from decimal import Decimal

from exchange.binance.models import Report
from ledger import services as ledger
from orders import rules
from orders.models import Order, VenueOrder
from orders.services import events


def is_smaller(venue_order: VenueOrder, report: Report) -> bool:
    """True when the report says a size below the known one; an older report never makes it larger again."""
    return venue_order.quantity is not None and 0 < report.quantity < venue_order.quantity


def shrink(order: Order, venue_order: VenueOrder, quantity: Decimal) -> None:
    """The order has this quantity, and what it held for more is available again. The caller holds the lock of both."""
    assert venue_order.quantity is not None and order.quantity is not None, "a total is never amended"
    whole = order.quantity - (venue_order.quantity - quantity)  # part of it may have traded elsewhere
    excess = _held(order, venue_order, venue_order.quantity) - _held(order, venue_order, quantity)
    # What takes its place, if the venue has it by now, is paid from this hold as it was when that was asked for.
    if not order.replacements.filter(extra_hold__isnull=False, finished_at__isnull=True).exists():
        ledger.reduce_hold(
            user_id=order.user_id,
            asset=order.paid_asset_id,
            amount=excess,
            cause=ledger.Cause.ORDER,
            cause_id=order.pk,
            to=whole,
        )
    order.original_quantity = order.original_quantity or order.quantity
    order.quantity, order.amends = whole, order.amends + 1
    venue_order.quantity = quantity
    for each in (order, venue_order):
        if each.iceberg_quantity is not None:
            each.iceberg_quantity = min(each.iceberg_quantity, quantity)
    order.save()
    venue_order.save()
    events.tell(order, order.paid_asset_id)


def _held(order: Order, venue_order: VenueOrder, quantity: Decimal) -> Decimal:
    return rules.hold_of(
        order.side,
        quantity=quantity,
        price=venue_order.price,
        quote_quantity=None,
        quote_scale=order.market.quote.scale,
    )
