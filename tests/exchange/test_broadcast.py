"""One feed to many pages: a slow one is late, never wrong, and nobody is closed for our own slowness."""

import asyncio
import random

from exchange.broadcast import Hub, difference
from exchange.broadcast.frames import Frame
from exchange.broadcast.hub import BROKEN
from exchange.broadcast.reading import AWAY_SECONDS, TAPE
from exchange.broadcast.sockets import WINDOW
from tests.exchange.pages_of_a_hub import Clock, Page, alive, book, candle, joined, run, trades


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


def test_a_second_that_went_wrong_is_followed_by_the_next() -> None:
    async def work() -> list[str]:
        clock = Clock()
        hub = Hub(clock=clock)
        page = await joined(hub)
        clock.breaks = 1
        for _time in range(100):
            await asyncio.sleep(0.1)
            if not clock.breaks and "status" in page.kinds():
                break
        return page.kinds()

    assert run(work())[-1] == "status"


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
