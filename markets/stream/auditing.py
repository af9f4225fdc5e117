"""Whether a book that hears nothing has nothing to hear: a venue may forget one stream of a line that is well."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import inf
from queue import Empty, SimpleQueue

from exchange.binance.models import DepthSnapshot
from markets.book import LIVE, LocalBook

# So long a book may hear nothing before it is held against the venue's, a few in `EVERY_SECONDS`; and so long an event
# may be on its way.
QUIET_SECONDS, EVERY_SECONDS, WAY_SECONDS = 60.0, 10.0, 3.0
# The cheapest snapshot has weight 5: all together use 1.5 % of what the venue allows.
LEVELS, AT_ONCE = 100, 3


@dataclass(frozen=True)
class Quiet:
    """A book stands at this update id, since then."""

    u: int
    since: float


@dataclass(frozen=True)
class Suspicion:
    """The venue's book was at `u`, and events up to it are to have come until then."""

    symbol: str
    u: int
    until: float


class Audit:
    """Quiet LIVE books in turn: watched ones once in `quiet_seconds`, then those that were asked for longest ago."""

    def __init__(
        self,
        *,
        quiet_seconds: float = QUIET_SECONDS,
        every_seconds: float = EVERY_SECONDS,
        way_seconds: float = WAY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.every_seconds = every_seconds
        self._quiet_seconds, self._way_seconds, self._clock = quiet_seconds, way_seconds, clock
        self._stands: dict[str, Quiet] = {}
        self._asked_at: dict[str, float] = {}
        self._answers: SimpleQueue[Suspicion] = SimpleQueue()
        self._suspicions: list[Suspicion] = []

    def ask(
        self,
        books: Iterable[LocalBook],
        fetch: Callable[[str, int], DepthSnapshot],
        *,
        watched: Collection[str] = (),
    ) -> None:
        """Called now and then, by a thread that may wait for the venue."""
        now = self._clock()
        self._look(list(books), now)
        quiet = [symbol for symbol, one in self._stands.items() if now - one.since >= self._quiet_seconds]
        for symbol in sorted(quiet, key=lambda one: self._turn(one, now, watched))[:AT_ONCE]:
            self._asked_at[symbol] = now
            snapshot = fetch(symbol, LEVELS)
            self._answers.put(Suspicion(symbol, snapshot.last_update_id, self._clock() + self._way_seconds))

    def _turn(self, symbol: str, now: float, watched: Collection[str]) -> tuple[bool, float]:
        asked_at = self._asked_at.get(symbol, -inf)
        return symbol not in watched or now - asked_at < self._quiet_seconds, asked_at

    def _look(self, books: list[LocalBook], now: float) -> None:
        before = self._stands
        self._stands = {}
        for book in books:
            known, u = before.get(book.symbol), book.last_update_id
            if book.state is LIVE:
                self._stands[book.symbol] = known if known and known.u == u else Quiet(u, now)

    def deaf(self, books: dict[str, LocalBook]) -> list[str]:
        """Markets whose book is LIVE and behind, and whose events do not come; each is named once an audit."""
        while True:
            try:
                self._suspicions.append(self._answers.get_nowait())
            except Empty:
                break
        now = self._clock()
        behind = [one for one in self._suspicions if is_behind(books.get(one.symbol), one.u)]
        self._suspicions = [one for one in behind if one.until > now]
        return [one.symbol for one in behind if one.until <= now]


def is_behind(book: LocalBook | None, u: int) -> bool:
    return book is not None and book.state is LIVE and book.last_update_id < u
