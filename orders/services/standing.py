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


def note_after_the_end(order: Order, venue_order: VenueOrder, report: Report, *, before: str) -> None:
    """What was given up is as the venue says; what stands there without a hold is to be canceled, which the next sweep
    does, and staff hear of it. `before`: the venue order's status until now. The caller holds the locks of both."""
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
    if not rules.is_closed(venue_order.status):  # however lately it was heard of, the next sweep looks
        venue_order.checked_at = None
        update(venue_order, "checked_at")


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
