"""Streams that come back: after a cut, a shutdown, a refusal, silence; and nothing is delivered before the question."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.signing import HmacKey, socket_payload
from exchange.binance.streams import Door, ListenKeyDoor, Pace, SubscriptionDoor, UserStream
from exchange.binance.transport import Clock
from tests.exchange.binance.sockets import running, stay, until, venue

KEY = HmacKey("key", "secret")
LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
QUICK = {"first_wait": 0.02, "longest_wait": 0.1, "tick": 0.1, "overlap": 0.2}


def user_stream(
    url: str,
    heard: list[Any],
    door: Door | None = None,
    doubt: Callable[[], str] = lambda: "",
    **pace: float,
) -> UserStream:
    return UserStream(
        door=door or SubscriptionDoor(url=url, key=KEY, clock=Clock()),
        on_subscribed=lambda: heard.append("subscribed"),
        on_report=heard.append,
        on_balance=heard.append,
        on_alive=lambda: None,
        on_down=lambda reason, is_alarm: heard.append(("alarm" if is_alarm else "down", reason)),
        doubt=doubt,
        pace=Pace(**{**QUICK, **pace}),
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


class Lines:
    """A venue that keeps every socket it was asked for, and counts those that are open."""

    def __init__(self, first: dict[str, Any] | None = None) -> None:
        """`first`: what the first line is told as soon as it has subscribed."""
        self.sockets: list[web.WebSocketResponse] = []
        self.open_at_each: list[int] = []
        self._open, self._first = 0, first

    async def serve(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        self.open_at_each.append(self._open)
        self._open += 1
        self.sockets.append(socket)
        if len(self.sockets) == 1 and self._first:
            await socket.send_json({"event": self._first})
        elif len(self.sockets) == 2:  # told to both while both are open, as the venue does
            for each in self.sockets:
                await each.send_json({"subscriptionId": 0, "event": REPORT})
        try:
            await stay(socket)
        finally:
            self._open -= 1


@pytest.mark.parametrize("ending", ["eventStreamTerminated", "serverShutdown"])
def test_a_line_that_ends_is_followed_until_its_successor_has_subscribed(ending: str) -> None:
    lines, heard = Lines({"e": ending, "E": 1}), list[Any]()
    with venue(lines.serve) as url, running(user_stream(url, heard)):
        until(lambda: heard.count("subscribed") == 2 and isinstance(heard[-1], Report))
    assert lines.open_at_each == [0, 1]
    assert not [event for event in heard if isinstance(event, tuple)], "it was never down"


def test_the_daily_rotation_hears_the_account_on_both_lines_while_it_changes() -> None:
    lines, heard = Lines(), list[Any]()
    with venue(lines.serve) as url, running(user_stream(url, heard, rotation=0.5, overlap=0.5, stable=0.1)):
        until(lambda: len(lines.open_at_each) >= 3)
    assert lines.open_at_each[:3] == [0, 1, 1], (
        "one was open when the next came, and the one before was closed"
    )
    reports = [number for number, event in enumerate(heard) if isinstance(event, Report)]
    assert len(reports) == 2, "told by both: what follows applies a fact once"
    assert reports[0] < [number for number, event in enumerate(heard) if event == "subscribed"][1]


def test_a_line_is_kept_while_no_successor_can_be_had() -> None:
    """The venue says that it will go, and takes nobody new yet; what it tells meanwhile is not lost."""
    refused: list[int] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked = await socket.receive_json()
        if refused:
            refused.append(1)
            await socket.send_json(
                {"id": asked["id"], "status": 400, "error": {"code": -1008, "msg": "Busy."}}
            )
            return
        refused.append(1)
        await socket.send_json({"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}})
        await socket.send_json({"event": {"e": "serverShutdown", "E": 1}})
        while len(refused) < 4:
            await asyncio.sleep(0.02)
        await socket.send_json({"subscriptionId": 0, "event": REPORT})
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: any(isinstance(event, Report) for event in heard))
    assert len(refused) >= 4
    assert [event for event in heard if not isinstance(event, Report)] == ["subscribed"]


def test_venues_that_end_every_line_are_asked_less_and_less_often() -> None:
    asked: list[float] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        asked.append(time.monotonic())
        await socket.send_json({"event": {"e": "serverShutdown", "E": 1}})
        await stay(socket)

    with venue(serve) as url, running(user_stream(url, [], overlap=0.01, longest_wait=0.4)):
        until(lambda: len(asked) >= 6)
    assert asked[5] - asked[4] > 0.3, "as long as the longest wait"


def test_a_refused_subscription_says_why_and_is_tried_again() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        asked = await socket.receive_json()
        await socket.send_json({"id": asked["id"], "status": 400, "error": {"code": -1022, "msg": "Bad."}})
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard)):
        until(lambda: len(heard) >= 2)
    assert heard[0] == ("down", "subscription refused: -1022 Bad.")


def test_a_subscription_that_is_not_answered_is_made_again() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url:
        door = SubscriptionDoor(url=url, key=KEY, clock=Clock(), seconds=0.2)
        with running(user_stream(url, heard, door)):
            until(lambda: len(heard) >= 2)
    assert set(heard) == {("down", "the subscription was not answered")}


def test_a_line_that_is_open_but_silent_is_made_again() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url, running(user_stream(url, heard, silence=0.3)):
        until(lambda: heard.count("subscribed") >= 2)
    assert heard[:3] == ["subscribed", ("down", "silence"), "subscribed"]


def test_a_line_that_pings_and_says_nothing_is_made_again_when_somebody_doubts_it() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await accept(socket)
        await stay(socket)

    heard: list[Any] = []
    with venue(serve) as url:
        reason = "no event told of 1 orders that moved"
        stream = user_stream(url, heard, doubt=lambda: "" if heard.count("subscribed") > 1 else reason)
        with running(stream):
            until(lambda: heard.count("subscribed") >= 2)
    assert heard[:3] == ["subscribed", ("alarm", reason), "subscribed"]


def test_a_venue_that_is_down_at_the_start_is_tried_again() -> None:
    heard: list[Any] = []
    with running(user_stream("ws://127.0.0.1:9", heard)):
        until(lambda: len(heard) >= 3)
    assert all(event[0] == "down" for event in heard)


# ------------------------------------------------------------------ listen keys
def test_a_listen_key_is_fetched_for_each_line_and_its_frames_are_the_events() -> None:
    paths: list[str] = []

    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        paths.append(request.path)
        await socket.send_json(REPORT)
        await socket.send_json({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "-0.5", "T": 1})
        await socket.send_json({"e": "listenKeyExpired", "E": 1, "listenKey": LISTEN_KEY})
        await stay(socket)

    keys = iter([LISTEN_KEY, "another"])
    heard: list[Any] = []
    with venue(serve) as url:
        door = ListenKeyDoor(url=url, new_key=lambda: next(keys, "more"))
        with running(user_stream(url, heard, door)):
            until(lambda: heard.count("subscribed") >= 2)
    assert paths[:2] == [f"/ws/{LISTEN_KEY}", "/ws/another"]
    assert heard[0] == "subscribed"
    assert isinstance(heard[1], Report)
    assert isinstance(heard[2], BalanceUpdate)
    assert heard[3] == ("alarm", "the listen key expired")


def test_no_reason_tells_the_listen_key() -> None:
    async def serve(socket: web.WebSocketResponse, request: web.Request) -> None:
        await socket.close()

    heard: list[Any] = []
    for address in ("ws://127.0.0.1:9", "no address"):
        door = ListenKeyDoor(url=address, new_key=lambda: LISTEN_KEY)
        with running(user_stream("", heard, door)):
            until(lambda: len(heard) >= 2)
    assert LISTEN_KEY not in str(heard)
    assert {event[0] for event in heard} == {"down"}
