"""The public sockets: who may open one, and what a page may say on it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator

from exchange.broadcast import hub
from exchange.inbox import LONGEST_MESSAGE, MOST_MESSAGES, TOO_MUCH, Inbox
from exchange.routing import sockets
from markets.consumers import UNKNOWN
from tests.factories import make_market

HOST, OURS = (b"host", b"testserver"), (b"origin", b"http://testserver")
Use = Callable[[WebsocketCommunicator], Awaitable[Any]]


@pytest.fixture(autouse=True)
def market(committed_db: str) -> None:
    make_market()
    hub.__init__()  # type: ignore[misc]


def with_socket(path: str, use: Use, *, headers: tuple[tuple[bytes, bytes], ...] = (OURS,)) -> Any:
    """What `use` gives of the opened socket; None when the handshake is refused."""

    async def run() -> Any:
        socket = WebsocketCommunicator(sockets, path, headers=[HOST, *headers])
        is_open, _code = await socket.connect(timeout=5)
        found = await use(socket) if is_open else None
        await socket.disconnect()
        return found

    return async_to_sync(run)()


async def first(socket: WebsocketCommunicator) -> Any:
    output = await socket.receive_output(5)
    return output.get("code") or json.loads(output["text"])["type"]


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
    assert with_socket(f"/ws/market/{symbol}/", first) == UNKNOWN


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
            {"type": "ack", "seq": "x"},
            {"type": "interval", "interval": "5m"},
            {"type": "interval", "interval": ["5m"]},
            {"type": "resync"},
            {"type": "nothing we know"},
            ["no", "object"],
        ):
            await socket.send_json_to(message)
        await socket.send_to(text_data="{")
        return [(await socket.receive_json_from(5)).get("kind", "") for _message in range(2)]

    assert with_socket("/ws/market/BTCUSDT/", use) == ["snapshot", "snapshot"]


@pytest.mark.parametrize("text", ["x" * (LONGEST_MESSAGE + 1), None])
def test_what_is_too_long_or_no_text_closes_the_socket(text: str | None) -> None:
    async def use(socket: WebsocketCommunicator) -> Any:
        await first(socket)
        await (socket.send_to(text_data=text) if text else socket.send_to(bytes_data=b"\x00"))
        return await first(socket)

    assert with_socket("/ws/market/BTCUSDT/", use) == TOO_MUCH


def test_who_talks_too_much_is_closed() -> None:
    async def use(socket: WebsocketCommunicator) -> Any:
        await first(socket)
        for _message in range(MOST_MESSAGES + 1):
            await socket.send_json_to({"type": "ack", "seq": 1})
        return await first(socket)

    assert with_socket("/ws/market/BTCUSDT/", use) == TOO_MUCH


def test_the_count_of_messages_begins_anew_after_a_while() -> None:
    now = [0.0]
    inbox = Inbox(clock=lambda: now[0])
    assert all(inbox.takes("{}") for _message in range(MOST_MESSAGES))
    assert not inbox.takes("{}")
    now[0] = 11.0
    assert inbox.takes("{}")


def test_a_page_that_goes_is_forgotten() -> None:
    with_socket("/ws/market/BTCUSDT/", first)
    with_socket("/ws/tickers/", lambda socket: socket.receive_nothing(0.01))
    assert (list(hub.followers), hub.followers.channels) == ([], set())
