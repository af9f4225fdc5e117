"""The user data stream: connected for ever, with back-off, watchdog, and a successor before a line is given up.

It runs in the caller's thread and calls the caller back; a callback that raises ends the connection, never the loop.
"""

import json
import random
import threading
import time
from collections.abc import Callable

import structlog

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.positions import AccountPosition
from exchange.binance.streams.doors import Door, Message
from exchange.binance.streams.line import Down, KeyRefused, Line, connected
from exchange.binance.streams.pace import Pace

log = structlog.get_logger()
# After these the account is still heard, or is not any more; either way a new subscription is wanted at once.
SHUTDOWN, TERMINATED, EXPIRED = "serverShutdown", "eventStreamTerminated", "listenKeyExpired"


class UserStream:
    """The account's own events, from whichever door.

    After each subscription `on_subscribed` reconciles by REST while events wait in the socket, then they are
    delivered: there is no replay, and what happened in a gap is found by reconciliation. A line that is old or was told
    to leave is followed until its successor has subscribed, so that events may come twice and none is between the two.
    `doubt` is asked every tick; what it gives is why the line is good for nothing although it lives.
    """

    def __init__(
        self,
        *,
        door: Door,
        on_subscribed: Callable[[], None],
        on_report: Callable[[Report], None],
        on_balance: Callable[[BalanceUpdate], None],
        on_alive: Callable[[], None],
        on_position: Callable[[AccountPosition], None] = lambda position: None,
        on_down: Callable[[str, bool], None] = lambda reason, is_alarm: None,
        on_refused: Callable[[str], None] = lambda reason: None,
        doubt: Callable[[], str] = lambda: "",
        pace: Pace | None = None,
        proxy: str = "",
    ) -> None:
        self._door, self._pace, self._proxy = door, pace or Pace(), proxy
        self._on_subscribed, self._on_report, self._on_balance = on_subscribed, on_report, on_balance
        self._on_alive, self._on_down, self._doubt = on_alive, on_down, doubt
        self._on_refused, self._on_position = on_refused, on_position
        self._stopped = threading.Event()
        self._wait = self._pace.first_wait
        self._attempt_at = self._look_at = 0.0

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Until `stop`: connect, follow, and after every end connect again, later each time."""
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._follow()
            except Exception as error:  # the outermost loop of a stream
                reason = str(error) or type(error).__name__
                is_alarm = bool(getattr(error, "is_alarm", False))
                log.warning("stream.down", reason=reason[:200], is_alarm=is_alarm)
                if isinstance(error, KeyRefused):
                    self._on_refused(reason)
                self._on_down(reason, is_alarm)
            wait = self._next_wait(time.monotonic() - began)
            self._stopped.wait(random.uniform(wait / 2, wait))

    def _next_wait(self, lived: float) -> float:
        good = lived > self._pace.stable
        self._wait = self._pace.first_wait if good else min(self._wait * 2, self._pace.longest_wait)
        return self._wait

    def _follow(self) -> None:
        line, early = self._entered()
        try:
            self._begin(early)
            while not self._stopped.is_set():
                self._turn(line)
                if line.leaving and time.monotonic() >= self._attempt_at:
                    line = self._relieved(line)
        finally:
            line.close()

    def _entered(self) -> tuple[Line, list[Message]]:
        line = connected(
            self._door.address(),
            pace=self._pace,
            on_heard=self._on_alive,
            proxy=self._proxy,
            again=self._door.again,
            on_limit=self._door.on_limit,
        )
        try:
            return line, self._door.enter(line)
        except BaseException:
            line.close()
            raise

    def _begin(self, early: list[Message]) -> None:
        self._on_subscribed()
        for message in early:
            self._deliver(message, None)

    def _turn(self, line: Line) -> None:
        frame = line.read()
        if frame is not None:
            self._deliver(json.loads(frame), line)
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._pace.tick
            if reason := self._doubt():
                raise Down(reason, is_alarm=True)

    # ------------------------------------------------------------------ one line after another
    def _relieved(self, line: Line) -> Line:
        """The line's successor; the line itself while there is none and it still hears."""
        wait = self._next_wait(time.monotonic() - line.opened_at)
        self._attempt_at = time.monotonic() + wait
        try:
            successor, early = self._entered()
        except Exception as error:
            if line.has_ended:
                raise
            log.warning("stream.no_successor", leaving=line.leaving, reason=str(error)[:200])
            return line
        try:
            if not line.has_ended:
                self._drain(line)
            self._begin(early)
        except BaseException:
            successor.close()
            raise
        line.close()
        log.info("stream.relieved", leaving=line.leaving)
        return successor

    def _drain(self, line: Line) -> None:
        """What the old line had still to say is delivered; the new one hears everything since."""
        until = time.monotonic() + self._pace.overlap
        while time.monotonic() < until:
            try:
                frame = line.read()
            except Down:  # it has said everything
                return
            if frame is not None:
                self._deliver(json.loads(frame), line)

    # ------------------------------------------------------------------ in
    def _deliver(self, message: object, line: Line | None) -> None:
        event = self._door.event_of(message) if isinstance(message, dict) else None
        if not isinstance(event, dict):
            return
        kind = event.get("e")
        if kind == EXPIRED:
            raise Down("the listen key expired", is_alarm=True)
        if kind in (SHUTDOWN, TERMINATED):
            if line is None:
                raise Down(str(kind))
            line.leave(str(kind), has_ended=kind == TERMINATED)
        elif kind == "executionReport":
            self._on_report(Report.from_event(event))
        elif kind == "balanceUpdate":
            self._on_balance(BalanceUpdate.from_event(event))
        elif kind == "outboundAccountPosition":
            self._on_position(AccountPosition.from_event(event))
