"""The page that changes an open order, without script; both orders lead to each other."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from markets.models import Market
from orders.models import Order
from tests.factories import make_user
from tests.orders import test_amending, test_replacing
from tests.orders.test_placing import place
from tests.orders.test_reports import tell, traded
from tests.venue import Venue, error, forget_bans

D = Decimal
AMEND = "/api/v3/order/amend/keepPriority"


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """alice buys 1 BTC at 39000, of which 0.2 have traded."""
    Market.objects.update(abilities=["CANCEL_REPLACE", "AMEND"])
    venue.places()
    order = place(alice)
    tell(traded(order, 7, "0.2", "0.2"))
    return order


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def path(order: Order) -> str:
    return f"/orders/{order.pk}/change/"


def post(browser: Client, order: Order, **typed: str) -> str:
    """The text of the page it leads to."""
    wanted = {"price": "39000", "quantity": "0.8", "nonce": "n9", **typed}
    return browser.post(path(order), wanted, follow=True).text


def test_the_form_shows_what_is_still_to_be_traded(browser: Client, order: Order) -> None:
    page = browser.get(path(order)).text
    assert 'value="39000"' in page and 'value="0.8"' in page
    for where in ("/orders/", f"/orders/{order.pk}/"):
        assert path(order) in browser.get(where).text


def test_another_price_is_a_new_order_and_each_leads_to_the_other(
    browser: Client, venue: Venue, order: Order
) -> None:
    test_replacing.answers(venue, order)
    page = post(browser, order, price="38,500.5")
    new = Order.objects.get(replaces=order)
    assert (new.price, new.quantity) == (D("38500.5"), D("0.8"))
    assert f'href="/orders/{order.pk}/"' in page and "Takes the place of" in page
    old = browser.get(f"/orders/{order.pk}/").text
    assert f'href="/orders/{new.pk}/"' in old and f"Canceled; order {new.pk} has its place" in old


def test_less_at_the_same_price_is_the_same_order(browser: Client, venue: Venue, order: Order) -> None:
    """0.8 are still to be traded, and then 0.3: with what has traded that is an order of 0.5."""
    test_amending.answers(venue, status="PARTIALLY_FILLED", executedQty="0.2", cumulativeQuoteQty="7800")
    page = post(browser, order, quantity="0.3")
    order.refresh_from_db()
    assert (order.quantity, order.original_quantity) == (D("0.5"), D(1))
    assert "Amount at first" in page
    assert not Order.objects.filter(replaces=order).exists()


def test_less_where_orders_cannot_become_smaller_is_a_new_order(
    browser: Client, venue: Venue, order: Order
) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    test_replacing.answers(venue, order)
    post(browser, order, quantity="0.3")
    assert Order.objects.get(replaces=order).quantity == D("0.3")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"price": "abc"}, "Enter a plain number"),
        ({"quantity": ""}, "This field is required."),
        ({"price": "39000.001"}, "multiple of 0.01"),
        ({"price": "40000", "quantity": "9"}, "There is not enough available for this."),
    ],
)
def test_what_is_refused_is_told_and_what_was_typed_is_kept(
    browser: Client, venue: Venue, order: Order, typed: dict[str, str], sentence: str
) -> None:
    page = post(browser, order, **typed)
    assert sentence in page
    assert all(f'value="{text}"' in page for text in typed.values() if text)
    assert Order.objects.count() == 1


def test_a_change_the_venue_did_not_make_is_told(browser: Client, venue: Venue, order: Order) -> None:
    venue.on(*test_replacing.CHANGE, error(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"))
    assert "too far from the market" in post(browser, order, price="30000")
    assert f"/orders/{order.pk}/change/" in browser.get(f"/orders/{order.pk}/").text


@pytest.mark.parametrize(
    "nothing",
    [error(-1003, "Too much request weight used.", 429), error(-2038, "The order was not amended.")],
)
def test_what_came_to_nothing_may_be_asked_for_again_by_the_same_page(
    browser: Client, venue: Venue, order: Order, nothing: Any
) -> None:
    """The page that told it still has the name of the request."""
    venue.on("PUT", AMEND, nothing)
    venue.knows(status="PARTIALLY_FILLED", executedQty="0.2", cummulativeQuoteQty="7800.0")
    post(browser, order, quantity="0.3")
    forget_bans()
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.2", "cumulativeQuoteQty": "7800"}
    venue.on("PUT", AMEND, lambda asked: test_amending.amended(asked, **part))
    post(browser, order, quantity="0.3")
    order.refresh_from_db()
    assert (venue.count("PUT", AMEND), order.quantity) == (2, D("0.5"))


@pytest.mark.parametrize("typed", [{"quantity": "0.55"}, {"quantity": "0.05"}, {"price": "38000"}])
def test_another_change_under_the_same_name_is_refused_and_not_passed_over(
    browser: Client, venue: Venue, order: Order, typed: dict[str, str]
) -> None:
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.2", "cumulativeQuoteQty": "7800"}
    venue.on("PUT", AMEND, lambda asked: test_amending.amended(asked, **part))
    post(browser, order, quantity="0.3")
    page = post(browser, order, **{"quantity": "0.3", **typed})
    assert "already used for a different order" in page
    assert venue.count("PUT", AMEND) == 1


def test_an_order_that_is_over_or_another_customers_cannot_be_changed(
    browser: Client, client: Client, order: Order
) -> None:
    tell(traded(order, 8, "0.8", "1", "FILLED"))
    assert "cannot be changed now" in browser.get(path(order), follow=True).text
    client.force_login(make_user("bob"))
    assert [
        client.get(path(order)).status_code,
        client.post(path(order), {"quantity": "1", "nonce": "x"}).status_code,
    ] == [404, 404]
    client.logout()
    assert client.get(path(order)).headers["Location"].startswith("/accounts/login/")


# ------------------------------------------------------------------ from the rows of the trade page
TRADE = "/trade/BTCUSDT/"


def test_the_trade_page_leads_to_the_change_and_back(browser: Client, venue: Venue, order: Order) -> None:
    there = f"{path(order)}?next=/trade/BTCUSDT/"
    assert f'href="{there}"' in browser.get(TRADE).text
    assert f'name="next" value="{TRADE}"' in browser.get(there).text
    test_replacing.answers(venue, order)
    wanted = {"price": "38500.5", "quantity": "0.8", "nonce": "n9", "next": TRADE}
    answer = browser.post(path(order), wanted, follow=True)
    assert answer.redirect_chain == [(TRADE, 302)]
    assert f"Order {Order.objects.get(replaces=order).pk} is recorded: open." in answer.text


def test_a_refused_change_still_knows_where_it_was_asked_for(browser: Client, order: Order) -> None:
    answer = browser.post(path(order), {"price": "x", "quantity": "0.8", "nonce": "n9", "next": TRADE})
    assert f'name="next" value="{TRADE}"' in answer.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "orders", "javascript:alert(1)"]
)
def test_it_leads_to_no_page_of_others(browser: Client, venue: Venue, order: Order, elsewhere: str) -> None:
    assert f'href="/orders/{order.pk}/">Leave it' in browser.get(path(order), {"next": elsewhere}).text
    test_replacing.answers(venue, order)
    wanted = {"price": "38500.5", "quantity": "0.8", "nonce": "n9", "next": elsewhere}
    answer = browser.post(path(order), wanted)
    assert answer.headers["Location"] == f"/orders/{Order.objects.get(replaces=order).pk}/"


def test_a_row_says_whether_its_order_can_be_changed(browser: Client, order: Order) -> None:
    def is_changeable() -> bool:
        return bool(browser.get("/api/v1/orders/?status=open").json()["results"][0]["is_changeable"])

    assert is_changeable()
    Market.objects.update(abilities=[])
    assert not is_changeable()
    assert path(order) not in browser.get(TRADE).text


def test_a_change_that_is_not_accepted_is_told_where_it_was_asked_for(
    browser: Client, venue: Venue, order: Order
) -> None:
    venue.on(*test_replacing.CHANGE, error(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"))
    wanted = {"price": "30000", "quantity": "0.8", "nonce": "n9", "next": TRADE}
    page = browser.post(path(order), wanted, follow=True).text
    assert "was not accepted" in page and "too far from the market" in page
