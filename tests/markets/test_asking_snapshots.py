"""When the venue is asked for a snapshot, for what it weighs, and which answers still count."""

from markets.book import State
from markets.stream import Following, Snapshots
from markets.stream.following import DEEP, SHALLOW
from tests.markets.test_following import (
    Clock,
    Venue,
    clock,
    depth,
    fetch_all,
    following,
    ladder,
    lost,
    opened,
    say,
    venue,
)

__all__ = ["clock", "following", "venue"]


def test_snapshots_stay_within_their_part_of_the_venues_weight(clock: Clock) -> None:
    snapshots = Snapshots(weight_a_minute=100, weight_at_once=100, clock=clock)
    spent = 0
    for _second in range(120):
        for number in range(50):
            snapshots.ask(f"S{number}", SHALLOW, generation=1)
        clock.now += 1
        while (want := snapshots.take()) is not None:
            spent += 5
            assert want.limit == SHALLOW
    assert 200 <= spent <= 300


def test_all_books_are_back_soon_after_the_venue_could_not_be_reached(
    following: Following, venue: Venue, clock: Clock
) -> None:
    """What was never asked has used nothing of the venue's weight; and trying in vain is no busy loop."""
    symbols = [f"COIN{n}USDT" for n in range(400)]
    watched = symbols[::20]
    venue.books = dict.fromkeys(symbols, ladder(10))
    following.follow(symbols, watched)
    opened(following)

    def pass_time(seconds: float) -> None:
        """Each of three threads gets an answer in a twentieth of a second."""
        for _step in range(round(seconds * 20)):
            for _thread in range(3):
                following.fetch_one()
            following.take_fetched()
            clock.now += 0.05

    def live(names: list[str]) -> int:
        return sum(following.books[name].state == State.LIVE for name in names)

    venue.is_away = True
    pass_time(20)
    tried, venue.is_away = len(venue.asked), False
    pass_time(5)
    assert live(watched) == len(watched)
    pass_time(25)
    assert live(symbols) == len(symbols)
    assert 20 < tried < 20 * 15


def test_deep_snapshots_leave_weight_for_books_that_are_not_live(clock: Clock) -> None:
    snapshots = Snapshots(weight_a_minute=120, weight_at_once=130, clock=clock)
    for number in range(5):
        snapshots.ask(f"DEEP{number}", DEEP, generation=1, is_luxury=True)
    taken = [want.symbol for want in iter(snapshots.take, None)]
    snapshots.ask("LIVE", SHALLOW, generation=1)
    late = snapshots.take()
    assert (len(taken), late.symbol if late else None) == (1, "LIVE")


def test_a_market_that_keeps_asking_waits_longer_each_time(clock: Clock) -> None:
    snapshots = Snapshots(clock=clock)
    waits = []
    for _try in range(6):
        snapshots.ask("BTCUSDT", SHALLOW, generation=1)
        began = clock.now
        while snapshots.take() is None:
            clock.now += 0.05
        waits.append(clock.now - began)
    assert waits[0] == 0
    assert waits[1] < 0.4 and 1.4 < waits[-1] <= 3.1


def test_an_answer_from_before_the_line_was_lost_makes_no_book_live(
    following: Following, venue: Venue, clock: Clock
) -> None:
    """Events between it and the new line are in no buffer, and a quiet market would show them never."""
    following.follow(["BTCUSDT"])
    venue.books["BTCUSDT"] = ladder(100)
    opened(following)
    assert following.fetch_one()
    lost(following, "BTCUSDT")
    venue.books["BTCUSDT"] = ladder(105)
    opened(following)
    following.take_fetched()
    book = following.books["BTCUSDT"]
    assert book.state == State.SYNCING
    fetch_all(following, clock)
    assert (book.state, book.last_update_id, len(venue.asked)) == (State.LIVE, 105, 2)


def test_an_answer_from_before_an_unreadable_event_makes_no_book_live(
    following: Following, venue: Venue, clock: Clock
) -> None:
    following.follow(["BTCUSDT"])
    venue.books["BTCUSDT"] = ladder(100)
    opened(following)
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 101, 101))
    assert following.fetch_one()
    say(following, "btcusdt@depth@100ms", {"no": "event"})
    following.take_fetched()
    book = following.books["BTCUSDT"]
    assert book.state == State.SYNCING
    venue.books["BTCUSDT"] = ladder(102)
    fetch_all(following, clock)
    assert (book.state, book.last_update_id) == (State.LIVE, 102)
