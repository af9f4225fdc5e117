"""Before the threads of the web process one person's requests wait for each other, and nobody else's for them."""

import asyncio
import json
from typing import Any

import pytest

from exchange import door
from exchange.door import Door


class App:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.inside: list[bytes] = []
        self.may_end = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside.append(dict(scope["headers"]).get(b"authorization", b""))
        await self.may_end.wait()
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Asking:
    def __init__(self, app: App, most: int = 2) -> None:
        self.door, self.said = Door(app, most), list[Any]()

    async def ask(self, who: str = "", method: str = "POST") -> int:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", who.encode())] if who else []
        scope = {"type": "http", "method": method, "path": "/orders/", "headers": headers}
        await self.door(scope, None, send)  # type: ignore[arg-type]
        self.said.append(said)
        return int(said[0]["status"])


async def some(count: int) -> None:
    for _turn in range(count):
        await asyncio.sleep(0)


def test_of_one_person_two_wishes_are_under_way_and_others_pass() -> None:
    async def story() -> None:
        app = App()
        asking = Asking(app)
        alices = [asyncio.create_task(asking.ask("alice")) for _time in range(5)]
        await some(10)
        assert app.inside == [b"alice"] * 2
        rest = [
            asyncio.create_task(asking.ask(who, method)) for who, method in (("bob", "POST"), ("", "POST"))
        ]
        rest.append(asyncio.create_task(asking.ask("alice", "DELETE")))
        await some(10)
        assert len(app.inside) == 5
        app.may_end.set()
        assert [await task for task in (*alices, *rest)] == [201] * 8
        assert not asking.door._inside and not asking.door._known

    asyncio.run(story())


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_is_a_wish_as_well(method: str) -> None:
    async def story() -> None:
        app = App()
        asking = Asking(app)
        alices = [asyncio.create_task(asking.ask("alice", method)) for _time in range(4)]
        alices.append(asyncio.create_task(asking.ask("alice")))
        await some(10)
        assert app.inside == [b"alice"] * 2
        app.may_end.set()
        assert [await task for task in alices] == [201] * 5

    asyncio.run(story())


def test_who_waits_too_long_or_in_too_long_a_line_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "WAIT_SECONDS", 0.05)

    async def story() -> None:
        app = App()
        asking = Asking(app)
        asked = [asyncio.create_task(asking.ask("alice")) for _time in range(12)]
        await some(20)
        assert sum(task.done() for task in asked) == 2, "the line is full"
        await asyncio.sleep(0.2)
        assert len(app.inside) == 2
        app.may_end.set()
        statuses = [await task for task in asked]
        assert sorted(statuses) == [201] * 2 + [503] * 10
        start, end = asking.said[0]
        assert (b"retry-after", b"1") in start["headers"]
        assert json.loads(end["body"])["code"] == "busy"

    asyncio.run(story())
