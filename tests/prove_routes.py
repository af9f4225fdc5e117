"""`make prove-routes`: what routes are worth, and that nobody is worse off for one. The last line is one JSON object.

10,000 orders drawn by SEED (ORDERS=… for fewer), on recorded books, are executed in two identical paper worlds in
memory: in one each in its own market, in the other by the route that the smart strategy chooses. What is received for
what is paid, our fee taken off, is compared order by order: nobody is worse off by more than a tick, and each kind of
route says what it saved. Two hundred more go through our own services to venues on ports, and the books afterwards
are what the venues executed. Second trades are refused and left without an answer: each order ends, is sent once, and
no customer has anything in the asset between without being told. Customers who trade with each other never meet at the
venue, and each such fill says what was better.
"""

import json
import os
import sys
import time
from typing import Any

from exchange.local import suite
from tests.verdict import verdict

ORDERS, REAL, STRUCK = 10_000, 200, 8  # in memory, through our services, struck by each fault
WORST_TICKS = 1


def main() -> int:
    with suite.serving_tests(os.environ):
        suite.enter_worker(os.environ, "gw0")
        suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
        import django

        django.setup()
        figures = prove(int(os.environ.get("SEED") or time.time_ns() % 10**6))
    figures["ok"] = is_proven(figures)
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def prove(seed: int) -> dict[str, Any]:
    from tests.factories import make_user, venue_account
    from tests.orders import routed, worlds

    venue_account()
    worlds.store()
    alice, bob, carol = make_user("alice"), make_user("bob"), make_user("carol", is_staff=True)
    rule = worlds.compare_everything(carol)
    began = time.monotonic()
    orders = int(os.environ.get("ORDERS") or ORDERS)
    tally = worlds.Contest(alice, bob, seed).play(orders)
    figures: dict[str, Any] = {"prove": "routes", "seed": seed, "seconds": round(time.monotonic() - began, 1)}
    figures["in_memory"] = told(tally)
    print(f"in memory: {figures['in_memory']}", flush=True)
    routed.enrich(alice, bob)
    drawn = routed.planned(worlds.Contest(alice, bob, seed + 1), int(os.environ.get("REAL") or REAL))
    direct, smart, real = routed.run_twice(alice, bob, rule, drawn)
    figures["real"] = {**told(real), "differences": {**direct.differences, **smart.differences},
                       "unfinished": [*direct.unfinished, *smart.unfinished], "untold": smart.untold,
                       "met_at_the_venue": smart.met}  # fmt: skip
    print(f"through our services: {figures['real']}", flush=True)
    struck = routed.strike_second_legs(alice, bob, STRUCK, seed + 2)
    figures["second_trade"] = {
        "struck": struck.faults, "untold": struck.untold, "unfinished": struck.unfinished,
        "differences": struck.differences,
    }  # fmt: skip
    figures["crossed"] = routed.crossed_facts()
    figures["unbalanced"] = unbalanced()
    return figures


def told(tally: Any) -> dict[str, Any]:
    kinds = {
        name: {"orders": kind.orders, "better": kind.better, "saved_bps": str(kind.saved_bps)}
        for name, kind in sorted(tally.kinds.items())
    }
    worse = {"worst_ticks": str(round(tally.worst_ticks, 4)), "worse_by_more": tally.told[:5]}
    return {"orders": tally.orders, "refused": tally.refused, "kinds": kinds, **worse}


def unbalanced() -> int:
    from exchange.desk import evidence
    from ledger import queries as books
    from ledger.services import Cause
    from orders import queries

    pairs = ((Cause.ORDER, queries.holding_orders()), (Cause.BRIDGE, queries.holding_bridges()))
    stray = [
        odd for cause, wanted in pairs for odd in evidence.stray_holds("x", books.held_for(cause), wanted)
    ]
    return len(stray) + len(books.trial_balance())


def is_proven(figures: dict[str, Any]) -> bool:
    parts, struck = (figures["in_memory"], figures["real"]), figures["second_trade"]
    crossed = figures["crossed"]
    return (
        all(set(part["kinds"]) >= {"DIRECT", "SOR", "TWO_LEGS", "CROSS"} for part in parts)
        and all(float(part["worst_ticks"]) <= WORST_TICKS and not part["worse_by_more"] for part in parts)
        and all(float(kind["saved_bps"]) >= 0 for part in parts for kind in part["kinds"].values())
        and all(part["kinds"][name]["better"] > 0 for part in parts for name in ("SOR", "TWO_LEGS"))
        and not any(
            figures["real"][name] for name in ("differences", "unfinished", "untold", "met_at_the_venue")
        )
        and not any(struck[name] for name in ("differences", "unfinished", "untold"))
        and all(sum(ended.values()) > 0 for ended in struck["struck"].values())
        and crossed["settled"] > 0
        and crossed["fills"] == 2 * crossed["settled"]
        and crossed["with_improvement_said"] == crossed["settled"]
        and figures["unbalanced"] == 0
    )


if __name__ == "__main__":
    sys.exit(verdict(main, prove="routes"))
