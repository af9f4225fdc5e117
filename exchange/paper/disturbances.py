"""What goes wrong on the way of depth events: some are lost, told twice, out of order, crossed, or no events at all."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from exchange.paper.errors import ApiError

Event = dict[str, Any]
Asked = dict[str, Any]
KINDS = ("depth@100ms", "depth")
NOTHING = "0.00000000"
FAR = "99999999.00000000"
BACK = 1000


def _crossed(event: Event, asked: Asked) -> Event:
    """A bid and an ask at one price: crossed, whatever the book was."""
    price = (event["b"] or event["a"] or [["1.00000000"]])[0][0]
    rows = {side: [row for row in event[side] if row[0] != price] for side in "ba"}
    return event | {side: [*rows[side], [price, "1.00000000"]] for side in "ba"}


def _missing(event: Event, asked: Asked) -> Event:
    return {name: value for name, value in event.items() if name != asked.get("field", "u")}


def _no_number(event: Event, asked: Asked) -> Event:
    return event | {"b": [[asked.get("text", "a lot"), "1.00000000"], *event["b"]]}


def _foreign(event: Event, asked: Asked) -> Event:
    return event | {"s": asked.get("text", "БТЦУСДТ")}


def _unknown(event: Event, asked: Asked) -> Event:
    return event | {"e": asked.get("text", "depthRumour")}


def _backwards(event: Event, asked: Asked) -> Event:
    """Its last id lies before its first one, and before what was told long ago."""
    return event | {"u": event["U"] - BACK}


def _zero(event: Event, asked: Asked) -> Event | None:
    """Removals in another notation; an event that removes nothing is not meant."""
    if all(float(row[1]) for side in "ba" for row in event[side]):
        return None
    zero = asked.get("text", "0")
    return event | {
        side: [[price, amount if float(amount) else zero] for price, amount in event[side]] for side in "ba"
    }


def _removal(event: Event, asked: Asked) -> Event:
    """Removes levels that nobody has."""
    return event | {side: [*event[side], [FAR, NOTHING]] for side in "ba"}


CHANGES: dict[str, Callable[[Event, Asked], Event | None]] = {
    "crossed": _crossed,
    "missing field": _missing,
    "no number": _no_number,
    "foreign symbol": _foreign,
    "unknown kind": _unknown,
    "backwards": _backwards,
    "zero": _zero,
    "unknown removal": _removal,
}
ACTS = ("drop", "duplicate", "swap", "broken", *CHANGES)


class Disturbance:
    """One act on the next `count` events of one stream."""

    def __init__(self, asked: Asked) -> None:
        self.act, self._asked, self.count = asked["do"], asked, int(asked.get("count", 1))
        self._held: list[str] = []

    def strike(self, payload: str) -> list[str]:
        """What is sent instead of the event."""
        if self.act == "swap":
            return self._swap(payload)
        changed = self._changed(payload)
        if changed is None:
            return [payload]
        self.count -= 1
        return changed

    def _swap(self, payload: str) -> list[str]:
        if not self._held:
            self._held = [payload]
            return []
        self.count -= 1
        sent, self._held = [payload, *self._held], []
        return sent

    def _changed(self, payload: str) -> list[str] | None:
        if self.act in CHANGES:
            event = CHANGES[self.act](json.loads(payload), self._asked)
            return None if event is None else [json.dumps(event, separators=(",", ":"), ensure_ascii=False)]
        return {"drop": [], "duplicate": [payload, payload], "broken": [payload[: len(payload) // 2]]}[
            self.act
        ]


class Disturbances:
    """What is set, by stream; of several on one stream the earlier one is used up first."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Disturbance]] = {}

    def add(self, asked: Asked, symbols: Iterable[str]) -> None:
        """The act strikes the next `count` depth events of each of these markets, at either speed."""
        if asked["do"] not in ACTS or int(asked.get("count", 1)) < 1:
            raise ApiError(-1100, f"`do` is one of {', '.join(ACTS)}; `count` at least 1.")
        for symbol in symbols:
            for kind in KINDS:
                self._waiting.setdefault(f"{symbol.lower()}@{kind}", []).append(Disturbance(asked))

    def clear(self) -> None:
        self._waiting.clear()

    @property
    def left(self) -> dict[str, int]:
        """How many events of each stream are still to be struck."""
        return {stream: sum(act.count for act in acts) for stream, acts in self._waiting.items() if acts}

    def struck(self, stream: str, payload: str) -> Sequence[str]:
        """What is sent on the stream instead of this event."""
        waiting = self._waiting.get(stream)
        if not waiting:
            return (payload,)
        sent = waiting[0].strike(payload)
        if waiting[0].count < 1:
            del waiting[0]
        return sent
