"""What a socket was asked to carry, and what it does carry: one question at a time, as slowly as the venue wants it."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from exchange.binance.market_streams.pace import Pace

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    number: int
    method: str
    names: list[str]
    at: float


class Subscriptions:
    """`carried` follows `want`, by messages of which each waits for the answer to the one before."""

    def __init__(self, pace: Pace, on_change: Callable[[], None]) -> None:
        self.carried: set[str] = set()
        self._pace, self._on_change = pace, on_change
        self._wanted: dict[str, None] = {}
        self._is_done = True
        self._asked: Asked | None = None
        self._number = 0
        self._due = 0.0
        # A refusal does not say which name it is for: messages are halved until one stands alone, and that one waits.
        self._names_a_message = pace.names_a_message
        self._put_off: dict[str, float] = {}

    def want(self, names: Iterable[str]) -> None:
        self._wanted = dict.fromkeys(names)
        self._is_done = False

    def renew(self, names: Iterable[str]) -> None:
        """Those of them that are carried, as the venue said, are asked for again."""
        lost = self.carried.intersection(names)
        if lost:
            self.carried -= lost
            self._is_done = False
            self._on_change()

    @property
    def is_asking(self) -> bool:
        return self._asked is not None

    def message(self, now: float) -> str | None:
        """The next message, if it is time for one."""
        if self._is_done or now < self._due:
            return None
        if self._asked is not None:
            self.answer(self._asked.number, "no answer", now)
            return None
        self._asked = self._question(now)
        if self._asked is None:
            self._is_done = not self._put_off
            return None
        self._due = now + self._pace.answer
        asked = self._asked
        return json.dumps({"method": asked.method, "params": asked.names, "id": asked.number})

    def _question(self, now: float) -> Asked | None:
        self._put_off = {name: due for name, due in self._put_off.items() if due > now}
        superfluous = [name for name in self.carried if name not in self._wanted]
        missing = [name for name in self._wanted if name not in self.carried]
        for method, names in (("UNSUBSCRIBE", superfluous), ("SUBSCRIBE", missing)):
            ripe = [name for name in names if name not in self._put_off]
            if ripe:
                self._number += 1
                return Asked(self._number, method, ripe[: self._names_a_message], now)
        return None

    def answer(self, number: int | str | None, refusal: str, now: float) -> None:
        """The venue's word on the question; an answer that comes too late is as none, its question is put again."""
        asked = self._asked
        if asked is None or number not in (asked.number, None):
            return
        self._asked, self._due = None, asked.at + self._pace.between_messages
        if refusal:
            self._refused(asked, refusal, now)
            return
        self._names_a_message = min(self._names_a_message * 2, self._pace.names_a_message)
        if asked.method == "SUBSCRIBE":
            self.carried.update(asked.names)
        else:
            self.carried.difference_update(asked.names)
        self._on_change()

    def _refused(self, asked: Asked, refusal: str, now: float) -> None:
        count = len(asked.names)
        log.warning(
            "stream.refused", method=asked.method, names=count, first=asked.names[0], reason=refusal[:200]
        )
        self._due = max(self._due, now + self._pace.after_refusal)
        if count == 1:
            self._put_off[asked.names[0]] = now + self._pace.longest_wait
        self._names_a_message = max(1, count // 2)
