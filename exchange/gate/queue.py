"""Whose turn it is: threads that wait for the venue are few, and so are the orders that its limits leave.

A new order takes its slot before anything is held for it: a seat among this process's relays, and its place in the
budgets of all processes. It waits for that a moment, and is told to come again when there is none; nothing was done
then. Cancels have seats of their own.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache as once
from typing import Self

from django.conf import settings

from exchange.binance.errors import NotSent
from exchange.binance.usage import Cost
from exchange.gate import bans, budgets, relays, store
from exchange.gate.budgets import NOBODY, Full, Reservation

# Who may not wait is told to come again after so long.
COME_AGAIN = 1.0
PLACE = "place"


class Busy(NotSent):
    """There is no room now, and there was none for a moment: nothing was sent, and nothing held."""

    def __init__(self, retry_after: float = COME_AGAIN, what: str = "seats") -> None:
        self.what = what
        super().__init__("busy", retry_after)


class Seats:
    """So many at once; while more than half are taken nobody has more than an equal part of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._waiting: set[str] = set()
        self._changed = threading.Condition()

    def take(self, customer: str, wait: float = 0, *, request: str = "") -> None:
        """Raises Busy when none is free within so many seconds. Of one customer only one thread waits, and those that
        repeat a request which has a seat."""
        until = time.monotonic() + wait
        with self._changed:
            if self._enter(customer, request):
                return
            is_repeat = bool(request) and self._requests[customer, request] > 0
            if wait <= 0 or (customer in self._waiting and not is_repeat):
                raise Busy
            self._waiting.add(customer)
            try:
                self._wait(customer, request, until)
            finally:
                self._waiting.discard(customer)

    def _wait(self, customer: str, request: str, until: float) -> None:
        while not self._enter(customer, request):
            left = until - time.monotonic()
            if left <= 0:
                raise Busy
            self._changed.wait(left)

    def give_back(self, customer: str, *, request: str = "") -> None:
        with self._changed:
            self._taken -= Counter([customer])  # who has none is not in it any more
            self._requests -= Counter([(customer, request)])
            self._changed.notify_all()

    @contextmanager
    def taken(self, customer: str, wait: float) -> Iterator[None]:
        self.take(customer, wait)
        try:
            yield
        finally:
            self.give_back(customer)

    @property
    def under_way(self) -> int:
        return self._taken.total()

    def _enter(self, customer: str, request: str) -> bool:
        """A place that is kept for whoever comes next is not given to who has one already."""
        taken, own = self._taken.total(), self._taken[customer]
        fair = max(1, self.most // (len(self._taken) + (1 if own else 2)))
        if taken >= self.most or (2 * (taken + 1) > self.most and own >= fair):
            return False
        self._taken[customer] += 1
        self._requests[customer, request] += 1
        return True


@once
def placing() -> Seats:
    return Seats(min(settings.GATE_MAX_RELAYS, settings.RELAY_THREADS or settings.GATE_MAX_RELAYS))


@once
def canceling() -> Seats:
    return Seats(settings.GATE_MAX_RELAYS)


class Slot:
    """Room for one request of new orders; who fails before it is sent leaves it by the end of the block."""

    def __init__(self, customer: str, request: str, reservation: Reservation) -> None:
        self.customer, self.request, self.reservation = customer, request, reservation
        self._is_open, self.is_sent = True, False

    @property
    def account(self) -> str:
        """The name of the account that has the room."""
        return self.reservation.account or ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_more: object) -> None:
        if kind is not None:
            self.leave()

    def leave(self) -> None:
        """Somebody else may have the seat, and the place in the budgets too if nothing was sent."""
        if not self._is_open:
            return
        self._is_open = False
        placing().give_back(self.customer, request=self.request)
        if not self.is_sent:
            budgets.give_back(self.reservation)

    @contextmanager
    def used(self) -> Iterator[None]:
        """What this thread places meanwhile has the slot; then it is left."""
        _thread.slot = self
        try:
            yield
        finally:
            _thread.slot = None
            self.leave()


class _Thread(threading.local):
    slot: Slot | None = None


_thread = _Thread()


def slot_for(account: str | None, customer_id: int | None) -> Slot | None:
    """What this thread has for the customer's order in the account, and has sent nothing with yet."""
    slot = _thread.slot
    if slot is None or slot.is_sent:
        return None
    is_for_it = (slot.reservation.account, slot.customer) == (account, str(customer_id or NOBODY))
    return slot if is_for_it else None


def has_seat() -> bool:
    """True while this thread uses a slot: one request after the other, it needs no second seat."""
    return _thread.slot is not None


def take_slot(
    places: Mapping[str, str], customer_id: int | None, *, orders: int = 1, request: str = ""
) -> Slot:
    """Room for so many orders in one request, in the first account that has it; raises Busy after a moment, and Banned.

    `places`: accounts, and the address by which the calls of each leave. `request` is the customer's own name of it,
    by which a repeat is known.
    """
    customer, until = str(customer_id or NOBODY), time.monotonic() + settings.GATE_WAIT_MS / 1000
    seats = placing()
    try:
        seats.take(customer, request=request)
    except Busy:
        _wait(lambda: seats.take(customer, until - time.monotonic(), request=request))
    try:
        return Slot(customer, request, _reserved(places, customer_id, orders, until))
    except BaseException:
        seats.give_back(customer, request=request)
        raise


def _reserved(places: Mapping[str, str], customer_id: int | None, orders: int, until: float) -> Reservation:
    try:
        return _reserve(places, customer_id, orders)
    except Full as full:
        if (wait := full.retry_after or 0) > until - time.monotonic():
            raise Busy(wait, full.what) from full
        _wait(lambda: time.sleep(wait))
        try:
            return _reserve(places, customer_id, orders)
        except Full as again:
            raise Busy(again.retry_after or COME_AGAIN, again.what) from again


def _wait(work: Callable[[], object]) -> None:
    """How many waited how long, and how many in vain, is told to everybody; raises Busy."""
    key, began = bans.egress_key(bans.DEFAULT_EGRESS), time.monotonic()
    try:
        with relays.waiting():
            work()
    except NotSent as error:
        store.count(key, refused__place__seats=1)
        raise Busy from error
    finally:
        waited = int((time.monotonic() - began) * 1000)
        store.count(key, waits__count=1, waits__ms=waited)


def _reserve(places: Mapping[str, str], customer_id: int | None, orders: int) -> Reservation:
    """Raises what the account says that will have room soonest."""
    cost, refusals = Cost(1, orders, is_free=True), list[NotSent]()
    for account, egress in places.items():
        try:
            return budgets.reserve(egress, account, cost, kind=PLACE, customer=customer_id)
        except (Full, bans.Banned) as refusal:
            refusals.append(refusal)
    raise min(refusals, key=lambda refusal: refusal.retry_after or 0)
