"""How often a socket usually speaks, and whether it has stopped to: long before it must be taken for dead."""

from exchange.binance.market_streams.pace import Pace

# Of the last one or two windows the longest pause counts.
WINDOW_SECONDS = 30
# So many turns with frames say how often a socket speaks; it is quiet after so many times its longest pause.
ENOUGH, TIMES = 20, 3


class Rhythm:
    """Told on every tick when the socket last spoke; one that is quiet by nature is never said to have stopped."""

    def __init__(self, pace: Pace) -> None:
        self._least = pace.quiet
        self._heard_at: float | None = None
        self._count = 0
        self._longest = self._longest_before = self._since = 0.0

    def note(self, heard_at: float) -> None:
        """The socket last spoke then."""
        before, self._heard_at = self._heard_at, heard_at
        if before is None or before == heard_at:
            return
        self._count += 1
        if heard_at - self._since > WINDOW_SECONDS:
            self._longest_before, self._longest, self._since = self._longest, 0.0, heard_at
        self._longest = max(self._longest, heard_at - before)

    def has_stopped(self, now: float) -> bool:
        """It spoke often enough to say that this pause is none of its usual ones."""
        if self._heard_at is None or self._count < ENOUGH:
            return False
        usual = max(self._longest, self._longest_before)
        return now - self._heard_at > max(self._least, TIMES * usual)
