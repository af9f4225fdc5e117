"""`make soak MINUTES=10 SEED=N`: customers trade through the API at a venue where everything goes wrong.

All processes run. While twelve customers place orders and lists of every kind, change, cancel and repeat them by dice,
every order fault of binance.md 17 strikes the venue again and again; when it is over, books, orders, lists and holds
are what the venue has, to the last digit. The last line is one JSON object.
"""

import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection
from typing import Any, Protocol

from tests.journeys.site import Site, running_site
from tests.soak.guests import invite
from tests.soak.mischief import FAULTS, NATURAL, Door, Mischief
from tests.soak.reckoning import Reckoned, broken, ended, reckon, rows, unknowns
from tests.soak.traders import END, EVERY_ACT, Prices, Trader, bring_money
from tests.verdict import verdict

MINUTES = float(os.environ.get("MINUTES", "10"))
TRADERS = int(os.environ.get("TRADERS", "12"))
PAUSE = 0.6  # seconds between two wishes of a customer, on average
ORDERS_A_MINUTE, UNKNOWNS_A_MINUTE = 500, 10
# Of lists, of orders that take another's place, and of amends; asked of a run that is no mere try.
EACH_UNKNOWN, LEAST_MINUTES = ("unknown_lists", "unknown_changes", "unknown_amends"), 3
TELL_SECONDS, SETTLE_SECONDS = 30, 180
# The waits of a real installation, scaled down.
QUICK = {
    "ORDER_SEND_BY_MS": "2000",
    "BINANCE_RECV_WINDOW_MS": "3000",
    "ORDER_RESOLVE_MARGIN_MS": "1500",
    "VENUE_TIMEOUT_SECONDS": "4",
    "SWEEP_SECONDS": "1",
    "POLL_SECONDS": "2",
    "RECONCILE_SECONDS": "60",
    "API_RATE_USER": "1000000/min",
    "API_RATE_ANON": "1000000/min",
}


def main() -> int:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed {seed}, {MINUTES:g} minutes, {TRADERS} customers", flush=True)
    with running_site(**QUICK) as site:
        mischief = Mischief(site, random.Random(seed))
        soak = Soak(site, seed, mischief)
        soak.arrive()
        seconds = soak.trade(MINUTES)
        struck = mischief.struck()
        soak.door.clear()
        return soak.tell(seconds, struck, settled(site, soak.door))


class Trouble(Protocol):
    def go_on(self, over: threading.Event) -> None: ...


class Soak:
    """Customers of a running site who trade while there is trouble, and what is left of it afterwards."""

    def __init__(self, site: Site, seed: int, trouble: Trouble) -> None:
        self.site, self.seed, self.trouble = site, seed, trouble
        self.door = Door(site)
        self.traders: list[Trader] = []

    def arrive(self) -> None:
        """Customers are there with their money at the venue, and the venue takes as many orders as they want."""
        self.door.make_room()
        invite(self.site, TRADERS)
        self.prices = Prices(self.site)
        self.traders = [Trader(self.site, self.prices, number, self.seed, PAUSE) for number in range(TRADERS)]
        bring_money(self.site, self.traders)

    def trade(self, minutes: float) -> float:
        """Everybody at once, for the time or until the trouble is over; gives the seconds it took."""
        over, began = threading.Event(), time.monotonic()
        works = [trader.trade for trader in self.traders] + [self.prices.follow, self.trouble.go_on]
        threads = [threading.Thread(target=work, args=(over,)) for work in works]
        for thread in threads:
            thread.start()
        while time.monotonic() < began + minutes * 60 and all(thread.is_alive() for thread in threads):
            over.wait(min(TELL_SECONDS, max(0.1, began + minutes * 60 - time.monotonic())))
            print(
                f"{time.monotonic() - began:.0f} s: {self.done().most_common(6)}", file=sys.stderr, flush=True
            )
        over.set()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def settle(self) -> list[str]:
        return settle(self.site, self.door)

    def surprises(self) -> list[str]:
        """Answers that nobody should ever get."""
        return [line for trader in self.traders for line in trader.surprises]

    def done(self) -> Counter[str]:
        return sum((trader.done for trader in self.traders), Counter())

    def tell(self, seconds: float, struck: dict[str, int], reckoned: Reckoned) -> int:
        minutes = seconds / 60
        surprises, wrong = [*self.surprises(), *broken(self.site)], reckoned.wrong
        done = acts(self.done())
        (orders,) = rows(self.site, "SELECT count(*) FROM orders_order")[0]
        (fills,) = rows(self.site, "SELECT count(*) FROM orders_fill")[0]
        figures: dict[str, Any] = {
            "seed": self.seed, "minutes": round(minutes, 2), "orders": orders, "fills": fills,
            "orders_a_minute": round(orders / minutes), **unknowns(self.site),
        }  # fmt: skip
        figures["unknowns_a_minute"] = round(figures["unknowns"] / minutes, 1)
        differ = {asset: f"{amount.normalize():f}" for asset, amount in reckoned.apart.items()}
        missing = sorted(name for name in (*FAULTS, *NATURAL) if struck.get(name, 0) <= 0)
        missing += sorted(EVERY_ACT - set(done))
        show(figures, struck, done, ended(self.site), differ)
        for line in [*surprises, *wrong]:
            print(line)
        is_ok = (
            not (surprises or wrong or missing or any(reckoned.apart.values()))
            and figures["orders_a_minute"] >= ORDERS_A_MINUTE
            and figures["unknowns_a_minute"] >= UNKNOWNS_A_MINUTE
            and figures["unknowns_resolved"] == figures["unknowns"]
            and (MINUTES < LEAST_MINUTES or all(figures[name] for name in EACH_UNKNOWN))
        )
        last = {
            "soak": "orders",
            **figures,
            "acts": {act: sum(ends.values()) for act, ends in done.items()},
            "faults": sum(struck.values()),
            "missing": missing,
            "differences": differ,
        }
        print(json.dumps({**last, "surprises": len(surprises), "wrong": len(wrong), "ok": is_ok}))
        return 0 if is_ok else 1


def settle(site: Site, door: Door, strangers: Collection[str] = ()) -> list[str]:
    """What is still wrong when the venue has answered everything for a while."""
    return settled(site, door, strangers).wrong


def settled(site: Site, door: Door, strangers: Collection[str] = ()) -> Reckoned:
    until = time.monotonic() + SETTLE_SECONDS
    while (found := reckon(site, door, strangers)).wrong and time.monotonic() < until:
        time.sleep(1)
    verified = site.manage("ledger_verify")
    found.wrong.extend([] if "the books balance" in verified else [verified])
    return found


def acts(done: Counter[str]) -> dict[str, Counter[str]]:
    """By act, how often it was answered in which way; the most frequent first."""
    found: dict[str, Counter[str]] = {}
    for what, count in done.most_common():
        act, _arrow, end = what.partition(END)
        found.setdefault(act, Counter())[end] += count
    return found


def show(
    figures: dict[str, Any],
    struck: dict[str, int],
    done: dict[str, Counter[str]],
    orders: dict[str, str],
    differ: dict[str, str],
) -> None:
    answered = {
        act: f"{ends.total()}: {', '.join(f'{count} {end}' for end, count in ends.most_common())}"
        for act, ends in sorted(done.items(), key=lambda item: -item[1].total())
    }
    for title, found in (
        ("figure", figures), ("fault", struck), ("act, and what customers were told", answered),
        ("kind of order, and how it ended", orders), ("difference to the venue", differ),
    ):  # fmt: skip
        print(f"\n| {title} | |\n|---|---|")
        for name, value in found.items():
            print(f"| {name} | {value} |")
    print()


if __name__ == "__main__":
    sys.exit(verdict(main, soak="orders"))
