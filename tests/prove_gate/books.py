"""Every book is lost each twenty seconds, while orders come at nine tenths of what the venue takes of both accounts."""

import time
from typing import Any

from tests.prove_gate.load import compared, crowd
from tests.prove_gate.stage import MARKETS, ORDERS, SCALE, TIMES_QUIET, Stage

SHARE_PERCENT, WINDOW = 90, 10
# The share that each account has to reach by the venue's own count: ninety orders of a hundred, but for a straggler.
LEAST_SHARE = 0.88
WEIGHT = 6000


def play(stage: Stage) -> dict[str, Any]:
    rate = len(stage.callers) * ORDERS * SHARE_PERCENT / 100 / WINDOW
    crowd(stage.clients(), 10, rate)  # what is done for the first time is not measured
    quiet = crowd(stage.clients(), 60 * SCALE, rate)
    before, began = stage.unwelcome(), time.time()
    busy = crowd(stage.clients(), 90 * SCALE, rate, lambda: _lose(stage))
    ended = time.time()
    shares = _shares(stage, began, ended)
    told = {
        "books": MARKETS,
        "limits": stage.limits(),
        "orders_a_second": rate,
        "share_of_limit": shares,
        "placed_today": {number: sum(found.values()) for number, found in stage.placed().items()},
        **compared(quiet, busy, 99),
        "weight_share": _weight_share(stage, began),
        "too_much": stage.too_much_since(before),
    }
    reached = all(found["mean"] >= LEAST_SHARE for found in shares.values())
    told["ok"] = told["times_quiet"] <= TIMES_QUIET and not told["too_much"] and reached
    return told


def _lose(stage: Stage) -> None:
    for _time in range(4):
        stage.door.ask(do="drop")
        time.sleep(20 * SCALE)


def _shares(stage: Stage, began: float, ended: float) -> dict[str, dict[str, float]]:
    """By account: what it placed of the limit in each whole window of that time, as the venue counted."""
    found: dict[str, dict[str, float]] = {}
    for number, counts in stage.placed().items():
        first = int(began // WINDOW + 1) * WINDOW
        shares = [counts.get(at, 0) / ORDERS for at in range(first, int(ended) - WINDOW + 1, WINDOW)]
        found[number] = {
            "mean": round(sum(shares) / max(len(shares), 1), 3), "least": min(shares, default=0.0),
            "most": max(shares, default=0.0), "windows": len(shares),
        }  # fmt: skip
    return found


def _weight_share(stage: Stage, began: float) -> float:
    """The most of a minute's weight that was used since then."""
    used = stage.door.state()["weight"].get("127.0.0.1", {})
    return round(max((used[at] for at in used if int(at) >= began - 60), default=0) / WEIGHT, 2)
