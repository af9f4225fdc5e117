"""Faults set at the control door: the answer goes wrong, and what happened to the order is as it says."""

from collections.abc import Callable

import pytest
import requests

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import Caller, wait_for

ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "70000", "quantity": "0.01",
    "newClientOrderId": "struck",
}  # fmt: skip


@pytest.fixture
def funded(trader: Caller) -> Caller:
    trader.deposit("USDT", "1000")
    return trader


def placed(caller: Caller) -> "requests.Response | None":
    """The answer, or None when the connection broke."""
    try:
        return caller.signed("POST", "/api/v3/order", **ORDER)
    except requests.ConnectionError:
        return None


def exists(caller: Caller) -> bool:
    answer = caller.signed("GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="struck")
    return answer.status_code == 200


@pytest.mark.parametrize(
    ("do", "status", "is_executed"),
    [
        ("503 before", 503, False),
        ("429", 429, False),
        ("reset before", None, False),
        ("504 after", 504, True),
        ("-1007 after", 504, True),
        ("garbage after", 200, True),
        ("reset after", None, True),
        ("hang before", None, False),
        ("hang after", None, True),
    ],
)
def test_the_order_is_executed_or_not_whatever_the_answer_says(
    funded: Caller, do: str, status: int | None, is_executed: bool
) -> None:
    funded.door("fault", do=do, ms=50)
    answer = placed(funded)
    assert (answer.status_code if answer is not None else None) == status
    assert exists(funded) is is_executed


def test_a_fault_strikes_as_often_as_it_was_told(funded: Caller) -> None:
    funded.door("fault", on="query", do="503 before", count=2)
    statuses = [
        funded.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId="1").status_code for _call in range(3)
    ]
    assert statuses == [503, 503, 400]


def test_an_order_may_be_hidden_for_a_while_from_who_asks(funded: Caller) -> None:
    funded.door("fault", do="hide", ms=400)
    answer = placed(funded)
    assert answer is not None
    assert (answer.status_code, exists(funded)) == (200, False)
    wait_for(lambda: exists(funded))


def test_a_ban_holds_for_every_request_until_it_is_over(funded: Caller) -> None:
    funded.door("fault", on="query", do="418", ms=1000)
    statuses = {
        funded.signed("GET", "/api/v3/order", symbol="BTCUSDT", orderId="1").status_code,
        funded.http.get(f"{funded.url}/api/v3/ping").status_code,
    }
    assert statuses == {418}
    wait_for(lambda: funded.http.get(f"{funded.url}/api/v3/ping").status_code == 200)


def test_every_socket_can_be_cut(trader: Caller) -> None:
    socket = Socket(trader.url, "/ws/btcusdt@trade")
    trader.door("fault", do="disconnect")
    socket._thread.join(5)
    assert not socket._thread.is_alive()


def test_a_market_can_be_halted_and_opened_again(funded: Caller) -> None:
    funded.door("fault", do="status", symbol="BTCUSDT", status="HALT")
    halted = placed(funded)
    shown = funded.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"][0]["status"]
    funded.door("fault", do="status", symbol="BTCUSDT", status="TRADING")
    opened = placed(funded)
    assert halted is not None
    assert opened is not None
    assert (halted.json(), shown, opened.status_code) == (
        {"code": -1013, "msg": "Market is closed."},
        "HALT",
        200,
    )


@pytest.mark.parametrize(
    "asked", [{}, {"do": "dance"}, {"do": "504 after", "on": "moon"}, {"do": "gap", "symbol": "X"}]
)
def test_a_fault_nobody_knows_is_refused_in_a_sentence(trader: Caller, asked: dict[str, str]) -> None:
    answer = trader.http.post(f"{trader.url}/paper/fault", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, -1100)


def test_a_page_elsewhere_cannot_make_a_browser_bring_money(trader: Caller) -> None:
    plain = trader.http.post(
        f"{trader.url}/paper/deposit",
        data='{"coin": "USDT", "amount": "5"}',
        headers={"Content-Type": "text/plain"},
    )
    assert (plain.status_code, trader.door_get("state")["deposits"]) == (400, 0)


def test_the_true_state_shows_what_was_hidden(venue: Venue, funded: Caller) -> None:
    is_open: Callable[[], bool] = lambda: funded.door_get("state")["accounts"][0]["open_orders"] == ["struck"]  # noqa: E731
    funded.door("fault", do="reset after")
    placed(funded)
    assert is_open()
