"""One market's local order book by the venue's documented rule (binance.md 13).

Prices and quantities stay the venue's exact texts; binary floats only order them, the best level at the end of the
list, because that is where nearly every change happens.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Level = tuple[str, str]
MOST_LEVELS = 1000
# Kept below the published ones: what moves up when better levels go is then still known.
SPARE_LEVELS = 200
MOST_BUFFERED = 2000


class State(StrEnum):
    SYNCING = "SYNCING"
    LIVE = "LIVE"
    STALE = "STALE"


class Gap(Exception):
    """Events were lost, or the book cannot be right: it has to start over from a snapshot."""


@dataclass(frozen=True)
class Diff:
    """A depthUpdate event: `first` is its U, `last` its u."""

    first: int
    last: int
    event_ms: int
    bids: Iterable[Level]
    asks: Iterable[Level]


class Side:
    """One side's levels; `sign` is 1 for bids and -1 for asks, so that the best level has the greatest key."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[float] = []
        self._levels: list[Level] = []
        # The worst level down to which nothing is missing; None when the whole side is known.
        self._edge: float | None = None

    def load(self, levels: Iterable[Level], *, is_whole: bool = False) -> None:
        """The side is what a snapshot says; beyond a snapshot's last level nothing is known unless it was the whole."""
        ordered = sorted((self._sign * float(level[0]), level) for level in levels if not is_zero(level[1]))
        self._keys = [key for key, _level in ordered]
        self._levels = [level for _key, level in ordered]
        self._edge = None if is_whole or not ordered else ordered[0][0]
        self._prune()

    def apply(self, levels: Iterable[Level]) -> None:
        keys, rows, sign = self._keys, self._levels, self._sign
        for level in levels:
            key = sign * float(level[0])
            at = bisect_left(keys, key)
            is_known = at < len(keys) and keys[at] == key
            if is_zero(level[1]):
                if is_known:
                    del keys[at], rows[at]
            elif is_known:
                rows[at] = level
            else:
                keys.insert(at, key)
                rows.insert(at, level)
        self._prune()

    def _prune(self) -> None:
        """The worst levels go, by rank: never by comparing texts."""
        excess = len(self._keys) - MOST_LEVELS - SPARE_LEVELS
        if excess > 0:
            del self._keys[:excess], self._levels[:excess]
            self._edge = self._keys[0] if self._edge is None else max(self._edge, self._keys[0])

    def top(self, count: int = MOST_LEVELS) -> list[Level]:
        """The best levels, best first."""
        return self._levels[: -count - 1 : -1]

    @property
    def known(self) -> int | None:
        """How many of the best levels are known without a hole; None when all there are."""
        return None if self._edge is None else len(self._keys) - bisect_left(self._keys, self._edge)

    @property
    def best(self) -> float | None:
        return self._keys[-1] * self._sign if self._keys else None


def is_zero(quantity: str) -> bool:
    return not quantity.strip("0.")


@dataclass
class LocalBook:
    """SYNCING until a snapshot meets the buffered events, LIVE while none is lost, STALE when the line is down."""

    symbol: str
    epoch: int = 0
    state: State = State.SYNCING
    last_update_id: int = 0
    event_ms: int = 0
    resyncs: int = 0
    bids: Side = field(default_factory=lambda: Side(1))
    asks: Side = field(default_factory=lambda: Side(-1))
    _buffer: list[Diff] = field(default_factory=list)

    def restart(self, epoch: int) -> None:
        """A new connection: what was known is only for show until a new snapshot."""
        self.epoch, self.state = epoch, State.SYNCING
        self._buffer.clear()

    def mark_stale(self) -> None:
        self.state = State.STALE

    def on_diff(self, diff: Diff) -> bool:
        """The event is applied, or waits for a snapshot; True when it makes the book ask for one."""
        if self.state != State.LIVE:
            self._buffer.append(diff)
            del self._buffer[:-MOST_BUFFERED]
            return False
        try:
            self._apply(diff)
        except Gap:
            self._start_over(diff)
            return True
        return False

    def on_snapshot(
        self, last_update_id: int, bids: Sequence[Level], asks: Sequence[Level], *, limit: int = MOST_LEVELS
    ) -> bool:
        """True when the book is live; False when the snapshot does not meet the events and another one is needed."""
        if self.state == State.STALE:
            return False
        self._buffer = [diff for diff in self._buffer if diff.last > last_update_id]
        if self._buffer and self._buffer[0].first > last_update_id + 1:
            return False
        self.bids.load(bids, is_whole=len(bids) < limit)
        self.asks.load(asks, is_whole=len(asks) < limit)
        self.last_update_id = last_update_id
        pending, self._buffer = self._buffer, []
        self.state = State.LIVE
        try:
            for diff in pending:
                self._apply(diff)
            if self.is_crossed:
                raise Gap
        except Gap:
            self._start_over(*pending)
            return False
        return True

    def adopt(self, deeper: "LocalBook") -> bool:
        """Takes over a deeper book of the same events; False when that one is behind and nothing has changed."""
        if deeper.state != State.LIVE or deeper.last_update_id < self.last_update_id:
            return False
        self.bids, self.asks, self.last_update_id = deeper.bids, deeper.asks, deeper.last_update_id
        self.event_ms = max(self.event_ms, deeper.event_ms)
        return True

    def start_over(self) -> None:
        """What is known may be wrong: only a new snapshot makes the book live again."""
        self._start_over()

    def knows(self, count: int) -> bool:
        """True while the best `count` levels of both sides are without a hole."""
        return all(side.known is None or side.known >= count for side in (self.bids, self.asks))

    def _start_over(self, *diffs: Diff) -> None:
        if self.state != State.STALE:
            self.state = State.SYNCING
        self.resyncs += 1
        self._buffer = [diff for diff in diffs if diff.last > self.last_update_id]

    def _apply(self, diff: Diff) -> None:
        if diff.last <= self.last_update_id:
            return
        if diff.first > self.last_update_id + 1:
            raise Gap
        try:
            self.bids.apply(diff.bids)
            self.asks.apply(diff.asks)
        except ValueError as error:  # a price that is no number: half of the event is applied
            raise Gap from error
        self.last_update_id, self.event_ms = diff.last, diff.event_ms
        if self.is_crossed:
            raise Gap

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask
