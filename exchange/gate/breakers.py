"""Circuit breakers: what fails again and again at the venue is not tried for a moment.

A breaker is of one venue account and one class of operations. CLOSED: every call goes. OPEN: none does, and whoever
wants one hears so at once. HALF_OPEN: one call goes as a probe; an answer closes it, another failure opens it for twice
as long. Each process judges by its own calls, and what one opens is open for all, by Redis; while that is away each
process has its own, and after a flush all begin closed. A breaker may be held open besides, for as long as somebody
says a reason that no call can show.
"""

import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache as once
from typing import TypeVar

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from exchange.binance.errors import NoConnection, NotSent, Rejected, Unknown, VenueError
from exchange.office import queries as notices
from exchange.office import services as office

log = structlog.get_logger()
Given = TypeVar("Given")
AWAY = (OSError, RedisError)
# Seconds for which a process trusts what it last read of the shared state.
GLANCE = 0.25
# Nobody asks for a breaker that has been open for so long: whoever does begins anew.
FORGOTTEN_SECONDS = 3600
# What holds a breaker open is said again by a sweep; when nobody says it any more it is over.
HELD_SECONDS = 60
LONGEST_REASON = 120
# Snapshots are asked for with pauses anyway, and within five seconds of an outage every book is to be live again.
BOOKS_WAIT = 3
# Calls that need no account of ours.
NOBODYS = "public"
# Of one breaker staff hear once in so long; each change is in the log.
QUIET = timedelta(minutes=10)
ALARM = _("A breaker to the venue opened")
ALARM_WORDS = _(
    "%(what)s: %(reason)s. Such calls are refused for a moment, and one of them tries again now and then until it is"
    " answered."
)
# Refused because of the house: its clock, its key, its account, its balance. Many of one kind say that all will be.
HOUSE_REJECTS = frozenset({-1002, -1021, -1022, -2014, -2015})
HOUSE_WORDS = (
    "Account has insufficient balance for requested action",
    "This account may not place or cancel orders",
    "This action is disabled on this account",
    "Rest API trading is not enabled",
)
REJECTED = "refused because of us: "


class Operation(TextChoices):
    PLACE = "place", _("new orders")
    CANCEL = "cancel", _("cancels")
    QUERY = "query", _("questions about orders")
    WALLET = "wallet", _("deposits and withdrawals")
    MARKET_DATA = "market data", _("market data")


class State(StrEnum):
    CLOSED = "CLOSED"
    HALF_OPEN = "HALF_OPEN"
    OPEN = "OPEN"


class Cause(StrEnum):
    """What no call shows: a breaker is held open while it lasts."""

    STREAM = "stream"
    CLOCK = "clock"


class Paused(NotSent):
    """The breaker is open: nothing was sent."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(f"paused: {reason}", retry_after)


@dataclass(frozen=True)
class Opened:
    """`wait` and `until` are seconds and a time of `time.time()`; then a probe may go."""

    reason: str
    since: float
    wait: float
    until: float


@dataclass(frozen=True)
class Seen:
    """A breaker as everybody sees it; `since` is a time of `time.time()`, 0 when it is not known."""

    state: State = State.CLOSED
    reason: str = ""
    since: float = 0
    retry_after: float = 0

    @property
    def since_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.since, UTC) if self.since else None


class Breaker:
    def __init__(self, account: str, operation: Operation) -> None:
        self.account, self.operation = account, operation
        self._key = f"gate:breaker:{account}:{operation.value.replace(' ', '-')}"
        self._held_keys = {cause: f"{self._key}:{cause}" for cause in Cause}
        self._probe_key = f"{self._key}:probe"
        self._outcomes: deque[tuple[float, str]] = deque(maxlen=settings.BREAKER_CALLS)
        self._guard, self._probing = threading.Lock(), threading.Lock()
        self._opened: Opened | None = None
        self._held: dict[Cause, str] = {}
        self._read_at = 0.0

    def __str__(self) -> str:
        return f"{self.account}: {self.operation}"

    # ------------------------------------------------------------------ what is so
    def seen(self) -> Seen:
        """As it is now, at most a glance old."""
        self._read()
        opened = self._opened
        if self._held:
            return Seen(State.OPEN, next(iter(self._held.values())), 0, HELD_SECONDS)
        if opened is None:
            return Seen()
        left = opened.until - time.time()
        state = State.OPEN if left > 0 else State.HALF_OPEN
        return Seen(state, opened.reason, opened.since, max(left, 0))

    def require_closed(self) -> None:
        """Raises Paused while it is open, or its probe is under way here; who may be the probe is not refused."""
        seen = self.seen()
        if seen.state == State.OPEN or (seen.state == State.HALF_OPEN and self._probing.locked()):
            raise Paused(seen.reason, max(seen.retry_after, 1))

    @property
    def is_passing(self) -> bool:
        """As it was when it was last read: whoever is within a transaction asks nobody."""
        opened = self._opened
        return not self._held and (opened is None or opened.until <= time.time())

    def _read(self) -> None:
        if time.monotonic() - self._read_at < GLANCE:
            return
        with suppress(*AWAY):
            found = cache.get_many([self._key, *self._held_keys.values()])
            self._opened = found.get(self._key)
            self._held = {cause: found[key] for cause, key in self._held_keys.items() if key in found}
        self._read_at = time.monotonic()

    def _read_again(self) -> Seen:
        self._read_at = 0.0
        return self.seen()

    # ------------------------------------------------------------------ calls
    @contextmanager
    def guarded(self, *, proves: bool = True) -> Iterator[None]:
        """One call to the venue: raises Paused instead of making it, and judges by what came of it. `proves`: its
        answer shows that calls of the class work; one that shows less is never the probe, and only its failures count.
        """
        is_probe, began = self._enter(may_probe=proves), time.monotonic()
        label: str | None = None
        try:
            yield
            label = "" if time.monotonic() - began <= settings.BREAKER_SLOW_MS / 1000 else "slow answers"
        except VenueError as error:
            label = fault_of(error)
            raise
        finally:
            if is_probe:
                self._judge_probe(label)
            elif label or (proves and label is not None):
                self._count(label)

    def _enter(self, *, may_probe: bool) -> bool:
        """True for the probe; raises Paused when this call may not go."""
        if not self._is_refused(seen := self.seen()):
            if seen.state == State.CLOSED:
                return False
            if may_probe and self._take_probe():
                # Whoever had the last one may have closed it, or opened it for longer.
                if not self._is_refused(seen := self._read_again()) and seen.state != State.CLOSED:
                    return True
                self._give_probe_back()
                if seen.state == State.CLOSED:
                    return False
        raise Paused(seen.reason, max(seen.retry_after, 1))

    def _is_refused(self, seen: Seen) -> bool:
        """A customer's cancel waits for no time: it is tried whenever no other one is."""
        return seen.state == State.OPEN and (self.operation != Operation.CANCEL or bool(self._held))

    def _take_probe(self) -> bool:
        """True for one of all processes; who dies as the probe leaves the next one to another."""
        if not self._probing.acquire(blocking=False):
            return False
        lease = settings.VENUE_TIMEOUT_SECONDS + 5
        is_ours = _asked(lambda: cache.add(self._probe_key, 1, timeout=lease), True)
        if not is_ours:
            self._probing.release()
        return is_ours

    def _give_probe_back(self) -> None:
        _asked(lambda: cache.delete(self._probe_key), False)
        self._probing.release()

    def _judge_probe(self, label: str | None) -> None:
        try:
            if label == "":
                self._close()
            elif label:
                self._open_longer(label)
        finally:
            self._give_probe_back()

    def _count(self, label: str) -> None:
        """Another outcome of the last calls; the one that is too much opens the breaker."""
        now = time.monotonic()
        with self._guard:
            self._outcomes.append((now, label))
            while self._outcomes and self._outcomes[0][0] < now - settings.BREAKER_WINDOW_SECONDS:
                self._outcomes.popleft()
            reason = self._too_much() if label else ""
            if reason:
                self._outcomes.clear()
        if reason:
            self._open(reason)

    def _too_much(self) -> str:
        """Why it has to open: enough failures of the line, or enough refusals of one kind, and a share of all calls."""
        labels = Counter(label for _at, label in self._outcomes)
        total = sum(labels.values())
        faults = {label: count for label, count in labels.items() if label}
        rejects = {label: count for label, count in faults.items() if label.startswith(REJECTED)}
        line = sum(faults.values()) - sum(rejects.values())
        for count, among in (
            (line, faults.keys() - rejects.keys()),
            *((n, {name}) for name, n in rejects.items()),
        ):
            if count >= settings.BREAKER_FAILURES and 100 * count >= settings.BREAKER_FAILURE_PERCENT * total:
                return max(among, key=lambda label: faults[label])
        return ""

    # ------------------------------------------------------------------ from state to state
    def _open(self, reason: str) -> None:
        opened = _opened(reason, time.time(), settings.BREAKER_OPEN_SECONDS)
        is_first = _asked(
            lambda: cache.add(self._key, opened, timeout=FORGOTTEN_SECONDS), self._opened is None
        )
        if is_first:
            self._remember(opened)
            announce(self, State.OPEN, reason)
        else:
            self._read_at = 0.0

    def _open_longer(self, reason: str) -> None:
        before = self._opened
        since, wait = (
            (before.since, before.wait) if before else (time.time(), settings.BREAKER_OPEN_SECONDS / 2)
        )
        opened = _opened(reason, since, min(2 * wait, self._longest))
        _asked(lambda: cache.set(self._key, opened, timeout=FORGOTTEN_SECONDS), None)
        self._remember(opened)
        log.warning("breaker.probe_failed", breaker=str(self), reason=reason, seconds=round(opened.wait, 1))

    @property
    def _longest(self) -> float:
        is_of_books = self.operation == Operation.MARKET_DATA
        return min(settings.BREAKER_LONGEST_SECONDS, BOOKS_WAIT if is_of_books else math.inf)

    def _close(self) -> None:
        with self._guard:
            self._outcomes.clear()
        is_first = _asked(lambda: cache.delete(self._key), self._opened is not None)
        self._remember(None)
        if is_first:
            announce(self, State.CLOSED, "a probe was answered")

    def _remember(self, opened: Opened | None) -> None:
        self._opened, self._read_at = opened, time.monotonic()

    def hold(self, cause: Cause, reason: str) -> None:
        """Held open for the cause for as long as this is said again; an empty reason ends it."""
        key = self._held_keys[cause]
        if not reason:
            if _asked(lambda: cache.delete(key), False):
                self._read_at = 0.0
                announce(self, State.CLOSED, f"{cause}: it is over")
            return
        is_new = _asked(lambda: cache.add(key, reason, timeout=HELD_SECONDS), False)
        _asked(lambda: cache.set(key, reason, timeout=HELD_SECONDS), None)
        self._read_at = 0.0
        if is_new:
            announce(self, State.OPEN, reason)


def fault_of(error: VenueError) -> str | None:
    """What an error says of the line or of the house: "" that all is well, None that nothing was learned."""
    if isinstance(error, NoConnection | Unknown):
        return str(error.reason)[:LONGEST_REASON]
    if not isinstance(error, Rejected):
        return None
    is_ours = error.code in HOUSE_REJECTS or error.message.strip().startswith(HOUSE_WORDS)
    return f"{REJECTED}{error.code} {error.message}"[:LONGEST_REASON] if is_ours else ""


def _opened(reason: str, since: float, wait: float) -> Opened:
    """Not all that wait come back at the same moment; the next wait is twice this one, and not twice what it became."""
    return Opened(reason, since, wait, time.time() + wait * random.uniform(0.9, 1.1))


def _asked(question: Callable[[], Given], otherwise: Given) -> Given:
    """What Redis answers, or what to go by while it is away."""
    try:
        return question()
    except AWAY:
        return otherwise


@once
def of(account: str, operation: Operation) -> Breaker:
    """This process's own of the breaker that all share."""
    return Breaker(account, operation)


def forget() -> None:
    """This process has counted nothing, and remembers nothing of what it read."""
    of.cache_clear()


# ------------------------------------------------------------------ told
def announce(breaker: Breaker, state: State, reason: str) -> None:
    """On record in the log each time; staff hear of one that opens, and of the same one once in a while."""
    log.warning("breaker.changed", breaker=str(breaker), state=str(state), reason=reason)
    if state != State.OPEN:
        return
    kind = f"gate.breaker {breaker}"[:64]
    words = {"what": str(breaker), "reason": reason}
    try:
        latest = notices.latest_notice(kind)
        if latest is None or timezone.now() - latest.created_at > QUIET:
            office.tell_staff(kind, ALARM, ALARM_WORDS, words)
    except DatabaseError as error:  # who calls the venue has other worries
        log.error("breaker.not_told", breaker=str(breaker), error=type(error).__name__)
