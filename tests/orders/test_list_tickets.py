"""The ticket's form for every list that the API takes, without script, and what is said of one before it is placed."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from markets.models import Market
from orders.models import Order
from tests.factories import balance, make_user, publish_ticker
from tests.orders.lists import BUY, BUY_LIMIT, BUY_STOP, PROFIT, SELL_ALL, STOP
from tests.orders.test_list_api import OCO, OTO, OTOCO
from tests.venue import Venue

D = Decimal
PATH = "/api/v1/order-lists/preview/"
FIRST = {"side": "BUY", "price": "39000", "quantity": "1", "nonce": "n1"}
CHAIN = {**FIRST, "type": "OTO", "later_kind": "STOP_LOSS", "later_stop_price": "38000"}
BRACKET = {**FIRST, "type": "OTOCO", "pair_price": "42000", "pair_stop_price": "38000"}
PAIR = {
    "side": "SELL",
    "type": "OCO",
    "price": "42000",
    "stop_price": "38000",
    "quantity": "1",
    "nonce": "n1",
}
SHOWN = (
    "leg",
    "side",
    "type",
    "price",
    "stop_price",
    "trailing_delta",
    "iceberg_quantity",
    "quantity",
    "time_in_force",
)


@pytest.fixture
def browser(client: Client, alice: User, venue: Venue) -> Client:
    Market.objects.update(abilities=["OCO", "TRAILING_STOP", "ICEBERG"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    venue.places(orderId=4713)
    client.force_login(alice)
    return client


def stored() -> list[dict[str, Any]]:
    """What is said of each order, without what is not said."""
    rows = Order.objects.order_by("id").values(*SHOWN)
    return [{name: value for name, value in row.items() if value not in (None, "")} for row in rows]


def leg(name: str, side: str, type: str, **said: Any) -> dict[str, Any]:
    numbers = {key: D(value) if isinstance(value, str) else value for key, value in said.items()}
    time = {} if type in ("LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT", "MARKET") else {"time_in_force": "GTC"}
    return {"leg": name, "side": side, "type": type, "quantity": D(1), **numbers, **time}


FIRST_LEG = leg("WORKING", "BUY", "LIMIT", price="39000")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (CHAIN, [FIRST_LEG, leg("PENDING", "SELL", "STOP_LOSS", stop_price="38000")]),
        (
            {**CHAIN, "later_kind": "LIMIT", "later_price": "41000", "later_quantity": "0.5", "later_iceberg": "0.1",
             "post_only": "on"},
            [leg("WORKING", "BUY", "LIMIT_MAKER", price="39000"),
             leg("PENDING", "SELL", "LIMIT", price="41000", quantity="0.5", iceberg_quantity="0.1")],
        ),
        (
            {**CHAIN, "later_side": "same", "later_kind": "STOP_LOSS_LIMIT", "later_stop_price": "41000",
             "later_price": "41100", "iceberg_quantity": "0.2"},
            [{**FIRST_LEG, "iceberg_quantity": D("0.2")},
             leg("PENDING", "BUY", "STOP_LOSS_LIMIT", stop_price="41000", price="41100")],
        ),
        (
            {**CHAIN, "later_kind": "TAKE_PROFIT", "later_stop_price": "", "later_trailing": "1.5"},
            [FIRST_LEG, leg("PENDING", "SELL", "TAKE_PROFIT", trailing_delta=150)],
        ),
        ({**CHAIN, "later_kind": "MARKET"}, [FIRST_LEG, leg("PENDING", "SELL", "MARKET")]),
        (
            BRACKET,
            [FIRST_LEG, leg("ABOVE", "SELL", "LIMIT_MAKER", price="42000"),
             leg("BELOW", "SELL", "STOP_LOSS", stop_price="38000")],
        ),
        (
            {**BRACKET, "side": "SELL", "price": "41000", "pair_price": "38000", "pair_stop_price": "42000",
             "pair_stop_limit_price": "42500", "pair_iceberg": "0.1", "later_quantity": "0.9"},
            [leg("WORKING", "SELL", "LIMIT", price="41000"),
             leg("ABOVE", "BUY", "STOP_LOSS_LIMIT", stop_price="42000", price="42500", iceberg_quantity="0.1",
                 quantity="0.9"),
             leg("BELOW", "BUY", "LIMIT_MAKER", price="38000", iceberg_quantity="0.1", quantity="0.9")],
        ),
        (
            {**PAIR, "price": "", "profit_kind": "TAKE_PROFIT", "profit_stop_price": "42000", "stop_price": "",
             "stop_trailing": "2"},
            [leg("ABOVE", "SELL", "TAKE_PROFIT", stop_price="42000"),
             leg("BELOW", "SELL", "STOP_LOSS", trailing_delta=200)],
        ),
        (
            {**PAIR, "profit_kind": "TAKE_PROFIT_LIMIT", "profit_stop_price": "41500", "profit_trailing": "1",
             "pair_iceberg": "0.1"},
            [leg("ABOVE", "SELL", "TAKE_PROFIT_LIMIT", stop_price="41500", trailing_delta=100, price="42000",
                 iceberg_quantity="0.1"),
             leg("BELOW", "SELL", "STOP_LOSS", stop_price="38000")],
        ),
    ],
)  # fmt: skip
def test_the_form_places_every_kind_of_list(
    browser: Client, typed: dict[str, str], expected: list[dict[str, Any]]
) -> None:
    answer = browser.post("/trade/BTCUSDT/", typed, follow=True)
    assert "orders is recorded: " in answer.text, answer.context["form"].errors
    assert stored() == expected


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({**CHAIN, "price": ""}, "price"),
        ({**CHAIN, "quantity": ""}, "quantity"),
        ({**CHAIN, "later_kind": "LIMIT"}, "later_price"),
        ({**CHAIN, "later_stop_price": ""}, "later_stop_price"),
        ({**CHAIN, "later_stop_price": "38000.001"}, "later_stop_price"),
        ({**CHAIN, "later_trailing": "0.001"}, "later_trailing"),
        ({**CHAIN, "later_quantity": "2"}, "later_quantity"),
        ({**CHAIN, "later_side": "same"}, "later_kind"),
        ({**CHAIN, "price": "39000.001"}, "price"),
        ({**CHAIN, "later_kind": "BARTER"}, "later_kind"),
        ({**BRACKET, "pair_price": ""}, "pair_price"),
        ({**BRACKET, "pair_stop_price": ""}, "pair_stop_price"),
        ({**BRACKET, "pair_price": "42000.001"}, "pair_price"),
        ({**BRACKET, "pair_stop_limit_price": "x"}, "pair_stop_limit_price"),
        ({**BRACKET, "later_side": "same"}, "pair_stop_limit_price"),
        ({**BRACKET, "later_quantity": "0.000001"}, "later_quantity"),
        ({**PAIR, "profit_kind": "TAKE_PROFIT"}, "profit_stop_price"),
        ({**PAIR, "pair_iceberg": "2"}, "pair_iceberg"),
        ({**PAIR, "stop_trailing": "101"}, "stop_trailing"),
        (
            {**PAIR, "side": "BUY", "profit_kind": "TAKE_PROFIT", "profit_stop_price": "38000", "stop_price": "42000",
             "stop_limit_price": "42100"},
            "profit_kind",
        ),
    ],
)  # fmt: skip
def test_the_form_says_beside_the_field_what_is_wrong(
    browser: Client, typed: dict[str, str], field: str
) -> None:
    answer = browser.post("/trade/BTCUSDT/", typed)
    assert (answer.status_code, Order.objects.count()) == (400, 0)
    assert answer.context["form"].errors.get(field), answer.context["form"].errors
    assert f'value="{typed["type"]}" checked' in answer.text


def test_a_visible_part_of_what_trades_at_any_price_is_refused(browser: Client) -> None:
    typed = {**PAIR, "profit_kind": "TAKE_PROFIT", "profit_stop_price": "42000", "pair_iceberg": "0.1"}
    answer = browser.post("/trade/BTCUSDT/", typed)
    assert answer.context["form"].errors.get("pair_iceberg") and not Order.objects.exists()


def test_the_ticket_offers_what_the_market_does(browser: Client) -> None:
    Market.objects.update(abilities=[])
    page = browser.get("/trade/BTCUSDT/").text
    found = {
        name: f'name="{name}"' in page
        for name in ("later_kind", "later_trailing", "pair_price", "stop_trailing")
    }
    assert found == {"later_kind": True, "later_trailing": False, "pair_price": False, "stop_trailing": False}
    assert ('value="OTO"' in page, 'value="OTOCO"' in page) == (True, False)


# ------------------------------------------------------------------ what is said of a list before it is placed
def preview(browser: Client, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = browser.post(PATH, body, content_type="application/json")
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("body", "held", "later"),
    [
        (OCO, ("1", "BTC"), (None, "")),
        ({**OCO, "above": BUY_STOP, "below": BUY_LIMIT}, ("43000", "USDT"), (None, "")),
        (OTO, ("39000", "USDT"), ("1", "BTC")),
        (OTOCO, ("39000", "USDT"), ("1", "BTC")),
        ({**OTO, "working": SELL_ALL, "pending": BUY}, ("1", "BTC"), ("39000", "USDT")),
        ({**OTO, "pending": {"side": "BUY", "type": "MARKET", "quantity": "0.1"}}, ("39000", "USDT"), ("4200", "USDT")),
    ],
)  # fmt: skip
def test_a_preview_says_what_is_set_aside_now_and_then(
    browser: Client, alice: User, body: dict[str, Any], held: tuple[str, str], later: tuple[str | None, str]
) -> None:
    before = [balance(alice, asset) for asset in ("BTC", "USDT")]
    code, told = preview(browser, body)
    assert code == 200, told
    assert (told["held"], told["held_asset"]) == held
    assert (told["later_held"], told["later_held_asset"]) == later
    assert not Order.objects.exists() and before == [balance(alice, asset) for asset in ("BTC", "USDT")]


def test_a_preview_says_what_can_happen(browser: Client) -> None:
    trailing = {**STOP, "stop_price": None, "trailing_delta": 150}
    assert preview(browser, {**OCO, "below": trailing})[1]["outlook"] == [
        "Set aside now, once for both: 1 BTC.",
        "It sells 1 BTC at 42,000 USDT or more.",
        "When the last price has fallen by 1.5% from its highest, it sells 1 BTC at the market's price.",
        "As soon as one of the two begins to trade, the other ends.",
    ]
    assert preview(browser, OTOCO)[1]["outlook"][:4] == [
        "Set aside now, for the first order: 39,000 USDT.",
        "It buys 1 BTC at 39,000 USDT or less.",
        "Once it is filled completely, two orders begin, and at most 1 BTC are set aside.",
        "It sells 1 BTC at 42,000 USDT or more.",
    ]


def test_a_preview_refuses_what_placing_would(browser: Client, venue: Venue) -> None:
    code, told = preview(browser, {**OCO, "above": {**PROFIT, "price": "39000"}})
    assert (code, told["field"]) == (400, "above.price")
    assert preview(browser, {**OTO, "extra": 1})[0] == 400
    assert venue.count("POST", "/api/v3/orderList/oco") == 0


def test_a_preview_is_for_who_is_signed_in(client: Client, market: Market) -> None:
    assert client.post(PATH, OCO, content_type="application/json").status_code in (401, 403)
    client.force_login(make_user("bob"))
    assert client.get(PATH).status_code == 405
