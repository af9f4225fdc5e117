"""One market's local order book by the venue's documented rule (binance.md 13).

Prices and quantities stay the venue's exact texts; binary floats only order them, the best level at the end of the
list, because that is where nearly every change happens.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from enum import StrEnum

import msgspec

Level = tuple[str, str]
MOST_LEVELS = 1000
# Kept below the published ones: what moves up when better levels go is then still known.
SPARE_LEVELS = 200
MOST_BUFFERED = 2000
# Old events in a row are ignored, as two overlapping lines tell everything twice; ids that run backwards are not.
MOST_OLD = 50
# Texts below this one may be zero, whatever the notation: "0", "0.0", "0.00000000".
LEAST = "0.00000001"
# No price is greater; infinity is, and what is no number is neither smaller nor greater.
GREATEST = 1e18


class State(StrEnum):
    SYNCING = "SYNCING"
    LIVE = "LIVE"
    STALE = "STALE"


class Gap(Exception):
    """Events were lost, or the book cannot be right: it has to start over from a snapshot."""


class Diff(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    """A depthUpdate event: `first` is its U, `last` its u."""

    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    event_ms: int = msgspec.field(name="E")
    bids: Sequence[Level] = msgspec.field(name="b")
    asks: Sequence[Level] = msgspec.field(name="a")
    symbol: str = msgspec.field(name="s", default="")


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

    def apply(self, levels: Sequence[Level]) -> None:
        """Each level is set, or gone when its quantity is zero; raises ValueError at a price that cannot be one."""
        keys, rows, sign = self._keys, self._levels, self._sign
        count = len(keys)
        for level in levels:
            price, quantity = level
            key = sign * float(price)
            at = bisect_left(keys, key)
            if at < count and keys[at] == key:
                if quantity < LEAST and is_zero(quantity):
                    del keys[at], rows[at]
                    count -= 1
                else:
                    rows[at] = level
            elif not (quantity < LEAST and is_zero(quantity)):
                if not 0.0 < key * sign < GREATEST:
                    raise ValueError("a price that cannot be")
                keys.insert(at, key)
                rows.insert(at, level)
                count += 1
        if count > MOST_LEVELS + SPARE_LEVELS:
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

    def is_shallower_than(self, count: int) -> bool:
        """True when fewer than the best `count` levels are known without a hole."""
        edge, keys = self._edge, self._keys
        return edge is not None and (len(keys) < count or keys[-count] < edge)

    @property
    def best(self) -> float | None:
        return self._keys[-1] * self._sign if self._keys else None


def is_zero(quantity: str) -> bool:
    return not quantity.strip("0.")


@dataclass
class LocalBook:
    """SYNCING until a snapshot meets the buffered events, LIVE while none is lost, STALE when the line is down."""

    symbol: str
    state: State = State.SYNCING
    last_update_id: int = 0
    event_ms: int = 0
    resyncs: int = 0
    bids: Side = member(default_factory=lambda: Side(1))
    asks: Side = member(default_factory=lambda: Side(-1))
    # True while the next event may still join on to what is known: the line was down, and nothing may have been lost.
    may_join: bool = False
    _old: int = 0
    _buffer: list[Diff] = member(default_factory=list)

    def mark_stale(self) -> None:
        """No line: what is known is only for show."""
        self.may_join = self.state == State.LIVE or self.may_join
        self.state = State.STALE
        self._buffer.clear()

    def expect(self) -> None:
        """A line is there: the next event joins on to what is known, or a snapshot is needed."""
        if self.state == State.STALE:
            self.state = State.SYNCING

    def on_diff(self, diff: Diff) -> bool:
        """The event is applied, or waits for a snapshot; True when it makes the book ask for one."""
        if self.state != State.LIVE and not self._joins(diff):
            self._buffer.append(diff)
            del self._buffer[:-MOST_BUFFERED]
            return False
        try:
            self._apply(diff)
        except Gap:
            self._start_over(diff)
            return True
        return False

    def _joins(self, diff: Diff) -> bool:
        """True when nothing was lost while the line was down: the book is live again without a snapshot."""
        is_next = diff.first <= self.last_update_id + 1 and diff.last > self.last_update_id
        joins = self.may_join and self.state == State.SYNCING and is_next
        self.may_join = False
        if joins:
            self.state = State.LIVE
        return joins

    def on_snapshot(
        self, last_update_id: int, bids: Sequence[Level], asks: Sequence[Level], *, limit: int = MOST_LEVELS
    ) -> bool:
        """True when the book is live; False when the snapshot does not meet the events and another one is needed."""
        if self.state == State.STALE:
            return False
        # Two lines that overlap may tell their events in another order.
        waiting = sorted(self._buffer, key=lambda diff: diff.last)
        self._buffer = [diff for diff in waiting if diff.last > last_update_id]
        if self._buffer and self._buffer[0].first > last_update_id + 1:
            return False
        self.bids.load(bids, is_whole=len(bids) < limit)
        self.asks.load(asks, is_whole=len(asks) < limit)
        self.last_update_id = last_update_id
        pending, self._buffer = self._buffer, []
        self.state, self.may_join = State.LIVE, False
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

    @property
    def known(self) -> int | None:
        """How many of the best levels of both sides are known without a hole; None when all there are."""
        depths = [side.known for side in (self.bids, self.asks) if side.known is not None]
        return min(depths, default=None)

    def is_shallower_than(self, count: int) -> bool:
        """True when fewer than the best `count` levels of a side are known without a hole."""
        return self.bids.is_shallower_than(count) or self.asks.is_shallower_than(count)

    def _start_over(self, *diffs: Diff) -> None:
        if self.state != State.STALE:
            self.state = State.SYNCING
        self.resyncs += 1
        self.may_join, self._old = False, 0
        self._buffer = [diff for diff in diffs if diff.last > self.last_update_id]

    def _apply(self, diff: Diff) -> None:
        if diff.last <= self.last_update_id:
            self._old += 1
            if self._old > MOST_OLD:
                raise Gap
            return
        if diff.first > self.last_update_id + 1:
            raise Gap
        try:
            self.bids.apply(diff.bids)
            self.asks.apply(diff.asks)
        except ValueError as error:  # a price that is no number: half of the event is applied
            raise Gap from error
        self.last_update_id, self.event_ms, self._old = diff.last, diff.event_ms, 0
        if self.is_crossed:
            raise Gap

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.bids.best, self.asks.best
        return bid is not None and ask is not None and bid >= ask
