"""Trades, tickers and candles as they are published, and how old a price is."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import OperationalError

from exchange.binance.models import DayTicker
from markets import feed, queries
from markets.stream import CandleKeeper, Following, Publisher
from markets.stream.publishing import PRICES_SECONDS
from tests.markets.test_following import Clock, depth, say
from tests.markets.test_publishing import NAMES, channel, clock, following, heard_on, publisher, writer

__all__ = ["channel", "clock", "following", "publisher", "writer"]


def test_trades_are_kept_newest_first_and_only_so_many(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for number in range(130):
        say(
            following,
            "btcusdt@trade",
            {"e": "trade", "s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 5, "m": True},
        )
    publisher.publish()
    assert [trade.id for trade in queries.recent_trades("BTCUSDT", 3)] == [129, 128, 127]
    assert len(queries.recent_trades("BTCUSDT", 1000)) == feed.TRADES_KEPT
    (message,) = heard_on(channel)
    assert message["trades"][0] == {"id": 0, "price": "1.50", "quantity": "2", "at": 5, "maker_side": "BUY"}


def day(symbol: str, last: str) -> dict[str, str]:
    return {
        "e": "24hrMiniTicker",
        "s": symbol,
        "c": last,
        "o": "100.00",
        "h": "104",
        "l": "99",
        "v": "1",
        "q": "102",
    }


def test_tickers_are_gathered_for_a_second(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    for tick in range(5):
        say(following, "!miniTicker@arr", [day("BTCUSDT", str(100 + tick))])
        say(following, "!miniTicker@arr", [day("ETHUSDT", "7")])
        clock.now += 0.25
        publisher.publish()
    (told,) = [message for message in heard_on(channel) if message["type"] == "tickers"]
    assert {symbol: ticker["last"] for symbol, ticker in told["tickers"].items()} == {
        "BTCUSDT": "103",
        "ETHUSDT": "7",
    }


def test_a_ticker_tells_the_change_in_percent(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103.00")])
    clock.now += 1
    publisher.publish()
    assert queries.tickers()["BTCUSDT"].change_percent == "3"
    told = next(message for message in heard_on(channel) if message["type"] == "tickers")
    assert told["tickers"]["BTCUSDT"]["last"] == "103.00"


def test_a_market_that_stands_still_since_the_start_has_its_last_price(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103")])
    assert following.tickers.missing(["BTCUSDT", "ETHUSDT"]) == {"ETHUSDT"}
    following.tickers.put(
        [DayTicker(symbol, "8", "9", "6", "7", "1", "7") for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT")]
    )
    following.take_fetched()
    clock.now += 1
    publisher.publish()
    assert {symbol: ticker.last for symbol, ticker in queries.tickers().items()} == {
        "BTCUSDT": "103",
        "ETHUSDT": "7",
    }


def test_what_moved_while_there_was_no_line_is_asked_for_again(following: Following) -> None:
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103")])
    following.on_down(["!miniTicker@arr"], "closed")
    assert not following.tickers.missing(["BTCUSDT"]), "without a line it would be old in a moment"
    following.on_up(["!miniTicker@arr"])
    assert following.tickers.missing(["BTCUSDT"]) == {"BTCUSDT"}


def test_a_last_price_that_is_no_number_is_not_told(following: Following) -> None:
    following.tickers.put([DayTicker("BTCUSDT", "8", "9", "6", "7e9", "1", "7")])
    following.take_fetched()
    assert (following.changes().tickers, sum(following.unreadable.values())) == ({}, 1)


def test_a_candle_is_said_once_a_tick_and_handed_over_to_be_stored(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for close, is_closed in (("2", False), ("3", True)):
        say(following, "btcusdt@kline_1m", {"e": "kline", "k": kline(close, is_closed)})
    publisher.publish()
    (message,) = heard_on(channel)
    assert (message["type"], message["open_at"], message["close"], message["closed"]) == (
        "candle",
        60,
        "3",
        True,
    )
    ((series, klines),) = following.unstored().items()
    assert (series, [k.close for k in klines]) == (("BTCUSDT", "1m"), [Decimal(3)])
    assert following.unstored() == {}


def test_candles_that_could_not_be_stored_come_again_unless_newer_ones_have_come(
    following: Following,
) -> None:
    stored: list[Any] = []

    def store(series: Any) -> None:
        if not stored:
            stored.append("away")
            raise OperationalError
        stored.append(series)

    keeper = CandleKeeper(store)
    for close in ("2", "3"):
        say(following, "btcusdt@kline_1m", {"e": "kline", "k": kline(close, close == "3")})
        keeper.hand_over(following.unstored())
        if close == "2":
            with pytest.raises(OperationalError):
                keeper.store()
    keeper.store()
    keeper.store()
    ((series, klines),) = stored[1].items()
    assert (len(stored), series, [k.close for k in klines]) == (2, ("BTCUSDT", "1m"), [Decimal(3)])


def kline(close: str, is_closed: bool) -> dict[str, Any]:
    return {
        "t": 60_000, "T": 119_999, "s": "BTCUSDT", "i": "1m", "o": "1", "c": close, "h": "3", "l": "1", "v": "5",
        "n": 2, "x": is_closed, "q": "10",
    }  # fmt: skip


# ------------------------------------------------------------------ how old a price is
def test_a_price_that_stands_still_is_renewed_while_the_line_speaks_and_grows_old_in_silence(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    say(following, "!miniTicker@arr", [day("BTCUSDT", "103")])
    clock.now += 1
    publisher.publish()
    make_old("BTCUSDT")
    following.on_down(["!miniTicker@arr"], "closed")
    clock.now += PRICES_SECONDS
    publisher.publish()
    assert not is_fresh("BTCUSDT")
    following.on_up(["!miniTicker@arr"])
    clock.now += PRICES_SECONDS
    publisher.publish()
    assert is_fresh("BTCUSDT")
    told = [message for message in heard_on(channel) if message["type"] == "tickers"]
    assert len(told) == 1, "what did not move is not told to pages again"


def make_old(symbol: str) -> None:
    row = feed.load(feed.client().hget(feed.TICKERS, symbol))  # type: ignore[arg-type]
    feed.client().hset(feed.TICKERS, symbol, json.dumps({**row, "as_of_ms": row["as_of_ms"] - 61_000}))


def is_fresh(symbol: str) -> bool:
    return queries.tickers()[symbol].is_fresh(time.time_ns() // 1_000_000, 60)


def test_a_market_that_is_followed_no_more_is_not_renewed(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        say(following, "!miniTicker@arr", [day(symbol, "103")])
    clock.now += 1
    publisher.publish()
    following.follow(["ETHUSDT"])
    for symbol in ("BTCUSDT", "ETHUSDT"):
        make_old(symbol)
    clock.now += PRICES_SECONDS
    say(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11))
    publisher.publish()
    assert (is_fresh("BTCUSDT"), is_fresh("ETHUSDT")) == (False, True)


def test_a_price_of_an_older_publisher_is_as_old_as_can_be() -> None:
    feed.client().hset(
        feed.TICKERS, "BTCUSDT", json.dumps({"symbol": "BTCUSDT", **dict.fromkeys(NAMES, "1")})
    )
    assert not is_fresh("BTCUSDT")
