"""Which books want a snapshot, when and how deep; never more than a fair part of the venue's weight goes there."""

import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

# Weights of GET /depth by limit (binance.md 7), and what snapshots may use of the documented 6,000 a minute: the
# bucket and what flows into it within a minute stay below 60 % together.
WEIGHTS = {100: 5, 500: 25, 1000: 50, 5000: 250}
WEIGHT_A_MINUTE, WEIGHT_AT_ONCE = 1200, 2200
# However much of it another process has used, the one before this one too: 60 % of what the venue counts.
MOST_A_MINUTE = 3600
KEPT_BACK = 0.6
# Whatever went wrong before: within five seconds of the end of it a book is live again.
FIRST_WAIT, LONGEST_WAIT = 0.25, 3.0
CALM_SECONDS = 60.0
# Markets whose last question had no answer may keep so many threads waiting, and no more: others have theirs.
DOUBTED_AT_ONCE = 2


@dataclass(frozen=True)
class Want:
    symbol: str
    limit: int
    due: float
    # For a book that is live already and only wants to know more.
    is_luxury: bool
    # The asking book's: an answer is of use while the book has the same.
    generation: int


class Snapshots:
    """Wishes by market: a market that keeps asking waits longer each time. Books ask, and threads that fetch take."""

    def __init__(
        self,
        *,
        weight_a_minute: int = WEIGHT_A_MINUTE,
        weight_at_once: int = WEIGHT_AT_ONCE,
        used_weight: Callable[[], int] | None = None,
        most_a_minute: Callable[[], int] = lambda: MOST_A_MINUTE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`used_weight` says what the venue has counted in this minute, `most_a_minute` when that is too much."""
        self._clock, self._used_weight, self._most_a_minute = clock, used_weight, most_a_minute
        self._under_way = 0
        self._lock = threading.Lock()
        self._a_minute, self._at_once = weight_a_minute, weight_at_once
        self._left: float = weight_at_once
        self._filled_at = self._rests_until = clock()
        self._ranks: dict[str, int] = {}
        self._watched: frozenset[str] = frozenset()
        self._wants: dict[str, Want] = {}
        self._tries: dict[tuple[str, bool], tuple[int, float]] = {}
        self._doubted: set[str] = set()
        self._doubted_now: list[str] = []

    def rank(self, symbols: Sequence[str], watched: Collection[str]) -> None:
        """Who comes first: a market that somebody looks at, then those of a better rank."""
        with self._lock:
            self._ranks = {symbol: rank for rank, symbol in enumerate(symbols)}
            self._watched = frozenset(watched)

    def ask(self, symbol: str, limit: int, *, generation: int, is_luxury: bool = False) -> None:
        """The market wants a snapshot: at once the first time, later and later when it asks again soon."""
        with self._lock:
            known = self._wants.get(symbol)
            if known is not None and known.is_luxury <= is_luxury:
                if known.is_luxury == is_luxury:
                    self._wants[symbol] = replace(known, generation=generation)
                return
            now = self._clock()
            tries, asked_at = self._tries.get((symbol, is_luxury), (0, now))
            tries = 0 if now - asked_at > CALM_SECONDS else tries
            self._tries[symbol, is_luxury] = (tries + 1, now)
            wait = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.5, 1) if tries else 0.0
            self._wants[symbol] = Want(symbol, limit, now + wait, is_luxury, generation)

    def hasten(self, symbol: str, limit: int) -> None:
        """A luxury that waits is had for less, and so sooner."""
        with self._lock:
            known = self._wants.get(symbol)
            if known is not None and known.is_luxury and known.limit > limit:
                self._wants[symbol] = replace(known, limit=limit)

    def drop(self, symbol: str) -> None:
        """The market needs none any more."""
        with self._lock:
            self._wants.pop(symbol, None)

    def take(self) -> Want | None:
        """The next wish that is due and can be paid for."""
        with self._lock:
            if self._first() is None:
                return None
        # Whoever knows may be slow to say it, and books do not wait for that.
        used = self._used_weight() if self._used_weight else None
        with self._lock:
            first = self._first()
            if first is None or (used is not None and self._is_too_much(first, used)):
                return None
            self._left -= WEIGHTS[first.limit]
            self._under_way += WEIGHTS[first.limit]
            if first.symbol in self._doubted:
                self._doubted_now.append(first.symbol)
            return self._wants.pop(first.symbol)

    def _first(self) -> Want | None:
        """Whose turn it is, when it can be paid for from what this process may use."""
        self._fill()
        now = self._clock()
        if now < self._rests_until:
            return None
        due = [want for want in self._wants.values() if want.due <= now and self._may_wait(want.symbol)]
        first = min(due, key=self._turn, default=None)
        if first is None or WEIGHTS[first.limit] > self._left - self._kept_back(first):
            return None
        return first

    def _is_too_much(self, want: Want, used: int) -> bool:
        """True when this minute's share is used up, what is under way and not counted yet included."""
        left = self._most_a_minute() - used - self._under_way
        return WEIGHTS[want.limit] > left - self._kept_back(want)

    def done(self, want: Want, *, is_lost: bool) -> None:
        """What was taken has come to its end; a market whose answer was lost is doubted until the next is not."""
        with self._lock:
            self._under_way -= WEIGHTS[want.limit]
            if want.symbol in self._doubted_now:
                self._doubted_now.remove(want.symbol)
            (self._doubted.add if is_lost else self._doubted.discard)(want.symbol)

    def give_back(self, want: Want) -> None:
        """It was not sent, and has used no weight; whatever is sent next would hardly fare better at once."""
        with self._lock:
            self._left += WEIGHTS[want.limit]
            self._rests_until = self._clock() + FIRST_WAIT

    def _may_wait(self, symbol: str) -> bool:
        return symbol not in self._doubted or len(self._doubted_now) < DOUBTED_AT_ONCE

    def _turn(self, want: Want) -> tuple[bool, bool, int, int]:
        return (
            want.is_luxury,
            want.symbol not in self._watched,
            want.limit,
            self._ranks.get(want.symbol, len(self._ranks)),
        )

    def _kept_back(self, want: Want) -> float:
        """A luxury leaves enough for all books at once: what flows in within the minute does the rest."""
        return self._at_once * KEPT_BACK if want.is_luxury else 0.0

    def _fill(self) -> None:
        now = self._clock()
        earned = (now - self._filled_at) * self._a_minute / 60
        self._left = min(self._at_once, self._left + earned)
        self._filled_at = now
