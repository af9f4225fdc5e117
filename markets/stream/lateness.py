"""Whether what comes in is late: a process that reads too slowly holds books that were right a while ago."""

WINDOW_MS = 60_000
LATE_MS = 3_000
# No reader is an hour late, nor early: the venue would have closed its line. Such an event's time is wrong, or is told
# by another clock from now on, as when a replay of another day or unit begins.
STRANGE_MS = 3_600_000


class Lateness:
    """Compares how old the newest event is with how old events were at best within the last minute or two.

    The clocks of the venue and of this machine need not agree, and a replay tells of long ago: only a change counts.
    """

    def __init__(self) -> None:
        self.is_late = False
        self._least: int | None = None
        self._least_before: int | None = None
        self._since = 0
        self._strange: int | None = None

    def note(self, event_ms: int, now_ms: int) -> bool:
        """The newest event of this moment happened then, by the venue's clock; False when that is not believed."""
        age = now_ms - event_ms
        if not self._believes(age):
            return False
        if now_ms - self._since >= WINDOW_MS:
            self._least_before, self._least, self._since = self._least, None, now_ms
        self._least = age if self._least is None else min(age, self._least)
        self.is_late = age - self._usual(age) > LATE_MS
        return True

    def _usual(self, age: int) -> int:
        """The least age of late; this one when there is none."""
        return min((known for known in (self._least, self._least_before) if known is not None), default=age)

    def _believes(self, age: int) -> bool:
        """Of a strange age only the second in a row is: then all is counted anew from there."""
        if abs(age - self._usual(age)) <= STRANGE_MS:
            self._strange = None
            return True
        before, self._strange = self._strange, age
        if before is None or abs(age - before) > STRANGE_MS:
            return False
        self._least = self._least_before = self._strange = None
        return True
