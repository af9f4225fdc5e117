"""Streams that come back: after a cut, a shutdown, a refusal, silence; and nothing is delivered before the question."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from exchange.binance import streams
from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.signing import HmacKey, socket_payload
from exchange.binance.streams import MarketStream, UserStream
from exchange.binance.transport import Clock

Serve = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]
KEY = HmacKey("key", "secret")


async def stay(socket: web.WebSocketResponse) -> None:
    """Says nothing more, and answers when the other side leaves."""
    async for _message in socket:
        pass


@contextmanager
def venue(serve: Serve) -> Iterator[str]:
    """A socket server on a free port in a thread of its own."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    address: list[int] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await serve(socket, request)
        return socket

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address.append(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
        started.set()
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(begin())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    assert started.wait(5)
    try:
        yield f"ws://127.0.0.1:{address[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)


@contextmanager
def running(stream: Any) -> Iterator[None]:
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(5)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(streams, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(streams, "TICK_SECONDS", 0.1)


# ------------------------------------------------------------------ market
def market_stream(url: str, heard: list[Any], names: list[str] | None = None) -> MarketStream:
    return MarketStream(
        base_url=url,
        streams=lambda: names or ["btcusdt@depth@100ms"],
        on_open=lambda: heard.append("open"),
        on_frame=lambda stream, payload: heard.append((stream, bytes(payload))),
        on_down=lambda reason: heard.append(("down", reason)),
    )


async def wrapped(socket: web.WebSocketResponse, stream: str, payload: str) -> None:
    await socket.send_str(f'{{"stream":"{stream}","data":{payload}}}')


def test_frames_arrive_byte_by_byte_and_a_cut_line_is_made_again() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await wrapped(socket, "btcusdt@depth@100ms", '{"p":"0.10"}')

    heard: list[Any] = []
    with venue(serve) as url, running(market_stream(url, heard)):
        until(lambda: heard.count("open") >= 3)
    assert heard[:2] == ["open", ("btcusdt@depth@100ms", b'{"p":"0.10"}')]
    assert heard[2][0] == "down"


def test_a_shutdown_notice_leads_to_a_new_line_at_once() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await wrapped(socket, "!serverShutdown", '{"e":"serverShutdown","E":1}')
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(market_stream(url, heard)):
        until(lambda: heard.count("open") >= 2)
    assert ("down", "server shutdown") in heard


def test_a_line_that_is_open_but_silent_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await stay(socket)

    monkeypatch.setattr(streams, "SILENCE_SECONDS", 0.3)
    heard: list[Any] = []
    with venue(serve) as url, running(market_stream(url, heard)):
        until(lambda: heard.count("open") >= 2)
    assert heard[:3] == ["open", ("down", "silence"), "open"]


def test_many_streams_are_asked_for_in_several_messages() -> None:
    asked: list[str] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked.extend(request.query["streams"].split("/"))
        async for message in socket:
            asked.extend(json.loads(message.data)["params"])

    names = [f"s{number}@trade" for number in range(450)]
    with venue(serve) as url, running(market_stream(url, [], names)):
        until(lambda: len(asked) >= 450)
    assert sorted(asked) == sorted(names)


def test_a_venue_that_is_down_at_the_start_is_tried_again() -> None:
    heard: list[Any] = []
    with running(market_stream("ws://127.0.0.1:9", heard)):
        until(lambda: len(heard) >= 3)
    assert all(event[0] == "down" for event in heard)


# ------------------------------------------------------------------ user data
def user_stream(url: str, heard: list[Any]) -> UserStream:
    return UserStream(
        url=url,
        key=KEY,
        clock=Clock(),
        on_subscribed=lambda: heard.append("subscribed"),
        on_report=heard.append,
        on_balance=heard.append,
        on_alive=lambda: None,
        on_down=lambda reason: heard.append(("down", reason)),
    )


REPORT = {
    "e": "executionReport", "s": "BTCUSDT", "c": "cancel-1", "C": "ours", "S": "BUY", "o": "LIMIT", "f": "GTC",
    "q": "1", "p": "9000.00", "x": "CANCELED", "X": "CANCELED", "r": "NONE", "i": 5, "l": "0", "z": "0", "L": "0",
    "T": 1, "t": -1, "n": "0", "N": None, "Z": "0", "Y": "0", "m": False,
}  # fmt: skip


async def accept(socket: web.WebSocketResponse) -> dict[str, Any]:
    asked = await socket.receive_json()
    await socket.send_json(
        {"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []}
    )
    return dict(asked)


def test_the_subscription_is_signed_and_comes_before_the_question_and_the_events() -> None:
    requests: list[dict[str, Any]] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        requests.append(await accept(socket))
        await socket.send_json({"subscriptionId": 0, "event": REPORT})
        await socket.send_json(
            {"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "-0.5", "T": 1}}
        )
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: len(heard) >= 3)
    params = requests[0]["params"]
    signature = params.pop("signature")
    assert requests[0]["method"] == "userDataStream.subscribe.signature"
    assert signature == KEY.sign(socket_payload(params))
    assert heard[0] == "subscribed"
    assert isinstance(heard[1], Report)
    assert (heard[1].client_order_id, heard[1].status) == ("ours", "CANCELED")
    assert isinstance(heard[2], BalanceUpdate)


@pytest.mark.parametrize("ending", ["eventStreamTerminated", "serverShutdown"])
def test_an_ended_subscription_is_made_again(ending: str) -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        await socket.send_json({"event": {"e": ending, "E": 1}})
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: heard.count("subscribed") >= 2)
    assert ("down", ending) in heard


def test_a_refused_subscription_says_why_and_is_tried_again() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked = await socket.receive_json()
        await socket.send_json({"id": asked["id"], "status": 400, "error": {"code": -1022, "msg": "Bad."}})
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: len(heard) >= 2)
    assert heard[0] == ("down", "subscription refused: -1022 Bad.")


def test_payloads_stay_raw_until_somebody_needs_them() -> None:
    envelope = msgspec.json.decode(b'{"stream":"x","data":{"a":1.10}}', type=streams.Envelope)
    assert bytes(envelope.data) == b'{"a":1.10}'
