"""Tickers, trades and candles that cannot be right: they harm their own market alone, and hide nothing of others."""

import pytest

from markets import queries
from markets.stream import Following, Publisher
from tests.markets.test_following import Clock, depth, say
from tests.markets.test_publishing import channel, clock, day, following, publisher, writer

__all__ = ["channel", "clock", "following", "publisher", "writer"]
ODD = ["", "abc", "NaN", "-5", "1e40", "1" + "0" * 40, "٣"]


def troubles(following: Following) -> set[str]:
    """The markets of which something could not be believed."""
    return {name.partition(":")[0] for name in following.unreadable}


# ------------------------------------------------------------------ tickers
@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", ["o", "q"])
def test_a_ticker_with_a_text_that_is_no_number_is_left_out_and_hides_no_book(
    following: Following, publisher: Publisher, clock: Clock, name: str, text: str
) -> None:
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103") | {name: text}, day("ETHUSDT", "7")])
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "7"]]))
    clock.now += 1
    publisher.publish()
    book = queries.published_book("BTCUSDT")
    assert book is not None and (book.u, list(queries.tickers())) == (11, ["ETHUSDT"])
    assert troubles(following) == {"BTCUSDT"}


def test_a_price_that_rose_beyond_all_measure_is_told_as_it_is(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    risen = day("BTCUSDT", "9" * 20) | {"o": "0." + "0" * 17 + "1"}
    say(following, "!miniTicker@arr", [risen])
    clock.now += 1
    publisher.publish()
    assert queries.tickers()["BTCUSDT"].change_percent == str((10**20 - 1) * 10**20 - 100)


def test_what_a_tick_that_failed_would_have_told_is_told_by_the_next(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#0"})
    for symbol in ("BTCUSDT", "ETHUSDT"):
        say(following, f"{symbol.lower()}@depth@100ms", depth(symbol, 11, 11, [["999", "7"]]))
    clock.now += 0.2
    with pytest.raises(ArithmeticError):
        publisher.publish()
    publisher.serve({"BTCUSDT"})
    publisher.publish()
    books = [queries.published_book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
    assert [book.u for book in books if book] == [11, 11]
