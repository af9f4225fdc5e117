"""Private live events: from a service, after its commit, to every socket of one user.

Events hurry pages along and may be lost; pages read the truth again whenever the sequence has a gap.
"""

import time

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

log = structlog.get_logger()


def group_of(user_id: int) -> str:
    """The channel group that all sockets of one user join."""
    return f"user.{user_id}"


def to_user(user_id: int, kind: str, body: dict[str, object]) -> None:
    """Send one event to the user's open pages once the current transaction has committed."""
    transaction.on_commit(lambda: _send(user_id, {"type": kind, **body}), robust=True)


def _send(user_id: int, event: dict[str, object]) -> None:
    try:
        sequence = _next_sequence(user_id)
        layer = get_channel_layer()
        message = {"type": "private.event", "event": {**event, "seq": sequence}}
        async_to_sync(layer.group_send)(group_of(user_id), message)
    except (
        OSError,
        RedisError,
    ) as error:  # Redis away: the page's next read brings what this event would have said
        log.warning("push.lost", user_id=user_id, error=type(error).__name__)


def _next_sequence(user_id: int) -> int:
    key = f"push:seq:{user_id}"
    # Starts from the clock, so that a flushed cache cannot repeat a number a page has already seen.
    cache.add(key, int(time.time() * 1000), timeout=None)
    return cache.incr(key)


def last_sequence(user_id: int) -> int:
    """The number of the last event that was sent to the user; zero before the first."""
    try:
        return int(cache.get(f"push:seq:{user_id}") or 0)
    except (OSError, RedisError):
        return 0
