"""What a server and Django's handler tell each other by the bridge between them."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator

from exchange import bridge
from exchange.uploads import MOST_BYTES

SCOPE = {
    "type": "http", "http_version": "1.1", "method": "POST", "path": "/a/", "query_string": b"b=c",
    "headers": [(b"content-type", b"text/plain"), (b"x-more", b"1")], "server": ("testserver", 80),
}  # fmt: skip
There: Callable[..., Any] = ApplicationCommunicator  # it has no types
Start = Callable[[str, list[tuple[str, str]]], Any]


def asked(app: Callable[..., Iterable[bytes]], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What the app answers to a request that comes in these messages."""

    async def ask() -> list[dict[str, Any]]:
        there = There(bridge.Bridge(app, workers=1), dict(SCOPE))
        for message in messages:
            await there.send_input(message)
        said: list[dict[str, Any]] = []
        while not said or said[-1].get("more_body", said[-1]["type"] == "http.response.start"):
            said.append(await there.receive_output(5))
        await there.wait(5)
        return said

    return asyncio.run(ask())


def part(body: bytes, is_more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": is_more}


def echo(environ: dict[str, Any], start: Start) -> list[bytes]:
    start("201 Created", [("X-Method", environ["REQUEST_METHOD"]), ("X-More", environ["HTTP_X_MORE"])])
    return [environ["QUERY_STRING"].encode(), b" ", environ["wsgi.input"].read()]


def test_a_request_in_pieces_is_answered_in_one() -> None:
    assert asked(echo, part(b"one ", is_more=True), part(b"two")) == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"x-method", b"POST"), (b"x-more", b"1")],
        },
        {"type": "http.response.body", "body": b"b=c one two"},
    ]


def test_what_is_large_is_said_while_the_rest_is_made() -> None:
    heard = threading.Event()

    def large(_environ: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"x" * (bridge.IN_MEMORY + 1)
        heard.set()
        yield b"end"

    said = asked(large, part(b""))
    assert [len(message.get("body", b"")) for message in said] == [0, bridge.IN_MEMORY + 1, 3]
    assert heard.is_set()


def test_who_leaves_before_all_is_said_is_not_served() -> None:
    served: list[bytes] = []

    async def ask() -> None:
        app = bridge.Bridge(lambda environ, start: served, workers=1)
        there = There(app, dict(SCOPE))
        await there.send_input(part(b"half of an order", is_more=True))
        await there.send_input({"type": "http.disconnect"})
        await there.wait(5)
        assert await there.receive_nothing()

    asyncio.run(ask())


def test_nobody_is_listened_to_for_ever() -> None:
    """Django refuses by the length that is said; what comes besides is left where it is."""
    chunk = b"x" * (MOST_BYTES // 4)

    def size(environ: dict[str, Any], start: Start) -> list[bytes]:
        start("200 OK", [])
        return [str(len(environ["wsgi.input"].read())).encode()]

    said = asked(size, *[part(chunk, is_more=True)] * 8)
    assert said[-1]["body"] == str(5 * len(chunk)).encode()


def test_what_goes_wrong_is_the_servers_to_tell_and_the_body_is_closed() -> None:
    bodies: list[Any] = []

    def wrong(environ: dict[str, Any], start: Start) -> list[bytes]:
        bodies.append(environ["wsgi.input"])
        raise LookupError("whatever")

    with pytest.raises(LookupError):
        asked(wrong, part(b""))
    assert bodies[0].closed


def test_whose_request_it_was_is_in_the_scope_afterwards() -> None:
    def app(environ: dict[str, Any], start: Start) -> list[bytes]:
        environ[bridge.CUSTOMER] = "7"
        start("200 OK", [])
        return []

    async def ask() -> Any:
        scope = dict(SCOPE)

        async def receive() -> Any:
            return part(b"")

        async def send(_message: Any) -> None: ...

        await bridge.Bridge(app, workers=1)(scope, receive, send)
        return scope[bridge.CUSTOMER]

    assert asyncio.run(ask()) == "7"
