"""`make bench-fanout`: what a web process spends on a frame, and whether it keeps a crowd, beside group_send.

The product's own application on Daphne (by the Procfile's line) and on uvicorn, the product's publisher and hub, its
frames; pages are raw sockets that acknowledge as the page does. The peer is the textbook's design on the same server
program, with as many pages as it still keeps up with. Figures are medians over the rounds, each of which has one window
of every case; the yardstick is what a small frame over loopback costs at that moment.
"""

import json
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from exchange.local import suite
from tests.bench.fanout import cases, sites
from tests.bench.fanout.children import Child, memory_mb
from tests.verdict import verdict

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SLICE_SECONDS", "5"))
FEW = 200
CROWDS = {"daphne": 1000, "uvicorn": 4000}
GROUP = " group"
# The bars of the issue: at least (frames a second of the slowest page; pages), at most (ms; ratios; megabytes).
AT_LEAST = {
    "daphne_1000_slowest_page_of_all_rounds": 9,
    "uvicorn_4000_slowest_page_of_all_rounds": 9,
    "daphne_group_200_slowest_page": 9,
    "uvicorn_group_200_slowest_page": 9,
    "daphne_silent_closed": cases.SILENT,
    "uvicorn_silent_closed": cases.SILENT,
}
AT_MOST = {
    "daphne_1000_p99_ms": 250,
    "uvicorn_4000_p99_ms": 250,
    "daphne_1000_p99_ms_worst_round": 500,
    "uvicorn_4000_p99_ms_worst_round": 500,
    "daphne_cpu_a_frame_vs_group_send": 0.25,
    "uvicorn_cpu_a_frame_vs_group_send": 0.10,
    "daphne_beside_silent_p99_ms": 250,
    "uvicorn_beside_silent_p99_ms": 250,
    "daphne_silent_growth_mb": 10,
    "uvicorn_silent_growth_mb": 10,
    "healthy_closed": 0,
    "refused": 0,
    "gaps": 0,
}


def main() -> int:
    with suite.serving_tests(os.environ):
        bench = Bench()
        try:
            return bench.run()
        finally:
            bench.stop()


class Bench:
    def __init__(self) -> None:
        suite.enter_worker(os.environ, "gw0")
        suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        make_market()
        sites.allow_many_files()
        (Path(os.environ["DATA_DIR"]) / "static").mkdir()
        environment = dict(os.environ)
        self.busy = Child("tests.bench.fanout.busy", environment)
        self.crowd = Child("tests.bench.fanout.crowd", environment)
        self.sites = {
            name: sites.start(name, environment=environment)
            for program in CROWDS
            for name in (program + GROUP, program)
        }
        self.windows: dict[str, list[cases.Window]] = defaultdict(list)
        self.ratios: dict[str, list[float]] = defaultdict(list)
        self.yardstick: list[float] = []
        self.figures: dict[str, float] = defaultdict(float)

    def stop(self) -> None:
        for child in (self.crowd, self.busy):
            child.stop()
        for site in self.sites.values():
            site.stop()

    # ------------------------------------------------------------------ the rounds
    def round(self) -> None:
        for program, count in CROWDS.items():
            self.yardstick.append(cases.loopback_us())
            group = self.window(program + GROUP, FEW)
            ours = self.window(program, count)
            self.ratios[f"{program}_cpu_a_frame_vs_group_send"].append(ours.us_a_frame / group.us_a_frame)

    def window(self, name: str, count: int) -> cases.Window:
        """One window of so many pages, which all come at once and are gone afterwards."""
        with cases.audience(self.busy, self.crowd, self.sites[name], count) as opened:
            found = cases.measure(self.crowd, self.sites[name], SECONDS)
        self.note(opened)
        self.windows[f"{name} {count}"].append(found)
        return found

    def note(self, opened: dict[str, Any]) -> None:
        """What must not happen to any page, in any case."""
        for name in ("refused", "healthy_closed", "gaps"):
            self.figures[name] += opened[name]

    # ------------------------------------------------------------------ the cases
    def at_once(self) -> None:
        """1,500 pages come at once to a server that has other work, and stops for some seconds."""
        site = self.sites["daphne"]
        with cases.work_beside(site), cases.audience(self.busy, self.crowd, site, cases.MANY) as opened:
            cases.pause(site)
        self.note(opened)
        self.figures["seconds_to_open_1500_while_busy"] = opened["seconds"]
        with cases.audience(self.busy, self.crowd, site, cases.MANY) as opened:
            for _window in range(ROUNDS):
                self.windows[f"daphne {cases.MANY}"].append(cases.measure(self.crowd, site, SECONDS / 2))
        self.note(opened)

    def silent(self, program: str) -> None:
        """Fifty pages that never read, among those that do."""
        site = self.sites[program]
        memory = memory_mb(site.pid)
        with cases.audience(self.busy, self.crowd, site, FEW, silent=cases.SILENT) as opened:
            found = cases.silence(self.crowd, site, memory_before=memory)
        self.note(opened)
        self.figures |= {f"{program}_{name}": value for name, value in found.items()}
        self.figures[f"{program}_silent_closed"] = opened["silent_closed"]

    def run(self) -> int:
        for number in range(1, ROUNDS + 1):
            self.round()
            print(f"round {number} of {ROUNDS}", file=sys.stderr, flush=True)
        self.at_once()
        for program in CROWDS:
            self.silent(program)
        figures = self.summary()
        is_ok = all(figures[name] >= bar for name, bar in AT_LEAST.items()) and all(
            figures[name] <= bar for name, bar in AT_MOST.items()
        )
        self.print(figures)
        print(json.dumps({"bench": "fanout", "rounds": ROUNDS, **figures, "ok": is_ok}))
        return 0 if is_ok else 1

    def summary(self) -> dict[str, float]:
        figures = {name: statistics.median(values) for name, values in self.ratios.items()}
        for name, windows in self.windows.items():
            key = name.replace(" ", "_")
            figures[f"{key}_slowest_page"] = statistics.median(one.slowest for one in windows)
            figures[f"{key}_slowest_page_of_all_rounds"] = min(one.slowest for one in windows)
            figures[f"{key}_p99_ms"] = statistics.median(one.p99_ms for one in windows)
            figures[f"{key}_p99_ms_worst_round"] = max(one.p99_ms for one in windows)
        figures |= {**self.figures, "yardstick_us": statistics.median(self.yardstick)}
        return {name: round(value, 3) for name, value in figures.items()}

    def print(self, figures: dict[str, float]) -> None:
        print(
            f"| window of {SECONDS:g} s, medians | slowest page, frames a second | p50 / p99 ms | CPU | µs a frame |"
            " worst round: slowest page | p99 ms |"
        )
        print("|---|---|---|---|---|---|---|")
        for name, windows in self.windows.items():
            slowest, p50, p99, cpu, us = (
                statistics.median(getattr(one, field) for one in windows) for field in cases.Window.__slots__
            )
            print(
                f"| {name} | {slowest:.1f} | {p50:.0f} / {p99:.0f} | {cpu:.0%} | {us:.0f}"
                f" | {min(one.slowest for one in windows):.1f} | {max(one.p99_ms for one in windows):.0f} |"
            )
        print("\n| ratio | median | lowest | highest | bar |\n|---|---|---|---|---|")
        for name, values in self.ratios.items():
            middle, low, high = statistics.median(values), min(values), max(values)
            print(f"| {name} | {middle:.3f} | {low:.3f} | {high:.3f} | {AT_MOST[name]} |")
        print("\n| case | figure |\n|---|---|")
        for name in (*self.figures, "yardstick_us"):
            print(f"| {name} | {figures[name]:g} |")


def make_market() -> None:
    """The pages' market is in the catalogue."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    from django.db import connections

    from tests import factories

    factories.make_market()
    connections.close_all()


if __name__ == "__main__":
    sys.exit(verdict(main, bench="fanout"))
