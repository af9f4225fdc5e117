"""Between the gate and the client: each request of a call is in the budgets before it is sent, and corrected after."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from exchange.binance.errors import Unreadable
from exchange.binance.usage import FREE, NO_ANSWER, SOCKET, Cost, Usage
from exchange.gate import bans, budgets
from exchange.gate.budgets import Reservation
from exchange.gate.models import VenueAccount
from exchange.gate.queue import Slot

log = structlog.get_logger()
Venue = TypeVar("Venue")
Answer = TypeVar("Answer")
# What everybody knew so long ago may have changed: it is asked for again before the request leaves.
FRESH_SECONDS = 0.005


@dataclass
class Calling:
    """On whose behalf this thread calls; `slot` is room for orders that was taken before."""

    kind: str
    egress: str
    account: str | None
    customer: int | None
    slot: Slot | None = None


class _Thread(threading.local):
    calling: Calling | None = None
    asked_at = 0.0


_thread = _Thread()


@contextmanager
def called(calling: Calling) -> Iterator[None]:
    """What this thread sends meanwhile is sent for this."""
    _thread.calling = calling
    try:
        yield
    finally:
        _thread.calling = None


class GateMeter:
    """One for all clients: who calls is known by the thread."""

    def begin(self, cost: Cost) -> Reservation:
        calling = _thread.calling
        assert calling is not None, "every call goes through the gate"
        _thread.asked_at = time.monotonic()
        if calling.slot is not None and cost.orders and not calling.slot.is_sent:
            taken = budgets.confirm(calling.slot.reservation)
            calling.slot.is_sent = True
            return taken
        return budgets.reserve(
            calling.egress, calling.account, cost, kind=calling.kind, customer=calling.customer
        )

    def confirm(self, begun: Reservation) -> None:
        bans.require_none(*begun.keys)
        if time.monotonic() - _thread.asked_at > FRESH_SECONDS:
            budgets.confirm(begun)

    def end(self, begun: Reservation, usage: Usage) -> None:
        if usage.http_status in (418, 429):
            bans.note(begun.egress, begun.account, usage)
        budgets.settle(begun, usage)


def count_socket(account: VenueAccount) -> None:
    """A socket to the WebSocket API is opened now, which weighs as a request; raises Banned and Full."""
    taken = budgets.reserve(bans.egress_of(account), None, SOCKET, kind="query")
    budgets.settle(taken, NO_ANSWER)


def require_no_ban(account: VenueAccount) -> None:
    """Raises Banned while the venue wants to hear nothing from the account's address, as everybody knows it now."""
    budgets.confirm(Reservation(bans.egress_of(account), None, FREE))


def note_limit(account: VenueAccount, usage: Usage) -> None:
    """What the WebSocket API says of a limit holds for everything, for the address is the same."""
    bans.note(bans.egress_of(account), None, usage)


def read(ask: Callable[[Venue], Answer], venue: Venue) -> Answer:
    """What comes of the answer; one that cannot be read says nothing of what became of the request."""
    try:
        return ask(venue)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        log.exception("gate.unreadable_answer")
        raise Unreadable(f"an answer that cannot be read: {type(error).__name__}") from error
