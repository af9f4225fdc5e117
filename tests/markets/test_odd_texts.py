"""What is no number is in no book: it costs its own market a snapshot, and no other market anything."""

import pytest

from markets.book import State
from markets.stream import Following
from tests.markets.test_following import (
    Clock,
    Venue,
    clock,
    depth,
    fetch_all,
    following,
    ladder,
    opened,
    say,
    say_as_the_venue,
    venue,
)

__all__ = ["clock", "following", "venue"]


NO_NUMBERS = [
    "", "abc", "nan", "NaN", "inf", "-5", "-0", "+5", "1e5", "1E-3", "1e400", "0x1", "1_000", " 5", "5 ", "5,5",
    "1.2.3", ".", "..", "\u0665", "\uff15", "5\u0000", "5\n",
]  # fmt: skip


@pytest.mark.parametrize("price", ["0", "0.00000000", "1" + "0" * 400, *NO_NUMBERS])
def test_a_price_that_cannot_be_one_costs_its_market_a_snapshot(
    following: Following, venue: Venue, clock: Clock, price: str
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [[price, "1"]]))
    say_as_the_venue(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11, (), [[price, "1.0"]]))
    assert [book.state for book in following.books.values()] == [State.SYNCING, State.SYNCING]
    assert all(len(book.bids.top()) == len(book.asks.top()) == 3 for book in following.books.values())


@pytest.mark.parametrize("quantity", NO_NUMBERS)
def test_a_quantity_that_is_no_number_is_in_no_book_and_costs_its_market_a_snapshot(
    following: Following, venue: Venue, clock: Clock, quantity: str
) -> None:
    """Whether its level is there or new, and however the frame around it is laid out."""
    following.follow(["BTCUSDT", "ETHUSDT"])
    venue.books = {"BTCUSDT": ladder(10), "ETHUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", quantity], ["5", "5"]]))
    say_as_the_venue(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11, (), [["1001.5", quantity]]))
    for book in following.books.values():
        assert (book.state, book.bids.top(1), book.asks.top(1)) == (
            State.SYNCING,
            [("999", "1")],
            [("1001", "1")],
        )


def test_two_wrong_texts_do_not_hide_each_other(following: Following, venue: Venue, clock: Clock) -> None:
    """One with a point too many, and one with a point too few."""
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    levels = [["999.0", "1.2.3"], ["998.0", "5"]]
    say_as_the_venue(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, levels))
    book = following.books["BTCUSDT"]
    assert (book.state, book.bids.top(2)) == (State.SYNCING, [("999", "1"), ("998", "1")])


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_snapshot_with_a_text_that_is_no_number_is_not_taken(
    following: Following, venue: Venue, clock: Clock, text: str
) -> None:
    following.follow(["BTCUSDT", "ETHUSDT"])
    asks = [["1001", text], ["1002", "1"]], [[text, "1"], ["1002", "1"]]
    venue.books = {
        name: {**ladder(10), "asks": rows} for name, rows in zip(("BTCUSDT", "ETHUSDT"), asks, strict=True)
    }
    opened(following)
    while following.fetch_one():
        following.take_fetched()
    for book in following.books.values():
        assert (book.state, book.bids.top(), book.asks.top()) == (State.SYNCING, [], [])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"stream":5}',
        b'{"stream":"btcusdt@depth","data":5}',
        b"\xff\xfe",
    ],
)
def test_a_frame_that_is_none_is_counted_and_ends_nothing(following: Following, frame: bytes) -> None:
    following.follow(["BTCUSDT"])
    following.on_frame(frame)
    following.on_frame(frame)
    assert sum(following.unreadable.values()) == 2


@pytest.mark.parametrize("zero", ["0", "0.", "0.0", "0.000", "0.00000000", "0.000000000000"])
def test_zero_in_any_notation_takes_the_level_away(
    following: Following, venue: Venue, clock: Clock, zero: str
) -> None:
    following.follow(["BTCUSDT"])
    venue.books = {"BTCUSDT": ladder(10)}
    opened(following)
    fetch_all(following, clock)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", zero], ["5", zero]]))
    gone = depth("BTCUSDT", 12, 12, (), [["1001.0", zero], ["5.0", zero]])
    say_as_the_venue(following, "btcusdt@depth@100ms", gone)
    book = following.books["BTCUSDT"]
    assert (book.state, book.bids.top(1), book.asks.top(1)) == (
        State.LIVE,
        [("998", "1")],
        [("1002", "1")],
    )
