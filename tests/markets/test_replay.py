"""The recorded session through the whole market road: venue process, markets process, published books."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from markets import feed, interest, queries
from tests.markets.processes import address_in, addresses, process
from tests.markets.recording import SESSION, SNAPSHOT, plain_book, session
from tests.markets.test_book import SYMBOLS, diffs_of, numbers

EVENTS = session()
SNAPSHOTS = {symbol: body for kind, symbol, body in EVENTS if kind == SNAPSHOT}
SPEED = 10


def last_of(symbol: str) -> int:
    """The update id with which the recording leaves the book."""
    return max([SNAPSHOTS[symbol]["lastUpdateId"], *(body["u"] for body in diffs_of(symbol))])


@dataclass
class Followed:
    """What was told of the books on the way, and the words of the markets process."""

    books: list[dict[str, Any]] = field(default_factory=list)
    words: str = ""
    wholes: dict[str, queries.PublishedBook | None] = field(default_factory=dict)

    def hear(self, channel: redis.client.PubSub) -> None:
        """What is told within half a second."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            message = channel.get_message(timeout=0.1)
            body = json.loads(message["data"]) if message else {}
            if body.get("type") == "book":
                self.books.append(body)

    def hear_to_the_end(self, channel: redis.client.PubSub) -> None:
        waiting, give_up = set(SYMBOLS), time.monotonic() + 60
        while waiting:
            interest.watch(*SYMBOLS)
            assert time.monotonic() < give_up, f"never came to the end: {waiting}"
            self.hear(channel)
            known = {symbol: queries.published_book(symbol) for symbol in waiting}
            waiting = {s for s, book in known.items() if book is None or book.u < last_of(s)}


@pytest.fixture
def replayed(committed_db: str, tmp_path: Path) -> Followed:
    """The whole recording followed by the markets process, and heard as the web processes hear it."""
    venue, markets, found = tmp_path / "paper.log", tmp_path / "markets.log", Followed()
    folder = {"DATA_DIR": str(tmp_path)}
    with (
        process(venue, "paper", "--port", "0", "--replay", f"{SESSION}:{SPEED}", **folder) as paper,
        feed.client().pubsub(ignore_subscribe_messages=True) as channel,  # type: ignore[no-untyped-call]
    ):
        channel.psubscribe(feed.book_key("*"))
        interest.watch(*SYMBOLS)
        at = address_in(venue, paper)
        with process(markets, "markets", **addresses(at), **folder):
            found.hear_to_the_end(channel)
            found.hear(channel)
            found.wholes = {symbol: queries.whole_book(symbol) for symbol in SYMBOLS}
    found.words = markets.read_text()
    return found


def test_the_published_books_of_a_replayed_session_are_the_plain_ones_and_never_crossed(
    replayed: Followed, figure: Callable[[str], None]
) -> None:
    for symbol in SYMBOLS:
        book = replayed.wholes[symbol]
        assert book is not None
        bids, asks = plain_book(SNAPSHOTS[symbol], diffs_of(symbol)).best_first()
        count = 1000 if book.known is None else min(book.known, 1000)
        assert count > 900
        shown = numbers(book.bids[:count]), numbers(book.asks[:count])
        assert shown == (bids[:count], asks[:count]), symbol
    live = [book for book in replayed.books if book["symbol"] in SYMBOLS and book["state"] == "LIVE"]
    states = {(book["symbol"], book["u"]) for book in live}
    assert {symbol for symbol, u in states if u < last_of(symbol)} == set(SYMBOLS), (
        "nothing was heard on the way"
    )
    assert [book for book in live if Decimal(book["bids"][0][0]) >= Decimal(book["asks"][0][0])] == []
    figure(f"{len(states)} states of {len(SYMBOLS)} replayed books heard on the way, none crossed")
    assert "book.gap" not in replayed.words
