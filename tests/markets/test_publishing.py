"""What the markets process writes for everybody else, read back through the queries and the channel."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.conf import settings

from exchange.broadcast.frames import Top
from markets import feed, interest, queries
from markets.stream import Following, Publisher, Snapshots
from markets.stream.publishing import WHOLE_AGAIN_SECONDS, WHOLE_KEPT_SECONDS
from markets.writer import LEASE, Lost, Writer
from tests.markets.test_following import Clock, Venue, depth, fetch_all, ladder, lost, opened, say

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
    opened(found)
    fetch_all(found, clock, rounds=2)
    return found


@pytest.fixture
def writer() -> Writer:
    writer = Writer(settings.REDIS_URL)
    assert writer.take()
    return writer


@pytest.fixture
def publisher(following: Following, writer: Writer, clock: Clock) -> Publisher:
    """Somebody looks at BTCUSDT, nobody at ETHUSDT."""
    publisher = Publisher(following, writer, clock=clock)
    publisher.serve({"BTCUSDT"})
    publisher.publish()
    return publisher


@pytest.fixture
def channel() -> Iterator[redis.client.PubSub]:
    """All there is to hear but the signs of life."""
    with feed.client().pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.psubscribe(f"{settings.REDIS_PREFIX}:[bct]*")
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
    assert (book.state, book.u, len(book.bids), book.known) == ("LIVE", 10, 20, None)
    assert (book.best_bid, book.best_ask, book.middle) == (Decimal(999), Decimal(1001), Decimal(1000))
    assert book.is_fresh(time.time_ns() // 1_000_000, 10)
    assert not book.is_fresh(time.time_ns() // 1_000_000 + 11_000, 10)


def test_only_what_changed_is_told_and_only_to_who_looks(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        say(following, f"{symbol.lower()}@depth@100ms", depth(symbol, 11, 11, [["999", "7"]]))
    publisher.publish()
    (message,) = heard_on(channel)
    assert (message["type"], message["symbol"], message["u"]) == ("book", "BTCUSDT", 11)
    assert (len(message["bids"]), message["bids"][0]) == (20, ["999", "7"])
    found = queries.published_book("ETHUSDT")
    assert found is not None and (found.u, found.bids[0]) == (11, ("999", "7"))


def test_the_whole_book_is_there_while_somebody_looks(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    whole = queries.whole_book("BTCUSDT")
    assert whole is not None and len(whole.bids) == 80
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "7"]]))
    clock.now += 0.3
    publisher.publish()
    whole = queries.whole_book("BTCUSDT")
    assert whole is not None and (whole.u, len(whole.bids), whole.bids[0]) == (11, 80, ("999", "7"))


def test_the_whole_book_of_a_quiet_market_is_there_as_long_as_somebody_looks(
    publisher: Publisher, clock: Clock
) -> None:
    """It is written again before what was written is forgotten, and no more when nobody looks."""
    lasting = []
    for _time in range(3):
        clock.now += WHOLE_AGAIN_SECONDS
        feed.client().expire(feed.whole_key("BTCUSDT"), 1)
        publisher.publish()
        lasting.append(feed.client().ttl(feed.whole_key("BTCUSDT")))
    assert lasting == [WHOLE_KEPT_SECONDS] * 3
    whole = queries.whole_book("BTCUSDT")
    assert whole is not None and len(whole.bids) == 80
    publisher.serve(())
    feed.client().delete(feed.whole_key("BTCUSDT"))
    clock.now += WHOLE_AGAIN_SECONDS
    publisher.publish()
    assert not feed.client().exists(feed.whole_key("BTCUSDT"))


def test_who_asks_for_a_whole_book_first_has_the_best_levels_and_is_heard(publisher: Publisher) -> None:
    book = queries.whole_book("ETHUSDT")
    assert book is not None and book.state == "LIVE"
    assert "ETHUSDT" in interest.watched()


def test_a_quiet_book_is_as_old_as_the_last_sign_of_life_and_not_told_again(
    publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    before = queries.published_book("ETHUSDT")
    time.sleep(0.02)
    clock.now += 0.2
    publisher.publish()
    after = queries.published_book("ETHUSDT")
    assert before is not None and after is not None and after.published_ms > before.published_ms
    assert heard_on(channel) == []


def test_a_book_without_a_line_is_stale_and_keeps_the_age_of_its_last_word(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    lost(following, "BTCUSDT")
    publisher.publish()
    first = queries.published_book("BTCUSDT")
    time.sleep(0.02)
    clock.now += 1
    publisher.publish()
    later = queries.published_book("BTCUSDT")
    assert first is not None and later is not None
    assert (first.state, later.state, later.published_ms) == ("STALE", "STALE", first.published_ms)
    assert states()["ETHUSDT"] == "LIVE"


def test_a_whole_book_that_is_no_longer_written_is_not_taken_for_the_newest(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    """Nobody has looked for a minute: what was written then is gone with the interest."""
    assert feed.client().exists(feed.whole_key("BTCUSDT"))
    publisher.serve(())
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "0"]]))
    clock.now += 0.3
    publisher.publish()
    assert not feed.client().exists(feed.whole_key("BTCUSDT"))
    book = queries.whole_book("BTCUSDT")
    assert book is not None and (book.u, book.bids[0]) == (11, ("998", "1"))


def test_a_whole_book_that_is_behind_the_best_levels_does_not_count(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    written = feed.client().get(feed.whole_key("BTCUSDT"))
    publisher.serve(())
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "0"]]))
    clock.now += 0.3
    publisher.publish()
    old = json.loads(written) | {"published_ms": json.loads(written)["published_ms"] - 1500}  # type: ignore[arg-type]
    feed.client().set(feed.whole_key("BTCUSDT"), json.dumps(old))
    book = queries.whole_book("BTCUSDT")
    assert book is not None and (book.u, len(book.bids)) == (11, 20)


def test_a_market_that_is_followed_no_more_is_stale_to_everybody(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#10"})
    clock.now += 0.3
    publisher.publish()
    heard_on(channel)
    following.follow(["ETHUSDT"])
    publisher.publish()
    assert {(told["symbol"], told["state"], told.get("step")) for told in heard_on(channel)} == {
        ("BTCUSDT", "STALE", None),
        ("BTCUSDT", "STALE", "10"),
    }
    assert states() == {"BTCUSDT": "STALE", "ETHUSDT": "LIVE"}
    assert not feed.client().exists(feed.whole_key("BTCUSDT"))
    publisher.publish()
    assert heard_on(channel) == []


def test_a_quantity_that_is_no_number_reaches_nobody(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "much"]]))
    publisher.publish()
    publisher.publish()
    book = queries.published_book("BTCUSDT")
    assert book is not None and book.state != "LIVE"


def test_a_grouped_book_is_summed_and_rounded_away_from_the_middle(
    following: Following, publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#10"})
    clock.now += 0.2
    publisher.publish()
    (message,) = heard_on(channel)
    assert (message["step"], message["bids"][:2], message["asks"][0]) == (
        "10", [["990", "10"], ["980", "10"]], ["1010", "10"],
    )  # fmt: skip


def test_a_grouped_book_can_be_read_by_who_looks_from_there_after_it_was_said(
    publisher: Publisher, clock: Clock, channel: redis.client.PubSub
) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#10"})
    clock.now += 0.2
    publisher.publish()
    (message,) = heard_on(channel)
    assert feed.load(feed.client().get(feed.group_channel("BTCUSDT", "10"))) == message  # type: ignore[arg-type]


# ------------------------------------------------------------------ one writer
def test_what_another_writer_left_is_stale(publisher: Publisher, writer: Writer) -> None:
    feed.client().delete(LEASE)
    second = Writer(settings.REDIS_URL)
    assert second.take() and second.epoch > writer.epoch
    assert second.write([(b"SET", feed.ALIVE.encode(), alive(second.epoch))])
    assert states() == {"BTCUSDT": "STALE", "ETHUSDT": "STALE"}


def test_a_writer_that_slept_through_its_lease_writes_nothing(
    following: Following, publisher: Publisher, writer: Writer, clock: Clock
) -> None:
    feed.client().delete(LEASE)
    assert Writer(settings.REDIS_URL).take()
    before = feed.client().get(feed.book_key("BTCUSDT"))
    say(following, "btcusdt@depth@100ms", depth("BTCUSDT", 11, 11, [["999", "7"]]))
    with pytest.raises(Lost):
        publisher.publish()
    assert feed.client().get(feed.book_key("BTCUSDT")) == before


def test_two_at_once_are_one_writer_and_one_that_waits(writer: Writer) -> None:
    second = Writer(settings.REDIS_URL)
    assert not second.take()
    writer.release()
    assert second.take()


def test_when_redis_begins_anew_everything_is_said_again_under_a_new_epoch(
    following: Following, publisher: Publisher, writer: Writer, clock: Clock
) -> None:
    epoch = writer.epoch
    feed.client().flushdb()
    feed.client().script_flush()
    for _time in range(3):
        clock.now += 2
        publisher.publish()
    assert states() == {"BTCUSDT": "LIVE", "ETHUSDT": "LIVE"}
    assert writer.epoch > epoch


def alive(epoch: int) -> bytes:
    return json.dumps({"type": "alive", "epoch": epoch, "at": time.time_ns() // 1_000_000}).encode()


def states() -> dict[str, str]:
    found = {symbol: queries.published_book(symbol) for symbol in ("BTCUSDT", "ETHUSDT")}
    return {symbol: book.state for symbol, book in found.items() if book}


def test_nothing_is_known_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1/0")
    monkeypatch.setattr(feed, "client", lambda: nowhere)
    assert queries.published_book("BTCUSDT") is None
    assert queries.tickers() == {}
    assert queries.recent_trades("BTCUSDT") == []


# ------------------------------------------------------------------ late
def told(symbol: str) -> str:
    found = queries.published_book(symbol)
    assert found is not None
    return found.state


def test_books_of_a_while_ago_are_told_stale_and_live_again_when_the_process_has_caught_up(
    following: Following, publisher: Publisher, clock: Clock
) -> None:
    """Also the quiet market's, of which nobody can know whether an event waits unread."""
    now = 1_800_000_000_000

    def event(number: int, age_ms: int) -> dict[str, Any]:
        return {**depth("BTCUSDT", number, number), "E": now - age_ms}

    states = []
    for number, age_ms in ((11, 40), (12, 40), (13, 10_000), (14, 9_000), (15, 60)):
        now += 20_000
        clock.now = now / 1000
        say(following, "btcusdt@depth@100ms", event(number, age_ms))
        publisher.publish()
        states.append((told("BTCUSDT"), told("ETHUSDT")))
    assert states == [*[("LIVE", "LIVE")] * 2, *[("STALE", "STALE")] * 2, ("LIVE", "LIVE")]
    assert following.books["BTCUSDT"].resyncs == 0


@pytest.mark.parametrize("strange", [11, 12])
def test_one_event_of_a_strange_time_makes_no_book_stale_and_hides_no_lateness(
    following: Following, publisher: Publisher, clock: Clock, strange: int
) -> None:
    now = 1_800_000_000_000
    states = []
    for number, age_ms in ((11, 40), (12, 40), (13, 40), (14, 40), (15, 40), (16, 10_000), (17, 40)):
        now += 20_000
        clock.now = now / 1000
        if number == 15:
            lost(following, "BTCUSDT")
            opened(following)
        at = now * 1000 if number == strange else now - age_ms
        say(following, "btcusdt@depth@100ms", {**depth("BTCUSDT", number, number), "E": at})
        publisher.publish()
        states.append(told("BTCUSDT"))
    assert states == [*["LIVE"] * 5, "STALE", "LIVE"]


# ------------------------------------------------------------------ what is known
def test_levels_below_the_first_that_may_lack_are_told_to_nobody(writer: Writer, clock: Clock) -> None:
    """Of a shallow book nearly all known levels went within a moment; new ones far below are no ladder with them."""
    venue = Venue()
    venue.books = {f"C{n}USDT": ladder(10, levels=700) for n in range(30)}
    weight = Snapshots(clock=clock, weight_at_once=150, weight_a_minute=0)
    following = Following(fetch_snapshot=venue.depth, snapshots=weight, clock=clock)
    following.follow(list(venue.books))
    opened(following)
    while following.fetch_one():
        following.take_fetched()
    publisher = Publisher(following, writer, clock=clock)
    publisher.serve({"C0USDT", "C0USDT#100", "C0USDT#10000"})
    publisher.publish()
    gone = [[str(999 - n), "0"] for n in range(98)]
    say(following, "c0usdt@depth@100ms", depth("C0USDT", 11, 11, [*gone, ["700", "5"], ["600", "1"]]))
    clock.now += 0.2
    publisher.publish()
    body = feed.load(feed.client().get(feed.book_key("C0USDT")))  # type: ignore[arg-type]
    assert (body["known"], body["bids"]) == (2, [["901", "1"], ["900", "1"]])
    assert json.loads(Top(1, body).snapshot["text"])["known"] == 2
    for step in ("100", "10000"):
        rows = feed.load(feed.client().get(feed.group_channel("C0USDT", step)))  # type: ignore[arg-type]
        assert rows["bids"] == []


def test_a_page_is_not_told_what_limits_nothing(publisher: Publisher) -> None:
    body = feed.load(feed.client().get(feed.book_key("BTCUSDT")))  # type: ignore[arg-type]
    assert "known" not in json.loads(Top(1, body | {"known": 80}).snapshot["text"])
    assert "known" not in json.loads(Top(1, body).snapshot["text"])


def test_a_row_is_never_of_the_price_zero(publisher: Publisher, clock: Clock) -> None:
    publisher.serve({"BTCUSDT", "BTCUSDT#10000"})
    clock.now += 0.2
    publisher.publish()
    rows = feed.load(feed.client().get(feed.group_channel("BTCUSDT", "10000")))  # type: ignore[arg-type]
    assert (rows["bids"], rows["asks"]) == ([], [["10000", "80"]])
