"""`make prove`: what is too long for the suite, at its full length. The last line is one JSON object.

100,000 minimal trades through the books, 25,000 of each of four symbols, some at the same time: nobody is richer by
them than by what the venue's own rounding gave away, and the books balance afterwards. 10,000 random orders priced by a
walk of the book: the paper venue executes them so to the last digit. 1,000 interleavings of what can happen to orders,
chosen by SEED: after each the books are what the venue executed. web, worker, executions and markets of a whole site
are killed at 50 random moments while customers trade: nothing is lost, nothing doubled, and every order is final, or
open at the venue as it is here.
"""

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from exchange.local import suite
from exchange.money import plain
from tests.soak.kills import kill_at_random

FORK = multiprocessing.get_context("fork")
TRADES = 25_000  # of each symbol
WALKS = 10_000
INTERLEAVINGS = 1_000
KILLS = 50


def main() -> int:
    figures: dict[str, Any] = {"prove": "minimal trades make nobody richer, walks are what is executed"}
    is_proven = False
    try:
        figures |= kill_at_random(KILLS, a_seed())
        with suite.serving_tests(os.environ):
            suite.enter_worker(os.environ, "gw0")
            suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
            set_up()
            figures |= prove_walks()
            figures |= prove_interleavings()
            suite.drop_database(os.environ, suite.database_name(os.environ, "gw0"))
            suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
            figures |= prove_trades()
        is_proven = True
    except (Exception, SystemExit, pytest.fail.Exception) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    print(json.dumps({**figures, "ok": is_proven}))
    return 0 if is_proven else 1


def prove_walks() -> dict[str, Any]:
    from tests.markets.walking import walk_and_execute

    tally = walk_and_execute(WALKS, seed := a_seed())
    assert not tally.differences, f"seed {seed}: {tally.differences[:5]}"
    return {"walks": tally.orders, "walks_seed": seed, "walks_by_kind": dict(tally.kinds)}


def a_seed() -> int:
    return int(os.environ.get("SEED") or time.time_ns() % 10**6)


def set_up() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()


def prove_interleavings() -> dict[str, Any]:
    from django.db import connections

    from tests.conftest import begin_with_nothing_used
    from tests.factories import make_market, venue_account
    from tests.orders.contests import the_wire
    from tests.orders.interleaving import play

    make_market()
    venue_account()
    done: Counter[str] = Counter()
    first = a_seed()
    with the_wire() as wire:
        begin_with_nothing_used(1_000_000)  # this venue counts no orders, and says so to nobody
        for seed in range(first, first + INTERLEAVINGS):
            done += play(wire, seed)
    connections.close_all()
    return {"interleavings": INTERLEAVINGS, "interleavings_from_seed": first, "interleaved": dict(done)}


def prove_trades() -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connections

    from tests.factories import venue_account
    from tests.orders.minimal import FINEST, OTHERS, store, trade_through_the_books

    names, began = (FINEST, *OTHERS), time.monotonic()
    store(*names)
    venue_account()
    connections.close_all()  # the processes inherit none
    with ProcessPoolExecutor(os.cpu_count(), FORK) as pool:
        outcomes = list(pool.map(trade_through_the_books, names, [TRADES] * len(names)))
    seconds = time.monotonic() - began
    for name, outcome in zip(names, outcomes, strict=True):
        assert outcome.gained < outcome.gifts, f"{name}: no fee was ever taken"
    call_command("ledger_seal", "--all")  # no sweep does it here, and what waits for long is a finding
    call_command("ledger_verify")
    return {
        "trades": sum(outcome.trades for outcome in outcomes), "seconds": round(seconds, 1),
        "richer_by": {name: plain(outcome.gained) for name, outcome in zip(names, outcomes, strict=True)},
        "the_venue_gave": {name: plain(outcome.gifts) for name, outcome in zip(names, outcomes, strict=True)},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
