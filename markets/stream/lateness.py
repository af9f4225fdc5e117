"""Whether what comes in is late: a process that reads too slowly holds books that were right a while ago."""

WINDOW_MS = 60_000
LATE_MS = 3_000


class Lateness:
    """Compares how old the newest event is with how old events were at best within the last minute or two.

    The clocks of the venue and of this machine need not agree, and a replay tells of long ago: only a change counts.
    """

    def __init__(self) -> None:
        self.is_late = False
        self._least: int | None = None
        self._least_before: int | None = None
        self._since = 0

    def note(self, event_ms: int, now_ms: int) -> None:
        """The newest event of this moment happened then, by the venue's clock."""
        age = now_ms - event_ms
        if now_ms - self._since >= WINDOW_MS:
            self._least_before, self._least, self._since = self._least, None, now_ms
        self._least = age if self._least is None else min(age, self._least)
        usual = self._least if self._least_before is None else min(self._least, self._least_before)
        self.is_late = age - usual > LATE_MS
