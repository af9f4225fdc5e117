"""One feed to many pages: a slow one is late, never wrong, and nobody is closed for our own slowness."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
import redis
from django.conf import settings

from exchange import broadcast
from exchange.broadcast import Hub, Socket, difference
from exchange.broadcast.frames import Frame
from exchange.broadcast.hub import BROKEN, FULL_SECONDS, STUCK
from exchange.broadcast.reading import AWAY_SECONDS, TAPE
from exchange.broadcast.sockets import WINDOW, WINDOW_BYTES

Found = TypeVar("Found")


class Page:
    """What a page does with the frames: keeps the book, notices a gap, acknowledges when told to."""

    def __init__(self, hub: Hub, symbol: str = "BTCUSDT") -> None:
        self.hub = hub
        self.heard: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.books: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        self.seq: int | None = None
        self.number = self.bytes = 0
        self.state = ""
        self.gaps = 0
        self.socket = Socket(send=self.receive, close=self.close, symbol=symbol)

    async def receive(self, frame: Frame) -> None:
        message = json.loads(frame["text"])
        self.heard.append(message)
        self.bytes += len(frame["text"])
        self.number = max(self.number, message.get("seq", 0))
        if message["type"] == "book":
            self.apply(message)

    def apply(self, message: dict[str, Any]) -> None:
        if message["kind"] == "snapshot":
            self.books = {"bids": {}, "asks": {}}
        elif message["prev"] != self.seq:
            self.gaps += 1
            return
        for side in ("bids", "asks"):
            for price, quantity in message[side]:
                self.books[side][price] = quantity
                if quantity == "0":
                    del self.books[side][price]
        self.seq, self.state = message["seq"], message["state"]

    async def close(self, code: int) -> None:
        self.closed = code

    async def acknowledge(self) -> None:
        await self.hub.acknowledge(self.socket, self.number)

    def kinds(self) -> list[str]:
        return [message.get("kind", message["type"]) for message in self.heard]


def run(work: Awaitable[Found]) -> Found:
    async def within() -> Found:
        return await asyncio.wait_for(work, 30)

    return asyncio.run(within())


def book(u: int, bids: dict[str, str], asks: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    sides = {"bids": [list(row) for row in bids.items()], "asks": [list(row) for row in (asks or {}).items()]}
    head = {"symbol": "BTCUSDT", "epoch": 1, "u": u, "event_ms": 1, "published_ms": 1, "state": "LIVE"}
    return {"type": "book", **head, **sides, **more}


def trades(*ids: int) -> dict[str, Any]:
    rows = [{"id": n, "price": "1", "quantity": "1", "at": n, "maker_side": "BUY"} for n in ids]
    return {"type": "trades", "symbol": "BTCUSDT", "trades": rows}


def long_trades(*ids: int) -> dict[str, Any]:
    """As a busy market's: some hundred characters each."""
    first = trades(*ids)
    for trade in first["trades"]:
        trade |= {
            "id": 10**9 + trade["id"],
            "price": "60123.45000000",
            "quantity": "0.00123000",
            "at": 10**12,
        }
    return first


def alive(epoch: int, at: int = 0) -> dict[str, Any]:
    return {"type": "alive", "epoch": epoch, "at": at}


async def joined(hub: Hub, *, interval: str = "1m") -> Page:
    page = Page(hub)
    page.socket.interval = interval
    await hub.join(page.socket)
    return page


@pytest.fixture
def feed() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


# ------------------------------------------------------------------ books
def test_a_page_gets_a_snapshot_and_then_differences_that_follow_one_another() -> None:
    async def work() -> Page:
        hub = Hub()
        await hub.handle(book(1, {"99": "1", "98": "2"}, {"101": "1"}))
        page = await joined(hub)
        await hub.handle(book(2, {"99": "3", "97": "1"}, {"101": "1"}))
        return page

    page = run(work())
    assert page.kinds() == ["snapshot", "trades", "diff"]
    diff = page.heard[-1]
    assert (diff["prev"], diff["bids"], diff["asks"]) == (
        page.heard[0]["seq"],
        [["99", "3"], ["97", "1"], ["98", "0"]],
        [],
    )
    assert page.books["bids"] == {"99": "3", "97": "1"}


def test_a_page_that_is_there_before_the_book_starts_with_the_first_one() -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        await hub.handle(book(1, {"99": "1"}))
        await hub.handle(book(2, {"99": "2"}))
        return page

    assert run(work()).kinds() == ["trades", "snapshot", "diff"]


def test_a_slow_page_is_skipped_and_then_gets_the_book_as_it_is_now() -> None:
    async def work() -> Page:
        hub = Hub()
        await hub.handle(book(0, {"99": "0.5"}))
        page = await joined(hub)
        for number in range(1, 100):
            await hub.handle(book(number, {"99": str(number)}))
        assert (page.kinds().count("diff"), page.books["bids"]) == (WINDOW - 1, {"99": str(WINDOW - 1)})
        await page.acknowledge()
        assert (page.kinds()[WINDOW + 1], page.books["bids"]) == ("snapshot", {"99": "99"})
        await hub.handle(book(100, {"99": "100"}))
        return page

    page = run(work())
    assert (page.gaps, page.books["bids"], page.heard[-1]["kind"]) == (0, {"99": "100"}, "diff")


def test_a_page_never_shows_a_wrong_book_however_slowly_it_reads() -> None:
    async def work() -> None:
        dice = random.Random(7)
        hub, truth = Hub(), {str(90 + n): "1" for n in range(20)}
        await hub.handle(book(0, truth))
        pages = [await joined(hub) for _page in range(5)]
        told = {}
        for number in range(1, 3000):
            for _level in range(3):
                truth[str(dice.randrange(80, 120))] = str(dice.randrange(1, 9))
                truth.pop(str(dice.randrange(80, 120)), None)
            await hub.handle(book(number, truth))
            told[hub.tops["BTCUSDT", ""].seq] = dict(truth)
            for slowness, page in enumerate(pages):
                if dice.random() < 0.3 / (1 + slowness * 10):
                    await page.acknowledge()
                if page.seq in told:
                    assert page.books["bids"] == told[page.seq]
        assert [page.gaps for page in pages] == [0] * 5
        assert all(page.kinds().count("snapshot") > 5 for page in pages[2:])

    run(work())


def test_a_page_that_lost_its_thread_gets_a_snapshot_when_it_asks() -> None:
    async def work() -> Page:
        hub = Hub()
        await hub.handle(book(1, {"99": "1"}))
        page = await joined(hub)
        await hub.resync(page.socket)
        return page

    assert run(work()).kinds() == ["snapshot", "trades", "snapshot"]


def test_a_socket_that_breaks_while_being_told_stops_nobody_else() -> None:
    async def work() -> list[int]:
        hub = Hub()
        await hub.handle(book(1, {"99": "1"}))
        pages = [await joined(hub) for _page in range(3)]

        async def broken(_frame: Frame) -> None:
            raise ConnectionResetError

        pages[1].socket.send = broken
        await hub.handle(book(2, {"99": "2"}))
        await hub.handle(book(3, {"99": "3"}))
        await asyncio.sleep(0)
        assert [page.closed for page in pages] == [None, BROKEN, None]
        return [len(page.heard) for page in pages] + [len(hub.followers)]

    assert run(work()) == [4, 2, 4, 2]


def test_a_page_hears_only_of_its_own_market() -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        await hub.handle(book(1, {"99": "1"}, symbol="ETHUSDT"))
        await hub.handle({**trades(1), "symbol": "ETHUSDT"})
        return page

    assert run(work()).kinds() == ["trades"]


def test_a_difference_names_new_changed_and_gone_levels() -> None:
    assert difference({"1": "5", "2": "6", "3": "7"}, {"1": "5", "2": "9", "4": "1"}) == [
        ["2", "9"],
        ["4", "1"],
        ["3", "0"],
    ]


def test_a_page_that_looks_from_farther_away_hears_the_grouped_book_and_near_again_the_venues() -> None:
    async def work() -> Page:
        hub = Hub()
        await hub.handle(book(1, {"99": "1", "98": "2"}))
        page, near = await joined(hub), await joined(hub)
        await hub.change_step(page.socket, "10")
        await hub.handle(book(1, {"90": "3"}, step="10", best={"bids": "99"}))
        await hub.handle(book(2, {"99": "5"}))
        assert (page.books["bids"], near.books["bids"]) == ({"90": "3"}, {"99": "5"})
        await hub.handle(book(2, {"90": "8"}, step="10", best={"bids": "99"}))
        assert (page.books["bids"], page.gaps) == ({"90": "8"}, 0)
        await hub.change_step(page.socket, "")
        return page

    page = run(work())
    assert (page.books["bids"], page.gaps) == ({"99": "5"}, 0)


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


# ------------------------------------------------------------------ tape, candles, tickers
def test_a_page_begins_with_the_newest_trades_in_their_order() -> None:
    async def work() -> Page:
        hub = Hub()
        await joined(hub)
        await hub.handle(trades(*range(60)))
        await hub.handle(trades(59, 60))
        return await joined(hub)

    first = run(work()).heard[0]
    assert [trade["id"] for trade in first["trades"]] == list(range(61 - TAPE, 61))


def test_a_page_that_was_skipped_gets_the_trades_it_missed() -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        for number in range(WINDOW + 1):
            await hub.handle(book(number, {"99": str(number + 1)}))
        await hub.handle(trades(7))
        assert "trades" not in page.kinds()[1:]
        await page.acknowledge()
        return page

    last = run(work()).heard[-1]
    assert [trade["id"] for trade in last["trades"]] == [7]


def candle(open_at: int, close: str, interval: str = "1m") -> dict[str, Any]:
    return {"type": "candle", "symbol": "BTCUSDT", "interval": interval, "open_at": open_at, "close": close}


def test_a_page_hears_of_the_candles_it_shows() -> None:
    async def work() -> Page:
        hub = Hub()
        page, _minutes = await joined(hub, interval="5m"), await joined(hub)
        await hub.handle(candle(0, "1"))
        await hub.handle(candle(0, "2"))
        await hub.handle(candle(60, "3"))
        assert "candle" not in page.kinds()
        await hub.change_interval(page.socket, "1m")
        await hub.handle(candle(60, "4"))
        return page

    assert [message["close"] for message in run(work()).heard if message["type"] == "candle"] == [
        "2",
        "3",
        "4",
    ]


def test_tickers_go_to_the_table_of_markets_and_each_to_its_own_page() -> None:
    async def work() -> tuple[Page, Page]:
        hub = Hub()
        page, table = await joined(hub), Page(hub, symbol="")
        await hub.join(table.socket)
        await hub.handle({"type": "tickers", "tickers": {"BTCUSDT": {"last": "1"}, "ETHUSDT": {"last": "2"}}})
        return page, table

    page, table = run(work())
    assert page.heard[-1] == {"type": "ticker", "last": "1"}
    (told,) = table.heard
    assert told["tickers"] == {"BTCUSDT": {"last": "1"}, "ETHUSDT": {"last": "2"}}


# ------------------------------------------------------------------ each second
class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_book_nobody_speaks_of_is_called_stale_and_live_again_with_the_next_word() -> None:
    async def work() -> list[str]:
        clock = Clock()
        hub = Hub(clock=clock)
        await hub.handle(book(1, {"99": "1"}))
        page = await joined(hub)
        states = [page.state]
        clock.now += AWAY_SECONDS + 1
        await hub.beat(lag=0)
        states += [page.state, str(page.heard[-2]["feed"])]
        await hub.handle(book(2, {"99": "2"}))
        return [*states, page.state]

    assert run(work()) == ["LIVE", "STALE", "STALE", "LIVE"]


def test_a_page_that_hears_nothing_else_is_told_each_second_that_the_feed_lives() -> None:
    async def work() -> tuple[Page, Page]:
        hub = Hub()
        busy, quiet = await joined(hub), Page(hub, symbol="ETHUSDT")
        await hub.join(quiet.socket)
        for number in range(1, 4):
            await hub.handle(book(number, {"99": str(number)}))
            await hub.beat(lag=0)
        return busy, quiet

    busy, quiet = run(work())
    assert (busy.kinds().count("status"), quiet.kinds().count("status")) == (0, 3)


def test_the_books_of_the_last_writer_are_stale_until_the_next_one_says_them() -> None:
    async def work() -> list[str]:
        hub = Hub()
        await hub.handle(alive(1))
        await hub.handle(book(1, {"99": "1"}))
        page = await joined(hub)
        states = [page.state]
        await hub.handle(alive(2))
        states.append(page.state)
        await hub.handle(book(1, {"99": "2"}, epoch=2))
        return [*states, page.state]

    assert run(work()) == ["LIVE", "STALE", "LIVE"]


def test_a_feed_that_comes_back_while_its_books_are_called_stale_leaves_no_gap() -> None:
    async def work() -> list[Page]:
        clock = Clock()
        hub = Hub(clock=clock)
        await hub.handle(book(1, {"99": "1"}))
        pages = [await joined(hub) for _page in range(200)]
        for number in range(2, 12):
            clock.now += AWAY_SECONDS + 1
            await asyncio.gather(hub.beat(lag=0), hub.handle(book(number, {"99": str(number)})))
            for page in pages:
                await page.acknowledge()
        await hub.handle(book(99, {"99": "99"}))
        return pages

    pages = run(work())
    assert {page.gaps for page in pages} == {0}
    assert all((page.books["bids"], page.state) == ({"99": "99"}, "LIVE") for page in pages)


def full_for(seconds: float, lag: float) -> Page:
    """A page that reads nothing for so long, while the loop is late by so much."""

    async def work() -> Page:
        clock = Clock()
        hub = Hub(clock=clock)
        page = await joined(hub)
        began = clock.now
        number = 0
        while clock.now - began <= seconds:
            for _frame in range(10):
                number += 1
                await hub.handle(book(number, {"99": str(number)}))
            await hub.beat(lag)
            clock.now += 1
        await asyncio.sleep(0)
        return page

    return run(work())


def test_who_reads_nothing_for_long_is_closed() -> None:
    assert full_for(FULL_SECONDS + 8, lag=0).closed == STUCK


def test_who_is_late_for_less_than_that_is_not() -> None:
    assert full_for(FULL_SECONDS - 2, lag=0).closed is None


def test_nobody_is_closed_while_we_ourselves_are_late() -> None:
    assert full_for(FULL_SECONDS * 3, lag=0.6).closed is None


def test_who_cannot_even_read_its_farewell_keeps_nobody_waiting() -> None:
    async def work() -> tuple[Page, int]:
        clock = Clock()
        hub = Hub(clock=clock)
        page, other = await joined(hub), await joined(hub)
        farewells = []

        async def close(code: int) -> None:
            farewells.append(code)
            await asyncio.Event().wait()

        page.socket.close = close
        for number in range(WINDOW + 2):
            await hub.handle(book(number, {"99": str(number)}))
            await other.acknowledge()
        clock.now += FULL_SECONDS + 1
        await hub.beat(lag=0)
        await hub.handle(book(1000, {"99": "7"}))
        await asyncio.sleep(0)
        assert (farewells, len(hub.followers)) == ([STUCK], 1)
        return other, other.gaps

    other, gaps = run(work())
    assert (other.books["bids"], gaps) == ({"99": "7"}, 0)


# ------------------------------------------------------------------ windows
def tickers(number: int, markets: int = 400) -> dict[str, Any]:
    names = (f"COIN{n}USDT" for n in range(markets))
    return {"type": "tickers", "tickers": {name: {"last": str(number), "high": "9" * 30} for name in names}}


def test_a_table_of_markets_that_reads_nothing_is_sent_no_more_and_closed() -> None:
    async def work() -> Page:
        clock = Clock()
        hub = Hub(clock=clock)
        table = Page(hub, symbol="")
        await hub.join(table.socket)
        for number in range(int(FULL_SECONDS) + 5):
            await hub.handle(tickers(number))
            await hub.beat(lag=0)
            clock.now += 1
        await asyncio.sleep(0)
        return table

    table = run(work())
    assert (table.closed, table.bytes < 2 * WINDOW_BYTES) == (STUCK, True)


def test_a_table_of_markets_that_was_late_gets_every_figure_as_it_is_now() -> None:
    async def work() -> Page:
        hub = Hub()
        table = Page(hub, symbol="")
        await hub.join(table.socket)
        for number in range(10):
            await hub.handle(tickers(number))
        assert table.heard[-1]["tickers"]["COIN0USDT"]["last"] != "9"
        await table.acknowledge()
        return table

    told = run(work()).heard[-1]["tickers"]
    assert (len(told), {ticker["last"] for ticker in told.values()}) == (400, {"9"})


def test_a_table_that_is_late_twice_gets_the_figures_of_each_time() -> None:
    async def work() -> list[set[str]]:
        hub = Hub()
        table, seen = Page(hub, symbol=""), []
        await hub.join(table.socket)
        for first in (0, 10):
            for number in range(first, first + 10):
                await hub.handle(tickers(number))
            await table.acknowledge()
            seen.append({ticker["last"] for ticker in table.heard[-1]["tickers"].values()})
        return seen

    assert run(work()) == [{"9"}, {"19"}]


@pytest.mark.parametrize("trades_a_second", [300, 1000])
def test_a_page_that_says_what_it_has_read_as_ours_do_gets_its_books_however_many_trades_there_are(
    trades_a_second: int,
) -> None:
    """As socket.js: after 16 KiB, or three seconds, and at most once in 0.3 seconds; ten books a second."""

    async def work() -> tuple[int, int]:
        hub = Hub()
        page, acknowledged, said_at, read = await joined(hub), 0, 0.0, 0
        for tick in range(100):
            now, count = tick / 10, trades_a_second // 10
            for part in range(0, count, 25):
                first = tick * count + part
                await hub.handle(long_trades(*range(first, min(first + 25, (tick + 1) * count))))
            await hub.handle(book(tick, {str(60000 + n): str(tick) for n in range(20)}))
            if now - said_at >= 3 or (now - said_at >= 0.3 and page.bytes - read >= 16 * 1024):
                acknowledged, said_at, read = acknowledged + 1, now, page.bytes
                await page.acknowledge()
        return page.kinds().count("diff") + page.kinds().count("snapshot"), acknowledged

    books, acknowledged = run(work())
    assert (books >= 90, acknowledged <= 40) == (True, True)


def test_a_page_of_a_quiet_book_and_many_trades_stays_open_by_what_it_reads() -> None:
    async def work() -> Page:
        clock = Clock()
        hub = Hub(clock=clock)
        await hub.handle(book(1, {"99": "1"}))
        page = await joined(hub)
        for second in range(int(FULL_SECONDS) * 3):
            for part in range(10):
                await hub.handle(trades(*range(second * 1000 + part * 50, second * 1000 + part * 50 + 50)))
            await hub.handle(alive(1))
            await hub.beat(lag=0)
            await page.acknowledge()
            clock.now += 1
        return page

    page = run(work())
    assert (page.closed, page.kinds().count("trades") > 550) == (None, True)


def test_what_a_page_is_sent_unread_stays_small_however_large_the_frames() -> None:
    async def work() -> Page:
        hub = Hub()
        page = await joined(hub)
        for number in range(200):
            levels = {str(price): str(number) + "." + "0" * 60 for price in range(100)}
            await hub.handle(book(number, levels))
        return page

    page = run(work())
    assert WINDOW_BYTES * 0.8 < page.bytes < WINDOW_BYTES * 1.3


def test_who_acknowledges_what_it_was_never_sent_is_not_believed() -> None:
    async def work() -> int:
        hub = Hub()
        page = await joined(hub)
        for number in range(WINDOW * 2):
            await hub.handle(book(number, {"99": str(number)}))
            await hub.acknowledge(page.socket, page.number + 1)
            await hub.acknowledge(page.socket, 10**18)
        return page.kinds().count("diff")

    assert run(work()) == WINDOW - 1


# ------------------------------------------------------------------ Redis
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
