"""A ban of a minute while four more processes ask as fast as they may; Redis is flushed, and then killed, within it.

The venue is the judge: it says when each request came. Everybody can know of the ban from the moment at which the first
process that was told has it written in Redis. A request may have left just before and come just after: by no more than
the longest time that a request and its answer took at that moment, which somebody measures from another address. What
comes later than that is a failure.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import redis
import requests
from requests.adapters import HTTPAdapter

from exchange.local.places import CHECKOUT
from tests.prove_gate.load import NEVER
from tests.prove_gate.stage import SCALE, Stage

PROCESSES, LEAD, AFTER = 4, 3, 8
HOME, NEUTRAL = "127.0.0.1", "127.0.0.2"
# A venue that is slower than this to answer says nothing of when a request left.
SLOWEST_ROUND_TRIP_MS = 250
PUBLISHED = re.compile(r"HSET \S+:egress:default ban \d+")
# Seconds between two of its measurements, and before and after the moment in which they count.
GLANCE, NEAR = 0.01, 0.5


def play(stage: Stage) -> dict[str, Any]:
    seconds, before = 60 * SCALE, stage.unwelcome()
    asking = [_asker(stage, seconds) for _process in range(PROCESSES)]
    for process in asking:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    judge = Judge(stage)
    with judge:
        time.sleep(LEAD)
        stage.door.ask(on="query", do="418", ms=int(seconds * 1000))
        judge.published.wait(5)
        time.sleep(1)
    flushed, killed = _forget(stage, seconds)
    outcomes = [json.loads(process.communicate()[0].splitlines()[-1]) for process in asking]
    refused = [moment for one in outcomes for moment in one.pop("refused")]
    told: dict[str, Any] = sum((Counter(one) for one in outcomes), Counter())
    found = judge.verdict()
    heard = min((end for _begin, end in refused), default=0.0)
    found |= {
        "seconds": seconds,
        "flushed_after_s": round(flushed - judge.began, 1),
        "killed_after_s": round(killed - judge.began, 1),
        "begun_after_it_was_heard": sum(begin > heard for begin, _end in refused),
        "outcomes": dict(told),
        "too_much": stage.too_much_since(before),
    }
    found["ok"] = (
        found["inside"] == 0
        and found["round_trip_ms"] <= SLOWEST_ROUND_TRIP_MS
        and found["begun_after_it_was_heard"] == 0
        and told["answered"] > 100
        and told["after"] > 0
        and not found["too_much"]
    )
    return found


def _asker(stage: Stage, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.prove_gate.asking", "ask"]
    environment = {**stage.site.environment, "SECONDS": str(LEAD + seconds + AFTER)}
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True)


def _forget(stage: Stage, seconds: float) -> tuple[float, float]:
    """When Redis was flushed, and when it was killed."""
    time.sleep(seconds / 4)
    with redis.Redis.from_url(stage.site.environment["REDIS_URL"]) as client:
        client.flushall()
    flushed = time.time()
    time.sleep(seconds / 4)
    number = stage.site.pid_of("valkey-server")
    assert number is not None
    os.kill(number, signal.SIGKILL)
    return flushed, time.time()


class FromElsewhere(HTTPAdapter):
    """The address of nobody who is banned."""

    def init_poolmanager(self, *words: Any, **named: Any) -> None:
        super().init_poolmanager(*words, source_address=(NEUTRAL, 0), **named)


class Judge:
    """Sees when the ban is written for everybody, and how long a request takes at that moment."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.published, self.over = stage, Event(), Event()
        self.published_at = 0.0
        self.round_trips: list[tuple[float, float]] = []
        self.redis = redis.Redis.from_url(stage.site.environment["REDIS_URL"])
        self.threads = [Thread(target=self._listen, daemon=True), Thread(target=self._measure)]

    def __enter__(self) -> "Judge":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.threads[1].join()

    def _listen(self) -> None:
        with suppress(redis.RedisError), self.redis.monitor() as monitor:  # type: ignore[no-untyped-call]
            for said in monitor.listen():
                if PUBLISHED.fullmatch(said["command"]):
                    self.published_at = float(said["time"])
                    self.published.set()
                    return

    def _measure(self) -> None:
        http = requests.Session()
        http.mount("http://", FromElsewhere())
        address = self.stage.site.environment["BINANCE_REST_URL"]
        while not self.over.wait(GLANCE):
            at = time.time()
            http.get(f"{address}/api/v3/time", timeout=10)
            self.round_trips.append((at, (time.time() - at) * 1000))

    @property
    def began(self) -> float:
        """By the venue's word."""
        return float(self.stage.door.state()["banned_at"][HOME])

    def verdict(self) -> dict[str, Any]:
        """In milliseconds since the ban began; `inside` is what had to be 0."""
        began, came = self.began, self.stage.door.state()["inside_ban_ms"]
        published = (self.published_at - began) * 1000 if self.published.is_set() else -NEVER
        near = [ms for at, ms in self.round_trips if began - NEAR < at < self.published_at + NEAR]
        longest = max(near, default=0.0)
        on_their_way = [ms for ms in came if ms <= published + longest]
        return {
            "inside": len(came) - len(on_their_way),
            "published_after_ms": round(published, 1),
            "round_trip_ms": round(longest, 1),
            "on_their_way_before": sum(ms <= published for ms in came),
            "on_their_way_after": sum(ms > published for ms in on_their_way),
            "on_their_way_latest_ms": max(on_their_way, default=0),
        }
