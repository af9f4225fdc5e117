"""The frames that open pages are sent."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

SIDES = ("bids", "asks")
Body = dict[str, Any]
# A text as ASGI sends it: the same one for every socket.
Frame = dict[str, str]
_encoder = msgspec.json.Encoder()


def encode(body: Body) -> Frame:
    return {"type": "websocket.send", "text": _encoder.encode(body).decode()}


@dataclass(frozen=True)
class Top:
    """A market's best levels as they were last told, and the number of the frame that told them."""

    seq: int
    body: Body

    @cached_property
    def sides(self) -> dict[str, dict[str, str]]:
        return {side: dict(self.body[side]) for side in SIDES}

    @cached_property
    def snapshot(self) -> Frame:
        levels = {side: self.body[side] for side in SIDES}
        return encode({"type": "book", "kind": "snapshot", "seq": self.seq, **self._head, **levels})

    def since(self, before: "Top") -> Frame:
        """What a page that has `before` needs to have this."""
        levels = {side: difference(before.sides[side], self.sides[side]) for side in SIDES}
        return encode(
            {"type": "book", "kind": "diff", "prev": before.seq, "seq": self.seq, **self._head, **levels}
        )

    @property
    def _head(self) -> Body:
        body = self.body
        return {
            "u": body["u"],
            "epoch": body["epoch"],
            "state": body["state"],
            "at": body["published_ms"],
            **({"known": body["known"]} if self._is_limited else {}),
            **({"step": body["step"], "best": body["best"]} if body.get("step") else {}),
        }

    @property
    def _is_limited(self) -> bool:
        """There are more levels, but nobody knows them."""
        known = self.body.get("known")
        return known is not None and known <= max(len(self.body[side]) for side in SIDES)


class Table:
    """Every market's last 24 hours: the rows are encoded once for all pages that want the whole of it."""

    def __init__(self) -> None:
        self._rows: dict[str, Body] = {}
        self._encoded: msgspec.Raw | None = None

    def __bool__(self) -> bool:
        return bool(self._rows)

    def update(self, rows: dict[str, Body]) -> None:
        self._rows.update(rows)
        self._encoded = None

    def of(self, symbol: str) -> Body | None:
        return self._rows.get(symbol)

    def frame(self, seq: int) -> Frame:
        if self._encoded is None:
            self._encoded = msgspec.Raw(_encoder.encode(self._rows))
        return encode({"type": "tickers", "tickers": self._encoded, "seq": seq})


def difference(before: dict[str, str], after: dict[str, str]) -> list[list[str]]:
    """The levels that changed, with quantity "0" for those that are gone."""
    changed = [[price, quantity] for price, quantity in after.items() if before.get(price) != quantity]
    return changed + [[price, "0"] for price in before if price not in after]
