"""The matching engine: price, then time, in exact decimals."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from exchange.paper.book import Book, Match, Resting, Side

D = Decimal


def rest(book: Book, order_id: int, side: Side, price: str, quantity: str) -> Resting:
    order = Resting(order_id, side, D(price), D(quantity))
    book.rest(order)
    return order


def test_the_best_price_trades_first() -> None:
    book = Book()
    rest(book, 1, "SELL", "101", "1")
    rest(book, 2, "SELL", "100", "1")
    assert [match.maker.order_id for match in book.take("BUY", D(2), D(101))] == [2, 1]


def test_at_one_price_the_earliest_trades_first() -> None:
    book = Book()
    for order_id in (7, 3, 5):
        rest(book, order_id, "BUY", "100", "1")
    assert [match.maker.order_id for match in book.take("SELL", D("2.5"), D(100))] == [7, 3, 5]


def test_a_taker_gets_the_makers_price_and_never_one_beyond_its_limit() -> None:
    book = Book()
    rest(book, 1, "SELL", "100", "1")
    rest(book, 2, "SELL", "102", "1")
    assert [(match.price, match.quantity) for match in book.take("BUY", D(5), D(101))] == [(D(100), D(1))]


def test_a_canceled_order_is_off_the_book_and_its_level_with_it() -> None:
    book = Book()
    rest(book, 1, "BUY", "100", "1")
    book.cancel(1)
    assert (book.best_bid, book.cancel(1)) == (None, None)


def test_every_change_takes_one_update_id_and_is_told_once() -> None:
    book = Book(update_id=50)
    rest(book, 1, "BUY", "100", "1")
    rest(book, 2, "BUY", "100", "2")
    assert (book.update_id, book.take_changes(), book.take_changes()) == (52, [("BUY", D(100), D(3))], [])


def test_a_level_that_goes_is_told_as_zero() -> None:
    book = Book()
    rest(book, 1, "SELL", "100", "1")
    book.take_changes()
    book.take("BUY", D(1))
    assert book.take_changes() == [("SELL", D(100), D(0))]


ticks = st.integers(min_value=1, max_value=12).map(lambda tick: D(tick) / 10)
lots = st.integers(min_value=1, max_value=50).map(lambda lot: D(lot) / 1000)
sides: st.SearchStrategy[Side] = st.sampled_from(["BUY", "SELL"])
orders = st.lists(st.tuples(sides, ticks, lots), max_size=60)


def send(book: Book, number: int, side: Side, price: Decimal, quantity: Decimal) -> list[Match]:
    """A limit order: it takes what it can, and the rest of it rests."""
    matches = book.take(side, quantity, price)
    left = quantity - sum(match.quantity for match in matches)
    if left:
        book.rest(Resting(number, side, price, left))
    return matches


@given(orders)
def test_the_book_is_never_crossed(flow: list[tuple[Side, Decimal, Decimal]]) -> None:
    book = Book()
    for number, (side, price, quantity) in enumerate(flow):
        send(book, number, side, price, quantity)
        assert book.best_bid is None or book.best_ask is None or book.best_bid < book.best_ask


@given(orders)
def test_nothing_is_made_or_lost_in_matching(flow: list[tuple[Side, Decimal, Decimal]]) -> None:
    book, traded = Book(), D(0)
    for number, (side, price, quantity) in enumerate(flow):
        traded += sum(match.quantity for match in send(book, number, side, price, quantity))
    resting = sum(order.remaining for order in book.orders.values())
    shown = sum(total for side in ("BUY", "SELL") for _price, total in book.depth(side, 1000))
    assert (resting, resting) == (sum(quantity for _side, _price, quantity in flow) - 2 * traded, shown)


@given(orders)
def test_no_order_trades_past_one_with_a_better_price_or_an_earlier_one_at_the_same(
    flow: list[tuple[Side, Decimal, Decimal]],
) -> None:
    book = Book()
    for number, (side, price, quantity) in enumerate(flow):
        waiting = sorted(
            (order for order in book.orders.values() if order.side != side),
            key=lambda order: (order.price if side == "BUY" else -order.price, order.order_id),
        )
        ids = [match.maker.order_id for match in send(book, number, side, price, quantity)]
        assert ids == [order.order_id for order in waiting][: len(ids)]
