"""An order that the venue will not route goes to its own market."""

from django.utils import timezone

from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from orders.models import RouteKind, Status
from orders.services.ending import locked
from orders.services.recording import again


def without_routing(venue_order_id: int) -> list[int]:
    """The venue said no to routing it, so nothing of it was executed; what is to be sent instead, once. None when it
    is not pending any more, or staff have stopped such orders."""
    try:
        return _plain(venue_order_id)
    except DomainError:
        return []


@transaction_with_retry
def _plain(venue_order_id: int) -> list[int]:
    order, venue_order = locked(venue_order_id)
    if venue_order.status != Status.PENDING or order.finished_at is not None:
        return []
    venue_order.status, venue_order.answered_at = Status.REJECTED, timezone.now()
    venue_order.save(update_fields=["status", "answered_at"])
    order.route = RouteKind.DIRECT
    order.save(update_fields=["route"])
    venue_order.order, venue_order.by_sor = order, False
    venue_order.sent_at = venue_order.answered_at = None
    return [sent.pk for sent in again([venue_order])]
