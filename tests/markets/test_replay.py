"""The recorded session through the whole market road: venue process, markets process, published books."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from markets import queries
from tests.markets.recording import SESSION, SNAPSHOT, plain_book, session
from tests.markets.test_book import SYMBOLS, diffs_of, numbers

EVENTS = session()
SNAPSHOTS = {symbol: body for kind, symbol, body in EVENTS if kind == SNAPSHOT}
SPEED = 10


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


def last_of(symbol: str) -> int:
    """The update id with which the recording leaves the book."""
    return max([SNAPSHOTS[symbol]["lastUpdateId"], *(body["u"] for body in diffs_of(symbol))])


def wait_for_the_end() -> None:
    waiting = set(SYMBOLS)
    for _time in range(600):
        waiting = {s for s in waiting if (book := queries.published_book(s)) is None or book.u < last_of(s)}
        if not waiting:
            return
        time.sleep(0.1)
    raise AssertionError(f"never came to the end: {waiting}")


@pytest.fixture
def replayed(committed_db: str, tmp_path: Path) -> str:
    """The words of the markets process after it has followed the whole recording."""
    venue, markets = tmp_path / "paper.log", tmp_path / "markets.log"
    folder = {"DATA_DIR": str(tmp_path)}
    with process(venue, "paper", "--port", "0", "--replay", f"{SESSION}:{SPEED}", **folder) as paper:
        at = address_in(venue, paper)
        stream = at.replace("http", "ws")
        paths = {"BINANCE_REST_URL": at, "BINANCE_SAPI_URL": at, "BINANCE_STREAM_URL": stream}
        paths["BINANCE_WS_API_URL"] = f"{stream}/ws-api/v3"
        with process(markets, "markets", **paths, **folder):
            wait_for_the_end()
            time.sleep(0.5)
    return markets.read_text()


def test_the_published_books_of_a_replayed_session_are_the_plain_ones(replayed: str) -> None:
    for symbol in SYMBOLS:
        book = queries.published_book(symbol)
        assert book is not None
        bids, asks = plain_book(SNAPSHOTS[symbol], diffs_of(symbol)).best_first()
        assert (numbers(book.bids), numbers(book.asks)) == (bids[:1000], asks[:1000]), symbol
        assert book.best_bid is not None and book.best_ask is not None and book.best_bid < book.best_ask
    assert "book.gap" not in replayed
