"""Canceling many at once: all are on record, one after another is asked for, nobody else's is touched."""

from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client

from accounts.models import User
from exchange.binance.errors import VenueError
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import balance, fund, make_market, make_user, publish_book
from tests.orders.test_placing import no_hold_is_left, place
from tests.venue import Venue, error, order_body

CANCEL = ("DELETE", "/api/v3/order")


@pytest.fixture
def orders(alice: User, venue: Venue) -> list[Order]:
    """Two purchases and a sale of BTC, and a purchase of ETH; each has a number of its own at the venue."""
    make_market("ETH")
    publish_book("ETHUSDT", bids=[("39000.00", "5")], asks=[("39010.00", "5")])
    numbers = iter(range(1, 100))
    venue.on("POST", "/api/v3/order", lambda asked: (200, order_body(asked, orderId=next(numbers))))
    venue.on(*CANCEL, lambda asked: (200, order_body(asked, orderId=number_of(asked), status="CANCELED")))
    wishes: list[dict[str, Any]] = [
        {},
        {"quantity": Decimal("0.5")},
        {"side": "SELL", "price": Decimal(42000)},
        {"symbol": "ETHUSDT", "price": Decimal(100)},
    ]
    return [place(alice, nonce=str(number), **wish) for number, wish in enumerate(wishes)]


def number_of(asked: dict[str, Any]) -> int:
    return int(
        Order.objects.get(venue_orders__client_order_id=asked["origClientOrderId"])
        .venue_orders.get()
        .venue_order_id
        or 0
    )


def statuses() -> list[str]:
    return list(Order.objects.order_by("id").values_list("status", flat=True))


@pytest.mark.parametrize(
    ("narrowed", "canceled"),
    [
        ({}, [0, 1, 2, 3]),
        ({"symbol": "BTCUSDT"}, [0, 1, 2]),
        ({"side": "SELL"}, [2]),
        ({"symbol": "BTCUSDT", "side": "BUY"}, [0, 1]),
    ],
)
def test_all_or_those_of_a_market_or_side_are_canceled(
    alice: User, orders: list[Order], narrowed: dict[str, str], canceled: list[int]
) -> None:
    assert services.cancel_orders(user=alice, **narrowed) == len(canceled)
    assert statuses() == ["CANCELED" if number in canceled else "OPEN" for number in range(4)]


def test_the_venues_cancel_all_is_never_used(alice: User, orders: list[Order], venue: Venue) -> None:
    """It would cancel what every other customer has in the account."""
    services.cancel_orders(user=alice)
    assert venue.count("DELETE", "/api/v3/openOrders") == 0
    assert no_hold_is_left()
    assert balance(alice, "USDT") == (100000, 0)


def test_nobody_elses_order_is_touched(alice: User, orders: list[Order]) -> None:
    bob = make_user("bob")
    fund(bob, "USDT", "1000")
    place(bob, quantity=Decimal("0.01"))
    services.cancel_orders(user=alice)
    assert statuses()[-1] == "OPEN"
    assert services.cancel_orders(user=alice) == 0


def test_what_the_venue_cannot_be_asked_for_now_is_carried_out_by_the_sweep(
    alice: User, orders: list[Order], venue: Venue
) -> None:
    calls = iter([requests.exceptions.ConnectTimeout(), error(-1003, "Too much request weight used.", 429)])
    fallback: Any = error(-1003, "Too much request weight used.", 429)

    def busy(asked: dict[str, Any]) -> Any:
        return next(calls, fallback)

    venue.on(*CANCEL, busy)
    assert services.cancel_orders(user=alice) == 4
    assert statuses() == ["OPEN"] * 4
    assert all(order.cancel_requested_at for order in Order.objects.all())


def test_one_refusal_does_not_keep_the_others(alice: User, orders: list[Order], venue: Venue) -> None:
    """The first one filled a moment ago."""
    gone = orders[0].venue_orders.get().client_order_id

    def answer(asked: dict[str, Any]) -> Any:
        if asked["origClientOrderId"] == gone:
            return error(-2011, "Unknown order sent.")
        return 200, order_body(asked, orderId=number_of(asked), status="CANCELED")

    venue.on(*CANCEL, answer)
    venue.on("GET", "/api/v3/order", VenueError("not now"))
    services.cancel_orders(user=alice)
    assert statuses() == ["OPEN", "CANCELED", "CANCELED", "CANCELED"]


def test_the_api_tells_how_many(client: Client, alice: User, orders: list[Order]) -> None:
    client.force_login(alice)
    answer = client.delete("/api/v1/orders/?symbol=BTCUSDT&side=BUY")
    assert (answer.status_code, answer.json()) == (202, {"asked": 2})
    assert client.delete("/api/v1/orders/").json() == {"asked": 2}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("side=UP", 400, "side"),
        ("symbol=NOPE", 404, "symbol"),
        ("symbol=", 400, "symbol"),
        ("sybmol=BTCUSDT", 400, "sybmol"),
    ],
)
def test_a_market_or_side_that_is_none_cancels_nothing(
    client: Client, alice: User, orders: list[Order], query: str, status: int, field: str
) -> None:
    client.force_login(alice)
    answer = client.delete(f"/api/v1/orders/?{query}")
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert statuses() == ["OPEN"] * 4


def test_the_page_cancels_what_its_filter_leaves(client: Client, alice: User, orders: list[Order]) -> None:
    client.force_login(alice)
    page = client.get("/orders/?market=ETHUSDT&status=open").text
    assert 'name="market" value="ETHUSDT"' in page
    answer = client.post(
        "/orders/cancel/", {"market": "ETHUSDT", "side": "", "next": "/orders/"}, follow=True
    )
    assert "Cancelling 1 order was asked for." in answer.text
    assert statuses() == ["OPEN", "OPEN", "OPEN", "CANCELED"]


def test_without_an_open_order_there_is_nothing_to_cancel(
    client: Client, alice: User, market: Market
) -> None:
    client.force_login(alice)
    assert "Cancel all" not in client.get("/orders/").text
    assert client.get("/orders/cancel/").status_code == 405
