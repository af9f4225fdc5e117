"""Processes of a running site are killed at random moments while customers trade; for `make prove`."""

import os
import random
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.journeys.people import eventually
from tests.journeys.site import Site, running_site
from tests.soak.orders import QUICK, Soak
from tests.soak.reckoning import rows

VICTIMS = ("web", "worker", "executions", "markets")
PAUSES = (0.3, 4.0)
COMES_BACK_SECONDS = 60
LONGEST_MINUTES = 30


@dataclass
class Kills:
    """SIGKILL without a warning, so many times; whoever died is back before the next one dies."""

    site: Site
    dice: random.Random
    count: int
    killed: Counter[str] = field(default_factory=Counter)

    def go_on(self, over: threading.Event) -> None:
        while self.killed.total() < self.count and not over.wait(self.dice.uniform(*PAUSES)):
            name = self.dice.choice(VICTIMS)
            pid = eventually(lambda name=name: self.site.pid_of(name), what=f"{name} to be there")  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
            self.killed[name] += 1
            eventually(
                lambda name=name, pid=pid: self.site.pid_of(name) not in (None, pid),  # type: ignore[misc]
                what=f"{name} to come back", seconds=COMES_BACK_SECONDS,
            )  # fmt: skip


def kill_at_random(count: int, seed: int) -> dict[str, Any]:
    """How many died, and under how many orders; fails when anything was lost or doubled."""
    with running_site(**QUICK) as site:
        kills = Kills(site, random.Random(seed), count)
        soak = Soak(site, seed, kills)
        soak.arrive()
        seconds = soak.trade(LONGEST_MINUTES)
        wrong = [*soak.surprises(), *soak.settle()]
        assert not wrong, f"seed {seed}: {wrong[:10]}"
        assert kills.killed.total() == count, f"seed {seed}: {kills.killed}"
        (orders,) = rows(site, "SELECT count(*) FROM orders_order")[0]
        (fills,) = rows(site, "SELECT count(*) FROM orders_fill")[0]
        return {
            "kills": dict(kills.killed), "kills_seed": seed, "killed_under_orders": orders, "killed_under_fills": fills,
            "kills_seconds": round(seconds),
        }  # fmt: skip
