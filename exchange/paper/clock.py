"""The venue's clock as its clients meet it: it may be wrong, and what ages may age faster."""

import time
from dataclasses import dataclass, field

from exchange.paper.market import now_ms


@dataclass
class Clock:
    """`shift_ms` is how far it is ahead; `speed` how many seconds of a listen key's life pass in one."""

    shift_ms: int = 0
    speed: int = 1
    _since: float = field(default_factory=time.monotonic)
    _aged: float = 0

    def now_ms(self) -> int:
        """What the venue says the time is, and holds timestamps against."""
        return now_ms() + self.shift_ms

    def age(self) -> float:
        """Seconds that have passed for what ages here."""
        return self._aged + (time.monotonic() - self._since) * self.speed

    def run(self, speed: int) -> None:
        self._aged, self._since, self.speed = self.age(), time.monotonic(), speed
