"""The dead-man's switch: a renewal and the firing wait for each other at the row's lock, and who is first counts."""

import time
from datetime import timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from exchange import push
from exchange.database import transaction_with_retry
from exchange.office import services as office
from exchange.safety import queries
from exchange.safety.errors import OutOfBounds
from exchange.safety.models import Countdown
from exchange.safety.rules import LEAST_SECONDS, MOST_SECONDS
from markets import queries as markets
from markets.errors import UnknownMarket
from orders import services as orders

log = structlog.get_logger()
BATCH, PATIENCE_SECONDS = 200, 3


@transaction_with_retry
def arm_countdown(*, user: User, seconds: int, symbol: str = "", channel: str) -> Countdown:
    """In so many seconds all open orders of the customer, or those of one market, are canceled, unless this is said
    again before. Refuses a time that is too short or too long, and an unknown market."""
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise OutOfBounds(least=LEAST_SECONDS, most=MOST_SECONDS)
    if symbol and markets.market_row_or_none(symbol) is None:
        raise UnknownMarket(field="symbol")
    found = _locked(user, symbol, channel) or _new(user, symbol, channel, seconds)
    is_news = not found.is_armed or found.seconds != seconds
    Countdown.objects.filter(pk=found.pk).update(
        seconds=seconds, deadline_at=Now() + timedelta(seconds=seconds), renewed_at=Now()
    )
    found.refresh_from_db()
    if is_news:
        _record(user, "countdown.armed", found)
    return found


def _locked(user: User, symbol: str, channel: str) -> Countdown | None:
    mine = Countdown.objects.select_for_update().filter(user=user, market_id=symbol or None, channel=channel)
    return mine.first()


def _new(user: User, symbol: str, channel: str, seconds: int) -> Countdown:
    try:
        with transaction.atomic():
            return Countdown.objects.create(
                user=user, market_id=symbol or None, channel=channel, seconds=seconds
            )
    except IntegrityError:  # another request of the same moment was first
        found = _locked(user, symbol, channel)
        assert found is not None
        return found


@transaction_with_retry
def disarm_countdown(*, user: User, symbol: str = "", channel: str) -> bool:
    """It cancels nothing any more; False when it was not armed."""
    found = _locked(user, symbol, channel)
    if found is None or not found.is_armed:
        return False
    found.deadline_at = None
    found.save(update_fields=["deadline_at"])
    _record(user, "countdown.disarmed", found)
    push.to_user(user.pk, "countdown", {"id": found.pk})
    return True


def fire_countdowns() -> int:
    """Every countdown whose deadline is over fires, once: the end of its orders is on record, whatever the venue says.
    Gives how many fired."""
    fired = []
    for number in list(queries.due_countdowns().values_list("pk", flat=True)[:BATCH]):
        try:
            wishes = _fire(number)
        except Exception:  # one that cannot fire now never keeps the next from it
            log.exception("countdown.failed", countdown=number)
            continue
        if wishes is not None:
            fired.append(wishes)
    _carry_out(fired)
    return len(fired)


def _carry_out(fired: list[orders.Wishes]) -> None:
    """At once as far as the venue answers; a silent one keeps no countdown from firing, for the sweeps go on here."""
    until = time.monotonic() + PATIENCE_SECONDS
    for wishes in fired:
        if time.monotonic() > until:
            log.warning("countdown.left_to_the_sweeps", firings=len(fired))
            return
        orders.carry_out_wishes(wishes)


@transaction_with_retry
def _fire(number: int) -> orders.Wishes | None:
    """None when it was renewed, disarmed or fired meanwhile."""
    found = Countdown.objects.select_for_update(of=("self",)).select_related("user").filter(pk=number)
    countdown = found.filter(deadline_at__lte=Now()).first()
    if countdown is None:
        return None
    wishes = orders.wish_cancels(user=countdown.user, symbol=countdown.market_id or "")
    countdown.deadline_at, countdown.fired_at = None, queries.now()
    countdown.fired_orders, countdown.firings = wishes.count, countdown.firings + 1
    countdown.save(update_fields=["deadline_at", "fired_at", "fired_orders", "firings"])
    _record(None, "countdown.fired", countdown, orders=wishes.count)
    _tell(countdown)
    push.to_user(countdown.user_id, "countdown", {"id": countdown.pk})
    log.warning("countdown.fired", countdown=countdown.pk, user=countdown.user_id, orders=wishes.count)
    return wishes


def _record(by: User | None, action: str, countdown: Countdown, **more: object) -> None:
    after: dict[str, object] = {
        "market": countdown.market_id or "", "seconds": countdown.seconds, "channel": countdown.channel, **more
    }  # fmt: skip
    office.record(by, action, "user", countdown.user_id, after=after)


def _tell(countdown: Countdown) -> None:
    """By mail too when there was anything to cancel."""
    everything = _(
        "Nothing was heard for %(seconds)s seconds, so all your open orders were told to end: %(count)s."
    )
    one_market = _(
        "Nothing was heard for %(seconds)s seconds, so your open orders in %(market)s were told to end: %(count)s."
    )
    text = one_market if countdown.market_id else everything
    words = {
        "seconds": countdown.seconds, "market": countdown.market_id or "", "count": countdown.fired_orders
    }  # fmt: skip
    say = office.notify if countdown.fired_orders else office.tell
    say(countdown.user, "countdown.fired", _("Your dead-man's switch fired"), text, words)
