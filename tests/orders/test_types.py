"""Every type of order: what it must say, what is held for it, what is sent, what is refused before the venue."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.models import User
from exchange.errors import DomainError
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import balance, publish_ticker
from tests.venue import Venue, error

D = Decimal
EVERYTHING = ["ICEBERG", "TRAILING_STOP"]
ICEBERG = {"filterType": "ICEBERG_PARTS", "limit": 10}
TRAILING = {
    "filterType": "TRAILING_DELTA",
    "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
    "minTrailingBelowDelta": 20, "maxTrailingBelowDelta": 1000,
}  # fmt: skip
STOP_LIMIT = {"type": "STOP_LOSS_LIMIT", "time_in_force": "GTC"}
PROFIT_LIMIT = {"type": "TAKE_PROFIT_LIMIT", "time_in_force": "GTC"}
LIMIT = {"type": "LIMIT", "time_in_force": "GTC"}
REST = {**LIMIT, "price": "39000", "quantity": "1"}
STOP = {**STOP_LIMIT, "price": "41500", "quantity": "1"}
PROFIT = {**PROFIT_LIMIT, "price": "38500", "quantity": "1"}


@pytest.fixture(autouse=True)
def market_that_can_everything(market: Market) -> Market:
    Market.objects.update(abilities=EVERYTHING, filters=[*market.filters, ICEBERG, TRAILING])
    return market


@pytest.fixture
def seller(alice: User) -> User:
    """The last price is 40,000, and she has two BTC."""
    publish_ticker("BTCUSDT", "40000")
    return alice


def ticket(**wanted: Any) -> services.Ticket:
    amounts = ("price", "quantity", "quote_quantity", "stop_price", "iceberg_quantity")
    found: dict[str, Any] = {"symbol": "BTCUSDT", "side": "BUY", "nonce": "n1"}
    found |= {name: D(value) if name in amounts else value for name, value in wanted.items()}
    return services.Ticket(**found)


def place(user: User, **wanted: Any) -> Order:
    return services.place_order(user=user, ticket=ticket(**wanted))


def refusal(user: User, **wanted: Any) -> tuple[str, str | None]:
    with pytest.raises(DomainError) as caught:
        place(user, **wanted)
    return caught.value.code, caught.value.field


SENT: list[tuple[dict[str, Any], dict[str, str], tuple[str, str]]] = [
    (
        {"type": "LIMIT_MAKER", "price": "39000", "quantity": "1"},
        {"type": "LIMIT_MAKER", "price": "39000", "quantity": "1"},
        ("USDT", "39000"),
    ),
    (
        {**LIMIT, "price": "39000", "quantity": "1", "iceberg_quantity": "0.2"},
        {"type": "LIMIT", "timeInForce": "GTC", "icebergQty": "0.2"},
        ("USDT", "39000"),
    ),
    (
        {**STOP_LIMIT, "price": "41500", "quantity": "1", "stop_price": "41000"},
        {"type": "STOP_LOSS_LIMIT", "stopPrice": "41000", "price": "41500", "timeInForce": "GTC"},
        ("USDT", "41500"),
    ),
    (
        {**STOP_LIMIT, "side": "SELL", "price": "38000", "quantity": "1", "trailing_delta": 100},
        {"type": "STOP_LOSS_LIMIT", "trailingDelta": "100", "price": "38000"},
        ("BTC", "1"),
    ),
    (
        {"type": "STOP_LOSS", "side": "SELL", "quantity": "1.5", "stop_price": "38000"},
        {"type": "STOP_LOSS", "stopPrice": "38000", "quantity": "1.5"},
        ("BTC", "1.5"),
    ),
    (
        {"type": "TAKE_PROFIT", "side": "SELL", "quantity": "1", "stop_price": "42000", "trailing_delta": 50},
        {"type": "TAKE_PROFIT", "stopPrice": "42000", "trailingDelta": "50"},
        ("BTC", "1"),
    ),
    (
        {**PROFIT_LIMIT, "price": "38500", "quantity": "2", "stop_price": "39000"},
        {"type": "TAKE_PROFIT_LIMIT", "stopPrice": "39000", "price": "38500"},
        ("USDT", "77000"),
    ),
]


@pytest.mark.parametrize(("wanted", "sent", "held"), SENT, ids=[row[0]["type"] for row in SENT])
def test_an_order_of_each_type_is_sent_as_it_was_given_and_holds_what_it_can_cost(
    seller: User, venue: Venue, wanted: dict[str, Any], sent: dict[str, str], held: tuple[str, str]
) -> None:
    venue.places()
    assert place(seller, **wanted).status == "OPEN"
    asked = next(asked for method, path, asked in venue.asked if (method, path) == ("POST", "/api/v3/order"))
    assert {name: asked.get(name) for name in sent} == sent
    assert set(asked) <= set(sent) | {
        "symbol", "side", "type", "newClientOrderId", "newOrderRespType", "recvWindow", "timestamp", "signature",
        "price", "quantity", "timeInForce",
    }  # fmt: skip
    asset, amount = held
    assert balance(seller, asset)[1] == D(amount)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "LIMIT_MAKER", "price": "39000", "quantity": "1", "time_in_force": "GTC"}, "bad_ticket", "time_in_force"),
    ({"type": "LIMIT_MAKER", "quantity": "1"}, "bad_ticket", "price"),
    ({**LIMIT, "price": "1", "quantity": "1", "stop_price": "2"}, "bad_ticket", "stop_price"),
    ({**LIMIT, "price": "1", "quantity": "1", "trailing_delta": 20}, "bad_ticket", "trailing_delta"),
    ({"type": "STOP_LOSS", "side": "SELL", "quantity": "1"}, "bad_ticket", "stop_price"),
    ({"type": "STOP_LOSS", "side": "SELL", "quantity": "1", "price": "1", "stop_price": "1"}, "bad_ticket", "price"),
    ({"type": "STOP_LOSS", "side": "SELL", "quantity": "1", "stop_price": "0"}, "bad_ticket", "stop_price"),
    ({"type": "STOP_LOSS", "quantity": "1", "stop_price": "41000"}, "bad_ticket", "type"),
    ({"type": "TAKE_PROFIT", "quantity": "1", "stop_price": "39000"}, "bad_ticket", "type"),
    ({**STOP_LIMIT, "quantity": "1", "stop_price": "41000"}, "bad_ticket", "price"),
    ({**STOP, "time_in_force": "", "stop_price": "41000"}, "bad_ticket", "time_in_force"),
    ({**STOP, "trailing_delta": 0}, "bad_ticket", "trailing_delta"),
    ({**STOP, "trailing_delta": -20}, "bad_ticket", "trailing_delta"),
    ({**STOP, "trailing_delta": 10_001}, "bad_ticket", "trailing_delta"),
    ({**STOP_LIMIT, "price": "41500", "quote_quantity": "1", "stop_price": "41000"}, "bad_ticket", "quote_quantity"),
    ({**REST, "time_in_force": "IOC", "iceberg_quantity": "0.5"}, "bad_ticket", "iceberg_quantity"),
    ({**REST, "iceberg_quantity": "1.1"}, "bad_ticket", "iceberg_quantity"),
    ({"type": "MARKET", "quantity": "1", "iceberg_quantity": "0.5"}, "bad_ticket", "iceberg_quantity"),
    ({**REST, "iceberg_quantity": "0.05"}, "iceberg_quantity_too_small", "iceberg_quantity"),
    ({**REST, "iceberg_quantity": "0.500001"}, "off_step", "iceberg_quantity"),
    ({**STOP, "stop_price": "41000.001"}, "off_tick", "stop_price"),
    ({**STOP, "trailing_delta": 9}, "trailing_delta", "trailing_delta"),
    ({**STOP, "trailing_delta": 2001}, "trailing_delta", "trailing_delta"),
    ({**PROFIT, "trailing_delta": 1001}, "trailing_delta", "trailing_delta"),
    ({"type": "TRAILING", "quantity": "1"}, "bad_ticket", "type"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "code", "field"), REFUSED)
def test_what_is_no_order_of_its_type_is_refused_beside_its_field(
    seller: User, venue: Venue, wanted: dict[str, Any], code: str, field: str
) -> None:
    assert refusal(seller, **wanted) == (code, field)
    assert (Order.objects.count(), venue.count("POST", "/api/v3/order")) == (0, 0)


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ({**STOP_LIMIT, "price": "41000", "stop_price": "40000.01"}, True),
        ({**STOP_LIMIT, "price": "41000", "stop_price": "40000"}, False),
        ({**STOP_LIMIT, "side": "SELL", "price": "39000", "stop_price": "39999.99"}, True),
        ({**STOP_LIMIT, "side": "SELL", "price": "39000", "stop_price": "40000"}, False),
        ({**PROFIT_LIMIT, "price": "39000", "stop_price": "39999.99"}, True),
        ({**PROFIT_LIMIT, "price": "39000", "stop_price": "40000"}, False),
        ({"type": "TAKE_PROFIT", "side": "SELL", "stop_price": "40000.01"}, True),
        ({"type": "TAKE_PROFIT", "side": "SELL", "stop_price": "40000"}, False),
    ],
)
def test_a_stop_that_the_last_price_has_passed_is_refused_before_the_venue(
    seller: User, venue: Venue, wanted: dict[str, Any], passes: bool
) -> None:
    venue.places()
    if passes:
        assert place(seller, quantity="1", **wanted).status == "OPEN"
    else:
        assert refusal(seller, quantity="1", **wanted) == ("would_trigger", "stop_price")


def test_without_a_fresh_price_no_stop_is_taken(alice: User, venue: Venue) -> None:
    publish_ticker("BTCUSDT", "40000", age_s=600)
    wanted = {"quantity": "1", "price": "41500", "stop_price": "41000", **STOP_LIMIT}
    assert refusal(alice, **wanted) == ("prices_delayed", None)


def test_a_price_that_came_meanwhile_is_the_venues_to_refuse(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-2010, "Order would trigger immediately."))
    order = place(alice, quantity="1", price="41500", stop_price="41000", **STOP_LIMIT)
    assert (order.status, order.reason_code) == ("REJECTED", "would_trigger")
    assert balance(alice, "USDT") == (100000, 0)


@pytest.mark.parametrize(
    ("change", "wanted", "field"),
    [
        ({"order_types": ["LIMIT", "MARKET"]}, {"type": "LIMIT_MAKER", "price": "39000"}, "type"),
        ({"abilities": ["TRAILING_STOP"]}, {**LIMIT, "price": "39000", "iceberg_quantity": "0.5"}, "iceberg_quantity"),
        ({"abilities": ["ICEBERG"]}, {**STOP_LIMIT, "price": "41500", "trailing_delta": 50}, "trailing_delta"),
    ],
)  # fmt: skip
def test_what_the_market_does_not_offer_is_refused(
    seller: User, venue: Venue, change: dict[str, Any], wanted: dict[str, Any], field: str
) -> None:
    Market.objects.update(**change)
    assert refusal(seller, quantity="1", **wanted) == ("not_offered", field)


def test_the_same_id_with_another_stop_is_another_order(seller: User, venue: Venue) -> None:
    venue.places()
    wanted = {**STOP_LIMIT, "price": "41500", "quantity": "1"}
    first = place(seller, stop_price="41000", **wanted)
    assert place(seller, stop_price="41000.00", **wanted) == first
    assert refusal(seller, stop_price="41001", **wanted)[0] == "nonce_reused"
    assert refusal(seller, stop_price="41000", trailing_delta=50, **wanted)[0] == "nonce_reused"


def test_a_ticket_of_before_keeps_its_hash() -> None:
    """Ids are unique for ever: what was placed under one before there were stops is still the same order."""
    found = ticket(type="LIMIT", time_in_force="GTC", price="39000", quantity="1")
    assert found.request_hash == "23c43068b752f76d743feabf1b541e6e09bb90f49343541c7cb6b75290fd1e44"


def test_the_database_refuses_a_purchase_without_an_upper_limit(alice: User, market: Market) -> None:
    with pytest.raises(IntegrityError, match="bought_only_up_to_a_limit"), transaction.atomic():
        Order.objects.create(
            user=alice,
            nonce="x",
            market=market,
            side="BUY",
            type="STOP_LOSS",
            quantity=1,
            fee_bps=1,
            maker_fee_bps=1,
        )


def test_the_api_takes_and_shows_what_a_stop_says(client: Client, seller: User, venue: Venue) -> None:
    venue.places()
    client.force_login(seller)
    asked = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "price": "38000",
        "quantity": "1", "stop_price": "38500", "trailing_delta": 100, "iceberg_quantity": "0.5",
    }  # fmt: skip
    shown = client.post("/api/v1/orders/", asked, content_type="application/json").json()
    assert {name: shown[name] for name in asked} == asked


@pytest.mark.parametrize("odd", ["1.5", "1e2", True, "٣", [], 10**30, -1, "0"])
def test_an_odd_trailing_distance_is_a_clear_refusal(client: Client, seller: User, odd: Any) -> None:
    client.force_login(seller)
    asked = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "1", "trailing_delta": odd,
    }  # fmt: skip
    answer = client.post("/api/v1/orders/", asked, content_type="application/json")
    assert (answer.status_code, answer.json()["field"]) == (400, "trailing_delta")


# ------------------------------------------------------------------ the page without script
FORM = {"side": "SELL", "type": "STOP", "stop_kind": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "nonce": "n1"}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (
            {"stop_price": "38500", "price": "38000", "quantity": "1", "trailing_delta": "1.25"},
            {"type": "STOP_LOSS_LIMIT", "stop_price": "38500", "price": "38000", "trailing_delta": 125},
        ),
        (
            {"stop_kind": "TAKE_PROFIT", "stop_price": "42000", "price": "1", "quantity": "1", "post_only": "on"},
            {"type": "TAKE_PROFIT", "stop_price": "42000", "price": None, "time_in_force": ""},
        ),
        (
            {"type": "LIMIT", "price": "41000", "quantity": "1", "post_only": "on", "stop_price": "7"},
            {"type": "LIMIT_MAKER", "stop_price": None, "time_in_force": ""},
        ),
        (
            {"type": "LIMIT", "price": "41000", "quantity": "1", "iceberg_quantity": "0.25", "trailing_delta": "3"},
            {"type": "LIMIT", "iceberg_quantity": "0.25", "trailing_delta": None, "time_in_force": "GTC"},
        ),
        (
            {"type": "MARKET", "measure": "quantity", "quantity": "1", "stop_price": "7", "iceberg_quantity": "1"},
            {"type": "MARKET", "stop_price": None, "iceberg_quantity": None},
        ),
    ],
)  # fmt: skip
def test_the_form_keeps_what_its_tab_shows(
    client: Client, seller: User, venue: Venue, typed: dict[str, str], stored: dict[str, Any]
) -> None:
    venue.places()
    client.force_login(seller)
    assert client.post("/trade/BTCUSDT/", {**FORM, **typed}).status_code == 302
    order = Order.objects.get()
    amounts = ("price", "stop_price", "iceberg_quantity")
    found = {name: getattr(order, name) for name in stored}
    assert found == {
        name: D(value) if name in amounts and value is not None else value for name, value in stored.items()
    }


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"price": "38000", "quantity": "1"}, "stop_price"),
        ({"stop_price": "38500", "quantity": "1"}, "price"),
        ({"stop_price": "38500", "price": "38000"}, "quantity"),
        (
            {"stop_price": "38500", "price": "38000", "quantity": "1", "trailing_delta": "0.001"},
            "trailing_delta",
        ),
        (
            {"stop_price": "38500", "price": "38000", "quantity": "1", "trailing_delta": "99"},
            "trailing_delta",
        ),
        ({"stop_price": "nothing", "price": "38000", "quantity": "1"}, "stop_price"),
    ],
)
def test_the_form_says_beside_the_field_what_is_missing(
    client: Client, seller: User, venue: Venue, typed: dict[str, str], field: str
) -> None:
    client.force_login(seller)
    answer = client.post("/trade/BTCUSDT/", {**FORM, **typed})
    assert (answer.status_code, Order.objects.count()) == (400, 0)
    assert answer.context["form"].errors.get(field)


def test_only_what_the_market_offers_is_on_the_ticket(client: Client, market: Market) -> None:
    def shown() -> tuple[bool, ...]:
        page = client.get("/trade/BTCUSDT/").text
        return tuple(
            f'name="{name}"' in page
            for name in ("stop_kind", "trailing_delta", "post_only", "iceberg_quantity")
        )

    assert shown() == (True, True, True, True)
    Market.objects.update(order_types=["LIMIT", "MARKET"], abilities=[])
    assert shown() == (False, False, False, False)


def test_the_customer_sees_what_an_order_waits_for(client: Client, seller: User, venue: Venue) -> None:
    venue.places()
    client.force_login(seller)
    order = place(
        seller, side="SELL", price="38000", quantity="1", stop_price="38500", trailing_delta=125, **STOP_LIMIT
    )
    for path in ("/orders/", "/trade/BTCUSDT/"):
        assert "from 38,500, trailing 1.25%" in client.get(path).text
    page = client.get(f"/orders/{order.pk}/").text
    assert "Stop price" in page and "1.25%" in page
