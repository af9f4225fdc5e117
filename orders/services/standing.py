"""What the venue says of an order against what was concluded here: it knows one that it did not know, or has one open
that was given up and holds nothing any more."""

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.binance.models import Report
from exchange.money import plain
from exchange.prepared import update
from ledger import services as ledger
from orders import funds, rules
from orders.errors import GIVEN_UP, LOST, MISSING, STANDS, STOOD
from orders.models import Order, Status, VenueOrder
from orders.services import events

log = structlog.get_logger()
STANDING = (Status.OPEN, Status.PARTIALLY_FILLED)
ENDED = (Status.FILLED, Status.CANCELED, Status.EXPIRED)


def note_seen(order: Order, venue_order: VenueOrder) -> None:
    """The venue knows the order: nothing of it is checked any more. The caller holds the locks of both."""
    venue_order.missing_asks, venue_order.missing_at = 0, None
    update(venue_order, "missing_asks", "missing_at")
    if order.reason_code == MISSING.code and order.finished_at is None:
        order.reason_code = order.reason = ""
        update(order, "reason_code", "reason", "updated_at")
        events.tell(order)


def is_against(status: str, reason_code: str, report: Report) -> bool:
    """True when the venue has open what was given up here; `status` is that of the venue order."""
    return _is_given_up(status, reason_code) and report.status in STANDING


def _is_given_up(status: str, reason_code: str) -> bool:
    return status == Status.REJECTED or (status == Status.EXPIRED and reason_code == LOST.code)


def note_after_the_end(
    order: Order, venue_order: VenueOrder, report: Report, *, before: str, is_booked: bool
) -> None:
    """What was given up is as the venue says; what stands there without a hold is to be canceled, which the next sweep
    does, and staff hear of it. `before`: the venue order's status until now; `is_booked`: with all that it traded. The
    caller holds the locks of both."""
    if order.finished_at is None:
        return
    if _is_given_up(before, order.reason_code):
        if report.status in STANDING:
            _wish_cancel(order, venue_order, report)
        elif report.status in ENDED:  # what is told of it from before counts no more
            venue_order.status = report.status
            update(venue_order, "status")
            if order.status == Status.REJECTED or order.reason_code in GIVEN_UP:
                _tell_it_stood(order)
    elif (
        order.reason_code == STANDS.code
        and not rules.is_closed(before)
        and rules.is_closed(venue_order.status)
    ):
        _tell_it_stood(order)
    note_traded(order, is_whole=is_booked and venue_order.status == Status.FILLED)
    if not rules.is_closed(venue_order.status):  # however lately it was heard of, the next sweep looks
        venue_order.checked_at = None
        update(venue_order, "checked_at")


def note_traded(order: Order, *, is_whole: bool) -> None:
    """An order that was given up is none that was refused once it has traded, and is filled when all of it has; the
    whole whose part it is was not refused either. The caller holds its lock."""
    is_given_up = order.status == Status.REJECTED or order.reason_code in (*GIVEN_UP, STANDS.code, STOOD.code)
    if order.finished_at is None or not order.cumulative_quantity or not is_given_up:
        return
    status = Status.FILLED if is_whole else Status.EXPIRED
    if status == order.status or order.status == Status.FILLED:
        return
    order.status = status
    update(order, "status", "updated_at")
    events.tell(order)
    wholes = Order.objects.filter(parts=order, status=Status.REJECTED)
    wholes.update(status=Status.EXPIRED, reason_code=STOOD.code, reason=str(STOOD.sentence))


def _tell_it_stood(order: Order) -> None:
    order.reason_code, order.reason = STOOD.code, str(STOOD.sentence)
    update(order, "reason_code", "reason", "updated_at")
    events.tell(order)


def _wish_cancel(order: Order, venue_order: VenueOrder, report: Report) -> None:
    log.error(
        "order.stands_without_hold",
        order=order.pk,
        client_order_id=venue_order.client_order_id,
        status=report.status,
    )
    venue_order.status = report.status
    update(venue_order, "status")
    order.reason_code, order.reason = STANDS.code, str(STANDS.sentence)
    order.cancel_requested_at = order.cancel_requested_at or timezone.now()
    update(order, "reason_code", "reason", "cancel_requested_at", "updated_at")
    _alarm(order, venue_order, report)
    events.tell(order)


def _alarm(order: Order, venue_order: VenueOrder, report: Report) -> None:
    asset, amount = funds.need_of(venue_order)
    ledger.note_exception(
        source=ledger.Source.STANDING_ORDER,
        key=f"standing order:{venue_order.pk}",
        asset=asset,
        amount=amount or None,
        detail={
            "order": order.pk,
            "user": order.user_id,
            "client_order_id": venue_order.client_order_id,
            "venue_order_id": report.venue_order_id,
            "status": report.status,
            "filled": plain(report.cumulative_quantity),
        },
        cause=_("Order %(order)s was given up, and the venue has it open; it is being canceled.")
        % {"order": order.pk},
    )
