"""A kill switch is flipped while orders come to four web processes: a second later none of them takes one."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import requests

from exchange.local.environment import free_port
from exchange.local.places import CHECKOUT
from tests.prove_gate.load import TAKEN, Client, crowd, tries_of
from tests.prove_gate.stage import Stage

PROCESSES, EACH, RATE, SECONDS = 4, 2, 16.0, 6
STOPPED = "trading_stopped"


def play(stage: Stage) -> dict[str, Any]:
    since, flipped = stage.latest(), [0.0]
    with _web_processes(stage, PROCESSES - 1) as urls:
        by_process = [
            stage.clients(stage.tokens[number * EACH :][:EACH], ["BUY"], url)
            for number, url in enumerate([stage.site.url, *urls])
        ]
        clients = list(chain.from_iterable(zip(*by_process, strict=True)))
        crowd(clients[:PROCESSES], SECONDS / 2, RATE / 2)  # each process has taken its first orders
        try:
            crowd(clients, 0, RATE, lambda: flipped.append(_flip(stage)))
        finally:
            stage.command("release")
    told = {
        "processes": PROCESSES,
        "orders_a_second": RATE,
        **_told(stage, by_process, flipped[-1]),
        "left": stage.left(),
        "apart": stage.apart(since),
    }
    told["ok"] = (
        min(told["taken_before"]) > 0
        and min(told["refused_after"]) > 0
        and not told["taken_a_second_later"]
        and told["last_at_the_venue_ms"] < 1000
        and not told["left"]
        and not told["apart"]
    )
    return told


def _flip(stage: Stage) -> float:
    """The moment of its commit; orders come before and after it."""
    time.sleep(SECONDS)
    moment = float(stage.command("flip"))
    time.sleep(SECONDS)
    return moment


def _told(stage: Stage, by_process: list[list[Client]], flipped: float) -> dict[str, Any]:
    """By process how many were taken before and refused after; the last order that the venue took after the flip."""
    after = [row["time"] / 1000 - flipped for row in stage.orders_there() if row["time"] / 1000 > flipped]
    return {
        "taken_before": [sum(one.at < flipped for one in tries_of(clients, TAKEN)) for clients in by_process],
        "refused_after": [len(tries_of(clients, STOPPED)) for clients in by_process],
        "taken_a_second_later": sum(
            one.at > flipped + 1 for clients in by_process for one in tries_of(clients, TAKEN)
        ),
        "taken_at_the_venue_after": len(after),
        "last_at_the_venue_ms": round(max(after, default=0.0) * 1000),
    }


@contextmanager
def _web_processes(stage: Stage, count: int) -> Iterator[list[str]]:
    """More of them, by the Procfile's line."""
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    line = next(line for line in lines if line.startswith("web:")).partition(":")[2]
    ports = [str(free_port()) for _process in range(count)]
    started = []
    try:
        for port in ports:
            command = line.replace("${PORT:-8000}", port).replace("${HOST:-127.0.0.1}", "127.0.0.1")
            words = [sys.executable, *shlex.split(command)[1:]]
            environment = {**stage.site.environment, "PORT": port, "PATH": os.environ["PATH"]}
            started.append(
                subprocess.Popen(
                    words, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            _wait_for(url)
        yield urls
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)


def _wait_for(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            requests.get(f"{url}/status/", timeout=30).raise_for_status()
            return
        except requests.RequestException:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
