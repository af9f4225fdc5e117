"""Damaged frames and answers, seeded: we live on, and no LIVE book is another than the venue's."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from exchange.binance.models import DepthSnapshot
from markets.book import State
from markets.stream import Following, Snapshots, streams_of
from tests.exchange.paper.people import wait_for
from tests.markets.damage import damaged, damaged_snapshot
from tests.markets.recording import SNAPSHOT, RuledBook, Texts, session
from tests.markets.remembering import SECONDS_BACK, Damaging, scene
from tests.markets.test_following import Clock

EVENTS = session()
SYMBOLS = sorted({symbol for kind, symbol, _body in EVENTS if kind == SNAPSHOT})
FIRST = {symbol: body for kind, symbol, body in reversed(EVENTS) if kind == SNAPSHOT}
SHOWN = 50
States = dict[int, tuple[list[Texts], list[Texts]]]


class Truth:
    """The venue: its books as they are, and the best of them as they were; some of its answers are damaged."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.books = {symbol: RuledBook() for symbol in SYMBOLS}
        self.past: dict[str, States] = {symbol: {} for symbol in SYMBOLS}
        for symbol, book in self.books.items():
            book.snapshot(FIRST[symbol])
            self._remember(symbol)

    def hear(self, symbol: str, body: Any) -> None:
        self.books[symbol].event(body)
        self._remember(symbol)

    def _remember(self, symbol: str) -> None:
        book = self.books[symbol]
        assert book.last is not None
        self.past[symbol][book.last] = (book.bids(SHOWN), book.asks(SHOWN))

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        book = self.books[symbol]
        body = {"lastUpdateId": book.last, "bids": book.bids(limit), "asks": book.asks(limit)}
        if self._dice.random() < 0.3:
            body = damaged_snapshot(body, self._dice)
        return DepthSnapshot.from_wire(symbol, json.loads(json.dumps(body)))


def require_right(following: Following, truth: Truth) -> int:
    """How many books are LIVE, each of them as the venue's was at its update id."""
    live = [book for book in following.books.values() if book.state == State.LIVE]
    for book in live:
        count = SHOWN if book.known is None else min(SHOWN, book.known)
        bids, asks = truth.past[book.symbol][book.last_update_id]
        assert (book.bids.top(count), book.asks.top(count)) == (bids[:count], asks[:count]), book.symbol
    return len(live)


@pytest.mark.parametrize("seed", range(1, 6))
def test_damaged_frames_and_snapshots_make_no_live_book_wrong(
    seed: int, figure: Callable[[str], None]
) -> None:
    random.seed(seed)  # waits of snapshots are random too
    dice, clock = random.Random(seed), Clock()
    truth = Truth(random.Random(seed))
    snapshots = Snapshots(weight_a_minute=10**9, weight_at_once=10**9, clock=clock)
    following = Following(fetch_snapshot=truth.depth, snapshots=snapshots, clock=clock)
    following.follow(SYMBOLS)
    following.on_up(streams_of(SYMBOLS))
    sent = live = 0
    for kind, symbol, body in EVENTS:
        if "@depth" not in kind or body["u"] <= FIRST[symbol]["lastUpdateId"]:
            continue
        truth.hear(symbol, body)
        raw = json.dumps({"stream": kind, "data": body}, separators=(",", ":")).encode()
        frame = damaged(raw, dice) if dice.random() < 0.2 else None
        sent += frame is not None
        following.on_frame(raw if frame is None else frame)
        clock.now += 0.3
        following.fetch_one()
        following.take_fetched()
        live += require_right(following, truth)
    for _second in range(60):
        clock.now += 1
        while following.fetch_one():
            following.take_fetched()
    assert require_right(following, truth) == len(SYMBOLS)
    assert sent > 80 and live > 500 and following.unreadable.total() > 40
    figure(f"seed {seed}: {sent} damaged frames, {live} LIVE books looked at, none wrong")


def test_damaged_frames_over_sockets_end_nothing_and_make_no_told_book_wrong(
    figure: Callable[[str], None],
) -> None:
    """One depth frame in five; once they are whole again each book is soon LIVE."""
    with scene(8, dice=random.Random(4)) as found:
        feed = found.venue.feed
        assert isinstance(feed, Damaging)
        feed.share = 0.2
        wait_for(lambda: feed.sent > 50, seconds=30)
        feed.share = 0
        took = max(found.seconds_until_back().values())
        told, sent = len(found.heard.live), feed.sent
        assert found.wrong() == []
        assert found.heard.is_running
        assert sum(book.resyncs for book in found.books().values()) > 10
    assert took < SECONDS_BACK
    assert told > 20
    figure(
        f"{sent} damaged frames over sockets: {told} LIVE states told, none wrong, LIVE after {took:.1f} s"
    )
