"""How an account hears of its orders when it goes wrong: late, twice, in the wrong order, or not at all."""

from dataclasses import dataclass, field
from typing import Any

from exchange.paper.errors import ApiError
from exchange.paper.market import now_ms

WAYS = ("duplicate", "swap", "delay", "drop")
Told = tuple[int, dict[str, Any]]  # account, event


@dataclass
class Bend:
    """Meets the next `count` executionReports, of one execution type when `x` names it; `ms` is how long one waits."""

    how: str
    count: int = 1
    ms: int = 3000
    x: str = ""


@dataclass
class Telling:
    bends: list[Bend] = field(default_factory=list)
    waiting: list[tuple[int, Told]] = field(default_factory=list)  # due at this time
    swapped: list[tuple[int, Told]] = field(
        default_factory=list
    )  # due with the account's next report, or by then

    def add(self, asked: dict[str, Any]) -> None:
        if asked.get("how") not in WAYS:
            raise ApiError(-1100, f"`how` is one of {', '.join(WAYS)}.")
        self.bends.append(
            Bend(
                asked["how"], int(asked.get("count", 1)), int(asked.get("ms", 3000)), str(asked.get("x", ""))
            )
        )

    def clear(self) -> None:
        """Nothing is bent any more, and what still waits is due."""
        self.bends.clear()
        self.waiting = [(0, told) for _due, told in self.waiting + self.swapped]
        self.swapped = []

    def through(self, told: Told) -> list[Told]:
        """What is told now, this being said."""
        account_id, event = told
        if event["e"] != "executionReport":
            return [told]
        earlier = [held for held in self.swapped if held[1][0] == account_id]
        self.swapped = [held for held in self.swapped if held[1][0] != account_id]
        return self._bent(told) + [held[1] for held in earlier]

    def _bent(self, told: Told) -> list[Told]:
        bend = next((bend for bend in self.bends if bend.x in ("", told[1]["x"])), None)
        if bend is None:
            return [told]
        bend.count -= 1
        if bend.count <= 0:
            self.bends.remove(bend)
        if bend.how == "duplicate":
            return [told, told]
        if bend.how != "drop":
            (self.waiting if bend.how == "delay" else self.swapped).append((now_ms() + bend.ms, told))
        return []

    def due(self) -> list[Told]:
        """What has waited long enough."""
        at = now_ms()
        found = [told for due, told in self.waiting + self.swapped if due <= at]
        self.waiting = [held for held in self.waiting if held[0] > at]
        self.swapped = [held for held in self.swapped if held[0] > at]
        return found
