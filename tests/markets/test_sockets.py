"""The public sockets: who may open one, and what a page may say on it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connection

from exchange.broadcast import hub
from exchange.callers import CROWDED
from exchange.inbox import LONGEST_MESSAGE, MOST_MESSAGES, TOO_MUCH, Inbox, TooMuch
from exchange.routing import sockets
from markets.consumers import UNKNOWN, catalogue
from tests.factories import make_market

HOST, OURS = (b"host", b"testserver"), (b"origin", b"http://testserver")
Use = Callable[[WebsocketCommunicator], Awaitable[Any]]


@pytest.fixture(autouse=True)
def market(committed_db: str) -> None:
    make_market()
    hub.__init__()  # type: ignore[misc]
    catalogue.__init__()  # type: ignore[misc]


def opened(path: str, *headers: tuple[bytes, bytes], address: str = "") -> WebsocketCommunicator:
    socket = WebsocketCommunicator(sockets, path, headers=[HOST, *headers])
    if address:
        socket.scope["client"] = (address, 4000)
    return socket


def with_socket(path: str, use: Use, *, headers: tuple[tuple[bytes, bytes], ...] = (OURS,)) -> Any:
    """What `use` gives of the opened socket; None when the handshake is refused."""

    async def run() -> Any:
        socket = opened(path, *headers)
        is_open, _code = await socket.connect(timeout=5)
        found = await use(socket) if is_open else None
        await socket.disconnect()
        return found

    return async_to_sync(run)()


@contextmanager
def asked_of_markets() -> Iterator[list[str]]:
    """Every statement this thread, where sockets ask, says about markets meanwhile."""
    asked = []

    def note(execute: Any, statement: str, *rest: Any) -> Any:
        if "markets_market" in statement:
            asked.append(statement)
        return execute(statement, *rest)

    with connection.execute_wrapper(note):
        yield asked


async def first(socket: WebsocketCommunicator) -> Any:
    output = await socket.receive_output(5)
    return output.get("code") or json.loads(output["text"])["type"]


async def farewell(socket: WebsocketCommunicator) -> tuple[str, int]:
    """The words and the code a socket is closed with, after whatever it was told before."""
    words = ""
    while True:
        output = await socket.receive_output(5)
        if output["type"] == "websocket.close":
            return words, output["code"]
        words = json.loads(output["text"]).get("message", words)


def book(u: int, price: str) -> dict[str, Any]:
    head = {"type": "book", "symbol": "BTCUSDT", "epoch": 1, "u": u, "published_ms": 1, "state": "LIVE"}
    return {**head, "bids": [[price, "1"]], "asks": []}


def test_a_page_of_ours_and_a_program_may_watch_a_market() -> None:
    assert with_socket("/ws/market/BTCUSDT/", first) == "trades"
    assert with_socket("/ws/market/BTCUSDT/", first, headers=()) == "trades"


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null"])
def test_another_sites_page_may_not(origin: bytes) -> None:
    assert with_socket("/ws/market/BTCUSDT/", first, headers=((b"origin", origin),)) is None


@pytest.mark.parametrize("symbol", ["NOPE", "btcusdt", "%00", "x" * 64])
def test_a_market_that_is_not_there_is_said_to_be_unknown(symbol: str) -> None:
    told = with_socket(f"/ws/market/{symbol}/", farewell)
    assert told == ("There is no such market.", UNKNOWN)


@pytest.mark.parametrize(
    "path", ["/ws/market/BTC/USDT/", "/ws/", "/elsewhere", "/ws/market/" + "x" * 65 + "/"]
)
def test_an_address_without_a_socket_refuses_the_handshake(path: str) -> None:
    assert with_socket(path, first) is None


def test_a_page_that_acknowledges_and_asks_again_is_served() -> None:
    async def use(socket: WebsocketCommunicator) -> list[str]:
        await first(socket)
        await hub.handle(book(1, "99"))
        for message in (
            {"type": "ack", "seq": 10**18},
            {"type": "interval", "interval": "5m"},
            {"type": "resync"},
        ):
            await socket.send_json_to(message)
        return [(await socket.receive_json_from(5)).get("kind", "") for _message in range(2)]

    assert with_socket("/ws/market/BTCUSDT/", use) == ["snapshot", "snapshot"]


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ('{"type": "ack", "seq": "x"}', "not_understood", None),
        ('{"type": "interval", "interval": ["5m"]}', "unknown_interval", "interval"),
        ('{"type": "group", "step": "7"}', "unknown_step", "step"),
        ('{"type": "nothing we know"}', "not_understood", None),
        ('["no", "object"]', "not_understood", None),
        ("{", "not_understood", None),
        ("[" * 1000, "not_understood", None),
    ],
)
def test_what_is_not_understood_is_said_to_be_and_changes_nothing_else(
    said: str, code: str, field: str | None
) -> None:
    async def use(socket: WebsocketCommunicator) -> list[Any]:
        await first(socket)
        await hub.handle(book(1, "99"))
        await socket.send_to(text_data=said)
        told = [await socket.receive_json_from(5) for _message in range(2)]
        await hub.handle(book(2, "98"))
        return [*told, await socket.receive_json_from(5)]

    snapshot, refused, diff = with_socket("/ws/market/BTCUSDT/", use)
    assert (snapshot["kind"], diff["kind"], diff["prev"]) == ("snapshot", "diff", snapshot["seq"])
    assert (refused["type"], refused["code"], refused["field"]) == ("refused", code, field)
    assert refused["message"].endswith(".")


def test_a_page_is_heard_while_the_database_keeps_others_waiting() -> None:
    async def use(socket: WebsocketCommunicator) -> tuple[Any, bool]:
        await first(socket)
        await hub.handle(book(1, "99"))
        await socket.receive_json_from(5)
        slow = asyncio.ensure_future(database_sync_to_async(time.sleep)(1.5))
        await asyncio.sleep(0.1)
        await socket.send_json_to({"type": "resync"})
        told = await socket.receive_json_from(5)
        return told["kind"], slow.done()

    assert with_socket("/ws/market/BTCUSDT/", use) == ("snapshot", False)


def test_a_crowd_that_comes_at_once_asks_the_database_once() -> None:
    async def crowd() -> list[Any]:
        pages = [opened("/ws/market/BTCUSDT/", OURS) for _page in range(60)]
        await asyncio.gather(*(page.connect(timeout=5) for page in pages))
        found = [await first(page) for page in pages]
        await asyncio.gather(*(page.disconnect() for page in pages))
        return found

    with asked_of_markets() as asked:
        assert async_to_sync(crowd)() == ["trades"] * 60
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["x" * (LONGEST_MESSAGE + 1), None])
def test_what_is_too_long_or_no_text_closes_the_socket(text: str | None) -> None:
    async def use(socket: WebsocketCommunicator) -> Any:
        await (socket.send_to(text_data=text) if text else socket.send_to(bytes_data=b"\x00"))
        return await farewell(socket)

    words, code = with_socket("/ws/market/BTCUSDT/", use)
    assert (code, "at most 50 in 10 seconds" in words) == (TOO_MUCH, True)


def test_who_talks_too_much_is_closed() -> None:
    async def use(socket: WebsocketCommunicator) -> Any:
        await first(socket)
        for _message in range(MOST_MESSAGES + 1):
            await socket.send_json_to({"type": "ack", "seq": 1})
        return await farewell(socket)

    words, code = with_socket("/ws/market/BTCUSDT/", use)
    assert (code, "It is closed now" in words) == (TOO_MUCH, True)


def test_the_count_of_messages_begins_anew_after_a_while() -> None:
    now = [0.0]
    inbox = Inbox(clock=lambda: now[0])
    for _message in range(MOST_MESSAGES):
        inbox.check("{}")
    with pytest.raises(TooMuch):
        inbox.check("{}")
    now[0] = 11.0
    inbox.check("{}")


def test_a_page_that_the_server_gives_up_is_forgotten() -> None:
    async def run() -> int:
        page = opened("/ws/market/BTCUSDT/", OURS)
        await page.connect(timeout=5)
        await first(page)
        page.future.cancel()
        with suppress(asyncio.CancelledError):
            await page.future
        return len(hub.followers)

    assert async_to_sync(run)() == 0


def test_a_page_that_goes_is_forgotten() -> None:
    with_socket("/ws/market/BTCUSDT/", first)
    with_socket("/ws/tickers/", lambda socket: socket.receive_nothing(0.01))
    assert (list(hub.followers), hub.followers.channels, hub.followers.names) == ([], set(), set())


# ------------------------------------------------------------------ how many an address may open
def open_from(*addresses: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> list[Any]:
    """What each of these opened sockets hears first; they are all open at the end."""

    async def run() -> list[Any]:
        pages = [opened("/ws/market/BTCUSDT/", *headers, address=address) for address in addresses]
        for page in pages:
            await page.connect(timeout=5)
        found = [await first(page) for page in pages]
        await pages[0].disconnect()
        again = opened("/ws/market/BTCUSDT/", *headers, address=addresses[0])
        await again.connect(timeout=5)
        found.append(await first(again))
        for page in [*pages[1:], again]:
            await page.disconnect()
        return found

    return async_to_sync(run)()


def test_an_address_may_open_so_many_sockets_and_another_when_it_closes_one(settings: Any) -> None:
    settings.SOCKETS_PER_ADDRESS = 2
    found = open_from("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")
    assert found == ["trades", "trades", "refused", "trades", "trades"]


def test_a_household_of_the_newer_addresses_counts_as_one(settings: Any) -> None:
    settings.SOCKETS_PER_ADDRESS = 2
    found = open_from("2001:db8:1::1", "2001:db8:1::2", "2001:db8:1:0:9::3", "2001:db8:2::1")
    assert found == ["trades", "trades", "refused", "trades", "trades"]


def test_behind_a_proxy_the_visitors_address_counts_and_not_what_the_visitor_says(settings: Any) -> None:
    settings.SOCKETS_PER_ADDRESS = 1
    settings.TRUSTED_PROXIES = 1
    forwarded = ((b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-for", b"198.51.100.1"))
    found = open_from("10.0.0.1", "10.0.0.2", headers=forwarded)
    assert found == ["trades", "refused", "trades"]


def test_a_socket_too_many_is_told_why(settings: Any) -> None:
    settings.SOCKETS_PER_ADDRESS = 1

    async def run() -> tuple[str, int]:
        pages = [opened("/ws/tickers/", address="192.0.2.1") for _page in range(2)]
        for page in pages:
            await page.connect(timeout=5)
        found = await farewell(pages[1])
        for page in pages:
            await page.disconnect()
        return found

    words, code = async_to_sync(run)()
    assert (code, words.startswith("Too many connections are open from your address.")) == (CROWDED, True)
