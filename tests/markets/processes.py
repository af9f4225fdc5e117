"""Commands of ours as processes of their own, for what only several of them show."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def process(log: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours as a process of its own, its words in a file."""
    with log.open("wb") as words:
        child = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait()


def address_in(log: Path, child: subprocess.Popen[bytes]) -> str:
    """Where the venue says it listens."""
    for _time in range(600):
        for word in log.read_text().split():
            if word.startswith("http://"):
                return word
        assert child.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def addresses(at: str) -> dict[str, str]:
    """The settings that name a paper venue which listens there."""
    stream = at.replace("http", "ws")
    paths = {"BINANCE_REST_URL": at, "BINANCE_SAPI_URL": at, "BINANCE_STREAM_URL": stream}
    return {**paths, "BINANCE_WS_API_URL": f"{stream}/ws-api/v3"}
