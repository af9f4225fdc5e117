"""The frames that open pages are sent."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

SIDES = ("bids", "asks")
Body = dict[str, Any]
_encoder = msgspec.json.Encoder()


def encode(body: Body) -> str:
    return _encoder.encode(body).decode()


@dataclass(frozen=True)
class Top:
    """A market's best levels as they were last told, and the number of the frame that told them."""

    seq: int
    body: Body

    @cached_property
    def sides(self) -> dict[str, dict[str, str]]:
        return {side: dict(self.body[side]) for side in SIDES}

    @cached_property
    def snapshot(self) -> str:
        levels = {side: self.body[side] for side in SIDES}
        return encode({"type": "book", "kind": "snapshot", "seq": self.seq, **self._head, **levels})

    def since(self, before: "Top") -> str:
        """What a page that has `before` needs to have this."""
        levels = {side: difference(before.sides[side], self.sides[side]) for side in SIDES}
        return encode(
            {"type": "book", "kind": "diff", "prev": before.seq, "seq": self.seq, **self._head, **levels}
        )

    @property
    def _head(self) -> Body:
        known = self.body
        return {
            "u": known["u"],
            "epoch": known["epoch"],
            "state": known["state"],
            "at": known["published_ms"],
            **({"step": known["step"], "best": known["best"]} if known.get("step") else {}),
        }


def difference(before: dict[str, str], after: dict[str, str]) -> list[list[str]]:
    """The levels that changed, with quantity "0" for those that are gone."""
    changed = [[price, quantity] for price, quantity in after.items() if before.get(price) != quantity]
    return changed + [[price, "0"] for price in before if price not in after]
