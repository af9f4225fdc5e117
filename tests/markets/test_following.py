"""Frames in, books and changes out: the recorded session, gaps, silence, deepening."""

import json
from typing import Any

import pytest

from exchange.binance.errors import NotSent, Unknown
from exchange.binance.models import DepthSnapshot
from markets.book import State
from markets.stream import Following, Snapshots, streams_of
from markets.stream.following import DEEP, DEEP_AT_ONCE, ONE_SIDED_BELIEVED, SHALLOW
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
        self.is_away = False

    def depth(self, symbol: str, limit: int) -> DepthSnapshot:
        self.asked.append((symbol, limit))
        if self.is_away:
            raise NotSent("no connection")
        if symbol not in self.books:
            raise Unknown("no answer")
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
    following.on_frame(json.dumps({"stream": stream, "data": body}).encode())


def say_as_the_venue(following: Following, stream: str, body: Any) -> None:
    """Without a space, and not escaped."""
    frame = {"stream": stream, "data": body}
    following.on_frame(json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode())


def opened(following: Following) -> None:
    """There is a line for every followed market."""
    following.on_up(streams_of(list(following.books)))


def depth(symbol: str, first: int, last: int, bids: Any = (), asks: Any = ()) -> Any:
    return {"e": "depthUpdate", "E": 1, "s": symbol, "U": first, "u": last, "b": list(bids), "a": list(asks)}


def ladder(last: int, levels: int = 3) -> Any:
    """A snapshot with so many levels a side, around 1,000."""
    bids = [[str(999 - n), "1"] for n in range(levels)]
    return {"lastUpdateId": last, "bids": bids, "asks": [[str(1001 + n), "1"] for n in range(levels)]}


def fetch_all(following: Following, clock: Clock, rounds: int = 20) -> None:
    for _round in range(rounds):
        while following.fetch_one():
            following.take_fetched()
        clock.now += 1


def test_the_recorded_session_ends_in_the_plain_books(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(SYMBOLS)
    opened(following)
    for kind, symbol, body in session():
        clock.now += 0.03
        if kind == SNAPSHOT:
            venue.books[symbol] = body
        elif "@depth" in kind:
            say(following, kind, body)
        following.fetch_one()
        following.take_fetched()
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
    opened(following)
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "5"]]))
    following.fetch_one()
    following.take_fetched()
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


def test_a_book_that_grew_before_its_small_snapshot_came_is_deepened_as_well(
    following: Following, venue: Venue, clock: Clock
) -> None:
    """Levels of events that came meanwhile make it know more than the snapshot told."""
    following.follow(["BTCUSDT", *(f"COIN{n}USDT" for n in range(DEEP_AT_ONCE))])
    opened(following)
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    better = [[f"999.{n}", "1"] for n in range(1, 6)], [[f"1000.{n}", "1"] for n in range(1, 6)]
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, *better))
    following.fetch_one()
    following.take_fetched()
    venue.books["BTCUSDT"] = ladder(11, levels=700)
    fetch_all(following, clock)
    assert [limit for symbol, limit in venue.asked if symbol == "BTCUSDT"] == [SHALLOW, DEEP]


def test_a_gap_costs_one_market_a_snapshot_and_no_other_its_state(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    opened(following)
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
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", {"unexpected": True})
    say(following, "ethusdt@trade", ["nothing"])
    say(following, "ethusdt@kline_1m", {"k": {"t": "x"}})
    assert [book.state for book in following.books.values()] == [State.SYNCING, State.LIVE]
    counted = sorted(name.partition(":")[0] for name in following.unreadable.elements())
    assert counted == ["BTCUSDT", "ETHUSDT", "ETHUSDT"]


def test_an_event_of_another_market_is_believed_of_none(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("ETHUSDT", 11, 11, [["999", "7"]]))
    books = following.books
    assert [book.state for book in books.values()] == [State.SYNCING, State.LIVE]
    assert books["ETHUSDT"].bids.top(1) == [("999", "1")]


def test_a_side_that_is_told_twice_does_not_speak_for_an_odd_level(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    event = (
        '"e":"depthUpdate","E":1,"s":"BTCUSDT","U":11,"u":11,"b":[["999.0","2.0"]],"b":[["9e2","2.0"]],"a":[]'
    )
    following.on_frame(f'{{"stream":"btcusdt@depth@100ms","data":{{{event}}}}}'.encode())
    assert following.books["BTCUSDT"].state == State.SYNCING


def test_a_market_of_any_script_is_followed(following: Following, venue: Venue, clock: Clock) -> None:
    """Of some letters the large one of the small one is another, or two."""
    symbols = ["这是测试币456", "ßTEST", "İUSDT", "ŉEUR"]
    following.follow(symbols)
    venue.books = {symbol: ladder(10) for symbol in symbols}
    opened(following)
    fetch_all(following, clock)
    for symbol in symbols:
        say(following, f"{symbol.lower()}@depth@100ms", depth(symbol, 11, 11, [["999", "7"]]))
        say(following, f"{symbol.lower()}@depth@100ms", {"no": "event"})
        assert following.books[symbol].last_update_id == 11
    assert {book.state for book in following.books.values()} == {State.SYNCING}


def lost(following: Following, *symbols: str) -> None:
    following.on_down(streams_of(symbols), "closed")


def test_a_book_without_a_line_is_stale_and_joins_on_when_nothing_was_lost(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    lost(following, "BTCUSDT")
    book = following.books["BTCUSDT"]
    assert (book.state, following.books["ETHUSDT"].state) == (State.STALE, State.LIVE)
    assert not following.fetch_one()
    opened(following)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 12, [["999", "4"]]))
    assert (book.state, book.bids.top(1), book.resyncs) == (State.LIVE, [("999", "4")], 0)
    assert not following.fetch_one(), "no snapshot was needed"


def test_a_book_that_knows_less_than_is_shown_gets_a_cheap_snapshot_before_a_deep_one_can_be_paid(
    venue: Venue, clock: Clock
) -> None:
    snapshots = Snapshots(weight_a_minute=0, weight_at_once=30, clock=clock)
    following = Following(fetch_snapshot=venue.depth, snapshots=snapshots, clock=clock)
    following.follow(["BTCUSDT", *(f"COIN{n}USDT" for n in range(DEEP_AT_ONCE))])
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    following.on_up(["btcusdt@depth@100ms"])
    fetch_all(following, clock)
    gone = ladder(10, levels=80)["bids"]
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [[price, "0"] for price, _one in gone]))
    book = following.books["BTCUSDT"]
    assert (book.known, venue.asked) == (20, [("BTCUSDT", SHALLOW)])
    following.changes()
    venue.books["BTCUSDT"] = {**ladder(11, levels=700), "bids": ladder(11, levels=700)["bids"][80:]}
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 12, 12))
    fetch_all(following, clock)
    assert (book.state, book.known, venue.asked) == (State.LIVE, 100, [("BTCUSDT", SHALLOW)] * 2)


def test_a_shallow_book_that_joins_on_is_deepened_all_the_same(
    following: Following, venue: Venue, clock: Clock
) -> None:
    """Its line was lost before the deeper snapshot had come."""
    following.follow(["BTCUSDT", *(f"COIN{n}USDT" for n in range(DEEP_AT_ONCE))])
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    opened(following)
    assert following.fetch_one()
    following.take_fetched()
    lost(following, "BTCUSDT")
    opened(following)
    venue.books["BTCUSDT"] = ladder(12, levels=700)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 12))
    fetch_all(following, clock)
    book = following.books["BTCUSDT"]
    assert (book.state, len(book.bids.top())) == (State.LIVE, 700)


def test_a_book_that_asked_twice_is_live_by_the_second_answer_and_deepened_too(
    following: Following, venue: Venue, clock: Clock
) -> None:
    """The first answer was under way while the line was lost and came back."""
    following.follow(["BTCUSDT", *(f"COIN{n}USDT" for n in range(DEEP_AT_ONCE))])
    venue.books["BTCUSDT"] = ladder(10, levels=700)
    opened(following)
    assert following.fetch_one()
    lost(following, "BTCUSDT")
    opened(following)
    following.take_fetched()
    assert following.books["BTCUSDT"].state == State.SYNCING
    fetch_all(following, clock)
    assert len(following.books["BTCUSDT"].bids.top()) == 700


def test_a_book_that_lost_events_while_there_was_no_line_waits_for_a_snapshot(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    lost(following, "BTCUSDT")
    opened(following)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 13, 14, [["999", "4"]]))
    assert following.books["BTCUSDT"].state == State.SYNCING
    venue.books["BTCUSDT"] = ladder(13)
    fetch_all(following, clock)
    assert (following.books["BTCUSDT"].state, following.books["BTCUSDT"].last_update_id) == (State.LIVE, 14)


def test_ids_that_begin_anew_after_a_break_do_not_join_on(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    lost(following, "BTCUSDT")
    opened(following)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 3, 4, [["999", "4"]]))
    assert following.books["BTCUSDT"].state == State.SYNCING


def test_ids_that_run_backwards_on_an_open_line_are_not_taken_for_old_ones_for_ever(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(1000)}
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 1001, 1001))
    for last in range(1, 60):
        say(following, "btcusdt@depth@100ms", depth("BTCUSDT", last, last))
    assert following.books["BTCUSDT"].state == State.SYNCING


def test_two_lines_that_overlap_tell_everything_twice_and_change_nothing(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    for last in range(11, 100):
        for _line in range(2):
            say(following, "btcusdt@depth@100ms", depth("BTCUSDT", last, last, [["999", str(last)]]))
    book = following.books["BTCUSDT"]
    assert (book.state, book.resyncs, book.bids.top(1)) == (State.LIVE, 0, [("999", "99")])


def test_the_market_that_is_looked_at_gets_its_snapshot_first_then_by_rank(
    following: Following, venue: Venue
) -> None:
    following.follow(["AUSDT", "BUSDT", "CUSDT", "DUSDT"], watched=["CUSDT"])
    opened(following)
    while following.fetch_one():
        pass
    assert [symbol for symbol, _limit in venue.asked] == ["CUSDT", "AUSDT", "BUSDT", "DUSDT"]


def test_a_snapshot_without_one_side_is_a_book_without_it_once_several_have_said_so(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": {**ladder(10), "asks": []}}
    opened(following)
    fetch_all(following, clock, rounds=1)
    book = following.books["BTCUSDT"]
    assert book.state == State.SYNCING
    fetch_all(following, clock)
    assert (book.state, book.asks.top(), book.known) == (State.LIVE, [], None)
    assert len(venue.asked) == ONE_SIDED_BELIEVED


def test_a_market_no_longer_listed_is_forgotten(following: Following, venue: Venue) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    opened(following)
    following.follow(["ETHUSDT"])
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11))
    while following.fetch_one():
        following.take_fetched()
    assert list(following.books) == ["ETHUSDT"]
    assert [symbol for symbol, _limit in venue.asked] == ["ETHUSDT"]


def test_the_names_of_the_streams_are_the_venues() -> None:
    watched = [
        "BTCUSDT",
        "BTCUSDT@kline_5m",
        "BTCUSDT@kline_1m",
        "BTCUSDT@kline_7m",
        "ETHUSDT@kline_5m",
        "BTCUSDT#10",
    ]
    assert streams_of(["BTCUSDT"], watched) == [
        "!miniTicker@arr", "btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@kline_1m", "btcusdt@kline_15m",
        "btcusdt@kline_1h", "btcusdt@kline_1d", "btcusdt@kline_5m",
    ]  # fmt: skip
    assert streams_of([]) == []
