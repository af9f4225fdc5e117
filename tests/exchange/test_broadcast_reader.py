"""The hub and Redis: what it hears, what it missed, and how it comes back."""

import asyncio
import json
import time
from typing import Any

import pytest
import redis
from django.conf import settings

from exchange import broadcast
from exchange.broadcast import Hub
from exchange.broadcast.reading import AWAY_SECONDS
from tests.exchange.pages_of_a_hub import Clock, Page, alive, book, candle, joined, run, trades


@pytest.fixture
def feed() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def test_what_is_looked_at_is_known_to_the_markets_process(feed: redis.Redis) -> None:
    async def work() -> set[str]:
        hub = Hub()
        page = await joined(hub, interval="5m")
        await hub.change_step(page.socket, "10")
        for _time in range(100):
            await asyncio.sleep(0.02)
            if len(found := list(feed.zrange(broadcast.WATCHED, 0, -1))) == 3:  # type: ignore[arg-type]
                break
        return {name.decode() for name in found}

    assert run(work()) == {"BTCUSDT", "BTCUSDT@kline_5m", "BTCUSDT#10"}


def test_pages_that_come_at_once_are_served_by_one_look_at_redis(feed: redis.Redis) -> None:
    """Others connect to the same server meanwhile, but not so often each of five times."""
    fresh = book(1, {"99": "1"}, published_ms=time.time_ns() // 1_000_000)
    feed.set(broadcast.book_key("BTCUSDT"), json.dumps(fresh))

    async def work() -> list[Page]:
        hub = Hub()
        return await asyncio.gather(*(joined(hub) for _page in range(200)))

    def connections() -> int:
        return int(feed.info("stats")["total_connections_received"])  # type: ignore[index]

    made = []
    for _time in range(5):
        before = connections()
        pages = run(work())
        made.append(connections() - before)
        assert all(page.books["bids"] == {"99": "1"} for page in pages)
    assert min(made) < 10


def test_when_we_are_late_pages_get_the_newest_book_and_not_all_in_between(feed: redis.Redis) -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        for _time in range(100):
            feed.publish(broadcast.book_key("BTCUSDT"), json.dumps(book(0, {"99": "1"})))
            await asyncio.sleep(0.02)
            if "snapshot" in page.kinds():
                break
        with feed.pipeline(transaction=False) as pipe:
            for number in range(1, 31):
                body = book(number, {"99": str(number), str(number % 5): "1"})
                pipe.publish(broadcast.book_key("BTCUSDT"), json.dumps(body))
                pipe.publish(broadcast.trades_key("BTCUSDT"), json.dumps(trades(number)))
            pipe.execute()
        for _time in range(100):
            await asyncio.sleep(0.02)
            if page.books["bids"].get("99") == "30":
                break
        return page

    page = run(work())
    assert (page.books["bids"], page.gaps) == ({"99": "30", "0": "1"}, 0)
    told = [
        trade["id"] for message in page.heard if message["type"] == "trades" for trade in message["trades"]
    ]
    assert (page.kinds().count("diff") < 15, told) == (True, list(range(1, 31)))


def test_a_page_hears_what_is_published(feed: redis.Redis) -> None:
    feed.lpush(broadcast.trades_key("BTCUSDT"), json.dumps(trades(4)["trades"][0]))
    fresh = book(1, {"99": "1"}, published_ms=time.time_ns() // 1_000_000)
    feed.set(broadcast.book_key("BTCUSDT"), json.dumps(fresh))
    feed.set(broadcast.ALIVE, json.dumps(alive(1, time.time_ns() // 1_000_000)))

    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        for number in range(2, 200):
            feed.publish(broadcast.book_key("BTCUSDT"), json.dumps(book(number, {"99": str(number)})))
            await asyncio.sleep(0.02)
            if len(page.heard) > 2:
                break
        return page

    page = run(work())
    assert page.kinds()[:3] == ["snapshot", "trades", "diff"]
    assert [trade["id"] for trade in page.heard[1]["trades"]] == [4]


@pytest.mark.parametrize(("epoch", "age_ms"), [(1, 60_000), (2, 0)])
def test_a_book_whose_writer_is_gone_is_shown_as_stale(feed: redis.Redis, epoch: int, age_ms: int) -> None:
    feed.set(broadcast.book_key("BTCUSDT"), json.dumps(book(1, {"99": "1"})))
    feed.set(broadcast.ALIVE, json.dumps(alive(epoch, time.time_ns() // 1_000_000 - age_ms)))

    async def work() -> Page:
        return await joined(Hub())

    assert run(work()).state == "STALE"


def test_the_reader_comes_back_when_redis_does(feed: redis.Redis) -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        for number in range(400):
            if number == 20:
                cut_listeners(feed)
            feed.publish(broadcast.book_key("BTCUSDT"), json.dumps(book(number, {"99": str(number + 1)})))
            await asyncio.sleep(0.02)
            if page.books["bids"].get("99", "0") > "0" and number > 20 and int(page.books["bids"]["99"]) > 25:
                break
        return page

    page = run(work())
    assert (page.gaps, page.closed) == (0, None)
    assert int(page.books["bids"]["99"]) > 25


def test_a_market_that_everybody_left_is_heard_of_again_by_who_comes_next(feed: redis.Redis) -> None:
    async def work() -> list[Page]:
        hub = Hub()
        pages = []
        for visit in range(3):
            pages.append(await joined(hub))
            for number in range(40):
                body = book(visit * 100 + number, {"99": str(visit * 100 + number)})
                feed.publish(broadcast.book_key("BTCUSDT"), json.dumps(body))
                feed.publish(broadcast.ALIVE, json.dumps(alive(1)))
                await asyncio.sleep(0.02)
            hub.leave(pages[-1].socket)
            await hub.beat(lag=0)
        return pages

    assert [page.books["bids"] for page in run(work())] == [{"99": "39"}, {"99": "139"}, {"99": "239"}]


def say(feed: redis.Redis, **books: dict[str, Any]) -> None:
    """A markets process that lives has said this: `of` is the book, `ten` the one summed by tens."""
    feed.set(broadcast.ALIVE, json.dumps(alive(1, time.time_ns() // 1_000_000)))
    if "of" in books:
        feed.set(broadcast.book_key("BTCUSDT"), json.dumps(books["of"]))
    if "ten" in books:
        feed.set(broadcast.group_channel("BTCUSDT", "10"), json.dumps(books["ten"]))


async def listening(hub: Hub, feed: redis.Redis, channel: str) -> None:
    """Until the hub hears what is said there."""
    for _time in range(200):
        if dict(feed.pubsub_numsub(channel))[channel.encode()]:  # type: ignore[arg-type]
            return
        await asyncio.sleep(0.02)
    raise AssertionError(channel)


def test_a_visitor_gets_todays_book_where_the_last_page_had_turned_to_another_step(feed: redis.Redis) -> None:
    say(feed, of=book(1, {"99": "1"}))

    async def work() -> Page:
        hub = Hub()
        first = await joined(hub)
        await listening(hub, feed, broadcast.book_key("BTCUSDT"))
        await hub.change_step(first.socket, "10")
        say(feed, of=book(500, {"77": "1"}))
        return await joined(hub)

    page = run(work())
    assert (page.books["bids"], page.state) == ({"77": "1"}, "LIVE")


def test_a_step_that_everybody_left_is_not_shown_as_it_was_then(feed: redis.Redis) -> None:
    def ten(u: int, price: str) -> dict[str, Any]:
        return book(u, {price: "1"}, step="10", best={"bids": price})

    async def work() -> list[dict[str, str]]:
        hub = Hub()
        page, shown = await joined(hub), []
        await listening(hub, feed, broadcast.book_key("BTCUSDT"))
        for u, price in ((1, "90"), (2, "80")):
            say(feed, of=book(u, {"99": "1"}), ten=ten(u, price))
            await hub.change_step(page.socket, "10")
            shown.append(page.books["bids"])
            await hub.handle(ten(u, price))
            await hub.change_step(page.socket, "")
        say(feed, of=book(3, {"99": "1"}))
        page.books["bids"] = {}
        await hub.change_step(page.socket, "10")
        return [*shown, page.books["bids"]]

    assert run(work()) == [{"90": "1"}, {"80": "1"}, {}]


def test_candles_that_nobody_watched_for_a_while_are_not_told_as_the_newest(feed: redis.Redis) -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        await listening(hub, feed, broadcast.book_key("BTCUSDT"))
        await hub.handle(candle(0, "1"))
        await hub.change_interval(page.socket, "5m")
        await hub.change_interval(page.socket, "1m")
        return page

    assert run(work()).kinds().count("candle") == 1


def cut_listeners(feed: redis.Redis) -> None:
    """The connections of who listens are cut: in this test's own database, for others run beside it."""
    for client in feed.client_list(_type="pubsub"):  # type: ignore[union-attr]
        if int(client["db"]) == feed.connection_pool.connection_kwargs.get("db", 0):
            feed.client_kill_filter(_id=client["id"])


async def after_a_lost_line(hub: Hub, feed: redis.Redis) -> None:
    """The reader's connection broke, and it listens again."""
    cut_listeners(feed)
    await asyncio.sleep(0.1)
    await listening(hub, feed, broadcast.ALIVE)
    await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("missed", "shown"),
    [
        (book(1, {"99": "1"}, state="STALE"), ({"99": "1"}, "STALE")),
        (book(9, {"98": "1"}, published_ms=2), ({"98": "1"}, "LIVE")),
        (book(0, {"97": "1"}, published_ms=2), ({"97": "1"}, "LIVE")),
    ],
)
def test_what_was_said_while_the_reader_was_away_is_told_when_it_comes_back(
    feed: redis.Redis, missed: dict[str, Any], shown: tuple[dict[str, str], str]
) -> None:
    say(feed, of=book(1, {"99": "1"}), ten=book(1, {"99": "1"}, step="10", best={}))

    async def work() -> list[Page]:
        hub = Hub()
        pages = [await joined(hub), await joined(hub)]
        await hub.change_step(pages[1].socket, "10")
        await listening(hub, feed, broadcast.group_channel("BTCUSDT", "10"))
        assert [page.state for page in pages] == ["LIVE", "LIVE"]
        say(feed, of=missed, ten={**missed, "step": "10", "best": {}})
        await after_a_lost_line(hub, feed)
        return pages

    assert [(page.books["bids"], page.state, page.gaps) for page in run(work())] == [(*shown, 0)] * 2


def test_a_quiet_book_is_live_again_with_the_first_sign_of_life_after_we_slept(feed: redis.Redis) -> None:
    say(feed, of=book(1, {"99": "1"}))

    async def work() -> list[str]:
        clock = Clock()
        hub = Hub(clock=clock)
        page = await joined(hub)
        clock.now += AWAY_SECONDS + 1
        await hub.beat(lag=AWAY_SECONDS)
        states = [page.state]
        await hub.handle(alive(1))
        return [*states, page.state]

    assert run(work()) == ["STALE", "LIVE"]


def test_a_page_that_comes_is_told_the_book_once(feed: redis.Redis) -> None:
    say(feed, of=book(1, {"99": "1"}))

    async def work() -> list[str]:
        return (await joined(Hub())).kinds()

    assert run(work()) == ["snapshot", "trades"]


def test_trades_that_were_missed_while_the_reader_was_away_are_told_once(feed: redis.Redis) -> None:
    say(feed, of=book(1, {"99": "1"}))
    feed.rpush(broadcast.trades_key("BTCUSDT"), json.dumps(trades(1)["trades"][0]))

    async def work() -> list[int]:
        hub = Hub()
        page = await joined(hub)
        await listening(hub, feed, broadcast.trades_key("BTCUSDT"))
        for missed in (2, 3):
            feed.lpush(broadcast.trades_key("BTCUSDT"), json.dumps(trades(missed)["trades"][0]))
        await after_a_lost_line(hub, feed)
        told = [message["trades"] for message in page.heard if message["type"] == "trades"]
        return [trade["id"] for trades in told for trade in trades]

    assert run(work()) == [1, 2, 3]
