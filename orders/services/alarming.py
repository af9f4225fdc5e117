"""Staff hear of what the venue refuses because of the house: its balance, its key, its limits, its own mistakes."""

from datetime import timedelta

import structlog
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.binance.errors import KEY_REFUSED, NotSent, Rejected
from exchange.gate import services as gate
from exchange.office import queries as notices
from exchange.office import services as office
from orders import refusals
from orders.errors import BUSY, CHECKING, UNAVAILABLE, Told, told

log = structlog.get_logger()
# Of one kind of refusal staff hear once in so long; each one is in the log.
QUIET = timedelta(hours=1)
# The venue asks to come back so soon at most: the customer may try again.
PASSING_SECONDS = 120


def reason_of(error: Rejected | NotSent, *, order_id: int) -> Told:
    """What the customer hears of it; when it is the house's own problem staff hear of it too, in the venue's words."""
    found, is_ours = _told(error)
    if found is not CHECKING:
        refusals.count(error, found)
    if is_ours:
        _alarm(str(error), order_id)
    return found


def _told(error: Rejected | NotSent) -> tuple[Told, bool]:
    """And whether it is the house's problem; our own queue that is full for a moment is none."""
    if isinstance(error, Rejected):
        found = told(error.code, error.message)
        return found, found.is_ours and error.code not in KEY_REFUSED  # of a key the gate tells staff itself
    if isinstance(error, gate.KeyNotUsed):
        return UNAVAILABLE, False
    # Of a breaker that opens staff hear once, and of a ban when the venue says so.
    is_full = error.reason == refusals.OUR_QUEUE or isinstance(error, gate.Paused | gate.Full)
    is_passing = error.retry_after is not None and error.retry_after <= PASSING_SECONDS
    return BUSY if is_full or is_passing else UNAVAILABLE, not is_full


def _alarm(words: str, order_id: int) -> None:
    log.error("order.refused_because_of_us", order=order_id, venue=words[:200])
    kind = f"venue refuses: {words}"[:64]
    latest = notices.latest_notice(kind)
    if latest is not None and timezone.now() - latest.created_at < QUIET:
        return
    office.tell_staff(
        kind,
        _("The venue refuses what we ask because of us"),
        _("Of order %(order)s it said: %(words)s. Customers are told that it is not their fault."),
        {"order": order_id, "words": words[:200]},
    )


def is_certain(reason: Told) -> bool:
    """False while what became of the order has to be asked for."""
    return reason is not CHECKING
