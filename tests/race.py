"""Real processes, and threads, that do the same thing at the same moment, each with a connection of its own.

A contest is a function of a Runner; `race` runs it in so many processes and gives what each of them gave, or the name
of what it raised. They are forked from a process that has nothing but Django set up, so 64 of them are ready at once.
"""

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from django.db import connection

from exchange.local.places import CHECKOUT

FORK = multiprocessing.get_context("fork")
PATIENCE = 120  # seconds until a race is over, whoever is missing
OF_THE_START = 60  # seconds more for Python and Django to be there


@dataclass
class Runner:
    """One process of a race; `counter` is shared by all of them, under its own lock."""

    number: int
    facts: dict[str, Any]
    line: Any
    counter: Any

    def wait(self) -> None:
        """Until all are here."""
        self.line.wait(PATIENCE)

    def next(self) -> int:
        """How many asked before."""
        with self.counter.get_lock():
            self.counter.value += 1
            return int(self.counter.value) - 1


def race(contest: Callable[[Runner], Any], count: int, **facts: Any) -> list[Any]:
    """What each of the processes gave, by number."""
    command = [
        sys.executable,
        "-m",
        "tests.race",
        contest.__module__,
        contest.__name__,
        str(count),
        json.dumps(facts),
    ]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=PATIENCE + OF_THE_START
    )
    assert done.returncode == 0, done.stderr[-5000:]
    results: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return results


def main(module: str, name: str, count: int, facts: dict[str, Any]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    contest = getattr(importlib.import_module(module), name)
    line, counter = FORK.Barrier(count), FORK.Value("i", 0)
    pipes = [FORK.Pipe(duplex=False) for _number in range(count)]
    processes = [
        FORK.Process(
            target=run, args=(contest, Runner(number, facts, line, counter), pipes[number][1]), daemon=True
        )
        for number in range(count)
    ]
    for process in processes:
        process.start()
    deadline = time.monotonic() + PATIENCE
    for _start, own_end in pipes:  # the end of a process that is gone is then seen
        own_end.close()
    print(json.dumps([heard(pipe, deadline) for pipe, _end in pipes]))


def heard(pipe: Connection, deadline: float) -> Any:
    """What a process gave; "silent" for one that gave nothing in time, or is gone."""
    try:
        return pipe.recv() if pipe.poll(max(0, deadline - time.monotonic())) else "silent"
    except EOFError:
        return "silent"


def run(contest: Callable[[Runner], Any], runner: Runner, end: Connection) -> None:
    try:
        connection.ensure_connection()
    except Exception as error:  # nobody waits for who cannot come
        print(f"process {runner.number} has no connection: {error}", file=sys.stderr, flush=True)
        runner.line.abort()
        raise
    runner.wait()
    try:
        end.send(contest(runner))
    except Exception as error:
        print(f"process {runner.number}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        end.send(type(error).__name__)


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What each of so many calls in threads of this process gave, or the class of what it raised."""
    line = threading.Barrier(count)

    def one(number: int) -> Any:
        line.wait(PATIENCE)
        try:
            return work(number)
        except Exception as error:
            return type(error)
        finally:
            connection.close()

    crowd = ThreadPoolExecutor(count)
    try:
        return list(crowd.map(one, range(count), timeout=PATIENCE))
    finally:
        crowd.shutdown(wait=False, cancel_futures=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
