"""What the venue's limits leave, shared by all processes: reserved before a request, corrected by what it tells.

By address request weight and requests, by account unfilled orders (binance.md 6). A kind of call may fill its share and
no more. While Redis is away each process has a small part for itself.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.conf import settings

from exchange.binance.errors import HALVES_CODES, NotSent
from exchange.binance.usage import FREE, NEVER_LEFT, Cost, Usage, seconds_of
from exchange.gate import bans, learned, store
from exchange.gate.limits import clock

log = structlog.get_logger()
NOBODY = "house"
# While Redis is away the bans are read in PostgreSQL, by each process so often at most.
AWAY_GLANCE = 0.05


def shares() -> dict[str, int]:
    """How much of the weight, in percent, may be used when a call of the kind comes; the others may use the most."""
    return {
        "place": settings.GATE_PLACE_PERCENT,
        "take back": settings.GATE_PLACE_PERCENT,
        "market data": settings.GATE_MARKET_DATA_PERCENT,
        "history": settings.GATE_HISTORY_PERCENT,
    }


class Full(NotSent):
    """There is no room in a budget, and nothing was sent. `what`: "weight", "raw", "orders", "share" (a customer's)."""

    def __init__(self, what: str, wait: float) -> None:
        self.what = what
        super().__init__(WORDS[what], wait)


WORDS = {
    "weight": "the weight of this minute is for other calls",
    "raw": "there were too many requests in these minutes",
    "orders": "the account has too many new orders for the moment",
    "share": "others want to place orders too",
}


@dataclass(frozen=True)
class Reservation:
    """What was taken out of the budgets; `here` and `now` are Redis's time and the venue's then, 0 while it is away."""

    egress: str
    account: str | None
    cost: Cost
    customer: str = NOBODY
    here: int = 0
    now: int = 0

    @property
    def keys(self) -> list[str]:
        """Whose budgets they are: the address's, and of an order the account's."""
        return [bans.egress_key(self.egress), *([bans.account_key(self.account)] if self.account else [])]


def reserve(
    egress: str, account: str | None, cost: Cost, *, kind: str, customer: int | None = None, requests: int = 1
) -> Reservation:
    """Room for such a call is taken; raises Banned and Full. Without `requests` only room for orders is taken."""
    taken = Reservation(egress, account if cost.orders else None, cost, str(customer or NOBODY))
    bans.require_none(*taken.keys)
    try:
        found = _asked(taken, "reserve", *_wanted(cost, kind, taken.customer, requests))
    except store.Away:
        _alone_if_not_banned(taken, kind, requests)
        return taken
    if found[0] == b"full":
        raise Full(found[1].decode(), found[2] / 1000)
    return _unless_banned(replace(taken, here=found[3], now=found[4]), found)


def confirm(taken: Reservation) -> Reservation:
    """What was reserved a moment ago may be sent now; raises Banned."""
    bans.require_none(*taken.keys)
    try:
        found = _asked(taken, "confirm", "")
    except store.Away:
        bans.read_now(AWAY_GLANCE)
        bans.require_none(*taken.keys)
        return taken
    bans.read_again(store.connection_number(), *found[1:3])
    bans.require_none(*taken.keys)
    return replace(taken, here=found[3]) if taken.here else taken


def _wanted(cost: Cost, kind: str, customer: str, requests: int) -> tuple[object, ...]:
    share = shares().get(kind, settings.GATE_MOST_PERCENT)
    return (cost.weight, share, cost.orders, settings.GATE_ORDERS_PERCENT, customer, kind, requests)


def _asked(taken: Reservation, script: str, *words: object) -> list[Any]:
    """What the script gives, after what was lost has begun anew; raises Banned."""
    venue_ms = clock().now_ms() if clock().is_known else ""
    keys = [store.key(key) for key in taken.keys]
    found: list[Any] = store.run(script, keys, venue_ms, *words)
    if found[0] == b"lost":
        _begin(taken.keys, venue_ms)
        found = store.run(script, keys, venue_ms, *words)
    if found[0] == b"banned":
        bans.remember(taken.keys[-1], found[1] / 1000)
        raise bans.Banned(found[1] / 1000)
    return found


def _unless_banned(taken: Reservation, found: list[Any]) -> Reservation:
    """PostgreSQL has the last word where Redis may have forgotten."""
    try:
        bans.read_again(store.connection_number(), *found[1:3])
        bans.require_none(*taken.keys)
    except NotSent:
        give_back(taken)
        _tell_again(taken.keys)
        raise
    return taken


def _alone_if_not_banned(taken: Reservation, kind: str, requests: int) -> None:
    bans.read_now(AWAY_GLANCE)
    bans.require_none(*taken.keys)
    _alone.take(taken, kind, requests)


def _begin(keys: list[str], venue_ms: int | str) -> None:
    """Redis forgot, or never knew: what PostgreSQL knows is written there, and nobody has used nothing."""
    bans.read_now()
    limits = learned.texts()
    until = [int((time.time() + left) * 1000) if (left := bans.seconds_left(key)) > 0 else 0 for key in keys]
    told = (limits["weight"], limits["raw"], limits["orders"])
    words = (uuid.uuid4().hex, venue_ms, settings.GATE_CAUTIOUS_PERCENT, *told, *until)
    store.run("begin", [store.key(key) for key in keys], *words)
    log.warning("gate.begins_anew", keys=keys)


def _tell_again(keys: list[str]) -> None:
    for key in keys:
        if (wait := bans.seconds_left(key)) > 0:
            bans.tell_others(key, wait)


def settle(taken: Reservation, usage: Usage) -> None:
    """What was reserved is what the venue says that it counted; what it says nothing of counts as documented."""
    is_counted, is_taken = usage != NEVER_LEFT, usage.http_status == 200
    weight = taken.cost.weight if is_counted and not (is_taken and taken.cost.is_free) else 0
    # A refused order is none; one whose answer never came may be one.
    is_refused = 400 <= usage.http_status < 500 and usage.code not in HALVES_CODES
    orders = taken.cost.orders if is_counted and not is_refused else 0
    _settle(
        taken, (weight, _told(usage.used_weight)), (orders, _told(usage.order_count)), usage.http_status > 0
    )


def give_back(taken: Reservation) -> None:
    """Nothing was sent."""
    _settle(taken, (0, ""), (0, ""), False)


def _settle(taken: Reservation, weight: tuple[int, str], orders: tuple[int, str], is_answered: bool) -> None:
    if not taken.here:
        return
    cost = taken.cost
    back = 0 if is_answered else cost.orders - orders[0]
    words = (cost.weight, *weight, cost.orders, *orders, taken.customer, back, int(is_answered))
    with suppress(store.Away):  # what is reserved passes with its window
        store.run("settle", [store.key(key) for key in taken.keys], taken.here, taken.now, *words)


def tell_counts(egress: str, account: str, counts: Mapping[str, int], *, asked_at: float) -> None:
    """The venue was asked at that time how many unfilled orders the account has."""
    here = int(asked_at * 1000)
    with suppress(store.Away):
        offset = int(store.read(bans.egress_key(egress)).get("offset", 0))
        taken = Reservation(egress, account, FREE, here=here, now=here + offset)
        _settle(taken, (0, ""), (0, _told(counts)), True)


def _told(counts: Mapping[str, int]) -> str:
    """By seconds, as the scripts read it."""
    found = ((seconds_of(interval), count) for interval, count in counts.items())
    return ",".join(f"{seconds}={count}" for seconds, count in found if seconds is not None)


class Alone:
    """What this process may use by itself while nobody knows what the others use: a small part of each limit."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[tuple[str, int, int]] = Counter()

    def forget(self) -> None:
        self._counts.clear()

    def take(self, taken: Reservation, kind: str, requests: int) -> None:
        """Raises Full."""
        now, wanted = clock().now_ms() / 1000, {}
        share = shares().get(kind, settings.GATE_MOST_PERCENT)
        costs = {"weight": taken.cost.weight, "raw": requests, "orders": taken.cost.orders}
        for name, cost in costs.items():
            part = settings.GATE_ALONE_PERCENT * (settings.GATE_ORDERS_PERCENT if name == "orders" else share)
            key = taken.keys[-1] if name == "orders" else taken.keys[0]
            for seconds, most in learned.known(name):
                place = (f"{key}:{name}", seconds, int(now // seconds))
                if cost and self._counts[place] + cost > max(most * part // 10_000, cost):
                    raise Full(name, seconds - now % seconds)
                wanted[place] = cost
        with self._guard:
            for place in [place for place in self._counts if (place[2] + 1) * place[1] < now]:
                del self._counts[place]
            self._counts.update(wanted)


_alone = Alone()


def forget() -> None:
    """This process has used nothing by itself."""
    _alone.forget()
