"""One market's local order book by the venue's documented rule (binance.md 13).

Prices and quantities stay the venue's exact texts; binary floats only order them, the best level at the end of the
list, because that is where nearly every change happens.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from enum import StrEnum
from itertools import count
from math import inf
from typing import Annotated

import msgspec

# No market has amounts of more digits; a text that is longer is refused where it is read.
MOST_DIGITS = 40
Amount = Annotated[str, msgspec.Meta(max_length=MOST_DIGITS)]
Level = tuple[Amount, Amount]
MOST_LEVELS = 1000
# Kept below the published ones: what moves up when better levels go is then still known.
SPARE_LEVELS = 200
MOST_BUFFERED = 2000
# Old events in a row are ignored, as two overlapping lines tell everything twice; ids that run backwards are not: their
# events are newer than what is known by the venue's clock, more than lines that cut time differently ever say.
MOST_OLD, MOST_BACKWARD, BACKWARD_MS = 50, 2, 300
# So many events show how fast a stream comes towards a snapshot.
ENOUGH_PASSED = 3
# A minute's events: so far a stream that is read late may be behind a snapshot.
MOST_BEHIND = 600
# As texts, what is from the least up to "00" or not below "1" is more than zero. Others may be zero in some notation,
# such as "0", "0.0" or "00.0"; the venue writes the first.
ZERO, LEAST, ODD, ONE = "0.00000000", "0.00000001", "00", "1"
# No price is greater; infinity is, and what is no number is neither smaller nor greater.
GREATEST = 1e18
# Two prices of so many significant digits are never one binary float.
SURE_DIGITS = 15
# Nine of ten changes are to one of the best 20 levels, half of them at a price that was there a moment ago.
NEAR = 24
# Of so many levels the price of one is remembered: an event's price was there a moment ago, or is new.
READ_OF = 10
_generations = count(1)
_is_number = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]*)?").fullmatch


class State(StrEnum):
    SYNCING = "SYNCING"
    LIVE = "LIVE"
    STALE = "STALE"


# Asking the class for it costs a call for every message.
LIVE = State.LIVE


class Diff(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    """A depthUpdate event: `first` is its U, `last` its u. Who reads one sees to it that its texts are numbers."""

    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    event_ms: int = msgspec.field(name="E")
    bids: list[Level] = msgspec.field(name="b")
    asks: list[Level] = msgspec.field(name="a")
    symbol: str = msgspec.field(name="s", default="")


def require_numbers(levels: Iterable[Level]) -> None:
    """Raises ValueError unless each text is digits, not too many, with at most one point: no sign, exponent, NaN."""
    if not all(len(text) <= MOST_DIGITS and _is_number(text) for level in levels for text in level):
        raise ValueError("a text that is no number")


def is_zero(quantity: str) -> bool:
    """Raises ValueError at a text that is no number."""
    require_numbers([("0", quantity)])
    return not quantity.strip("0.")


class Side:
    """One side's levels; `sign` is 1 for bids and -1 for asks, so that the best level has the greatest key."""

    def __init__(self, sign: int, depth: int = MOST_LEVELS) -> None:
        self._sign, self._depth, self._most = sign, depth, depth + SPARE_LEVELS
        self._most_read = depth // READ_OF
        # Infinity stands behind the best, so that every search ends at a key.
        self._keys: list[float] = [inf]
        self._levels: list[Level] = []
        # The worst level down to which nothing is missing; None when the whole side is known.
        self._edge: float | None = None
        # Keys of the latest prices: making a number of a text costs half as much as all the rest of a level.
        self._read: dict[str, float] = {}
        # The best level's key; less than any when there is none.
        self.best = -inf

    def load(self, levels: Iterable[Level], *, is_whole: bool = False) -> None:
        """The side is what a snapshot says; beyond a snapshot's last level nothing is known unless it was the whole.

        Raises ValueError at a text that is no number or a price that cannot be one.
        """
        levels = [(price, quantity) for price, quantity in levels]
        require_numbers(levels)
        there = [level for level in levels if level[1].strip("0.")]
        placed = {self._key(level[0]): level for level in there}
        ordered = sorted(placed)
        self._keys = [*ordered, inf]
        self._levels = [placed[key] for key in ordered]
        self._edge = None if is_whole or not ordered else ordered[0]
        self._prune()
        self.best = ordered[-1] if ordered else -inf

    def apply(self, levels: Iterable[Level]) -> None:
        """Each level is set, or gone when its quantity is zero; raises ValueError at a price that cannot be one."""
        keys, rows, read = self._keys, self._levels, self._read
        near = len(keys) - NEAR
        if near < 0:
            near = 0
        bound = keys[near]
        for level in levels:
            price, quantity = level
            try:
                key = read[price]
            except KeyError:
                key = self._remember(price)
            at = bisect_left(keys, key, near if key > bound else 0)
            if quantity != ZERO and (LEAST <= quantity < ODD or quantity >= ONE or not is_zero(quantity)):
                if keys[at] == key:
                    rows[at] = level
                else:
                    keys.insert(at, key)
                    rows.insert(at, level)
            elif keys[at] == key:
                del keys[at], rows[at]
                if near:
                    near -= 1
        if len(rows) > self._most:
            self._prune()
        self.best = keys[-2] if rows else -inf

    def _key(self, price: str) -> float:
        """The price as a number to sort by, negative on the side of asks."""
        number = float(price)
        if not 0.0 < number < GREATEST:
            raise ValueError("a price that cannot be")
        if len(price) > SURE_DIGITS and len(price.replace(".", "").strip("0")) > SURE_DIGITS:
            raise ValueError("a price of more digits than can be told apart")
        return self._sign * number

    def _remember(self, price: str) -> float:
        if len(self._read) >= self._most_read:
            self._read.clear()
        key = self._read[price] = self._key(price)
        return key

    def _prune(self) -> None:
        """The worst levels go, by rank: never by comparing texts."""
        excess = len(self._levels) - self._most
        if excess > 0:
            del self._keys[:excess], self._levels[:excess]
            self._edge = self._keys[0] if self._edge is None else max(self._edge, self._keys[0])

    def top(self, count: int | None = None) -> list[Level]:
        """The best levels, best first; without a count as many as a book shows."""
        return self._levels[: -(count or self._depth) - 1 : -1]

    @property
    def known(self) -> int | None:
        """How many of the best levels are known without a hole; None when all there are."""
        return None if self._edge is None else len(self._levels) - bisect_left(self._keys, self._edge)

    def is_shallower_than(self, count: int) -> bool:
        """True when fewer than the best `count` levels are known without a hole."""
        edge, keys = self._edge, self._keys
        return edge is not None and (len(keys) <= count or keys[-count - 1] < edge)


@dataclass
class LocalBook:
    """SYNCING until a snapshot meets the buffered events, LIVE while none is lost, STALE when the line is down."""

    symbol: str
    state: State = State.SYNCING
    last_update_id: int = 0
    event_ms: int = 0
    resyncs: int = 0
    # How many levels a side are kept and shown.
    depth: int = MOST_LEVELS
    # True while the next event may still join on to what is known: the line was down, and nothing may have been lost.
    may_join: bool = False
    # Another one, of no other book, each time the events that wait begin anew: older snapshots do not meet these.
    generation: int = member(default_factory=_generations.__next__)
    _old: int = 0
    _backward: int = 0
    # Where a snapshot or a deeper book stood, how far the stream has come towards it, and in how many events.
    _met: int = -1
    _reached: int = 0
    _began: int = 0
    _passed: int = 0
    _buffer: list[Diff] = member(default_factory=list)

    def __post_init__(self) -> None:
        self.bids, self.asks = Side(1, self.depth), Side(-1, self.depth)

    def mark_stale(self) -> None:
        """No line: what is known is only for show."""
        self.may_join = self.state == State.LIVE or self.may_join
        self.state = State.STALE
        self._buffer.clear()

    def expect(self) -> None:
        """A line is there: the next event joins on to what is known, or a snapshot is needed."""
        if self.state == State.STALE:
            self.state = State.SYNCING
            self.generation = next(_generations)

    def on_diff(self, diff: Diff) -> bool:
        """The event is applied, or waits for a snapshot; True when it makes the book ask for one."""
        if self.state is not LIVE and not self._joins(diff):
            self._buffer.append(diff)
            del self._buffer[:-MOST_BUFFERED]
            return False
        known, last = self.last_update_id, diff.last
        if last > known >= diff.first - 1:
            bids, asks = self.bids, self.asks
            try:
                if diff.bids:
                    bids.apply(diff.bids)
                if diff.asks:
                    asks.apply(diff.asks)
            except ValueError:  # a text that cannot be one: half of the event is applied
                return self._start_over(diff)
            self.last_update_id, self.event_ms = last, diff.event_ms
            self._old = self._backward = 0
            return bids.best + asks.best >= 0 and self._start_over()
        return (last > known or not self._passes_over(diff)) and self._start_over(diff)

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
        sides = Side(1, self.depth), Side(-1, self.depth)
        sides[0].load(bids, is_whole=len(bids) < limit)
        sides[1].load(asks, is_whole=len(asks) < limit)
        (self.bids, self.asks), self.last_update_id = sides, last_update_id
        self._stand_at(last_update_id)
        pending, self._buffer = self._buffer, []
        self.state, self.may_join = State.LIVE, False
        for at, diff in enumerate(pending):
            if self.on_diff(diff):
                self._buffer = pending[at:]
                return False
        return not (self.is_crossed and self._start_over())

    def adopt(self, deeper: "LocalBook") -> bool:
        """Takes over a deeper book of the same events; False when that one is behind and nothing has changed."""
        if deeper.state != State.LIVE or deeper.last_update_id < self.last_update_id:
            return False
        self.bids, self.asks, self.last_update_id = deeper.bids, deeper.asks, deeper.last_update_id
        self.event_ms = max(self.event_ms, deeper.event_ms)
        self._stand_at(self.last_update_id)
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

    def _start_over(self, *diffs: Diff) -> bool:
        """True: events were lost, or the book cannot be right."""
        if self.state != State.STALE:
            self.state = State.SYNCING
        self.resyncs += 1
        self.generation = next(_generations)
        self.may_join, self._old, self._backward = False, 0, 0
        self._buffer = [diff for diff in diffs if diff.last > self.last_update_id]
        return True

    def _stand_at(self, last_update_id: int) -> None:
        """What is known is of now; the stream, if it is read late, has yet to come to it."""
        self._met, self._reached, self._began, self._passed = last_update_id, 0, 0, 0

    def _passes_over(self, diff: Diff) -> bool:
        """False for events of other ids than the known ones, and after too many old ones in a row."""
        if self.last_update_id == self._met and diff.last > self._reached:
            return self._comes_nearer(diff.last)
        self._old += 1
        if diff.event_ms > self.event_ms + BACKWARD_MS and self.last_update_id != self._met:
            self._backward += 1
        return self._old <= MOST_OLD and self._backward < MOST_BACKWARD

    def _comes_nearer(self, last: int) -> bool:
        """False when a stream that seems to be behind a snapshot would not come to it, so fast as it is, in time."""
        self._began = self._began or last
        self._reached = last
        self._passed += 1
        if self._passed < ENOUGH_PASSED:
            return True
        lacks, came = self.last_update_id - last, last - self._began
        return self._passed <= MOST_BEHIND and lacks * (self._passed - 1) <= MOST_BEHIND * came

    @property
    def is_crossed(self) -> bool:
        return self.bids.best + self.asks.best >= 0
