"""Whatever stands where an amount should: a 400 with a code, nothing stored, never an error of ours."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from exchange.money import plain
from markets.models import Market
from orders.models import Order
from tests.venue import Venue

MONEY = ("price", "quantity", "quote_quantity", "stop_price", "iceberg_quantity")
DOORS = ("/api/v1/orders/", "/api/v1/orders/preview/")
GOOD = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "time_in_force": "GTC",
    "price": "39000",
    "quantity": "1",
}
STOP = {
    **GOOD,
    "type": "STOP_LOSS_LIMIT",
    "stop_price": "41000",
    "price": "41500",
    "quantity": "20",
    "iceberg_quantity": "1",
}
TOTAL = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quote_quantity": "100"}
# As JSON has it, quotation marks included.
ODD = [
    '"0"', '"0.000"', '"-1"', '"-0"', '"NaN"', '"nan"', '"Infinity"', '"-Infinity"', '"1e999999"', '"1E2"', '"1e-400"',
    '"1234567890123456789012345678901234567890"', '"0.0000000000000000001"', '"\uff11\uff12"', '"\u0663"', '"1,000"',
    '"1 000"', '" 1"', '"1."', '".5"', '"+1"', '"0x10"', '"1_000"', '"\\u0000"', '"1\\n"', '""', "true", "false", "[]",
    '["1"]', "{}", '{"1": 1}', "1", "1.5", "-1", "1e999999", "NaN", "Infinity", "-Infinity", "9" * 70,
]  # fmt: skip


@pytest.fixture
def browser(client: Client, alice: User, venue: Venue) -> Client:
    Market.objects.update(abilities=["ICEBERG", "TRAILING_STOP"])
    client.force_login(alice)
    return client


def raw(wanted: dict[str, str], field: str, value: str) -> str:
    """The order with this value as it stands, whatever JSON thinks of it."""
    rest = ", ".join(f'"{name}": "{said}"' for name, said in wanted.items() if name != field)
    return f'{{{rest}, "{field}": {value}}}'


def nothing_was_stored(venue: Venue) -> bool:
    return not Order.objects.exists() and venue.count("POST", "/api/v3/order") == 0


def post(browser: Client, path: str, text: str) -> Any:
    return browser.post(path, text.encode(), content_type="application/json")


@pytest.mark.parametrize("value", ODD)
def test_an_odd_amount_is_a_refusal_with_a_code(browser: Client, venue: Venue, value: str) -> None:
    for field in MONEY:
        wanted = TOTAL if field == "quote_quantity" else STOP if field in STOP else GOOD
        for path in DOORS:
            answer = post(browser, path, raw(wanted, field, value))
            assert (answer.status_code, answer.json()["field"] or field) == (400, field), (field, path)
            assert answer.json()["code"] and answer.json()["message"]
    assert nothing_was_stored(venue)


@pytest.mark.parametrize("field", MONEY)
def test_more_decimals_than_the_filter_takes_are_refused_with_the_nearest_value(
    browser: Client, venue: Venue, field: str
) -> None:
    wanted = TOTAL if field == "quote_quantity" else STOP if field in STOP else GOOD
    answer = post(browser, DOORS[0], raw(wanted, field, '"12.123456789012345678"'))
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert Decimal(answer.json()["nearest"]) > 0
    assert nothing_was_stored(venue)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (raw(GOOD, "price", '"1", "price": "2"'), None),
        (raw(GOOD, "postOnly", "true"), "postOnly"),
        (raw(GOOD, "Price", '"1"'), "Price"),
        (raw(GOOD, "user", "1"), "user"),
        (raw(GOOD, "fee_bps", "0"), "fee_bps"),
        ("[]", None),
        ('"order"', None),
        ("null", None),
        ("[" + raw(GOOD, "price", '"1"') + "]", None),
    ],
)
def test_a_name_twice_or_that_is_none_is_refused_and_not_passed_over(
    browser: Client, venue: Venue, text: str, field: str | None
) -> None:
    for path in DOORS:
        answer = post(browser, path, text)
        assert (answer.status_code, answer.json()["field"]) == (400, field), path
    assert nothing_was_stored(venue)


def test_a_form_that_says_an_amount_twice_is_refused(browser: Client, venue: Venue) -> None:
    answer = browser.post(DOORS[0], {**GOOD, "price": ["39000", "1"]})
    assert (answer.status_code, answer.json()["field"]) == (400, "price")
    assert nothing_was_stored(venue)


@pytest.mark.parametrize(
    "value",
    [
        '"\uff11\uff10\uff10"',
        '"1_0"',
        '"+10"',
        '" 10"',
        '"10.0"',
        '"-10"',
        "-10",
        "1e3",
        "10.5",
        "true",
        "[]",
        "0",
    ],
)
def test_a_trailing_distance_is_a_plain_whole_number(browser: Client, venue: Venue, value: str) -> None:
    wanted = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "1"}
    answer = post(browser, DOORS[0], raw(wanted, "trailing_delta", value))
    assert (answer.status_code, answer.json()["field"]) == (400, "trailing_delta")
    assert nothing_was_stored(venue)


@pytest.mark.parametrize("key", ["a b", "ü", "x" * 65, "\uff11", "a/b"])
def test_an_odd_key_of_the_request_is_refused(browser: Client, venue: Venue, key: str) -> None:
    answer = post(browser, DOORS[0], raw(GOOD, "client_order_id", f'"{key}"'))
    assert (answer.status_code, answer.json()["field"]) == (400, "client_order_id")
    assert nothing_was_stored(venue)


@pytest.mark.parametrize("query", ["symbol=BTCUSDT&symbol=ETHUSDT", "side=BUY&side=SELL"])
def test_what_is_said_twice_cancels_nothing(browser: Client, query: str) -> None:
    assert browser.delete(f"/api/v1/orders/?{query}").status_code == 400


@pytest.mark.parametrize("number", ["0", "99999999999999999999999999", "-1", "1e3", "%EF%BC%91"])
def test_an_odd_number_of_an_order_is_nobodys(browser: Client, number: str) -> None:
    for method in ("get", "delete"):
        assert getattr(browser, method)(f"/api/v1/orders/{number}/").status_code == 404


# ------------------------------------------------------------------ the page without script
FORM = {
    "side": "BUY",
    "type": "LIMIT",
    "time_in_force": "GTC",
    "price": "39000",
    "quantity": "1",
    "nonce": "n1",
}
SHOWN = {
    "price": {},
    "quantity": {},
    "quote_quantity": {"type": "MARKET", "measure": "quote_quantity"},
    "stop_price": {"type": "STOP", "stop_kind": "STOP_LOSS_LIMIT"},
    "iceberg_quantity": {},
}


@pytest.mark.parametrize(
    "value",
    [
        "0", "-0", "-1", "NaN", "Infinity", "1e999999", "1e2", "9" * 40, "9" * 70, "0." + "1" * 19, "\uff11", "\u0663",
        "1.2.3", "1,2,3", "true", "[1]", "\x00", "0x1", "1_0", "+1",
    ],
)  # fmt: skip
def test_an_odd_amount_typed_into_the_form_is_told_beside_it(
    browser: Client, venue: Venue, value: str
) -> None:
    for field, kind in SHOWN.items():
        answer = browser.post("/trade/BTCUSDT/", {**FORM, **kind, field: value})
        assert (answer.status_code, list(answer.context["form"].errors)) == (400, [field]), field
    assert nothing_was_stored(venue)


def test_what_is_good_passes_at_the_same_doors(browser: Client, venue: Venue) -> None:
    """Without it every refusal above could be one of the order itself."""
    venue.places()
    assert post(browser, DOORS[0], raw(GOOD, "price", '"39000.00"')).status_code == 201
    assert browser.post("/trade/BTCUSDT/", FORM).status_code == 302
    assert [plain(price) for price in Order.objects.values_list("price", flat=True)] == ["39000"] * 2
    assert Order.objects.filter(quantity=Decimal(1)).count() == 2
