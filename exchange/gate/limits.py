"""How much of the venue's limits is used, as all processes know it together; and its time as this process knows it."""

import time
from dataclasses import dataclass
from functools import cache as once

from django.conf import settings

from exchange.binance.transport import Clock
from exchange.gate import bans, store

MINUTE = 60


@dataclass(frozen=True)
class Window:
    """One of the venue's windows as it stands now, what is under way included; `left` is in seconds."""

    name: str
    seconds: int
    most: int
    used: int
    under_way: int
    left: float


def blocked_for() -> float:
    """Seconds for which the venue wants to hear nothing from this address."""
    known = bans.seconds_left(bans.egress_key(bans.DEFAULT_EGRESS))
    return max(known, banned_for(state(bans.egress_key(bans.DEFAULT_EGRESS))))


def has_spare_weight() -> bool:
    """True while less of the minute's weight is used than comparing the past may use; also when nobody can say."""
    minute = _minute()
    return minute is None or minute.used < minute.most * settings.GATE_HISTORY_PERCENT / 100


def used_weight() -> int:
    """What this address has used in the venue's minute; zero when nobody can say."""
    minute = _minute()
    return minute.used if minute else 0


def weight_for_books() -> int:
    """How much of the minute's weight market data may use, with what others have used."""
    minute = _minute()
    return (minute.most if minute else 6000) * settings.GATE_MARKET_DATA_PERCENT // 100


def _minute() -> Window | None:
    found = windows(state(bans.egress_key(bans.DEFAULT_EGRESS)), "weight")
    return next((window for window in found if window.seconds == MINUTE), None)


def state(key: str) -> dict[str, str]:
    """All that is known of an address or an account; nothing while Redis is away."""
    try:
        return store.read(key)
    except store.Away:
        return {}


def banned_for(found: dict[str, str]) -> float:
    return max(0.0, int(found.get("ban", 0)) / 1000 - time.time())


def windows(found: dict[str, str], name: str) -> list[Window]:
    """Each window of the limits of this name; see lua/common.lua."""
    now, told = time.time() * 1000 + int(found.get("offset", 0)), []
    for seconds, most in (map(int, pair.split(":")) for pair in found.get(name, "").split(",") if pair):
        part = {
            field: int(found.get(f"{name}.{seconds}.{field}", 0))
            for field in ("number", "base", "new", "old")
        }
        number = int(now // (seconds * 1000))
        base, under_way = 0, part["new"] if part["number"] == number - 1 else 0
        if part["number"] >= number:
            base, under_way = part["base"], part["new"] + part["old"]
        left = (number + 1) * seconds - now / 1000
        told.append(Window(name, seconds, most, base + under_way, under_way, left))
    return told


@once
def clock() -> Clock:
    """The venue's time as this process knows it."""
    return Clock()
