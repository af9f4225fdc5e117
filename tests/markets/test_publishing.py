"""What the markets process writes for everybody else, read back through the queries and the channel."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis

from markets import feed, queries
from markets.stream import Following, Publisher, Snapshots
from markets.stream.following import SILENT_SECONDS
from markets.stream.publishing import PRICES_SECONDS
from tests.markets.test_following import Clock, Venue, depth, fetch_all, ladder, say

NAMES = ("last", "open", "high", "low", "volume", "quote_volume", "change_percent")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def following(clock: Clock) -> Following:
    venue = Venue()
    venue.books = {"BTCUSDT": ladder(10, levels=80), "ETHUSDT": ladder(10)}
    found = Following(fetch_snapshot=venue.depth, snapshots=Snapshots(clock=clock), clock=clock)
    found.follow(["BTCUSDT", "ETHUSDT"])
    found.opened()
    fetch_all(found, clock, rounds=2)
    return found


@pytest.fixture
def publisher(following: Following, clock: Clock) -> Publisher:
    publisher = Publisher(following, clock=clock)
    publisher.publish()
    return publisher


@pytest.fixture
def channel() -> Iterator[redis.client.PubSub]:
    with feed.client().pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.subscribe(feed.CHANNEL)
        heard.get_message(timeout=1)
        yield heard


def heard_on(channel: redis.client.PubSub) -> list[dict[str, Any]]:
    found = []
    while (message := channel.get_message(timeout=0.2)) is not None:
        found.append(json.loads(message["data"]))
    return found


def test_a_published_book_is_what_queries_read(publisher: Publisher) -> None:
    book = queries.published_book("BTCUSDT")
    assert book is not None
    assert (book.state, book.u, len(book.bids)) == ("LIVE", 10, 80)
    assert (book.best_bid, book.best_ask, book.middle) == (Decimal(999), Decimal(1001), Decimal(1000))
    assert book.is_fresh(time.time_ns() // 1_000_000, 10)
    assert not book.is_fresh(time.time_ns() // 1_000_000 + 11_000, 10)


def test_only_what_changed_is_said_and_only_the_best_levels(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    clock.now += 0.1
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "7"]]))
    publisher.publish()
    (message,) = heard_on(channel)
    assert (message["type"], message["symbol"], message["u"]) == ("book", "BTCUSDT", 11)
    assert (len(message["bids"]), message["bids"][0]) == (50, ["999", "7"])


def test_the_whole_book_follows_a_little_later(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    clock.now += 0.1
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "7"]]))
    publisher.publish()
    before = queries.published_book("BTCUSDT")
    clock.now += 0.2
    publisher.publish()
    after = queries.published_book("BTCUSDT")
    assert before is not None and after is not None
    assert (before.u, after.u, after.bids[0]) == (10, 11, ("999", "7"))


def test_books_that_stand_still_are_said_again_each_second(
    publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    clock.now += 0.5
    publisher.publish()
    assert heard_on(channel) == []
    clock.now += 0.5
    publisher.publish()
    assert {message["symbol"] for message in heard_on(channel)} == {"BTCUSDT", "ETHUSDT"}


def test_a_silent_line_makes_every_book_stale_and_a_word_makes_it_live(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    clock.now += SILENT_SECONDS + 1
    publisher.publish()
    assert states() == {"BTCUSDT": "STALE", "ETHUSDT": "STALE"}
    say(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11))
    clock.now += 0.3
    publisher.publish()
    assert states() == {"BTCUSDT": "LIVE", "ETHUSDT": "LIVE"}


def states() -> dict[str, str]:
    found = {symbol: queries.published_book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    return {symbol: book.state for symbol, book in found.items() if book}


def test_trades_are_kept_newest_first_and_only_so_many(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for number in range(130):
        say(
            following,
            "btcusdt@trade",
            {"s": "BTCUSDT", "t": number, "p": "1.50", "q": "2", "T": 5, "m": True},
        )
    publisher.publish()
    assert [trade.id for trade in queries.recent_trades("BTCUSDT", 3)] == [129, 128, 127]
    assert len(queries.recent_trades("BTCUSDT", 1000)) == feed.TRADES_KEPT
    (message,) = heard_on(channel)
    assert message["trades"][0] == {"id": 0, "price": "1.50", "quantity": "2", "at": 5, "maker_side": "BUY"}


def day(symbol: str, last: str) -> dict[str, str]:
    return {"s": symbol, "c": last, "o": "100.00", "h": "104", "l": "99", "v": "1", "q": "102"}


def test_tickers_are_gathered_for_a_second(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    for tick in range(5):
        say(following, "btcusdt@miniTicker", day("BTCUSDT", str(100 + tick)))
        say(following, "ethusdt@miniTicker", day("ETHUSDT", "7"))
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
    say(following, "btcusdt@miniTicker", day("BTCUSDT", "103.00"))
    clock.now += 1
    publisher.publish()
    assert queries.tickers()["BTCUSDT"].change_percent == "3"
    told = next(message for message in heard_on(channel) if message["type"] == "tickers")
    assert told["tickers"]["BTCUSDT"]["last"] == "103.00"


def test_a_candle_is_said_once_a_tick_and_handed_over_to_be_stored(
    following: Following, publisher: Publisher, channel: redis.client.PubSub
) -> None:
    for close, is_closed in (("2", False), ("3", True)):
        say(following, "btcusdt@kline_1m", {"k": kline(close, is_closed)})
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
    say(following, "btcusdt@kline_1m", {"k": kline("2", False)})
    old = following.unstored()[("BTCUSDT", "1m")]
    say(following, "btcusdt@kline_1m", {"k": kline("3", True)})
    following.not_stored("BTCUSDT", "1m", old)
    assert [k.close for k in following.unstored()[("BTCUSDT", "1m")]] == [Decimal(3)]


def kline(close: str, is_closed: bool) -> dict[str, Any]:
    return {
        "t": 60_000, "T": 119_999, "s": "BTCUSDT", "i": "1m", "o": "1", "c": close, "h": "3", "l": "1", "v": "5",
        "n": 2, "x": is_closed, "q": "10",
    }  # fmt: skip


def test_nothing_is_known_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(feed, "client", lambda: nowhere)
    assert queries.published_book("BTCUSDT") is None
    assert queries.tickers() == {}
    assert queries.recent_trades("BTCUSDT") == []


# ------------------------------------------------------------------ how old a price is
def test_a_price_that_stands_still_is_renewed_while_the_line_speaks_and_grows_old_in_silence(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    say(following, "btcusdt@miniTicker", day("BTCUSDT", "103"))
    clock.now += 1
    publisher.publish()
    make_old("BTCUSDT")
    say(following, "ethusdt@depth@100ms", depth("ETHUSDT", 11, 11))
    clock.now += PRICES_SECONDS
    assert following.is_silent
    publisher.publish()
    assert not is_fresh("BTCUSDT")
    say(following, "ethusdt@depth@100ms", depth("ETHUSDT", 12, 12))
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
        say(following, f"{symbol.lower()}@miniTicker", day(symbol, "103"))
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
