"""The end of an order: its state is final and what it still held is available again."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.database import transaction_with_retry
from exchange.office import services as office
from ledger import services as ledger
from orders.errors import Told
from orders.models import PAIR, Leg, Order, OrderList, Status, VenueOrder
from orders.services import events


@transaction_with_retry
def reject(venue_order_ids: Sequence[int], reason: Told) -> None:
    """Venue orders the venue never took end their orders; nothing happens to one of which anything was heard before."""
    for venue_order_id in venue_order_ids:
        order, venue_order = locked(venue_order_id)
        if venue_order.status == Status.PENDING:
            venue_order.status, venue_order.answered_at = Status.REJECTED, timezone.now()
            venue_order.save(update_fields=["status", "answered_at"])
            finish(order, Status.REJECTED, reason.code, str(reason.sentence))


def finish(order: Order, status: str, code: str = "", sentence: str = "") -> None:
    """The caller holds the order's lock; releases what is left and says so."""
    order.status, order.finished_at = status, timezone.now()
    if code or sentence:
        order.reason_code, order.reason = code[:40], sentence[:300]
    order.save()
    if ends_hold(order):
        cause, number = cause_of_hold(order)
        ledger.release(cause=cause, cause_id=number)
    if status == Status.REJECTED and order.is_later and order.leg != Leg.BELOW:
        _tell_who_does_not_look(order)
    events.tell(order, order.paid_asset_id)


def _tell_who_does_not_look(order: Order) -> None:
    """What was given long ago begins now, and cannot: the customer hears of it, of two orders once."""
    office.notify(
        order.user,
        "order.not_begun",
        _("An order that waited could not begin"),
        _(
            "Your first order %(first)s in %(market)s was filled, and order %(order)s that waited for it was not"
            " placed: %(reason)s Nothing is held for it."
        ),
        {
            "first": order.order_list.orders.get(leg=Leg.WORKING).pk if order.order_list else "",
            "order": order.pk,
            "market": order.market_id,
            "reason": order.reason,
        },
    )


def ends_hold(order: Order) -> bool:
    """False while another order is paid from the same hold; the caller holds the lock of both."""
    if not order.is_paired:
        return True
    pair = Order.objects.filter(order_list=order.order_list_id, leg__in=PAIR, finished_at__isnull=True)
    return not pair.exclude(pk=order.pk).exists()


def cause_of_hold(order: Order) -> tuple[ledger.Cause, int]:
    """What the order is paid from: a hold of its own, or its list's."""
    if order.is_paired:
        assert order.order_list_id is not None
        return ledger.Cause.LIST, order.order_list_id
    return ledger.Cause.ORDER, order.pk


def locked(venue_order_id: int) -> tuple[Order, VenueOrder]:
    """The order and its venue order, locked in this order everywhere, and before them the list they belong to."""
    assert transaction.get_connection().in_atomic_block, "locks need a transaction"
    found = VenueOrder.objects.values_list("order_id", "order__order_list_id")
    order_id, list_id = found.get(pk=venue_order_id)
    if list_id is not None:
        OrderList.objects.select_for_update().get(pk=list_id)
    order = Order.objects.select_for_update(of=("self",)).select_related("market").get(pk=order_id)
    return order, VenueOrder.objects.select_for_update().get(pk=venue_order_id)
