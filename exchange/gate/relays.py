"""A few threads carry what requests want of the venue, so that no request waits for it longer than a moment."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache as once
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import close_old_connections

from exchange.binance.errors import NotSent, Unknown, VenueError

log = structlog.get_logger()
Answer = TypeVar("Answer")

# Seconds in which nearly all answers are there, of a busy machine too; who waits longer takes a seat.
GLANCE = 0.25
# So many seconds a wish waits for a thread that carries it.
TURN = 0.1
# So many requests of a process may wait for the venue at once: the other threads go on serving pages.
_seats = threading.BoundedSemaphore(settings.WEB_THREADS - 2)


class Relays:
    """Threads for one kind of wish; `most` are under way at once, and further ones are told to come again."""

    def __init__(self, name: str, most: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=most, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(most)
        self._alone: set[int] = set()
        self._guard = threading.Lock()

    def carry(self, work: Callable[[], Answer], *, alone: int | None = None) -> Answer:
        """What the work gives within ORDER_WAIT_MS; Unknown when it takes longer, and it goes on then.

        NotSent when too many are under way, or another one of the customer who may have only one. With RELAY_THREADS
        at 0 the caller does it himself, and waits as long as it takes.
        """
        if settings.RELAY_THREADS == 0:
            return work()
        if not self._free.acquire(timeout=TURN):
            raise NotSent("busy")
        if not self._enters(alone):
            self._free.release()
            raise NotSent("busy with this customer's last wish")
        return answer_within_a_moment(self._threads.submit(self._carry, work, alone))

    def _enters(self, customer: int | None) -> bool:
        with self._guard:
            if customer is None:
                return True
            is_new = customer not in self._alone
            self._alone.add(customer)
            return is_new

    def _leaves(self, customer: int | None) -> None:
        with self._guard:
            if customer is not None:
                self._alone.remove(customer)

    def _carry(self, work: Callable[[], Answer], alone: int | None) -> Answer:
        close_old_connections()
        try:
            return work()
        except VenueError as error:
            log.warning("relay.venue", reason=str(error)[:120])
            raise
        except Exception as error:  # whoever asked may have gone
            log.warning("relay.failed", error=type(error).__name__)
            raise
        finally:
            close_old_connections()
            self._leaves(alone)
            self._free.release()


@contextmanager
def waiting() -> Iterator[None]:
    """This request waits before it asks anything of the venue; raises NotSent when too many wait already."""
    if not _seats.acquire(blocking=False):
        raise NotSent("busy", 1)
    try:
        yield
    finally:
        _seats.release()


def answer_within_a_moment(future: Future[Answer]) -> Answer:
    """What the future gives within ORDER_WAIT_MS, Unknown otherwise; without a free seat only a glance is given."""
    if settings.RELAY_THREADS == 0:
        return future.result()
    wait = settings.ORDER_WAIT_MS / 1000
    try:
        return future.result(timeout=min(GLANCE, wait))
    except TimeoutError as error:
        if not _seats.acquire(blocking=False):
            raise Unknown("no answer yet, and too many wait for one") from error
    try:
        return future.result(timeout=max(wait - GLANCE, 0))
    except TimeoutError as error:
        raise Unknown("no answer yet") from error
    finally:
        _seats.release()


@once
def cancels() -> Relays:
    return Relays("cancel", settings.GATE_MAX_RELAYS)


@once
def addresses() -> Relays:
    return Relays("address", 2)


@once
def history() -> Relays:
    """What staff want compared or looked up; one at a time, the sweeps ask for the rest."""
    return Relays("history", 1)


@once
def candles() -> Relays:
    return Relays("candles", 4)
