"""`make bench-wide`: 400 markets, ten depth events a second of each, from the paper venue over real sockets.

Three processes take turns before the same venue, each once a round: a plain design (a thread a socket, `json`, books of
`SortedDict[Decimal]`, redis-py's pipeline), ours with depth alone, and ours with everything. Each publishes the best
twenty levels of every book that changed; `depth_watched` is ours with depth while a tenth of the markets is looked at,
so that their books are told to pages and written whole. A figure is the median of windows of some seconds, one of each
kind a round; processor time is the process's own, all
its threads, as a part of one core; latency is from the venue's time of an event to when another process reads the
book with it. Ours with everything then goes on for `MINUTES`, and its memory has to stay what it was.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from exchange.local import suite
from tests.markets.processes import address_in, addresses, process
from tests.verdict import verdict

MARKETS, SAMPLED, LEVELS, WATCHED_MARKETS = 400, 20, 1000, 40
WINDOWS = int(os.environ.get("WINDOWS", "5"))
SECONDS = float(os.environ.get("WINDOW_SECONDS", "10"))
MINUTES = float(os.environ.get("MINUTES", "10"))
LOOK_SECONDS = 30.0
POLL_SECONDS, START_SECONDS, MEMORY_SECONDS = 0.002, 240, 15
AT_MOST = {
    "depth_cpu_percent": 25,
    "depth_p99_ms": 40,
    "everything_cpu_percent": 40,
    "memory_mib": 400,
    "memory_growth_percent": 5,
    "depth_vs_plain_cpu": 1,
}
AT_LEAST = {"messages_a_second": 3900, "markets_live": MARKETS}


def main() -> int:
    with suite.serving_tests(os.environ):
        suite.enter_worker(os.environ, "gw0")
        suite.clone_database(os.environ, suite.database_name(os.environ, "gw0"))
        os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
        import django

        django.setup()
        with tempfile.TemporaryDirectory() as folder:
            return Bench(Path(folder)).run()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.windows: dict[str, list[dict[str, float]]] = {}
        self.memory: list[float] = []

    def run(self) -> int:
        log = self.folder / "paper.log"
        data = {"DATA_DIR": str(self.folder)}
        with process(log, "paper", "--port", "0", "--crowd", str(MARKETS), **data) as paper:
            places = addresses(address_in(log, paper))
            for number in range(1, WINDOWS + 1):
                self.measure("plain", places)
                self.measure("depth", places)
                live = self.measure("everything", places, minutes=MINUTES if number == WINDOWS else 0)
        figures = self.figures() | {"markets_live": live}
        is_ok = all(figures[name] <= bar for name, bar in AT_MOST.items() if name in figures) and all(
            figures[name] >= bar for name, bar in AT_LEAST.items()
        )
        self.show(figures)
        print(json.dumps({"bench": "wide", "windows": WINDOWS, **figures, "ok": is_ok}))
        return 0 if is_ok else 1

    # ------------------------------------------------------------------ one process before the venue
    def measure(self, kind: str, places: Mapping[str, str], *, minutes: float = 0) -> int:
        """A window of the process in its steady state; the number of books that are live at the end."""
        forget_books()
        with streams_process(kind, places, self.folder / f"{kind}.log") as child:
            names = wait_until_live(child, self.folder / f"{kind}.log")
            self.note(kind, window(child, names))
            if kind == "depth":
                look_at(names[:: MARKETS // WATCHED_MARKETS])
                self.note("depth_watched", window(child, names))
            until = time.monotonic() + minutes * 60
            while (left := until - time.monotonic()) > 0:
                self.memory.append(memory_of(child))
                time.sleep(min(MEMORY_SECONDS, left))
            return sum(state == "LIVE" for state in states(names).values())

    def note(self, kind: str, found: dict[str, float]) -> None:
        self.windows.setdefault(kind, []).append(found)
        print(f"{kind}: {found}", file=sys.stderr, flush=True)

    def figures(self) -> dict[str, float]:
        def median(kind: str, name: str) -> float:
            return statistics.median(found[name] for found in self.windows[kind])

        rounds = zip(self.windows["depth"], self.windows["plain"], strict=True)
        ratios = [ours["cpu"] / plain["cpu"] for ours, plain in rounds]
        return {
            "messages_a_second": round(median("depth", "messages")),
            "depth_cpu_percent": round(median("depth", "cpu"), 1),
            "depth_p50_ms": round(median("depth", "p50"), 1),
            "depth_p99_ms": round(median("depth", "p99"), 1),
            "depth_watched_cpu_percent": round(median("depth_watched", "cpu"), 1),
            "depth_watched_p99_ms": round(median("depth_watched", "p99"), 1),
            "everything_cpu_percent": round(median("everything", "cpu"), 1),
            "everything_p99_ms": round(median("everything", "p99"), 1),
            "plain_cpu_percent": round(median("plain", "cpu"), 1),
            "plain_p99_ms": round(median("plain", "p99"), 1),
            "depth_vs_plain_cpu": round(statistics.median(ratios), 2),
            **self.memory_figures(),
        }

    def memory_figures(self) -> dict[str, float]:
        """None where it was left out."""
        if not self.memory:
            return {}
        third = max(1, len(self.memory) // 3)
        first, last = statistics.median(self.memory[:third]), statistics.median(self.memory[-third:])
        return {
            "memory_mib": round(max(self.memory), 1),
            "memory_growth_percent": round((last / first - 1) * 100, 1),
        }

    def show(self, figures: Mapping[str, float]) -> None:
        print("| process | core, median | lowest | highest | p50 ms | p99 ms, median | highest |")
        print("|---|---|---|---|---|---|---|")
        for kind, found in self.windows.items():
            cpu, p50, p99 = ([one[name] for one in found] for name in ("cpu", "p50", "p99"))
            print(
                f"| {kind} | {statistics.median(cpu):.1f} % | {min(cpu):.1f} | {max(cpu):.1f}"
                f" | {statistics.median(p50):.1f} | {statistics.median(p99):.1f} | {max(p99):.1f} |"
            )
        print("\n| figure | seen | bar |\n|---|---|---|")
        for name, value in figures.items():
            bar = (
                f"≤ {AT_MOST[name]}" if name in AT_MOST else f"≥ {AT_LEAST[name]}" if name in AT_LEAST else ""
            )
            print(f"| {name} | {value} | {bar} |")


@contextmanager
def streams_process(kind: str, places: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """It follows all markets of the crowd and publishes their books until the end."""
    command = [sys.executable, "-m", "tests.bench.wide_streams", kind, str(MARKETS), str(LEVELS)]
    with log.open("wb") as words:
        child = subprocess.Popen(
            command, env={**os.environ, **places}, stdout=words, stderr=subprocess.STDOUT
        )
        try:
            yield child
        finally:
            child.terminate()
            child.wait(20)


# ------------------------------------------------------------------ what another process reads
def connection() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"])


def books(names: list[str]) -> list[dict[str, Any]]:
    from markets import feed

    found = connection().mget([feed.book_key(name) for name in names])
    return [json.loads(raw) for raw in found if raw is not None]  # type: ignore[union-attr]


def forget_books() -> None:
    """What the process before has left is not taken for the next one's."""
    from markets import feed
    from tests.bench.wide_streams import symbols

    names = symbols(MARKETS)
    connection().delete(*(key(name) for name in names for key in (feed.book_key, feed.whole_key)))


def states(names: list[str]) -> dict[str, str]:
    return {book["symbol"]: book["state"] for book in books(names)}


def wait_until_live(child: subprocess.Popen[bytes], log: Path) -> list[str]:
    """Until every book is live and as deep as is wanted; the names of the markets."""
    from tests.bench.wide_streams import symbols

    names = symbols(MARKETS)
    until = time.monotonic() + START_SECONDS
    while True:
        found = books(names)
        ready = [
            b for b in found if b["state"] == "LIVE" and (b["known"] is None or b["known"] >= LEVELS * 0.8)
        ]
        if len(ready) == MARKETS:
            time.sleep(4)
            return names
        if child.poll() is not None or time.monotonic() > until:
            rest = [(b["symbol"], b["state"], b["known"]) for b in found if b not in ready]
            raise SystemExit(f"not live and deep: {rest[:10]} {log.read_text()[-2000:]}")
        time.sleep(1)


def window(child: subprocess.Popen[bytes], names: list[str]) -> dict[str, float]:
    """Processor time in percent of a core, messages a second of the books, and latencies in milliseconds."""
    from markets import feed

    reader = connection()
    sample = names[:: MARKETS // SAMPLED]
    keys = [feed.book_key(name) for name in sample]
    seen: dict[str, int] = {}
    latencies: list[float] = []
    ids = {book["symbol"]: book["u"] for book in books(names)}
    began, used = time.monotonic(), cpu_seconds(child)
    while time.monotonic() - began < SECONDS:
        now_ms = 0.0
        for name, raw in zip(sample, reader.mget(keys), strict=True):  # type: ignore[arg-type]
            now_ms = now_ms or time.time() * 1000
            event_ms = number_after(raw, b'"event_ms":')
            if seen.get(name) != event_ms:
                if name in seen:
                    latencies.append(now_ms - event_ms)
                seen[name] = event_ms
        time.sleep(POLL_SECONDS)
    took, cpu = time.monotonic() - began, cpu_seconds(child) - used
    moved = sum(book["u"] > ids[book["symbol"]] for book in books(names))
    assert moved == MARKETS, f"only {moved} books moved"
    latencies.sort()
    return {
        "cpu": round(cpu / took * 100, 2),
        "messages": round(len(latencies) / took / SAMPLED * MARKETS),
        "p50": round(latencies[len(latencies) // 2], 2),
        "p99": round(latencies[int(len(latencies) * 0.99)], 2),
    }


def look_at(names: list[str]) -> None:
    """Somebody looks at these for a minute from now, and the process has heard of it."""
    from exchange.broadcast import WATCHED
    from markets import feed

    connection().zadd(WATCHED, dict.fromkeys(names, time.time()))
    give_up = time.monotonic() + LOOK_SECONDS
    keys = [feed.whole_key(name) for name in names]
    while None in connection().mget(keys):  # type: ignore[operator]
        assert time.monotonic() < give_up, "nobody writes the whole books of watched markets"
        time.sleep(0.2)


def number_after(raw: bytes, name: bytes) -> int:
    start = raw.index(name) + len(name)
    return int(raw[start : raw.index(b",", start)])


def cpu_seconds(child: subprocess.Popen[bytes]) -> float:
    return cpu_seconds_of(child.pid)


def cpu_seconds_of(pid: int) -> float:
    """Processor time of all threads of the process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(child: subprocess.Popen[bytes]) -> float:
    """Resident memory, MiB."""
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(verdict(main, bench="wide"))
