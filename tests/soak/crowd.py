"""A crowd of processes posts at once while a watcher asks for every law; after each round an auditor compares.

`python -m tests.soak.crowd` uses the database that DATABASE_URL names, which must be new; see `--help`.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psycopg

from tests.soak.auditor import Auditor, Discrepancy, Event
from tests.soak.laws import compare, look

FORK = multiprocessing.get_context("fork")
SOLO_STEPS = 20
CUSTOMERS = 5
PATIENCE = 120
PAUSE_OF_THE_WATCHER = 0.05
# What must have happened for a run to say anything; a run too short for it is not ok.
EVERY_ACT = {
    "deposit done", "sweep done", "hold done", "hold refused", "fill done", "release done", "cross done",
    "charge done", "charge refused", "commission done", "orphan done", "sent done", "correct done",
    "correct refused", "repeat nothing new", "err refused", "the house paid",
}  # fmt: skip
Round = tuple[list[Event], Counter[str]]


@dataclass
class Plan:
    seed: int
    workers: int
    steps: int
    seconds: int
    round_steps: int
    cuts: bool


def main() -> int:
    plan = asked()
    print(f"seed {plan.seed}, {plan.workers} processes", flush=True)
    figures: dict[str, Any] = {"soak": "ledger", "seed": plan.seed, "workers": plan.workers}
    try:
        figures |= Soak(plan).run()
        figures["missing"] = sorted(EVERY_ACT - set(figures["acts"]))
        is_complete = not figures["missing"] and (figures["sessions_cut"] > 0 or not plan.cuts)
        figures["ok"] = is_complete and not figures["unavailable"]
    except Exception as error:
        print(f"seed {plan.seed}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        figures |= {"broken": f"{type(error).__name__}: {error}"[:300], "ok": False}
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def asked() -> Plan:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    words.add_argument("--workers", type=int, default=4)
    words.add_argument("--steps", type=int, default=0, help="at least so many acts in all")
    words.add_argument("--seconds", type=int, default=0, help="at least so long")
    words.add_argument("--round-steps", type=int, default=25, help="acts of a process between two audits")
    words.add_argument("--cuts", action="store_true", help="end sessions of the database now and then")
    return Plan(**vars(words.parse_args()))


class Soak:
    """Rounds of acts: now and then one process alone with an audit after every step, mostly all at once."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.auditor = plan, Auditor()
        self.figures: Counter[str] = Counter(unavailable=0, lost=0)
        self.rounds = self.steps = 0
        self.began = time.monotonic()

    def run(self) -> dict[str, Any]:
        people = prepare()
        with crowd(self.plan, people) as (hands, watcher):
            while not self._is_over():
                if self.rounds % 10 == 0:
                    for _step in range(SOLO_STEPS):
                        self._round(hands[:1], 1)
                self._round(hands, self.plan.round_steps)
                if watcher.poll():
                    raise Discrepancy(watcher.recv())
                self._tell()
            watcher.send("over")
            looks, cuts = watcher.recv()
        require_product_agrees()
        return {
            "seconds": round(time.monotonic() - self.began, 1), "rounds": self.rounds, "steps": self.steps,
            "transfers": self.auditor.transfers, "holds": len(self.auditor.holds),
            "exceptions": self.auditor.exceptions, "laws_asked": looks, "sessions_cut": cuts,
            "unavailable": self.figures.pop("unavailable"), "lost_answers_seen": self.figures.pop("lost"),
            "acts": {act: count for act, count in sorted(self.figures.items()) if count},
        }  # fmt: skip

    def _is_over(self) -> bool:
        return self.steps >= self.plan.steps and time.monotonic() - self.began >= self.plan.seconds

    def _round(self, hands: list[Connection], steps: int) -> None:
        for hand in hands:
            hand.send(steps)
        heard: list[Event] = []
        for hand in hands:
            if not hand.poll(PATIENCE):
                raise Discrepancy(f"a process did not finish its round within {PATIENCE} s")
            events, figures = told(hand)
            heard.extend(events)
            self.figures.update(figures)
        self.rounds, self.steps = self.rounds + 1, self.steps + len(hands) * steps
        self.auditor.hear(heard)
        with session() as books:
            look(books)
            compare(books, self.auditor)

    def _tell(self) -> None:
        if self.rounds % 50 < 1 or self.plan.steps:
            print(
                f"{time.monotonic() - self.began:.0f} s: {self.steps} steps, all as the auditor has it",
                flush=True,
            )


def told(hand: Connection) -> Round:
    found = hand.recv()
    if isinstance(found, str):
        raise Discrepancy(found)
    events, figures = found
    return events, figures


# ------------------------------------------------------------------ processes
@contextmanager
def crowd(plan: Plan, people: tuple[list[int], list[int]]) -> Iterator[tuple[list[Connection], Connection]]:
    """The hands and the watcher, each a process with a connection of its own; all gone afterwards."""
    ends, processes = [], []
    for number in range(plan.workers + 1):
        ours, theirs = FORK.Pipe()
        work = (
            (watch, (theirs, plan)) if number == plan.workers else (be_a_hand, (theirs, plan, number, people))
        )
        process = FORK.Process(target=work[0], args=work[1], daemon=True)
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    try:
        yield ends[:-1], ends[-1]
    finally:
        for end, process in zip(ends, processes, strict=True):
            end.close()
            process.kill()
            process.join()


def be_a_hand(orders: Connection, plan: Plan, number: int, people: tuple[list[int], list[int]]) -> None:
    from tests.soak.acts import Actor

    hand = Actor(plan.seed, number, *people)
    try:
        while True:
            steps = orders.recv()
            events = [event for _step in range(steps) for event in hand.act()]
            orders.send((events, hand.figures))
            hand.figures = Counter()
    except EOFError:
        return
    except Exception as error:
        orders.send(f"process {number}, act {hand.count}: {type(error).__name__}: {error}")


def watch(orders: Connection, plan: Plan) -> None:
    """Asks for the laws again and again, at any instant, and cuts sessions when that is wanted."""
    dice, looks, cuts = random.Random(plan.seed), 0, 0
    try:
        with session() as books:
            while not orders.poll(PAUSE_OF_THE_WATCHER):
                look(books)
                looks += 1
                if plan.cuts and dice.random() < 0.2:
                    cuts += cut(books)
            orders.recv()
            orders.send((looks, cuts))
    except Discrepancy as error:
        orders.send(f"at some instant: {error}")
    except EOFError:
        return


def cut(books: psycopg.Connection) -> int:
    """The server ends one hand's session in the middle of whatever it does."""
    found = books.execute(
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = '' AND backend_type = 'client backend' ORDER BY random() LIMIT 1) one"
    )
    return found.rowcount


@contextmanager
def session() -> Iterator[psycopg.Connection]:
    """The application's role, without its time limits, named so that nobody cuts it."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, application_name="auditor") as books:
        yield books


# ------------------------------------------------------------------ before and after
def prepare() -> tuple[list[int], list[int]]:
    """Customers and two of staff, assets of ordinary and of the finest scale; no connection is left to inherit."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from django.db import connections

    from accounts.models import User
    from markets.models import Asset
    from tests.factories import venue_account
    from tests.soak.hand import SCALES

    Asset.objects.bulk_create(Asset(code=code, scale=scale) for code, scale in SCALES.items())
    venue_account()
    names = [*(f"customer{number}" for number in range(CUSTOMERS)), "carol", "dave"]
    people = [User(email=f"{name}@example.com", tier=1, is_staff=name in ("carol", "dave")) for name in names]
    pks = [person.pk for person in User.objects.bulk_create(people)]
    connections.close_all()
    return pks[:CUSTOMERS], pks[CUSTOMERS:]


def require_product_agrees() -> None:
    """The product's own verification finds nothing either."""
    from django.db import connection

    from ledger import queries as books

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    if broken := books.first_broken_row():
        raise Discrepancy(f"ledger_verify: {broken}")


if __name__ == "__main__":
    sys.exit(main())
