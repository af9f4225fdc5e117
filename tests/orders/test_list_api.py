"""Lists of orders by API: what is taken, what is shown, what is refused and beside which field."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from markets.models import Market
from orders.models import Order, OrderList
from tests.factories import make_user, publish_ticker
from tests.orders.lists import BUY, PROFIT, STOP
from tests.venue import Venue

ABOVE, BELOW = PROFIT, STOP
OCO = {"kind": "OCO", "symbol": "BTCUSDT", "above": ABOVE, "below": BELOW}
OTO = {"kind": "OTO", "symbol": "BTCUSDT", "working": BUY, "pending": STOP}
OTOCO = {"kind": "OTOCO", "symbol": "BTCUSDT", "working": BUY, "above": ABOVE, "below": BELOW}


@pytest.fixture
def browser(client: Client, alice: User, venue: Venue) -> Client:
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    venue.places(orderId=4713)
    client.force_login(alice)
    return client


def post(browser: Client, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    answer = browser.post("/api/v1/order-lists/", body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("body", "legs"),
    [
        (OCO, [("ABOVE", "OPEN"), ("BELOW", "OPEN")]),
        (OTO, [("WORKING", "OPEN"), ("PENDING", "WAITING")]),
        (OTOCO, [("WORKING", "OPEN"), ("ABOVE", "WAITING"), ("BELOW", "WAITING")]),
    ],
)
def test_a_list_is_taken_and_shown_with_its_orders(
    browser: Client, body: dict[str, Any], legs: list[tuple[str, str]]
) -> None:
    code, shown = post(browser, {**body, "client_order_id": "mine"})
    assert (code, shown["status"], shown["client_order_id"]) == (201, "EXECUTING", "mine")
    assert [(order["leg"], order["status"]) for order in shown["orders"]] == legs
    assert browser.get(f"/api/v1/order-lists/{shown['id']}/").json() == shown
    assert browser.get("/api/v1/order-lists/").json()["results"] == [shown]
    assert browser.get(f"/api/v1/orders/{shown['orders'][0]['id']}/").json()["order_list"] == shown["id"]


def test_what_was_sent_is_shown_as_it_was_sent(browser: Client) -> None:
    _code, shown = post(browser, OCO)
    assert {name: shown["orders"][0][name] for name in ABOVE} == ABOVE
    assert {name: shown["orders"][1][name] for name in BELOW} == BELOW


def test_a_repeat_gives_the_first_list(browser: Client, venue: Venue) -> None:
    first = post(browser, OCO, **{"Idempotency-Key": "k"})
    assert post(browser, OCO, **{"Idempotency-Key": "k"}) == first
    other = {**OCO, "below": {**BELOW, "stop_price": "37000"}}
    assert post(browser, other, **{"Idempotency-Key": "k"})[1]["code"] == "nonce_reused"
    assert venue.count("POST", "/api/v3/orderList/oco") == 1


def test_a_silent_venue_is_a_202(browser: Client, venue: Venue) -> None:
    venue.on("POST", "/api/v3/orderList/oco", (503, "<html>"))
    code, shown = post(browser, OCO)
    assert (code, [order["status"] for order in shown["orders"]]) == (202, ["PENDING", "PENDING"])


def test_the_end_of_a_list_is_asked_for_with_one_call(browser: Client, venue: Venue) -> None:
    _code, shown = post(browser, OTO)
    venue.on("DELETE", "/api/v3/order", (400, {"code": -2011, "msg": "Unknown order sent."}))
    venue.knows(status="CANCELED", orderId=4713)
    answer = browser.delete(f"/api/v1/order-lists/{shown['id']}/")
    assert (answer.status_code, answer.json()["status"]) == (200, "ALL_DONE")
    assert browser.delete(f"/api/v1/order-lists/{shown['id']}/").json()["code"] == "order_is_closed"


def test_nobody_sees_or_ends_a_strangers_list(browser: Client) -> None:
    _code, shown = post(browser, OCO)
    browser.force_login(make_user("bob"))
    path = f"/api/v1/order-lists/{shown['id']}/"
    assert (browser.get(path).status_code, browser.delete(path).status_code) == (404, 404)
    assert browser.get("/api/v1/order-lists/").json()["results"] == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({**OCO, "kind": "OCOCO"}, "kind"),
    ({**OCO, "extra": 1}, "extra"),
    ({**OCO, "above": {**ABOVE, "sise": "SELL"}}, "above.sise"),
    ({**OCO, "above": {**ABOVE, "quote_quantity": "5"}}, "above.quote_quantity"),
    ({**OCO, "above": {**ABOVE, "price": 42000}}, "above.price"),
    ({**OCO, "above": {**ABOVE, "price": "-1"}}, "above.price"),
    ({**OCO, "above": {**ABOVE, "price": "1e3"}}, "above.price"),
    ({**OCO, "above": {**ABOVE, "price": "NaN"}}, "above.price"),
    ({**OCO, "below": {**BELOW, "stop_price": "0"}}, "below.stop_price"),
    ({**OCO, "below": {**BELOW, "quantity": "９"}}, "below.quantity"),
    ({**OCO, "below": {**BELOW, "quantity": True}}, "below.quantity"),
    ({**OCO, "below": {**BELOW, "quantity": ["1"]}}, "below.quantity"),
    ({**OCO, "below": {**BELOW, "quantity": "1" * 40}}, "below.quantity"),
    ({**OCO, "below": [BELOW]}, "below"),
    ({**OCO, "below": "x"}, "below"),
    ({name: value for name, value in OCO.items() if name != "below"}, "below"),
    ({**OCO, "working": BUY}, "working"),
    ({**OTO, "above": ABOVE}, "above"),
    ({**OTO, "working": {**BUY, "type": "MARKET", "price": None, "time_in_force": ""}}, "working.type"),
    ({**OTO, "pending": {**STOP, "quantity": "1.00001"}}, "pending.quantity"),
    ({**OTO, "pending": {**STOP, "stop_price": "38000.001"}}, "pending.stop_price"),
    ({**OTO, "pending": {**STOP, "side": "BUY"}}, "pending.type"),
    ({**OTO, "working": {**BUY, "price": "39000.001"}}, "working.price"),
    ({**OTOCO, "above": {**ABOVE, "quantity": "0.5"}}, "below.quantity"),
    ({**OTOCO, "below": {**ABOVE, "price": "41000"}}, "below.type"),
    ({**OCO, "client_order_id": "a b"}, "client_order_id"),
    ({**OCO, "client_order_id": "x/2"}, "client_order_id"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_is_no_list_is_refused_beside_its_field(
    browser: Client, venue: Venue, body: dict[str, Any], field: str
) -> None:
    code, told = post(browser, body)
    assert (code, told["field"]) == (400, field), told
    assert not (OrderList.objects.exists() or Order.objects.exists())
    assert venue.count("POST", "/api/v3/orderList/oco") == 0


def test_names_that_stand_twice_are_refused(browser: Client) -> None:
    body = '{"kind": "OCO", "kind": "OCO", "symbol": "BTCUSDT"}'
    assert browser.post("/api/v1/order-lists/", body, content_type="application/json").status_code == 400


def test_a_stranger_to_the_house_may_not(client: Client, market: Market) -> None:
    assert client.post("/api/v1/order-lists/", OCO, content_type="application/json").status_code in (401, 403)
