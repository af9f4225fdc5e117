"""Real processes, and threads, that do the same thing at the same moment, each with a connection of its own.

A contest is a function of a Runner; `race` runs it in so many processes and gives what each of them gave, or the name
of what it raised. They are forked from a process that has nothing but Django set up, so 64 of them are ready at once;
that process starts all races of a worker of the suite, for setting Django up costs more than most of them.
"""

import atexit
import importlib
import json
import multiprocessing
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, connections

from exchange.local.places import CHECKOUT
from exchange.memory import collect_seldom

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
    words = (contest.__module__, contest.__name__, count, facts, os.environ["DATABASE_URL"])
    results: list[Any] = _starter().run(json.dumps(words))
    return results


class Starter:
    """The process that runners are forked from, one race after another: Django is set up once for all of them."""

    def __init__(self) -> None:
        self.environment = environment_of_races()
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the starter)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.race"],
            cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
        )  # fmt: skip

    def can_run(self) -> bool:
        return self.process.poll() is None and self.environment == environment_of_races()

    def run(self, words: str) -> Any:
        """What a race told; a starter of one that went wrong is not used again."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        is_told = select.select([self.process.stdout], [], [], PATIENCE + OF_THE_START)[0]
        line = self.process.stdout.readline() if is_told else ""
        if not line.strip():
            self.process.kill()
            self.process.wait()
            self.said.seek(0)
            raise AssertionError(f"no result of {words}:\n{self.said.read()[-5000:]}")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate()
        self.said.close()


_starters: list[Starter] = []


def _starter() -> Starter:
    if not (_starters and _starters[-1].can_run()):
        _starters.append(Starter())
        atexit.register(_starters[-1].close)
    return _starters[-1]


def environment_of_races() -> dict[str, str]:
    """What a starter was begun with and keeps: all but the database, of which each race has its own."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("PYTEST_")
    }


def main() -> None:
    """Each line of standard input is a race; a line of JSON answers, an empty one when it went wrong."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "exchange.settings"
    import django

    django.setup()
    for line in sys.stdin:
        module, name, count, facts, database = json.loads(line)
        contest = getattr(importlib.import_module(module), name)
        collect_seldom()  # or each runner copies what is only looked through
        (told, end), answer = FORK.Pipe(duplex=False), ""
        judge = FORK.Process(target=held, args=(end, contest, count, facts, database))
        judge.start()
        end.close()
        with suppress(EOFError):
            answer = json.dumps(told.recv())
        judge.join()
        print(answer, flush=True)


def held(
    told: Connection, contest: Callable[[Runner], Any], count: int, facts: dict[str, Any], database: str
) -> None:
    """One race in the database."""
    os.environ["DATABASE_URL"] = database
    connections.settings["default"]["NAME"] = urlsplit(database).path.strip("/")
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
    told.send([heard(pipe, deadline) for pipe, _end in pipes])


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
    main()
