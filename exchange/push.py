"""Private live events: from a service, after its commit, to every socket of one user.

Events hurry pages along and may be lost; pages read the truth again whenever the sequence has a gap. A thread with one
lasting event loop sends them: who commits waits for nothing, and what happens at once goes out in one message.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from functools import cache as once

import structlog
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

log = structlog.get_logger()
Event = dict[str, object]
# So long somebody counts as listening who has not said it again, which sockets do every ten seconds.
LISTENS_SECONDS = 60
# More than a second of a busy site; beyond it events are lost, and the pages find the gap.
MOST_WAITING, MOST_AT_ONCE = 10_000, 500


def group_of(user_id: int) -> str:
    """The channel group that all sockets of one user join."""
    return f"user.{user_id}"


def to_user(user_id: int, kind: str, body: Event) -> None:
    """Send one event to the user's open pages once the current transaction has committed."""
    transaction.on_commit(lambda: _sender().take(user_id, {"type": kind, **body}), robust=True)


def listen(user_id: int) -> None:
    """A socket of the user is there: to be said before it joins the group, and now and then while it stays."""
    cache.set(_listens(user_id), 1, timeout=LISTENS_SECONDS)


def last_sequence(user_id: int) -> int:
    """The number of the last event that was sent to the user; zero before the first."""
    try:
        return int(cache.get(_key(user_id)) or 0)
    except (OSError, RedisError):
        return 0


@once
def _sender() -> "_Sender":
    return _Sender()


class _Sender:
    """Sends in the order in which it was given; one a process."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[int, Event]] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._run, name="push", daemon=True).start()

    def take(self, user_id: int, event: Event) -> None:
        try:
            self._waiting.put_nowait((user_id, event))
        except queue.Full:
            log.warning("push.lost", user_id=user_id, error="Full")

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        while True:
            found = [self._waiting.get()]
            while len(found) < MOST_AT_ONCE and not self._waiting.empty():
                found.append(self._waiting.get_nowait())
            for user_id in dict.fromkeys(user_id for user_id, _event in found):
                self._send(loop, user_id, [event for owner, event in found if owner == user_id])

    def _send(self, loop: asyncio.AbstractEventLoop, user_id: int, events: list[Event]) -> None:
        try:
            last, is_heard = _count(user_id, len(events))
            if not is_heard:
                return
            numbered = [{**event, "seq": seq} for seq, event in enumerate(events, last - len(events) + 1)]
            loop.run_until_complete(_send_to_group(user_id, numbered))
        except (OSError, RedisError) as error:  # the page's next read brings what these would have said
            log.warning("push.lost", user_id=user_id, error=type(error).__name__)
        except Exception:  # the thread lives as long as the process
            log.exception("push.failed", user_id=user_id)


async def _send_to_group(user_id: int, events: Sequence[Event]) -> None:
    await get_channel_layer().group_send(group_of(user_id), {"type": "private.events", "events": events})


def _count(user_id: int, events: int) -> tuple[int, bool]:
    """The number of the last of so many more events, and whether anybody listens."""
    # Starts from the clock, so that a flushed cache cannot repeat a number a page has already seen.
    key, at_once = cache.make_key(_key(user_id)), cache.redis().pipeline(transaction=False)  # type: ignore[attr-defined]
    at_once.set(key, int(time.time() * 1000), nx=True).incrby(key, events)
    _first, last, heard = at_once.exists(cache.make_key(_listens(user_id))).execute()
    return int(last), bool(heard)


def _listens(user_id: int) -> str:
    return f"push:listens:{user_id}"


def _key(user_id: int) -> str:
    return f"push:seq:{user_id}"
