"""Several accounts and addresses: what holds of one holds of each; and who passes the door of the web process."""

import asyncio
import time
from typing import Any

import pytest

from exchange.binance.usage import Cost
from exchange.door import Door
from exchange.gate import accounts, bans, breakers, budgets, conditions, keys, queries, store
from exchange.gate import services as gate
from exchange.gate.breakers import Operation, State
from exchange.gate.models import VenueAccount
from tests.factories import venue_account
from tests.venue import Venue


@pytest.fixture(autouse=True)
def secret(db: None, venue: Venue, settings: Any) -> None:
    settings.VENUE_KEYS_SECRET = "0123456789-a-secret-of-the-tests-0123456789"


@pytest.fixture
def second() -> VenueAccount:
    gate.note_stream(venue_account(), VenueAccount.StreamState.SUBSCRIBED)
    account = accounts.add_account("second", reason="more room")
    keys.set_key(account.pk, api_key="second" * 8, secret="secret-of-the-second", reason="new")
    accounts.enable_account(account.pk, reason="it is funded")
    gate.note_stream(account, VenueAccount.StreamState.SUBSCRIBED)
    return VenueAccount.objects.get(pk=account.pk)


def test_a_clock_that_cannot_be_right_holds_every_account(second: VenueAccount, venue: Venue) -> None:
    venue.on(
        "GET", "/api/v3/time", lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000 + 120_000})
    )
    gate.clock().forget()
    gate.measure_clock()
    conditions.watch()
    states = {name: breakers.of(name, Operation.PLACE)._read_again().state for name in ("primary", "second")}
    assert states == {"primary": State.OPEN, "second": State.OPEN}


WEIGHT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}


def test_a_limit_that_changes_holds_for_every_address(second: VenueAccount) -> None:
    accounts.set_proxy(second.pk, proxy="http://10.0.0.9:3128", reason="own way")
    second.refresh_from_db()
    egress = bans.egress_of(second)
    gate.learn_limits([WEIGHT])
    budgets.give_back(budgets.reserve(egress, None, Cost(1), kind="query"))
    gate.learn_limits([{**WEIGHT, "limit": 1200}])
    told = {name: store.read(bans.egress_key(name)).get("weight") for name in (bans.DEFAULT_EGRESS, egress)}
    assert told == {bans.DEFAULT_EGRESS: "60:1200", egress: "60:1200"}


def test_staff_see_the_budget_of_every_address(second: VenueAccount) -> None:
    accounts.set_proxy(second.pk, proxy="http://10.0.0.9:3128", reason="own way")
    second.refresh_from_db()
    egress = bans.egress_key(bans.egress_of(second))
    budgets.give_back(budgets.reserve(bans.egress_of(second), None, Cost(1), kind="query"))
    assert egress in [one.key for one in queries.budgets_now()]


def asked_while_two_are_inside(
    path: str, header: bytes = b"sessionid=s", later: bytes = b"sessionid=s"
) -> int:
    async def story() -> int:
        end = asyncio.Event()

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            if scope["path"] == "/orders/":
                await end.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        door = Door(app, 2)
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        async def quiet(_message: Any) -> None: ...

        def scope(path: str, cookie: bytes) -> Any:
            return {"type": "http", "method": "POST", "path": path, "headers": [(b"cookie", cookie)]}

        tasks = [asyncio.create_task(door(scope("/orders/", header), None, quiet)) for _time in range(2)]  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        await door(scope(path, later), None, send)  # type: ignore[arg-type]
        end.set()
        await asyncio.gather(*tasks)
        return int(said[0]["status"])

    return asyncio.run(story())


@pytest.mark.parametrize("path", ["/security/panic/", "/orders/5/cancel/", "/orders/cancel/"])
def test_a_cancel_of_a_page_and_the_panic_button_pass_the_door(path: str) -> None:
    assert asked_while_two_are_inside(path) == 200


def test_another_cookie_beside_the_session_is_not_another_person() -> None:
    assert asked_while_two_are_inside("/orders/new/", later=b"sessionid=s; noise=1") == 503
