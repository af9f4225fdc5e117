"""The ticket's form for two orders without script, and where a customer sees that an order is part of a list."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from markets.models import Market
from orders import services
from orders.models import Order, OrderList
from tests.factories import make_user, publish_ticker
from tests.orders.lists import BUY, STOP, event, leg, place_oco, tell, ticket
from tests.venue import Venue

FORM = {
    "side": "SELL",
    "type": "OCO",
    "price": "42000",
    "stop_price": "38000",
    "quantity": "1",
    "nonce": "n1",
}


@pytest.fixture
def browser(client: Client, alice: User, venue: Venue) -> Client:
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    venue.places(orderId=4713)
    client.force_login(alice)
    return client


def stored() -> list[tuple[Any, ...]]:
    return [(order.leg, order.type, order.price, order.stop_price) for order in Order.objects.order_by("id")]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ({}, [("ABOVE", "LIMIT_MAKER", 42000, None), ("BELOW", "STOP_LOSS", None, 38000)]),
        (
            {"stop_limit_price": "37900", "time_in_force": "IOC", "trailing_delta": "3", "post_only": "on"},
            [("ABOVE", "LIMIT_MAKER", 42000, None), ("BELOW", "STOP_LOSS_LIMIT", 37900, 38000)],
        ),
        (
            {"side": "BUY", "price": "38000", "stop_price": "42000", "stop_limit_price": "42100"},
            [("ABOVE", "STOP_LOSS_LIMIT", 42100, 42000), ("BELOW", "LIMIT_MAKER", 38000, None)],
        ),
    ],
)
def test_the_form_places_two_orders(
    browser: Client, typed: dict[str, str], expected: list[tuple[Any, ...]]
) -> None:
    answer = browser.post("/trade/BTCUSDT/", {**FORM, **typed}, follow=True)
    assert "of two orders is recorded: open." in answer.text
    assert stored() == expected


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"price": ""}, "price"),
        ({"stop_price": ""}, "stop_price"),
        ({"quantity": ""}, "quantity"),
        ({"stop_limit_price": "x"}, "stop_limit_price"),
        ({"side": "BUY", "price": "38000", "stop_price": "42000"}, "stop_limit_price"),
        ({"price": "39000"}, "price"),
        ({"stop_price": "41000"}, "stop_price"),
        ({"stop_limit_price": "37900.001"}, "stop_limit_price"),
        ({"price": "42000.001"}, "price"),
        ({"quantity": "0.000001"}, "quantity"),
        ({"side": "BUY", "price": "40500", "stop_price": "42000", "stop_limit_price": "42100"}, "price"),
        ({"side": "BUY", "price": "38000", "stop_price": "39000", "stop_limit_price": "42100"}, "stop_price"),
        ({"side": "BUY", "price": "38000", "stop_price": "42000", "stop_limit_price": "1.001"}, "stop_limit_price"),
        ({"quantity": "3"}, "__all__"),
    ],
)  # fmt: skip
def test_the_form_says_beside_the_field_what_is_wrong(
    browser: Client, typed: dict[str, str], field: str
) -> None:
    answer = browser.post("/trade/BTCUSDT/", {**FORM, **typed})
    assert (answer.status_code, Order.objects.count()) == (400, 0)
    assert answer.context["form"].errors.get(field), answer.context["form"].errors
    assert 'value="OCO" checked' in answer.text


def test_the_ticket_offers_pairs_only_where_the_market_does(client: Client, browser: Client) -> None:
    assert 'value="OCO"' in browser.get("/trade/BTCUSDT/").text
    Market.objects.update(abilities=[])
    assert 'value="OCO"' not in browser.get("/trade/BTCUSDT/").text


def test_an_order_shows_its_list_and_its_sibling(browser: Client, alice: User) -> None:
    found = place_oco(alice)
    above, below = leg(found, "ABOVE"), leg(found, "BELOW")
    page = browser.get(f"/orders/{above.pk}/").text
    assert f'href="/orders/lists/{found.pk}/"' in page and f'href="/orders/{below.pk}/"' in page
    assert "set aside, once for both orders of the list" in page
    for path in ("/orders/", "/trade/BTCUSDT/"):
        assert f"list {found.pk}" in browser.get(path).text


def test_an_order_says_what_ended_it(browser: Client, alice: User) -> None:
    found = place_oco(alice)
    below = leg(found, "BELOW")
    tell(event(below, "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    page = browser.get(f"/orders/{below.pk}/").text
    assert "Ended, because the other order of its list began to trade" in page


def test_a_waiting_order_says_what_it_waits_for(browser: Client, alice: User) -> None:
    found = services.place_order_list(user=alice, ticket=ticket("OTO", working=BUY, pending=STOP))
    page = browser.get(f"/orders/{leg(found, 'PENDING').pk}/").text
    assert "Waiting until the first order of its list is filled" in page
    assert "Waiting for the first order" in browser.get("/orders/").text


def test_the_lists_page_shows_both_orders_and_what_is_held(browser: Client, alice: User) -> None:
    found = place_oco(alice)
    page = browser.get(f"/orders/lists/{found.pk}/").text
    assert all(f'href="/orders/{order.pk}/"' in page for order in found.orders.all())
    assert "one cancels the other" in page and "Entries in your books" in page


def test_the_statement_leads_to_the_list(browser: Client, alice: User) -> None:
    found = place_oco(alice)
    page = browser.get("/wallet/BTC/").text
    assert f'href="/orders/lists/{found.pk}/"' in page


def test_a_strangers_list_is_not_there(browser: Client, alice: User) -> None:
    found = place_oco(alice)
    browser.force_login(make_user("bob"))
    assert browser.get(f"/orders/lists/{found.pk}/").status_code == 404
    assert OrderList.objects.count() == 1
