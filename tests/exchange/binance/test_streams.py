"""Streams that come back: after a cut, a shutdown, a refusal, silence; and nothing is delivered before the question."""

from typing import Any

import pytest
from aiohttp import web

from exchange.binance import streams
from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.signing import HmacKey, socket_payload
from exchange.binance.streams import UserStream
from exchange.binance.transport import Clock
from tests.exchange.binance.sockets import running, stay, until, venue

KEY = HmacKey("key", "secret")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(streams, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(streams, "TICK_SECONDS", 0.1)


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


def test_a_line_that_is_open_but_silent_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        await stay(socket)

    monkeypatch.setattr(streams, "SILENCE_SECONDS", 0.3)
    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: heard.count("subscribed") >= 2)
    assert heard[:3] == ["subscribed", ("down", "silence"), "subscribed"]


def test_a_venue_that_is_down_at_the_start_is_tried_again() -> None:
    heard: list[Any] = []
    with running(user_stream("ws://127.0.0.1:9", heard)):
        until(lambda: len(heard) >= 3)
    assert all(event[0] == "down" for event in heard)
