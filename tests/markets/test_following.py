"""Frames in, books and changes out: the recorded session, gaps, silence, deepening."""

import json
from typing import Any

import msgspec
import pytest

from exchange.binance.errors import NotSent
from exchange.binance.models import DepthSnapshot
from markets.book import State
from markets.stream import Following, Snapshots, streams_of
from markets.stream.following import DEEP, DEEP_AT_ONCE, SHALLOW, SILENT_SECONDS
from tests.markets.recording import SNAPSHOT, plain_book, session
from tests.markets.test_book import SYMBOLS, diffs_of, numbers


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Venue:
    """Answers snapshots as it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.books: dict[str, Any] = {}
        self.asked: list[tuple[str, int]] = []

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        self.asked.append((symbol, limit))
        if symbol not in self.books:
            raise NotSent("the venue is away")
        body = self.books[symbol]
        sides = {side: body[side][:limit] for side in ("bids", "asks")}
        return DepthSnapshot.from_wire(symbol, {**body, **sides})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def following(venue: Venue, clock: Clock) -> Following:
    return Following(fetch_snapshot=venue.depth, snapshots=Snapshots(clock=clock), clock=clock)


def say(following: Following, stream: str, body: Any) -> None:
    following.frame(stream, msgspec.Raw(json.dumps(body).encode()))


def depth(symbol: str, first: int, last: int, bids: Any = (), asks: Any = ()) -> Any:
    return {"e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last, "b": list(bids), "a": list(asks)}


def ladder(last: int, levels: int = 3) -> Any:
    """A snapshot with so many levels a side, around 1,000."""
    bids = [[str(999 - n), "1"] for n in range(levels)]
    return {"lastUpdateId": last, "bids": bids, "asks": [[str(1001 + n), "1"] for n in range(levels)]}


def fetch_all(following: Following, clock: Clock, rounds: int = 20) -> None:
    for _round in range(rounds):
        while following.fetch_one():
            pass
        clock.now += 1


def test_the_recorded_session_ends_in_the_plain_books(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(SYMBOLS)
    following.opened()
    for kind, symbol, body in session():
        clock.now += 0.03
        if kind == SNAPSHOT:
            venue.books[symbol] = body
        elif "@depth" in kind:
            say(following, kind, body)
        following.fetch_one()
    fetch_all(following, clock)
    for symbol in SYMBOLS:
        book = following.books[symbol]
        bids, asks = plain_book(venue.books[symbol], diffs_of(symbol)).best_first()
        shown = numbers(book.bids.top()), numbers(book.asks.top())
        assert (book.state, book.resyncs, shown) == (State.LIVE, 0, (bids[:1000], asks[:1000]))


def test_a_small_snapshot_makes_the_book_live_and_a_deeper_one_of_the_same_events_replaces_it(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", *(f"COIN{n}USDT" for n in range(DEEP_AT_ONCE))])
    following.opened()
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "5"]]))
    following.fetch_one()
    book = following.books["BTCUSDT"]
    assert (book.state, len(book.bids.top())) == (State.LIVE, SHALLOW)
    venue.books["BTCUSDT"] = {
        **ladder(11, levels=700),
        "bids": [["999", "5"], *ladder(11, levels=700)["bids"][1:]],
    }
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 12, 12, [["998", "0"]]))
    fetch_all(following, clock)
    assert [limit for symbol, limit in venue.asked if symbol == "BTCUSDT"] == [SHALLOW, DEEP]
    assert (book.state, book.last_update_id, len(book.bids.top()), len(book.asks.top())) == (
        State.LIVE,
        12,
        699,
        700,
    )
    assert book.bids.top(2) == [("999", "5"), ("997", "1")]


def test_a_gap_costs_one_market_a_snapshot_and_no_other_its_state(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    following.opened()
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 13, 14))
    assert [book.state for book in following.books.values()] == [State.SYNCING, State.LIVE]
    venue.books["BTCUSDT"] = ladder(14)
    fetch_all(following, clock)
    assert [book.state for book in following.books.values()] == [State.LIVE, State.LIVE]
    assert venue.asked.count(("ETHUSDT", DEEP)) == 1


def test_a_frame_that_cannot_be_read_harms_its_own_market_alone(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    following.opened()
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", {"unexpected": True})
    say(following, "ethusdt@trade", ["nothing"])
    say(following, "ethusdt@kline_1m", {"k": {"t": "x"}})
    assert [book.state for book in following.books.values()] == [State.SYNCING, State.LIVE]


def test_a_lost_connection_makes_every_book_stale_and_a_new_one_live_again(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    following.opened()
    fetch_all(following, clock)
    following.down("closed")
    book = following.books["BTCUSDT"]
    assert (book.state, following.fetch_one()) == (State.STALE, False)
    epoch = book.epoch
    following.opened()
    fetch_all(following, clock)
    assert book.state == State.LIVE
    assert book.epoch >= epoch


def test_a_line_without_a_word_is_silent_until_the_next_one(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    following.opened()
    fetch_all(following, clock, rounds=2)
    assert not following.is_silent
    clock.now += SILENT_SECONDS + 1
    assert following.is_silent
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11))
    assert (following.is_silent, following.books["BTCUSDT"].state) == (False, State.LIVE)


def test_a_market_no_longer_listed_is_forgotten(following: Following, venue: Venue) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    following.opened()
    following.follow(["ETHUSDT"])
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11))
    while following.fetch_one():
        pass
    assert list(following.books) == ["ETHUSDT"]
    assert [symbol for symbol, _limit in venue.asked] == ["ETHUSDT"]


def test_snapshots_stay_within_their_part_of_the_venues_weight(clock: Clock) -> None:
    snapshots = Snapshots(weight_a_minute=100, clock=clock)
    spent = 0
    for _second in range(120):
        for number in range(50):
            snapshots.ask(f"S{number}", SHALLOW)
        clock.now += 1
        while (want := snapshots.take()) is not None:
            spent += 5
            assert want.limit == SHALLOW
    assert 200 <= spent <= 300


def test_deep_snapshots_leave_weight_for_books_that_are_not_live(clock: Clock) -> None:
    snapshots = Snapshots(weight_a_minute=120, clock=clock)
    for number in range(5):
        snapshots.ask(f"DEEP{number}", DEEP, is_luxury=True)
    taken = [want.symbol for want in iter(snapshots.take, None)]
    snapshots.ask("LIVE", SHALLOW)
    late = snapshots.take()
    assert (len(taken), late.symbol if late else None) == (1, "LIVE")


def test_a_market_that_keeps_asking_waits_longer_each_time(clock: Clock) -> None:
    snapshots = Snapshots(clock=clock)
    waits = []
    for _try in range(6):
        snapshots.ask("BTCUSDT", SHALLOW)
        began = clock.now
        while snapshots.take() is None:
            clock.now += 0.05
        waits.append(clock.now - began)
    assert waits[0] == 0
    assert waits[1] < 0.4 and waits[-1] > 2


def test_the_names_of_the_streams_are_the_venues() -> None:
    names = streams_of(["BTCUSDT"])
    assert {"btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@miniTicker", "btcusdt@kline_1m"} <= set(names)
