"""What the venue said about its limits, shared by all processes; and its time as this process knows it."""

import contextlib
import time
from functools import cache as once

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

from exchange.binance.transport import Clock, Usage

log = structlog.get_logger()

WEIGHT_KEY = "gate:weight"
BLOCKED_KEY = "gate:blocked-until"
SEEN_KEY = "gate:answered-at"
HALF_A_MINUTE = 3000  # binance.md 3: 6,000 of request weight a minute and address
SEEN_SECONDS = 0.25  # so often a process says that the venue answers: it is for eyes
_blocked_until = 0.0
_seen_at = 0.0


def blocked_for() -> float:
    """Seconds for which the venue wants to hear nothing from this address."""
    until = _blocked_until
    with contextlib.suppress(OSError, RedisError):  # Redis away: this process's own memory still holds
        until = max(until, float(cache.get(BLOCKED_KEY) or 0))
    return max(0.0, until - time.time())


def has_spare_weight() -> bool:
    """True while less than half of what the venue allows in a minute is used; also when nobody can say."""
    return used_weight() < HALF_A_MINUTE


def used_weight() -> int:
    """What this address has used in the venue's minute, as it said last; zero when nobody can say."""
    with contextlib.suppress(OSError, RedisError):
        return int(cache.get(WEIGHT_KEY) or 0)
    return 0


def observe(usage: Usage) -> None:
    """Note what an answer said about the limits; a 429 or 418 blocks every process."""
    global _blocked_until, _seen_at
    if usage.http_status in (418, 429):
        seconds = usage.retry_after or 60
        _blocked_until = max(_blocked_until, time.time() + seconds)
        log.warning("gate.blocked", status=usage.http_status, seconds=seconds)
    # The counters are for eyes, and the venue's headers come again with the next answer.
    with contextlib.suppress(OSError, RedisError):
        if usage.http_status in (418, 429):
            cache.set(BLOCKED_KEY, _blocked_until, timeout=int(seconds) + 1)
        if (weight := usage.used_weight.get("1m")) is not None:
            cache.set(WEIGHT_KEY, weight, timeout=_seconds_left())
        if time.monotonic() - _seen_at > SEEN_SECONDS:
            _seen_at = time.monotonic()
            cache.set(SEEN_KEY, int(time.time() * 1000), timeout=None)


def _seconds_left() -> int:
    """Of the venue's minute, which begins at its :00 (binance.md 6); then it counts anew."""
    return 60 - clock().now_ms() // 1000 % 60


@once
def clock() -> Clock:
    """The venue's time as this process knows it."""
    return Clock()
