"""Which quiet books are held against the venue's, and in what order."""

from exchange.binance.models import DepthSnapshot
from markets.book import LocalBook
from markets.stream.auditing import AT_ONCE, Audit
from tests.markets.test_following import Clock


def quiet_books(count: int) -> list[LocalBook]:
    books = [LocalBook(f"C{number:02}USDT") for number in range(count)]
    assert all(book.on_snapshot(10, [("99", "1")], [("101", "1")]) for book in books)
    return books


def asked_in(
    audit: Audit, clock: Clock, books: list[LocalBook], watched: set[str], rounds: int
) -> list[list[str]]:
    """The markets that were asked for in each of the rounds, ten seconds apart, after a quiet minute."""
    found: list[list[str]] = []

    def fetch(symbol: str, limit: int) -> DepthSnapshot:
        found[-1].append(symbol)
        return DepthSnapshot.from_wire(symbol, {"lastUpdateId": 10, "bids": [], "asks": []})

    audit.ask(books, fetch, watched=watched)
    clock.now += 60
    for _round in range(rounds):
        found.append([])
        audit.ask(books, fetch, watched=watched)
        clock.now += 10
    return found


def test_watched_books_come_first_and_the_others_in_turn() -> None:
    clock = Clock()
    watched = {"C07USDT", "C08USDT"}
    rounds = asked_in(Audit(clock=clock), clock, quiet_books(10), watched, 4)
    assert watched <= set(rounds[0])
    assert {len(asked) for asked in rounds} == {AT_ONCE}
    assert {symbol for asked in rounds for symbol in asked} == {f"C{number:02}USDT" for number in range(10)}


def test_watched_books_leave_room_for_the_others() -> None:
    clock = Clock()
    books = quiet_books(12)
    watched = {book.symbol for book in books[:6]}
    rounds = asked_in(Audit(clock=clock), clock, books, watched, 4)
    assert set(rounds[0] + rounds[1]) == watched
    assert watched.isdisjoint(rounds[2] + rounds[3])
