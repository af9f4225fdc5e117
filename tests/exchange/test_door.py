"""Before the threads of the web process one person's requests wait for each other, and nobody else's for them."""

import asyncio
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from accounts.services import issue_token
from exchange import door
from exchange.bridge import CUSTOMER
from exchange.door import Door
from exchange.pages import NamedCustomers
from tests.factories import make_user


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
    def __init__(self, app: Any, most: int = 2) -> None:
        self.door, self.said = Door(app, most), list[Any]()

    async def ask(self, who: str = "", method: str = "POST", address: str = "") -> int:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", who.encode())] if who else []
        scope = {
            "type": "http",
            "method": method,
            "path": "/orders/",
            "headers": headers,
            "client": (address, 5000) if address else None,
        }
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


# ------------------------------------------------------------------ who asks often
class Quick:
    """Answers at once what it is told to; one person's wishes only when it is told that these may end."""

    def __init__(self, status: int = 201, slow: str = "") -> None:
        self.status, self.slow = status, slow.encode()
        self.may_end = asyncio.Event()
        self.inside: list[bytes] = []
        self.customers: dict[bytes, str] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        who = dict(scope["headers"])[b"authorization"]
        self.inside.append(who)
        scope[CUSTOMER] = self.customers.get(who)
        await asyncio.sleep(0.001)
        if who == self.slow:
            await self.may_end.wait()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def begun(self, who: str) -> int:
        return self.inside.count(who.encode())


class Flood:
    """Eight hands of one person, each of which asks again as soon as it is answered."""

    def __init__(self, asking: Asking, *names: str) -> None:
        self.answers: list[int] = []
        self._hands = [
            asyncio.create_task(self._hand(asking, names[number % len(names)])) for number in range(8)
        ]

    async def _hand(self, asking: Asking, who: str) -> None:
        while True:
            self.answers.append(await asking.ask(who))
            await asyncio.sleep(0)  # as a server does between two requests

    async def end(self) -> None:
        for hand in self._hands:
            hand.cancel()
        await asyncio.gather(*self._hands, return_exceptions=True)


def test_while_one_floods_nothing_of_his_begins_before_anothers_wish_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 5)

    async def story() -> None:
        app = Quick(slow="bob")
        asking = Asking(app)
        flood = Flood(asking, "alice")
        await asyncio.sleep(0.1)
        assert app.begun("alice") > 20, "nobody else is there, and all of his go on"
        bob = asyncio.create_task(asking.ask("bob"))
        await some(5)
        assert app.begun("bob") == 1
        before = app.begun("alice")
        await asyncio.sleep(0.1)
        assert app.begun("alice") == before
        app.may_end.set()
        assert await bob == 201
        await asyncio.sleep(0.1)
        assert app.begun("alice") > before + 10
        await flood.end()
        assert not asking.door._inside and not asking.door._known and not asking.door._waiting

    asyncio.run(story())


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_cancel_of_somebody_else_is_let_pass_as_well_and_who_floods_goes_on_after_a_while(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.05)

    async def story() -> None:
        app = Quick(slow="bob")
        asking = Asking(app)
        flood = Flood(asking, "alice")
        await asyncio.sleep(0.1)
        bob = asyncio.create_task(asking.ask("bob", method))
        await some(5)
        before = app.begun("alice")
        await asyncio.sleep(0.5)
        assert 3 <= app.begun("alice") - before <= 11, "one after each time of patience"
        app.may_end.set()
        await bob
        await flood.end()

    asyncio.run(story())


def test_shortly_after_somebody_came_who_asks_seldom_one_wish_at_a_time_of_who_floods_is_under_way() -> None:
    class Counting(Quick):
        at_once = most = 0

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                await super().__call__(scope, receive, send)
            finally:
                self.at_once -= 1

    async def story() -> None:
        app = Counting()
        asking = Asking(app)
        flood = Flood(asking, "alice")
        await asyncio.sleep(0.1)
        assert app.most == 2
        assert await asking.ask("bob") == 201
        await asyncio.sleep(0.01)
        app.most = 0
        await asyncio.sleep(0.1)
        assert app.most == 1
        await asyncio.sleep(door.ALONE_SECONDS)
        assert app.most == 2
        await flood.end()

    asyncio.run(story())


@pytest.mark.parametrize("status", [429, 503])
def test_who_floods_what_has_no_room_is_not_refused_sooner_for_asking_again_at_once(status: int) -> None:
    async def story() -> None:
        app = Quick(status)
        asking = Asking(app)
        flood = Flood(asking, "alice")
        await asyncio.sleep(0.2)
        before = app.begun("alice")
        assert before >= door.OFTEN
        await asyncio.sleep(1)
        assert 3 <= app.begun("alice") - before <= 1 / door.PAUSE + 2
        assert await asking.ask("bob") == status
        await flood.end()
        assert set(flood.answers) <= {status, 503}

    asyncio.run(story())


def test_who_was_refused_and_asks_seldom_is_answered_at_once() -> None:
    async def story() -> None:
        asking = Asking(Quick(503))
        began = asyncio.get_running_loop().time()
        for _time in range(door.OFTEN - 1):
            assert await asking.ask("alice") == 503
        assert asyncio.get_running_loop().time() - began < door.PAUSE

    asyncio.run(story())


def test_those_who_all_ask_often_wait_for_nobody() -> None:
    async def story() -> None:
        app = Quick(slow="carol")
        asking = Asking(app)
        floods = [Flood(asking, name) for name in ("alice", "bob")]
        await asyncio.sleep(0.3)
        begun = app.begun("alice"), app.begun("bob")
        assert min(begun) > 30 and max(begun) < 2 * min(begun)
        for flood in floods:
            await flood.end()

    asyncio.run(story())


def test_all_tokens_of_a_customer_are_one_person() -> None:
    async def story() -> None:
        app = Quick()
        asking = Asking(app)
        tokens = [f"token {number}" for number in range(8)]
        app.customers = {token.encode(): "7" for token in tokens}
        for token in tokens:
            assert await asking.ask(token) == 201
        app.slow = b"token 0"
        app.inside.clear()
        asked = [asyncio.create_task(asking.ask(tokens[0])) for _time in range(2)]
        asked += [asyncio.create_task(asking.ask(token)) for token in tokens[1:]]
        await asyncio.sleep(0.05)
        assert app.inside == [b"token 0"] * 2
        app.may_end.set()
        assert [await task for task in asked] == [201] * 9

    asyncio.run(story())


def test_who_is_too_many_again_and_again_is_told_later_and_costs_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "MOST_HELD", 25)

    async def story() -> None:
        app = App()
        asking = Asking(app)
        floods = [Flood(asking, "alice") for _time in range(4)]
        await asyncio.sleep(0.5)
        answers = sum(len(flood.answers) for flood in floods)
        assert answers <= 2 * door.OFTEN, "32 hands ask as fast as they are answered"
        more = [asyncio.create_task(asking.ask("alice")) for _time in range(30)]
        await asyncio.sleep(0.1)
        assert sum(task.done() for task in more) > 20, "so many are not kept"
        app.may_end.set()
        for flood in floods:
            await flood.end()
        await asyncio.gather(*more)

    asyncio.run(story())


def test_who_leaves_the_line_has_no_place_in_it_any_more() -> None:
    async def story() -> None:
        app = App()
        asking = Asking(app)
        asked = [asyncio.create_task(asking.ask("alice")) for _time in range(10)]
        await some(10)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert not asking.door._inside and not asking.door._known and not asking.door._waiting
        app.may_end.set()
        assert await asking.ask("alice") == 201

    asyncio.run(story())


@pytest.mark.parametrize("names", [[""] * 8, [f"made up {number}" for number in range(8)]])
def test_whoever_nobody_knows_is_one_person_with_the_others_at_the_address(names: list[str]) -> None:
    async def story() -> None:
        app = App()
        asking = Asking(app)
        asked = [asyncio.create_task(asking.ask(name, address="10.0.0.1")) for name in names]
        await some(10)
        assert len(app.inside) == 4
        there = asyncio.create_task(asking.ask(names[-1], address="10.0.0.2"))
        await some(10)
        assert len(app.inside) == 5
        app.may_end.set()
        assert [await task for task in (*asked, there)] == [201] * 9

    asyncio.run(story())


def test_who_is_known_does_not_wait_for_strangers_at_his_address() -> None:
    async def story() -> None:
        app = Quick(slow="made up")
        app.customers = {b"alice": "7"}
        asking = Asking(app)
        assert await asking.ask("alice", address="10.0.0.1") == 201
        asked = [asyncio.create_task(asking.ask("made up", address="10.0.0.1")) for _time in range(12)]
        await some(20)
        assert await asking.ask("alice", address="10.0.0.1") == 201
        app.may_end.set()
        assert {await task for task in asked} == {201}

    asyncio.run(story())


def test_a_token_that_is_good_no_more_is_a_strangers() -> None:
    async def story() -> None:
        app = Quick()
        app.customers = {b"alice": "7", b"old": "7"}
        asking = Asking(app)
        for name in ("alice", "old"):
            assert await asking.ask(name, address="10.0.0.1") == 201
        del app.customers[b"old"]
        assert await asking.ask("old", address="10.0.0.1") == 201
        app.slow = b"old"
        asked = [asyncio.create_task(asking.ask("old", address="10.0.0.1")) for _time in range(8)]
        await some(20)
        assert await asking.ask("alice", address="10.0.0.1") == 201
        app.may_end.set()
        assert [await task for task in asked] == [201] * 8

    asyncio.run(story())


@pytest.mark.django_db
def test_django_says_whose_request_it_was() -> None:
    alice = make_user()
    tokens = [issue_token(alice, name=name)[1] for name in ("one", "two")]
    program = Client()
    said = [
        program.post("/api/v1/orders/", {}, headers={"Authorization": f"Bearer {secret}"}).wsgi_request.META
        for secret in (*tokens, "cw_made_up")
    ]
    assert [meta.get(CUSTOMER) for meta in said] == [str(alice.pk), str(alice.pk), None]
    page = Client()
    page.force_login(alice)
    assert page.post("/orders/cancel/").wsgi_request.META.get(CUSTOMER) == str(alice.pk)


def test_nobody_is_looked_up_for_the_door_alone() -> None:
    def looked_up() -> Any:
        raise AssertionError("asked the database")

    request = RequestFactory().post("/")
    request.user = SimpleLazyObject(looked_up)  # type: ignore[assignment]
    assert NamedCustomers(lambda _request: HttpResponse())(request).status_code == 200
    assert CUSTOMER not in request.META
