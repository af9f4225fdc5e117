"""What the venue says of an order against what was concluded here: it knows one that it did not know."""

from exchange.prepared import update
from orders.errors import MISSING
from orders.models import Order, VenueOrder
from orders.services import events


def note_seen(order: Order, venue_order: VenueOrder) -> None:
    """The venue knows the order: nothing of it is checked any more. The caller holds the locks of both."""
    venue_order.missing_asks, venue_order.missing_at = 0, None
    update(venue_order, "missing_asks", "missing_at")
    if order.reason_code == MISSING.code and order.finished_at is None:
        order.reason_code = order.reason = ""
        update(order, "reason_code", "reason", "updated_at")
        events.tell(order)
