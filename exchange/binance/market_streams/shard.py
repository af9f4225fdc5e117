"""Some of the streams, and the socket that carries them: connected again when it ends, replaced before it must."""

import random
from collections.abc import Callable, Sequence

import structlog
import websocket

from exchange.binance.market_streams.connecting import Attempt, Attempts
from exchange.binance.market_streams.line import Line
from exchange.binance.market_streams.pace import Pace

log = structlog.get_logger()


class Shard:
    """Its newest line is the one that is asked to carry `names`; an older one goes on until that is so."""

    def __init__(self, pace: Pace, open_line: Callable[[websocket.WebSocket, float], Line]) -> None:
        self.names: Sequence[str] = ()
        self.lines: list[Line] = []
        self._pace, self._open_line = pace, open_line
        self._attempt: Attempt | None = None
        self._wait = self._due = 0.0

    def want(self, names: Sequence[str]) -> None:
        self.names = names
        for line in self.lines:
            line.want(names)

    def connect(self, url: str, attempts: Attempts, now: float) -> None:
        """Begins a connection when one is needed and may be made; takes up one that is ready."""
        if self._attempt is not None:
            self._take_up(self._attempt, now)
        elif self._needs_a_line(now) and now >= self._due and attempts.take(now):
            self._attempt = Attempt(url, seconds=self._pace.connect, now=now)

    def _needs_a_line(self, now: float) -> bool:
        return not self.lines or (len(self.lines) == 1 and self.lines[0].is_leaving(now))

    def _take_up(self, attempt: Attempt, now: float) -> None:
        if not attempt.is_over(now):
            return
        self._attempt = None
        if attempt.socket is None:
            log.warning("stream.not_connected", reason=attempt.error[:200])
            self._rest(now, lived=0)
            return
        line = self._open_line(attempt.socket, now)
        line.want(self.names)
        self.lines.append(line)

    def replaced(self, now: float) -> Line | None:
        """The older line, when the newer one does all that it is needed for."""
        if len(self.lines) == 2 and self.lines[1].may_replace(self.lines[0], self.names, now):
            return self.lines[0]
        return None

    def drop(self, line: Line, now: float) -> None:
        """The line has ended; the next may follow at once if it lived long, and later each time if it did not."""
        self.lines.remove(line)
        self._rest(now, lived=now - line.opened_at)

    def _rest(self, now: float, *, lived: float) -> None:
        grown = 0 if lived > self._pace.stable else self._wait * 2
        self._wait = min(max(self._pace.first_wait, grown), self._pace.longest_wait)
        self._due = now + random.uniform(self._wait / 2, self._wait)

    def give_up(self) -> None:
        """Nobody waits for a connection any more."""
        if self._attempt is not None:
            self._attempt.abandon()
            self._attempt = None
