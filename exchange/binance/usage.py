"""What a request costs of the venue's limits, and what an answer says about them (binance.md 5 and 6)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

USED_WEIGHT = "x-mbx-used-weight-"
ORDER_COUNT = "x-mbx-order-count-"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WINDOW = re.compile(r"([1-9][0-9]{0,3})([smhd])")
# Nobody is sent away for longer than three days.
LONGEST_BAN = 3 * 86_400
USUAL_WAIT = 60
NOT_TOLD = "none"  # in the place of a Retry-After that was missing


@dataclass(frozen=True)
class Cost:
    """Weight of the address's minute and orders of the account's count; with `is_free` a success weighs nothing."""

    weight: int = 0
    orders: int = 0
    is_free: bool = False


FREE = Cost()
PLACE = Cost(1, 1, is_free=True)
PAIR = Cost(1, 2, is_free=True)
CANCEL = Cost(1, is_free=True)
SOCKET = Cost(4)  # to the WebSocket API: the connection and the subscription


@dataclass(frozen=True)
class Usage:
    """What one answer said about the limits; weights and counts by interval, e.g. {"1m": 20}.

    `odd` is a Retry-After that is no reasonable number of seconds, as it was sent, or says that there was none.
    """

    http_status: int
    used_weight: dict[str, int] = field(default_factory=dict)
    order_count: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None
    odd: str = ""
    code: int | None = None


# A request that found nobody, and one whose answer never came: it may have been counted.
NEVER_LEFT, NO_ANSWER = Usage(-1), Usage(0)


class Meter(Protocol):
    """Asked before each request, and told what came of it as soon as that is known."""

    def begin(self, cost: Cost) -> Any:
        """Gives what `end` is to be told; raises NotSent when it may not be sent."""

    def confirm(self, begun: Any) -> None:
        """Asked when the connection stands and nothing has left; raises NotSent when it may not be sent any more."""

    def end(self, begun: Any, usage: Usage) -> None: ...


def usage_of(status: int, headers: Mapping[str, str], body: Any) -> Usage:
    """What is not as documented is as if it were not there."""
    weights: dict[str, int] = {}
    orders: dict[str, int] = {}
    for name, value in headers.items():
        lower = name.lower()
        for prefix, found in ((USED_WEIGHT, weights), (ORDER_COUNT, orders)):
            if lower.startswith(prefix) and is_count(value):
                found[lower.removeprefix(prefix)] = int(value)
    retry_after, odd = _wait(status, headers.get("Retry-After"))
    code = body.get("code") if isinstance(body, dict) else None
    return Usage(status, weights, orders, retry_after, odd, code if type(code) is int else None)


def is_count(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= 12


def _wait(status: int, told: str | None) -> tuple[float | None, str]:
    """Seconds to wait, None when nobody can say; and what was odd about the header."""
    if told is None:
        return None, NOT_TOLD if status in (418, 429) else ""
    text = told.strip()
    if not re.fullmatch(r"[0-9]{1,40}(\.[0-9]{1,9})?", text, re.ASCII) or not text.strip("0."):
        return None, text[:40] or "empty"
    whole, _point, fraction = text.partition(".")
    seconds = int(whole) + bool(fraction.strip("0"))
    return min(seconds, LONGEST_BAN), text[:40] if seconds > LONGEST_BAN else ""


def seconds_of(interval: str) -> int | None:
    """The length of an interval as headers write it, 60 for "1m"; None when it is none."""
    found = _WINDOW.fullmatch(interval)
    return int(found[1]) * SECONDS[found[2]] if found else None
