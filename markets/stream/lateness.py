"""Whether what comes in is late: a process that reads too slowly holds books that were right a while ago."""

LATE_MS = 3_000
# No reader is an hour late, nor early: the venue would have closed its line. Such an event's time is wrong, or is told
# by another clock from now on, as when a replay of another day or unit begins.
STRANGE_MS = 3_600_000
# Who is farther from the venue's clock than a reader ever is when it begins is told by another one.
OTHER_CLOCK_MS = 120_000
# Clocks that nobody sets run apart by less: a tenth of a millisecond a second.
DRIFT = 10_000


class Lateness:
    """Compares how old the newest event is with how old events were at best, and with the venue's clock.

    The clocks of the venue and of this machine need not agree, and a replay tells of long ago: of the first only a
    change counts, and it counts for as long as it lasts.
    """

    def __init__(self) -> None:
        self.is_late = False
        # The least age that two events in a row have had, and when: one alone may be of a time that is wrong.
        self._least: int | None = None
        self._least_at = 0
        self._before: int | None = None
        self._strange: int | None = None

    def note(self, event_ms: int, now_ms: int, venue_ms: int | None = None) -> bool:
        """The newest event of this moment happened then, by the venue's clock; False when that is not believed.

        `now_ms` is by a clock that is never set, `venue_ms` by the venue's when that is known.
        """
        age = now_ms - event_ms
        if not self._believes(age, now_ms):
            return False
        self._learn(age, now_ms)
        by_the_venue = 0 if venue_ms is None else venue_ms - event_ms
        self.is_late = age - self._usual(age, now_ms) > LATE_MS or LATE_MS < by_the_venue <= OTHER_CLOCK_MS
        return True

    def _learn(self, age: int, now_ms: int) -> None:
        before, self._before = self._before, age
        if before is None:
            return
        low = max(age, before)
        if self._least is None or low <= self._usual(age, now_ms):
            self._least, self._least_at = low, now_ms

    def _usual(self, age: int, now_ms: int) -> int:
        """The least age so far, allowing for clocks that run apart; this one when there is none."""
        return age if self._least is None else self._least + (now_ms - self._least_at) // DRIFT

    def _believes(self, age: int, now_ms: int) -> bool:
        """Of a strange age only the second in a row is: then all is counted anew from there."""
        if abs(age - self._usual(age, now_ms)) <= STRANGE_MS:
            self._strange = None
            return True
        before, self._strange = self._strange, age
        if before is None or abs(age - before) > STRANGE_MS:
            return False
        self._least = self._before = self._strange = None
        return True
