"""How many orders the venue, or the way to it, refused, by whose fault: a hash in Redis that all processes add to.

A count that begins anew after a flush is what readers of counters expect; a refusal is told and on record elsewhere.
"""

from typing import cast

import structlog
from django.conf import settings
from redis.exceptions import RedisError

from exchange.binance.errors import NOT_SENT_CODES, NoConnection, NotSent, Rejected
from exchange.gate import services as gate
from markets import feed
from orders.errors import KEY_CODES, MISTAKE, TOO_LATE, Told, is_of_house_filter

log = structlog.get_logger()
KEY = f"{settings.REDIS_PREFIX}:refusals"
HOUSE, CUSTOMER = "house", "customer"
# What the gate says of itself.
OUR_QUEUE, NO_KEY = "busy", "no key"


def count(error: Rejected | NotSent, reason: Told) -> None:
    """One more. Without Redis it is in the log alone, and nobody waits for that."""
    cause = cause_of(error, reason)
    by = CUSTOMER if cause == "order" else HOUSE
    try:
        feed.client().hincrby(KEY, f"{by} {cause} {reason.code}", 1)
    except (OSError, RedisError) as away:
        log.warning("refusal.not_counted", by=by, cause=cause, code=reason.code, error=type(away).__name__)


def counts() -> dict[tuple[str, str, str], int]:
    """By fault, cause and code; nothing while Redis is away."""
    try:
        found = cast("dict[bytes, bytes]", feed.client().hgetall(KEY))
    except (OSError, RedisError):
        return {}
    counts = {}
    for name, number in found.items():
        by, cause, code = name.decode().split(" ")
        counts[by, cause, code] = int(number)
    return counts


def cause_of(error: Rejected | NotSent, reason: Told) -> str:
    """`order` is the customer's own; everything else is the house's to mend."""
    if isinstance(error, NotSent):
        return _cause_of_not_sent(error)
    if error.code in KEY_CODES or "trading is not enabled" in error.message:
        return "key"
    if "insufficient balance" in error.message:
        return "balance"
    if is_of_house_filter(error.message) or error.code in NOT_SENT_CODES:
        return "limits"
    if reason is MISTAKE:
        return "mistake"
    if reason is TOO_LATE:
        return "clock"
    return "account" if reason.is_ours else "order"


def _cause_of_not_sent(error: NotSent) -> str:
    if isinstance(error, gate.Paused):
        return "breaker"
    if isinstance(error, NoConnection):
        return "connection"
    if error.reason.startswith(OUR_QUEUE):
        return "queue"
    return "key" if error.reason.startswith(NO_KEY) else "limits"
