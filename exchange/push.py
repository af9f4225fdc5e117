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
# What happens to an order that trades at once is two commits a few milliseconds apart.
GATHER_SECONDS = 1 / 50


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
            time.sleep(GATHER_SECONDS)
            while len(found) < MOST_AT_ONCE and not self._waiting.empty():
                found.append(self._waiting.get_nowait())
            events: dict[int, list[Event]] = {}
            for user_id, event in found:
                events.setdefault(user_id, []).append(event)
            self._send(loop, events)

    def _send(self, loop: asyncio.AbstractEventLoop, events: dict[int, list[Event]]) -> None:
        try:
            counted = _count({user_id: len(own) for user_id, own in events.items()})
            for user_id, own in events.items():
                last, is_heard = counted[user_id]
                if is_heard:
                    numbered = [{**event, "seq": seq} for seq, event in enumerate(own, last - len(own) + 1)]
                    loop.run_until_complete(_send_to_group(user_id, numbered))
        except (OSError, RedisError) as error:  # the page's next read brings what these would have said
            log.warning("push.lost", user_ids=list(events)[:10], error=type(error).__name__)
        except Exception:  # the thread lives as long as the process
            log.exception("push.failed", user_ids=list(events)[:10])


async def _send_to_group(user_id: int, events: Sequence[Event]) -> None:
    await get_channel_layer().group_send(group_of(user_id), {"type": "private.events", "events": events})


def _count(events: dict[int, int]) -> dict[int, tuple[int, bool]]:
    """By user, of whom there are so many more events: the number of the last one, and whether anybody listens."""
    at_once = cache.redis().pipeline(transaction=False)  # type: ignore[attr-defined]
    # Starts from the clock, so that a flushed cache cannot repeat a number a page has already seen.
    begin = int(time.time() * 1000)
    for user_id, count in events.items():
        key = cache.make_key(_key(user_id))
        at_once.set(key, begin, nx=True).incrby(key, count).exists(cache.make_key(_listens(user_id)))
    told = at_once.execute()
    return {
        user_id: (int(last), bool(heard))
        for user_id, last, heard in zip(events, told[1::3], told[2::3], strict=True)
    }


def _listens(user_id: int) -> str:
    return f"push:listens:{user_id}"


def _key(user_id: int) -> str:
    return f"push:seq:{user_id}"
