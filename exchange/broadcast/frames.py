"""What one open page is to the hub, and the frames it is sent."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from exchange.broadcast.names import book_key, candle_channel, group_channel, trades_key

# So many book frames may be unacknowledged before a page is passed over.
WINDOW = 40
SIDES = ("bids", "asks")
Send = Callable[[str], Awaitable[None]]
Body = dict[str, Any]
_encoder = msgspec.json.Encoder()


def encode(body: Body) -> str:
    return _encoder.encode(body).decode()


@dataclass(eq=False)
class Socket:
    """One open page: what it follows, which book frame it has, how many it has not acknowledged."""

    send: Send
    close: Callable[[int], Awaitable[None]]
    symbol: str = ""
    interval: str = "1m"
    # How much of the quote is one row of the book; "" is the venue's own levels.
    step: str = ""
    seq: int | None = None
    unread: deque[int] = field(default_factory=deque)
    full_since: float | None = None

    @property
    def is_open(self) -> bool:
        return len(self.unread) < WINDOW

    @property
    def channels(self) -> set[str]:
        """Where what this page shows is told."""
        if not self.symbol:
            return set()
        book = group_channel(self.symbol, self.step) if self.step else book_key(self.symbol)
        return {book, trades_key(self.symbol), candle_channel(self.symbol, self.interval)}

    @property
    def names(self) -> set[str]:
        """What the markets process is told that somebody looks at."""
        if not self.symbol:
            return set()
        found = {self.symbol, f"{self.symbol}@kline_{self.interval}"}
        return found | {f"{self.symbol}#{self.step}"} if self.step else found


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
