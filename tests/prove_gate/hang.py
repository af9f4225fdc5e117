"""The venue takes requests and says nothing for a minute, while a hundred orders are sent and pages are read."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import requests

from tests.prove_gate.load import SYMBOL, Client, answers_of, quantile, times
from tests.prove_gate.stage import SCALE, TIMES_QUIET, Stage
from tests.soak.reckoning import rows

ORDERS = 100
# Every door besides that of new orders; of those half are carried out.
DOORS = (
    "cancel", "cancel all", "query", "open orders", "all orders", "trades", "account", "depth", "networks",
    "deposit history", "withdraw history", "sub-account history",
)  # fmt: skip
PAGES = ("/", f"/trade/{SYMBOL}/", "/status/", "/api/v1/markets/")


def play(stage: Stage) -> dict[str, Any]:
    seconds, since = 60 * SCALE, stage.latest()
    quiet, _most = _pages(stage, seconds / 2, [])
    clients = stage.clients(sides=["BUY"])
    busy, connections = _pages(stage, seconds, clients)
    stage.door.clear()
    unfinished, most = stage.left(), int(rows(stage.site, "SHOW max_connections")[0][0])
    told: dict[str, Any] = {
        "seconds": seconds,
        "page_p95_ms": [quantile(quiet, 95), quantile(busy, 95)],
        "times_quiet": times(quantile(busy, 95), quantile(quiet, 95)),
        "pages": [len(quiet), len(busy)],
        "orders": answers_of(clients),
        "connections": [connections, most],
        "ended": stage.ends(since),
        "left": unfinished,
        "apart": stage.apart(since),
    }
    told["ok"] = (
        told["times_quiet"] <= TIMES_QUIET
        and connections < most
        and sum(told["orders"].values()) == ORDERS
        and not unfinished
        and not told["apart"]
    )
    return told


def _pages(stage: Stage, seconds: float, clients: list[Client]) -> tuple[list[float], int]:
    """Milliseconds of each page while these clients order, and the most connections to the database that were seen."""
    found: list[float] = []
    seen, over = [0], Event()
    work = [
        lambda: _read(stage.site.url, found, over),
        lambda: _count(stage, seen, over),
    ]
    threads = [Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + seconds
    try:
        if clients:
            _hundred_orders(stage, clients, seconds)
        time.sleep(max(0.0, ends - time.monotonic()))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return found, seen[0]


def _read(url: str, found: list[float], over: Event) -> None:
    http, number = requests.Session(), 0
    while not over.wait(0.25):
        page, number, began = PAGES[number % len(PAGES)], number + 1, time.monotonic()
        http.get(url + page, timeout=60)
        found.append((time.monotonic() - began) * 1000)


def _count(stage: Stage, seen: list[int], over: Event) -> None:
    with stage.site.database() as session:
        while not over.wait(0.5):
            (count,) = session.execute("SELECT count(*) FROM pg_stat_activity").fetchall()[0]
            seen[0] = max(seen[0], int(count))


def _hundred_orders(stage: Stage, clients: list[Client], seconds: float) -> None:
    """Each client sends its part over the minute."""
    ms = int(seconds * 1000)
    for do in ("hang before", "hang after") * (ORDERS // 2):
        stage.door.ask(on="place", do=do, ms=ms)
    for door in DOORS:
        stage.door.ask(on=door, do="hang before", ms=ms, count=100_000)
    each = ORDERS // len(clients)
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(lambda client: _orders(client, each, seconds / (each + 2)), clients))


def _orders(client: Client, count: int, pause: float) -> None:
    for _order in range(count):
        client.place()
        time.sleep(pause)
