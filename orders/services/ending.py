"""The end of an order: its state is final and what it still held is available again."""

from django.db import transaction
from django.utils import timezone

from exchange.database import transaction_with_retry
from ledger import services as ledger
from orders.errors import Told
from orders.models import Order, Status, VenueOrder
from orders.services import events


@transaction_with_retry
def reject(venue_order_id: int, reason: Told) -> None:
    """A venue order the venue never took ends its order; nothing happens when anything was heard of it before."""
    order, venue_order = locked(venue_order_id)
    if venue_order.status != Status.PENDING:
        return
    venue_order.status, venue_order.answered_at = Status.REJECTED, timezone.now()
    venue_order.save(update_fields=["status", "answered_at"])
    finish(order, Status.REJECTED, reason.code, str(reason.sentence))


def finish(order: Order, status: str, code: str = "", sentence: str = "") -> None:
    """The caller holds the order's lock; releases what is left and says so."""
    order.status, order.finished_at = status, timezone.now()
    order.reason_code, order.reason = code[:40], sentence[:300]
    order.save()
    ledger.release(cause=ledger.Cause.ORDER, cause_id=order.pk)
    paid = order.market.quote_id if order.side == "BUY" else order.market.base_id
    events.tell(order, paid)


def locked(venue_order_id: int) -> tuple[Order, VenueOrder]:
    """The order and its venue order, locked in this order everywhere."""
    assert transaction.get_connection().in_atomic_block, "locks need a transaction"
    order_id = VenueOrder.objects.values_list("order_id", flat=True).get(pk=venue_order_id)
    order = Order.objects.select_for_update(of=("self",)).select_related("market").get(pk=order_id)
    return order, VenueOrder.objects.select_for_update().get(pk=venue_order_id)
