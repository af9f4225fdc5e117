"""What no call shows and yet speaks against new orders: a user data stream that says nothing, clocks too far apart."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from exchange.gate import breakers, keys, services
from exchange.gate.breakers import Cause, Operation
from exchange.gate.models import VenueAccount
from exchange.gate.queries import user_streams


def watch() -> None:
    """The breaker of new orders is held open while such a condition lasts, and no longer."""
    followed = [account for account in user_streams() if keys.key_of(account) is not None]
    distance = _distance() if followed else None
    for account in followed:
        breaker = breakers.of(account.name, Operation.PLACE)
        breaker.hold(Cause.STREAM, _silence(account, timezone.now()) if account.is_enabled else "")
        if distance is not None:
            breaker.hold(Cause.CLOCK, distance)


def _silence(account: VenueAccount, now: datetime) -> str:
    heard_at = account.stream_seen_at or account.created_at
    if now - heard_at <= timedelta(seconds=settings.BREAKER_STREAM_SECONDS):
        return ""
    return f"nothing heard of our orders since {heard_at:%Y-%m-%d %H:%M:%S} UTC"


def _distance() -> str | None:
    """Why our clock cannot be right; measured anew while it is not, and None until it is known."""
    clock = services.clock()
    if not clock.is_known:
        services.renew_clock()
        return None
    if abs(clock.offset_ms) <= settings.BREAKER_CLOCK_MS:
        return ""
    clock.forget()
    services.renew_clock()
    return "our clock and the venue's are too far apart"
