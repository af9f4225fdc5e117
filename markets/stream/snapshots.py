"""Which books want a snapshot, when and how deep; never more than a fair part of the venue's weight goes there."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

# Weights of GET /depth by limit (binance.md 7), and what snapshots may use of the documented 6,000 a minute.
WEIGHTS = {100: 5, 500: 25, 1000: 50, 5000: 250}
WEIGHT_A_MINUTE = 1500
FIRST_WAIT, LONGEST_WAIT = 0.25, 5.0
CALM_SECONDS = 60.0


@dataclass(frozen=True)
class Want:
    symbol: str
    limit: int
    due: float
    # For a book that is live already and only wants to know more.
    is_luxury: bool


class Snapshots:
    """Wishes by market: a market that keeps asking waits longer each time."""

    def __init__(
        self, *, weight_a_minute: int = WEIGHT_A_MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._a_minute = weight_a_minute
        self._left: float = weight_a_minute
        self._filled_at = clock()
        self._wants: dict[str, Want] = {}
        self._tries: dict[str, tuple[int, float]] = {}

    def ask(self, symbol: str, limit: int, *, is_luxury: bool = False) -> None:
        """The market wants a snapshot: at once the first time, later and later when it asks again soon."""
        known = self._wants.get(symbol)
        if known is not None and known.is_luxury <= is_luxury:
            return
        now = self._clock()
        tries, asked_at = self._tries.get(symbol, (0, now))
        tries = 0 if now - asked_at > CALM_SECONDS else tries
        self._tries[symbol] = (tries + 1, now)
        wait = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.5, 1) if tries else 0.0
        self._wants[symbol] = Want(symbol, limit, now + wait, is_luxury)

    def drop(self, symbol: str) -> None:
        self._wants.pop(symbol, None)

    def clear(self) -> None:
        """A new connection asks for all of them afresh."""
        self._wants.clear()
        self._tries.clear()

    def take(self) -> Want | None:
        """The next wish that is due and can be paid for."""
        self._fill()
        now = self._clock()
        due = [want for want in self._wants.values() if want.due <= now]
        first = min(due, key=lambda want: (want.is_luxury, want.due), default=None)
        if first is None or WEIGHTS[first.limit] > self._left - self._kept_back(first):
            return None
        self._left -= WEIGHTS[first.limit]
        return self._wants.pop(first.symbol)

    def _kept_back(self, want: Want) -> float:
        """A luxury leaves something for books that are not live at all."""
        return self._a_minute / 3 if want.is_luxury else 0.0

    def _fill(self) -> None:
        now = self._clock()
        earned = (now - self._filled_at) * self._a_minute / 60
        self._left = min(self._a_minute, self._left + earned)
        self._filled_at = now
