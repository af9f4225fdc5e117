"""Tickers, trades and candles that cannot be right: they harm their own market alone, and hide nothing of others."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import redis
import structlog

from exchange.binance.models import Kline
from markets import queries, services
from markets.book import MOST_DIGITS, LocalBook
from markets.models import Candle
from markets.stream import CandleKeeper, Following, Publisher
from tests.factories import make_market
from tests.markets.test_following import Clock, depth, lost, opened, say
from tests.markets.test_publishing import channel, clock, following, heard_on, publisher, writer
from tests.markets.test_publishing_prices import day, kline

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


@pytest.mark.parametrize(
    ("odd", "counted"),
    [({"q": None}, "ETHUSDT"), ({"e": "24hrNew"}, "ETHUSDT"), ({"e": None}, "ETHUSDT"), ({"l": 7}, "ETHUSDT"),
     ({"s": "OTHERUSDT", "c": None}, "no market"), ({"s": None}, "no market")],
)  # fmt: skip
def test_a_row_of_tickers_that_cannot_be_read_hides_no_other_market(
    following: Following, odd: dict[str, Any], counted: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        say(following, "!miniTicker@arr", [day("ETHUSDT", "7") | odd, day("BTCUSDT", "103")])
    assert list(following.changes().tickers) == ["BTCUSDT"]
    assert troubles(following) == {counted}
    assert [log["says"] for log in logs] == [odd.get("s", "ETHUSDT") or ""]


def test_a_ticker_that_lacks_a_field_hides_no_other_market(following: Following) -> None:
    lacking = {name: text for name, text in day("ETHUSDT", "7").items() if name != "l"}
    say(following, "!miniTicker@arr", [lacking, day("BTCUSDT", "103")])
    assert list(following.changes().tickers) == ["BTCUSDT"]
    assert troubles(following) == {"ETHUSDT"}


@pytest.mark.parametrize("data", [5, {"a": 1}, [5], None])
def test_tickers_that_are_no_list_are_counted_and_end_nothing(following: Following, data: object) -> None:
    say(following, "!miniTicker@arr", data)
    assert (troubles(following), following.unreadable.total()) == ({"no market"}, 1)
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103")])
    assert list(following.changes().tickers) == ["BTCUSDT"]


# ------------------------------------------------------------------ books
def test_a_frame_that_is_nested_without_end_is_counted_and_costs_its_market_a_snapshot(
    following: Following,
) -> None:
    nested = json.dumps({"stream": "btcusdt@depth@100ms", "data": {**depth("BTCUSDT", 11, 11), "x": 0}})
    following.on_frame(nested.replace('"x": 0', '"x": ' + "[" * 5000 + "]" * 5000).encode())
    assert troubles(following) == {"BTCUSDT"}
    assert following.books["BTCUSDT"].state == "SYNCING"
    assert following.books["ETHUSDT"].state == "LIVE"


@pytest.mark.parametrize("level", [["999", "1" + "0" * MOST_DIGITS], ["999", "0." + "0" * 90 + "1"],
                                   ["999." + "0" * MOST_DIGITS, "1"]])  # fmt: skip
def test_an_amount_of_more_digits_than_any_has_costs_its_own_market_a_snapshot_and_no_other_a_tick(
    following: Following, publisher: Publisher, clock: Clock, level: list[str]
) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#10", "ETHUSDT"})
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [level]))
    say(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11, [["999", "7"]]))
    clock.now += 0.2
    publisher.publish()
    books = [queries.published_book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
    assert [(book.u, book.state) for book in books if book] == [(10, "SYNCING"), (11, "LIVE")]


def test_a_snapshot_with_an_amount_of_more_digits_than_any_has_is_not_taken() -> None:
    book = LocalBook("BTCUSDT")
    with pytest.raises(ValueError, match="no number"):
        book.on_snapshot(10, [("999", "1" * (MOST_DIGITS + 1))], [("1001", "1")])
    assert book.state == "SYNCING"


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
    publisher.serve({"BTCUSDT"})
    for symbol in ("BTCUSDT", "ETHUSDT"):
        say(following, f"{symbol.lower()}@depth@100ms", depth(symbol, 11, 11, [["999", "7"]]))
    following.books["BTCUSDT"].symbol = 1j  # type: ignore[assignment]
    with pytest.raises(TypeError):
        publisher.publish()
    following.books["BTCUSDT"].symbol = "BTCUSDT"
    publisher.publish()
    books = [queries.published_book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")]
    assert [book.u for book in books if book] == [11, 11]


# ------------------------------------------------------------------ candles
ODD_CANDLES: list[dict[str, Any]] = [
    *({name: text} for name in ("c", "v") for text in ODD),
    {"s": "ETHUSDT"}, {"s": "OTHERUSDT"}, {"i": "1h"}, {"i": 5}, {"t": -1}, {"t": 10**18}, {"t": "60000"}, {"n": -1},
    {"n": 2**70}, {"x": "no"}, {"c": 5},
]  # fmt: skip


def test_candles_that_cannot_be_of_their_stream_are_neither_told_nor_stored(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for odd in ODD_CANDLES:
        say(following, "btcusdt@kline_1m", {"e": "kline", "k": kline("2", True) | odd})
        assert following.unstored() == {}, odd
    publisher.publish()
    assert heard_on(channel) == []
    assert (troubles(following), following.unreadable.total()) == ({"BTCUSDT"}, len(ODD_CANDLES))


def test_a_candle_of_a_market_that_is_followed_no_more_is_forgotten_without_a_word(
    following: Following,
) -> None:
    following.follow(["ETHUSDT"])
    say(following, "btcusdt@kline_1m", {"e": "kline", "k": kline("2", True)})
    assert (following.unstored(), troubles(following)) == ({}, set())


def test_candles_that_the_database_refuses_hold_up_no_other_market(committed_db: str) -> None:
    make_market("BTC")
    make_market("ETH")
    good = Kline.from_event(kline("2", True))
    keeper = CandleKeeper(services.store_candles)
    keeper.hand_over({("GONEUSDT", "1m"): [good], ("BTCUSDT", "1m"): [good]})
    keeper.hand_over({("ETHUSDT", "1m"): [replace(good, volume=Decimal("1e40"))]})
    keeper.hand_over({("ETHUSDT", "1h"): [replace(good, open_ms=10**18)]})
    with structlog.testing.capture_logs() as logs:
        keeper.store()
        keeper.store()
    assert list(Candle.objects.values_list("market_id", "close")) == [("BTCUSDT", Decimal(2))]
    said = [(log["symbol"], log["interval"]) for log in logs if log["event"] == "candles.refused"]
    assert said == [("GONEUSDT", "1m"), ("ETHUSDT", "1m"), ("ETHUSDT", "1h")], "and each once"


# ------------------------------------------------------------------ trades
ODD_TRADES: list[dict[str, Any]] = [
    *({name: text} for name in ("p", "q") for text in ODD),
    {"s": "ETHUSDT"}, {"s": "OTHERUSDT"}, {"t": -1}, {"t": 2**70}, {"T": -1}, {"T": 2**70},
]  # fmt: skip


def trade(number: int, at: int = 5000) -> dict[str, Any]:
    return {"e": "trade", "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": at, "m": True}


def test_trades_that_cannot_be_of_their_stream_are_not_told(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for odd in ODD_TRADES:
        say(following, "btcusdt@trade", trade(1) | odd)
    publisher.publish()
    assert heard_on(channel) == []
    assert queries.recent_trades("BTCUSDT") == queries.recent_trades("ETHUSDT") == []
    assert (troubles(following), following.unreadable.total()) == ({"BTCUSDT"}, len(ODD_TRADES))


def told_of(following: Following, publisher: Publisher, *trades: dict[str, Any]) -> list[int]:
    """The ids on the tape, the newest first, after these have come."""
    for one in trades:
        say(following, "btcusdt@trade", one)
    publisher.publish()
    return [row.id for row in queries.recent_trades("BTCUSDT")]


def test_what_two_lines_tell_twice_is_on_the_tape_once(following: Following, publisher: Publisher) -> None:
    first = [trade(number, 5000 + number) for number in range(500)]
    assert told_of(following, publisher, *first, *first) == list(range(499, 449, -1))
    assert troubles(following) == set()


@pytest.mark.parametrize(
    ("before", "anew"),
    [((900, 5000), (1, 5001)), ((10**9, 5000), (10**6, 4000)), ((2**53, 2**53), (7, 6000))],
)
def test_trade_ids_that_begin_again_are_told_and_counted(
    following: Following, publisher: Publisher, before: tuple[int, int], anew: tuple[int, int]
) -> None:
    """The venue's test network begins again each month; one absurd id must not silence the market either."""
    assert told_of(following, publisher, trade(*before), trade(*anew)) == [anew[0], before[0]]
    assert troubles(following) == {"BTCUSDT"}


def test_a_tape_that_begins_again_on_a_new_line_is_told_as_it_comes(
    following: Following, publisher: Publisher
) -> None:
    """A replay that was started again tells the same trades of the same times."""
    assert told_of(following, publisher, trade(1), trade(2)) == [2, 1]
    lost(following, "BTCUSDT")
    opened(following)
    assert told_of(following, publisher, trade(1)) == [1, 2, 1]
    assert troubles(following) == set()
