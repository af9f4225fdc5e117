"""An order's life in sentences with their times, told from its rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Count, Max
from django.utils.translation import gettext as _

from exchange.money import plain
from orders.models import Order, Status, VenueOrder

TOLD_FILLS = 10


@dataclass(frozen=True)
class Step:
    text: str
    at: datetime | None
    is_open: bool = False


def steps(order: Order) -> list[Step]:
    """Received, sent, answered, filled so many times, ended: what has happened, and what is waited for."""
    told = [Step(_received(order), order.created_at)]
    for sent in order.venue_orders.all():
        told += _at_the_venue(sent)
    told += _fills(order)
    for other in order.replacements.all():
        told.append(Step(_("To be changed by order %(id)s") % {"id": other.pk}, other.created_at))
    if order.cancel_requested_at:
        told.append(Step(_("Cancelling was asked for"), order.cancel_requested_at))
    told.sort(key=lambda step: (step.at is None, step.at))
    return [*told, _end(order)]


def _received(order: Order) -> str:
    if order.replaces_id is not None:
        return _("Received, to take the place of order %(id)s") % {"id": order.replaces_id}
    if order.is_later:
        return _("Received, to wait for the first order of its list")
    if order.is_paired:
        return _("Received, and the money set aside once for both orders of its list")
    return _("Received, and the money set aside")


def _at_the_venue(sent: VenueOrder) -> Iterator[Step]:
    if sent.sent_at:
        yield Step(_("Sent to the venue"), sent.sent_at)
    if sent.answered_at:
        yield Step(_("Answered by the venue"), sent.answered_at)


def _fills(order: Order) -> Iterator[Step]:
    """Each of the first few; the others, however many, in one sentence, for they have a table of their own."""
    later = order.fills.order_by("id")[TOLD_FILLS:].aggregate(count=Count("id"), at=Max("at"))
    if later["count"]:
        yield Step(_("And %(count)s more fills") % {"count": later["count"]}, later["at"])
    for fill in order.fills.order_by("id")[:TOLD_FILLS]:
        words = {"quantity": plain(fill.quantity), "price": plain(fill.price), "base": order.market.base_id}
        yield Step(_("Filled %(quantity)s %(base)s at %(price)s") % words, fill.at)


def _end(order: Order) -> Step:
    if not order.is_final:
        waits = {
            Status.PENDING: _("The venue has not answered yet: the order is being checked"),
            Status.WAITING: _("Waiting until the first order of its list is filled"),
        }
        return Step(waits.get(Status(order.status), _("In the book, waiting")), None, is_open=True)
    successor = order.replacements.exclude(status=Status.REJECTED).last()
    if order.status == Status.CANCELED and successor is not None:
        return Step(_("Canceled; order %(id)s has its place") % {"id": successor.pk}, order.finished_at)
    ends = {
        Status.FILLED: _("Filled completely"),
        Status.CANCELED: _("Canceled; what was not used is available again"),
        Status.REJECTED: _("Not accepted; the money is available again"),
        Status.EXPIRED: _("Ended by its time in force; what was not used is available again"),
    }
    if order.reason_code == "OCO_TRIGGER":
        return Step(_("Ended, because the other order of its list began to trade"), order.finished_at)
    if order.status == Status.CANCELED and not order.venue_orders.exists():
        return Step(_("Canceled before its turn came; nothing was held for it"), order.finished_at)
    return Step(ends[Status(order.status)], order.finished_at)


def average_price(order: Order, places: int) -> Decimal | None:
    """What one unit cost on average, for orientation."""
    if not order.cumulative_quantity:
        return None
    return (order.cumulative_quote / order.cumulative_quantity).quantize(
        Decimal(1).scaleb(-places), ROUND_HALF_UP
    )
