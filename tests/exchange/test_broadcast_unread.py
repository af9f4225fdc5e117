"""Who does not read what it is sent is passed over and closed, and costs a server nothing meanwhile."""

import asyncio
from typing import Any

import pytest

from exchange.broadcast import Hub
from exchange.broadcast.hub import FULL_SECONDS, STUCK
from exchange.broadcast.sockets import WINDOW, WINDOW_BYTES
from tests.exchange.pages_of_a_hub import Clock, Page, alive, book, joined, long_trades, run, trades


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
