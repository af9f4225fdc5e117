"""Until when something is asked of the venue, and from when on it is certain what became of it."""

from datetime import datetime, timedelta

from django.conf import settings

from exchange.gate import services as gate
from exchange.moments import milliseconds_of
from orders.models import Order


def send_by(asked_at: datetime) -> datetime:
    """What was decided to be asked then is not asked any later."""
    return asked_at + timedelta(milliseconds=settings.ORDER_SEND_BY_MS)


def signed_at(asked_at: datetime) -> int:
    """The same moment by the venue's clock, in milliseconds: what carries it is refused there when it comes late, as
    from a sender that was asleep."""
    return milliseconds_of(asked_at) + gate.clock().offset_ms


def certain_from(asked_at: datetime) -> datetime:
    """From then on the venue takes no request for it any more: what it says is the outcome."""
    after = settings.RECV_WINDOW_MS + settings.ORDER_RESOLVE_MARGIN_MS
    return send_by(asked_at) + timedelta(milliseconds=after)


def note_amend_certain(order_id: int, asked_at: datetime) -> None:
    """What became of the wish of then to make the order smaller is known; of a later one it is not."""
    Order.objects.filter(pk=order_id, amend_asked_at=asked_at).update(amend_asked_at=None)
