"""A local book equals the venue's, or says that it does not."""

import random
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from markets.book import MOST_LEVELS, SPARE_LEVELS, Diff, LocalBook, State
from tests.markets.recording import SNAPSHOT, plain_book, session

EVENTS = session()
SYMBOLS = sorted({symbol for kind, symbol, _body in EVENTS if kind == SNAPSHOT})
SNAPSHOTS = {symbol: body for kind, symbol, body in EVENTS if kind == SNAPSHOT}


def diffs_of(symbol: str) -> list[Any]:
    return [body for kind, of, body in EVENTS if of == symbol and "@depth" in kind]


def diff_of(body: Any) -> Diff:
    return Diff(
        body["U"], body["u"], body["E"], [tuple(row) for row in body["b"]], [tuple(row) for row in body["a"]]
    )


def give_snapshot(book: LocalBook, body: Any) -> bool:
    return book.on_snapshot(body["lastUpdateId"], body["bids"], body["asks"])


def numbers(levels: Iterable[tuple[str, str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in levels]


def live(
    bids: list[list[str]] | None = None, asks: list[list[str]] | None = None, last: int = 100
) -> LocalBook:
    book = LocalBook("BTCUSDT")
    assert book.on_snapshot(
        last,
        [tuple(row) for row in (bids or [["99", "1"], ["98", "2"]])],  # type: ignore[misc]
        [tuple(row) for row in (asks or [["101", "1"], ["102", "2"]])],  # type: ignore[misc]
    )
    return book


def change(first: int, last: int, bids: Any = (), asks: Any = (), *, ms: int = 0) -> Diff:
    return Diff(first, last, ms, [tuple(row) for row in bids], [tuple(row) for row in asks])


# ------------------------------------------------------------------ the recorded session
def test_the_recorded_session_is_all_there() -> None:
    assert len(SYMBOLS) == 10
    assert sum(len(diffs_of(symbol)) for symbol in SYMBOLS) == 614


def test_every_recorded_book_is_the_plain_one_after_each_message_and_never_crossed() -> None:
    books = {symbol: LocalBook(symbol) for symbol in SYMBOLS}
    for kind, symbol, body in EVENTS:
        if kind == SNAPSHOT:
            assert give_snapshot(books[symbol], body)
        elif "@depth" in kind:
            assert not books[symbol].on_diff(diff_of(body))
        assert symbol not in books or not books[symbol].is_crossed
    for symbol, book in books.items():
        bids, asks = plain_book(SNAPSHOTS[symbol], diffs_of(symbol)).best_first()
        assert (book.state, book.resyncs) == (State.LIVE, 0)
        assert numbers(book.bids.top()) == bids[:MOST_LEVELS]
        assert numbers(book.asks.top()) == asks[:MOST_LEVELS]


@pytest.mark.parametrize("seed", range(20))
def test_a_session_with_lost_doubled_and_swapped_messages_ends_right_or_says_that_it_is_not(
    seed: int,
) -> None:
    dice = random.Random(seed)
    for symbol in SYMBOLS:
        whole = diffs_of(symbol)
        heard = mutated(whole, dice)
        book = LocalBook(symbol)
        heard_before = dice.randrange(len(heard)) if heard else 0
        for number, body in enumerate(heard):
            if number == heard_before:
                give_snapshot(book, SNAPSHOTS[symbol])
            book.on_diff(diff_of(body))
        if book.state == State.LIVE:
            known = [body for body in whole if body["u"] <= book.last_update_id]
            bids, asks = plain_book(SNAPSHOTS[symbol], known).best_first()
            assert numbers(book.bids.top()) == bids[:MOST_LEVELS]
            assert numbers(book.asks.top()) == asks[:MOST_LEVELS]


def mutated(diffs: list[Any], dice: random.Random) -> list[Any]:
    heard = []
    for body in diffs:
        fate = dice.random()
        if fate < 0.01:
            continue
        heard += [body, body] if fate < 0.1 else [body]
        if fate > 0.97 and len(heard) > 1:
            heard[-1], heard[-2] = heard[-2], heard[-1]
    return heard


# ------------------------------------------------------------------ the documented rule, step by step
def test_events_wait_for_the_snapshot_and_older_ones_are_dropped() -> None:
    book = LocalBook("BTCUSDT")
    book.on_diff(change(90, 95, [["97", "7"]]))
    book.on_diff(change(96, 101, [["99", "0.000"]]))
    assert book.on_snapshot(95, [("99", "1"), ("98", "2")], [("101", "1")])
    assert book.bids.top() == [("98", "2")]
    assert book.last_update_id == 101


def test_a_snapshot_older_than_the_first_event_is_not_enough() -> None:
    book = LocalBook("BTCUSDT")
    book.on_diff(change(97, 99))
    assert not book.on_snapshot(95, [], [])
    assert book.state == State.SYNCING
    assert book.on_snapshot(96, [], [])


def test_an_event_that_overlaps_the_snapshot_is_applied() -> None:
    book = live(last=100)
    assert not book.on_diff(change(95, 103, [["99", "5"]]))
    assert book.bids.top(1) == [("99", "5")]


def test_a_stream_that_is_far_behind_the_snapshot_catches_up_with_it() -> None:
    """Seconds behind: more old events in a row than two overlapping lines ever tell."""
    book = live(last=1000)
    for last in range(801, 1001):
        assert not book.on_diff(change(last, last, [["99", "5"]]))
    book.on_diff(change(1001, 1001, [["99", "7"]]))
    assert (book.state, book.resyncs, book.bids.top(1)) == (State.LIVE, 0, [("99", "7")])


def test_a_stream_that_is_far_behind_a_deeper_book_catches_up_with_it() -> None:
    book = live(last=100)
    book.on_diff(change(101, 101))
    assert book.adopt(live(last=300))
    for last in range(102, 302):
        assert not book.on_diff(change(last, last))
    assert (book.state, book.resyncs, book.last_update_id) == (State.LIVE, 0, 301)


@pytest.mark.parametrize("every_ms", [1000, 60_000])
def test_ids_that_begin_anew_are_not_taken_for_a_stream_that_is_behind(every_ms: int) -> None:
    """Their events are newer than what is known, by the venue's clock."""
    book = live(last=1000)
    book.on_diff(change(1001, 1001, ms=5))
    assert [book.on_diff(change(last, last, ms=5 + last * every_ms)) for last in (1, 2)] == [False, True]


def test_an_id_that_is_far_too_great_makes_a_book_deaf_for_a_moment_only() -> None:
    book = live(last=1000)
    book.on_diff(change(1001, 2**40, ms=100))
    deaf = [book.on_diff(change(1001 + n, 1001 + n, ms=100 + n * 100)) for n in range(1, 6)]
    assert (book.state, deaf) == (State.SYNCING, [False, False, False, False, True])


def test_two_lines_that_tell_the_same_for_seconds_harm_nothing() -> None:
    """The older one runs behind, and both go on."""
    book = live(last=100)
    events = [change(last, last, ms=last * 100) for last in range(101, 161)]
    for new, old in zip(events[20:], events, strict=False):
        book.on_diff(old)
        book.on_diff(new)
    book = live(last=100)
    for event in events:
        assert not book.on_diff(event)
    for event in events[-40:]:
        assert not book.on_diff(event)
    assert (book.state, book.resyncs) == (State.LIVE, 0)


def test_ids_that_begin_anew_after_a_snapshot_are_noticed_by_their_pace() -> None:
    book = live(last=1_000_000)
    assert [book.on_diff(change(last, last)) for last in (1, 2, 3)] == [False, False, True]


def test_a_stream_that_never_catches_up_is_of_other_ids() -> None:
    book = live(last=10_000)
    assert any(book.on_diff(change(last, last)) for last in range(1, 700))


def test_a_price_that_could_be_taken_for_its_neighbour_is_not_followed() -> None:
    """As binary floats 9007199254740992 and …993 are one."""
    book = LocalBook("BTCUSDT")
    with pytest.raises(ValueError, match="digits"):
        book.on_snapshot(1, [("9007199254740993", "1")], [])
    assert book.state == State.SYNCING
    known = live(last=1)
    assert known.on_diff(change(2, 2, [["98.00000000000001", "1"]]))
    assert known.on_snapshot(2, [("123456789012345.00000000", "1"), ("0.000000000012345", "1")], [])


def test_an_old_event_changes_nothing() -> None:
    book = live(last=100)
    assert not book.on_diff(change(95, 100, [["99", "5"]]))
    assert book.bids.top(1) == [("99", "1")]


def test_a_lost_message_makes_the_book_start_over_and_keeps_what_comes() -> None:
    book = live(last=100)
    assert book.on_diff(change(102, 103, [["99", "5"]]))
    assert book.state == State.SYNCING
    assert not book.on_diff(change(104, 104, [["98.5", "1"]]))
    assert not book.on_snapshot(100, [], []), "still older than the first event kept"
    assert book.on_snapshot(103, [("99", "5")], [("101", "1")])
    assert (book.bids.top(), book.resyncs) == ([("99", "5"), ("98.5", "1")], 1)


@pytest.mark.parametrize("zero", ["0", "0.0", "0.000", "0.00000000"])
def test_a_quantity_of_zero_removes_however_it_is_written(zero: str) -> None:
    book = live()
    book.on_diff(change(101, 101, [["99", zero]], [["500", zero]]))
    assert book.bids.top() == [("98", "2")]
    assert len(book.asks.top()) == 2


@pytest.mark.parametrize("odd", ["00", "00.0", "00.00000000", "00.5", "000.00000001", "."])
def test_a_quantity_that_may_be_zero_in_a_strange_notation_is_never_a_level(odd: str) -> None:
    """The book starts over: nobody knows what was meant."""
    book = live()
    assert book.on_diff(change(101, 101, [["99", odd]]))
    assert (book.state, odd in dict(book.bids.top()).values()) == (State.SYNCING, False)


def test_a_price_is_one_level_however_it_is_written() -> None:
    book = live()
    book.on_diff(change(101, 101, [["99.0000", "3"]]))
    assert book.bids.top() == [("99.0000", "3"), ("98", "2")]


def test_a_crossed_book_is_not_shown_as_live() -> None:
    book = live()
    assert book.on_diff(change(101, 101, [["101", "1"]]))
    assert book.state == State.SYNCING


def test_a_crossed_snapshot_is_not_taken() -> None:
    assert not LocalBook("BTCUSDT").on_snapshot(1, [("101", "1")], [("100", "1")])


def test_a_price_that_is_no_number_makes_the_book_start_over() -> None:
    book = live()
    assert book.on_diff(change(101, 101, [["99", "4"], ["?", "1"]]))
    assert book.state == State.SYNCING


def test_worse_levels_go_by_rank_also_where_prices_grow_a_digit() -> None:
    """By text, 100000 would stand before 99999."""
    book = live(bids=[["90000", "1"]], asks=[[str(99_500 + n), "1"] for n in range(1000)])
    for n in range(600):
        book.on_diff(change(101 + n, 101 + n, (), [[str(100_500 + n), "1"]]))
    asks = book.asks.top(MOST_LEVELS + SPARE_LEVELS + 1)
    assert [int(price) for price, _quantity in asks] == list(
        range(99_500, 99_500 + MOST_LEVELS + SPARE_LEVELS)
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_side_is_the_plain_dictionary_sorted_by_number(seed: int) -> None:
    """Prices around 1 and around 100,000, written with and without zeros at the end."""
    dice, book, plain = random.Random(seed), live(bids=[["0.5", "1"]], asks=[["200000", "1"]]), {}
    for number in range(2000):
        near, divisor = dice.choice(((9_995, 10_000), (999_950, 10)))
        price = Decimal(near + dice.randrange(100)) / divisor
        text = f"{price:f}" + ("" if "." not in f"{price:f}" else "0" * dice.randrange(3))
        quantity = dice.choice(("0", "0.000", "1.5", "2"))
        book.on_diff(change(101 + number, 101 + number, (), [[text, quantity]]))
        plain[Decimal(text)] = Decimal(quantity)
    expected = sorted((price, quantity) for price, quantity in plain.items() if quantity)
    assert numbers(book.asks.top()) == [*expected, (Decimal(200000), Decimal(1))]


@pytest.mark.parametrize("seed", range(5))
def test_messages_of_many_levels_in_any_order_do_what_a_dictionary_does(seed: int) -> None:
    """Also the same price twice, in two notations; sides grow to hundreds of levels and shrink to none."""
    dice, book, plain = random.Random(seed), live(bids=[["0.5", "1"]], asks=[["200000", "1"]]), {}
    for number in range(300):
        gone = 0.9 if number % 60 > 40 else 0.3
        rows = []
        for _level in range(dice.randrange(60)):
            price = dice.randrange(1000, 1000 + dice.choice((5, 50, 500)))
            quantity = dice.choice(("0", "0.00000000")) if dice.random() < gone else str(dice.randrange(1, 9))
            rows.append([str(price) + dice.choice(("", ".0", ".00000000")), quantity])
            plain[Decimal(price)] = Decimal(quantity)
        book.on_diff(change(101 + number, 101 + number, (), rows))
        expected = sorted((price, quantity) for price, quantity in plain.items() if quantity)
        assert numbers(book.asks.top()) == [*expected, (Decimal(200000), Decimal(1))]
        assert not book.is_crossed


def test_a_message_that_takes_away_more_than_the_best_levels_leaves_the_rest() -> None:
    """Also worst first, and with a new best level at the end."""
    rows = [[str(1000 - n), "1"] for n in range(100)]
    book = live(bids=rows, asks=[["2000", "1"]])
    book.on_diff(
        change(101, 101, [*([price, "0"] for price, _quantity in reversed(rows[:90])), ["1500", "7"]])
    )
    assert book.bids.top() == [("1500", "7"), *[(str(910 - n), "1") for n in range(10)]]
    book.on_diff(change(102, 102, [[price, "0"] for price, _quantity in book.bids.top()]))
    assert (book.bids.top(), book.asks.top()) == ([], [("2000", "1")])
    assert not book.is_crossed


def test_a_book_keeps_as_many_levels_as_it_is_asked_to() -> None:
    book = LocalBook("BTCUSDT", depth=5)
    bids = [(str(5000 - n), "1") for n in range(1000)]
    assert book.on_snapshot(100, bids, [("6000", "1")])
    assert (book.bids.top(), book.bids.known) == (bids[:5], 5 + SPARE_LEVELS)


def test_levels_below_a_short_snapshot_are_told_apart_from_known_ones() -> None:
    book = LocalBook("BTCUSDT")
    book.on_snapshot(100, [("99", "1"), ("98", "1"), ("97", "1")], [("101", "1")], limit=3)
    book.on_diff(change(101, 101, [["90", "1"], ["98.5", "1"]]))
    assert (book.bids.known, book.asks.known) == (4, None)
    assert book.is_shallower_than(5) and not book.is_shallower_than(4)


def test_a_deeper_book_takes_over_only_when_it_is_as_new() -> None:
    book, late, deep = (
        live(last=100),
        live(last=99),
        live(bids=[["99", "1"], ["98", "2"], ["1", "9"]], last=100),
    )
    assert not book.adopt(late)
    assert book.adopt(deep)
    assert book.bids.top()[-1] == ("1", "9")


def test_a_stale_book_takes_no_snapshot_until_the_line_is_back() -> None:
    book = live()
    book.mark_stale()
    assert not book.on_snapshot(200, [], [])
    book.expect()
    assert (book.state, len(book.bids.top())) == (State.SYNCING, 2)
    assert book.on_snapshot(200, [], [])
