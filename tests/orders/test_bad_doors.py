"""Every door of the API that takes an amount or a number, as the API's own description lists them: whatever stands
there is refused with a code, nothing is stored, and what the door does not know is not passed over."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts.models import User
from markets.models import Market
from orders import services
from tests.factories import publish_ticker
from tests.orders.test_bad_input import GOOD, ODD, TOTAL, post
from tests.orders.test_placing import ticket
from tests.venue import Venue

Body = dict[str, Any]
STOP = {
    "side": "SELL", "type": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "stop_price": "38000", "price": "37000",
    "quantity": "1", "iceberg_quantity": "0.5",
}  # fmt: skip
LEG = {"side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000", "quantity": "1"}
PROFIT = {**STOP, "type": "TAKE_PROFIT_LIMIT", "stop_price": "42000", "price": "42500"}
LIST = {"kind": "OTOCO", "symbol": "BTCUSDT", "working": LEG, "above": PROFIT, "below": STOP}
FOLLOWED = {"kind": "OTO", "symbol": "BTCUSDT", "working": LEG, "pending": STOP}
WITHDRAWAL = {
    "asset": "USDT", "network": "TRX", "address": "T" * 34, "amount": "100", "fee": "1", "nonce": "n1",
    "code": "000000",
}  # fmt: skip
CLAIM = {"asset": "USDT", "network": "TRX", "tx_id": "ab" * 32, "amount": "100", "statement": "It was me."}
CONVERSION = {"from_asset": "USDT", "to_asset": "BTC", "from_amount": "100"}
# What passes but for the amount that is put in; every door that takes one has to be here.
DOORS: dict[str, Body] = {
    "POST /api/v1/orders/": {"symbol": "BTCUSDT", **STOP},
    "POST /api/v1/orders/preview/": {"symbol": "BTCUSDT", **STOP},
    "PATCH /api/v1/orders/{order_id}/": {"quantity": "0.5"},
    "POST /api/v1/orders/{order_id}/replace/": {"price": "38000", "quantity": "0.5"},
    "POST /api/v1/order-lists/": LIST,
    "POST /api/v1/order-lists/preview/": LIST,
    "POST /api/v1/withdrawals/": WITHDRAWAL,
    "POST /api/v1/deposit-claims/": CLAIM,
    "POST /api/v1/convert/quotes/": CONVERSION,
    "PUT /api/v1/orders/countdown/": {"seconds": 60},
    "POST /api/v1/tokens/": {"name": "bot", "password": "guess", "days": 30},
}
NOTHING = {'"0"', '"0.000"'}  # which a fee may be


# ------------------------------------------------------------------ what the description lists
def described() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


def fields_of(schema: dict[str, Any], whole: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Name and kind of every amount ("money") and number ("whole") that a body of this schema can carry."""
    for part in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in part:
            yield from fields_of(whole["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]], whole, path)
    if schema.get("pattern", "").startswith("^[0-9]{1,20}"):
        yield path, "money"
    elif schema.get("type") == "integer":
        yield path, "whole"
    for name, inner in schema.get("properties", {}).items():
        yield from fields_of(inner, whole, f"{path}.{name}" if path else name)


def bodies() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every door to which something is sent as JSON, with what it takes."""
    whole = described()
    for path, methods in whole["paths"].items():
        for method in ("post", "put", "patch"):
            content = methods.get(method, {}).get("requestBody", {}).get("content", {})
            if "application/json" in content and path.startswith("/api/v1/"):
                yield f"{method.upper()} {path}", content["application/json"]["schema"], whole


def doors() -> dict[str, dict[str, str]]:
    """The same, those that take amounts or numbers, with each of these."""
    found = {door: dict(fields_of(schema, whole)) for door, schema, whole in bodies()}
    return {door: fields for door, fields in found.items() if fields}


def test_every_door_that_takes_an_amount_is_tried() -> None:
    found = doors()
    assert set(found) == set(DOORS)
    assert sum(len(fields) for fields in found.values()) > 60


def body_for(door: str, field: str) -> Body:
    """One in which the field has its place."""
    if field.startswith("pending."):
        return FOLLOWED
    return TOTAL if field == "quote_quantity" else DOORS[door]


# ------------------------------------------------------------------ what comes of it
@pytest.fixture
def send(
    client: Client, alice: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Any]:
    """Says a text at a door as alice, who has an open order."""
    monkeypatch.setattr("exchange.api.UserThrottle.rate", None, raising=False)
    Market.objects.update(abilities=["ICEBERG", "TRAILING_STOP", "AMEND", "CANCEL_REPLACE", "OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    venue.asked.clear()
    client.force_login(alice)

    def said(door: str, text: str) -> Any:
        method, path = door.split()
        for name in ("order_id", "withdrawal_id", "address_id", "id"):
            path = path.replace("{" + name + "}", str(order.pk))
        return client.generic(method, path, text.encode(), content_type="application/json")

    return said


def with_this(body: Body, field: str, value: str) -> str:
    """The body as JSON with this text in the field's place."""
    found = json.loads(json.dumps(body))
    *above, name = field.split(".")
    inner = found
    for step in above:
        inner = inner[step]
    inner[name] = "\0"
    return json.dumps(found).replace('"\\u0000"', value)


def rows() -> dict[str, int]:
    """How many there are of everything that a customer can make."""
    kinds = (
        "orders.Order", "orders.OrderList", "orders.VenueOrder", "orders.OrderEvent", "ledger.Withdrawal",
        "ledger.Hold", "ledger.Transfer", "ledger.DepositClaim", "conversions.Quote", "conversions.Conversion",
        "safety.Countdown", "accounts.ApiToken",
    )  # fmt: skip
    return {kind: apps.get_model(kind).objects.count() for kind in kinds}


@pytest.mark.parametrize("door", DOORS)
def test_an_odd_amount_is_refused_at_every_door_and_nothing_is_stored(
    send: Callable[[str, str], Any], venue: Venue, door: str
) -> None:
    before, passed, begun, count = rows(), [], time.perf_counter(), 0
    for field, kind in doors()[door].items():
        body = body_for(door, field)
        for value in ODD:
            if (kind == "whole" and value == "1") or (field == "fee" and value in NOTHING):
                continue
            answer, count = send(door, with_this(body, field, value)), count + 1
            said = answer.json()
            is_refusal = answer.status_code == 400 and said["code"] and said["message"]
            if not is_refusal or said["field"] not in (field, None):
                passed.append((field, value, answer.status_code, said))
    assert passed == []
    assert (time.perf_counter() - begun) / count < 1 / 10
    assert rows() == before
    assert [path for method, path, _asked in venue.asked if method != "GET"] == []


@pytest.mark.parametrize("door", DOORS)
def test_an_amount_that_is_said_twice_is_refused_at_every_door(
    send: Callable[[str, str], Any], door: str
) -> None:
    before = rows()
    for field in doors()[door]:
        name = field.rsplit(".", 1)[-1]
        answer = send(door, with_this(body_for(door, field), field, f'"1", "{name}": "2"'))
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error"), field
    assert rows() == before


def test_what_a_door_does_not_know_is_refused_and_not_passed_over(send: Callable[[str, str], Any]) -> None:
    """A tag of a withdrawal by another name is money that nobody gets."""
    before = rows()
    found = {door: send(door, json.dumps({**DOORS.get(door, {}), "memo": "7"})) for door, *_rest in bodies()}
    assert len(found) > 15
    passed = {
        door: (answer.status_code, answer.json())
        for door, answer in found.items()
        if (answer.status_code, answer.json()["field"]) != (400, "memo")
    }
    assert passed == {}
    assert rows() == before


def test_the_bodies_are_good_but_for_what_is_put_in(client: Client, alice: User, venue: Venue) -> None:
    """Without it every refusal above could be one of the order itself."""
    client.force_login(alice)
    venue.places()
    assert post(client, "/api/v1/orders/", json.dumps(GOOD)).status_code == 201
    assert post(client, "/api/v1/orders/preview/", json.dumps(TOTAL)).status_code == 200
