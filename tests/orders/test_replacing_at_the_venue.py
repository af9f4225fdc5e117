"""Changing orders at the paper venue itself, over its real wire, with its halves refused and its answers lost."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import User
from markets.models import Market
from orders import services
from orders.models import Order
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import TRADE, Caller, serving, small
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import made_long_ago, ticket

D = Decimal
ABILITIES = ["CANCEL_REPLACE", "AMEND"]


@pytest.fixture
def paper(db: None) -> Iterator[Caller]:
    """The control door and the pooled account of a venue with one market."""
    with serving(small()) as url:
        keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
        with override_settings(BINANCE_REST_URL=url, BINANCE_SAPI_URL=url, **keys):
            forget_the_venue()
            caller = Caller(url)
            caller.deposit("USDT", "1000000")
            yield caller
    forget_the_venue()


@pytest.fixture
def order(paper: Caller) -> Order:
    """alice buys 0.1 BTC at 70000, far below the market."""
    make_market()
    Market.objects.update(abilities=ABILITIES)
    venue_account()
    publish_book(bids=[("83750.00", "5")], asks=[("83760.00", "5")])
    user = make_user()
    fund(user, "USDT", "7500")
    return services.place_order(user=user, ticket=ticket(price=D(70000), quantity=D("0.1")))


def change(order: Order, **wanted: Any) -> Order:
    return services.replace_order(user=order.user, order_id=order.pk, nonce="new", **wanted)


def status(order: Order) -> str:
    order.refresh_from_db()
    return order.status


def at_venue(paper: Caller) -> list[str]:
    """Prices of what is open there."""
    return [row["price"] for row in paper.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT").json()]


def held(user: User) -> Decimal:
    return D(balance(user, "USDT")[1])


def test_an_order_is_changed_there_and_here(paper: Caller, order: Order) -> None:
    new = change(order, price=D(71000))
    assert (status(order), status(new)) == ("CANCELED", "OPEN")
    assert (at_venue(paper), held(order.user)) == (["71000.00000000"], D(7100))


def test_a_cancel_it_refuses_leaves_the_old_order(paper: Caller, order: Order) -> None:
    paper.door("fault", on="cancel-replace", do="refuse cancel")
    new = change(order, price=D(71000))
    assert (status(order), status(new)) == ("OPEN", "REJECTED")
    assert (at_venue(paper), held(order.user)) == (["70000.00000000"], D(7000))


def test_a_new_order_it_refuses_leaves_none(paper: Caller, order: Order) -> None:
    paper.door("fault", on="cancel-replace", do="refuse new")
    new = change(order, price=D(71000))
    assert (status(order), status(new), new.reason_code) == ("CANCELED", "REJECTED", "unavailable")
    assert (at_venue(paper), held(order.user)) == ([], D(0))


@pytest.mark.parametrize(
    ("fault", "here", "there", "holds"),
    [
        ("504 after", ("CANCELED", "OPEN"), ["71000.00000000"], D(7100)),
        ("reset after", ("CANCELED", "OPEN"), ["71000.00000000"], D(7100)),
        ("503 before", ("OPEN", "REJECTED"), ["70000.00000000"], D(7000)),
        ("reset before", ("OPEN", "REJECTED"), ["70000.00000000"], D(7000)),
    ],
)
def test_an_answer_that_is_lost_is_found_out(
    paper: Caller, order: Order, fault: str, here: tuple[str, str], there: list[str], holds: Decimal
) -> None:
    paper.door("fault", on="cancel-replace", do=fault)
    new = change(order, price=D(71000))
    assert status(new) == "PENDING"
    services.reconcile(venue_order_id=made_long_ago(new, 60).pk)
    assert (status(order), status(new)) == here
    assert (at_venue(paper), held(order.user)) == (there, holds)


def amend(order: Order, quantity: str) -> Order:
    return services.amend_order(user=order.user, order_id=order.pk, quantity=D(quantity))


def sizes(paper: Caller) -> list[str]:
    return [row["origQty"] for row in paper.signed("GET", "/api/v3/openOrders", symbol="BTCUSDT").json()]


def test_an_order_made_smaller_is_the_same_order_there(paper: Caller, order: Order) -> None:
    found = amend(order, "0.04")
    assert (found.quantity, sizes(paper), held(order.user)) == (D("0.04"), ["0.04000000"], D(2800))
    assert services.cancel_order(user=order.user, order_id=order.pk).status == "CANCELED"
    assert (at_venue(paper), held(order.user)) == ([], D(0))


@pytest.mark.parametrize(
    ("fault", "size", "holds"), [("504 after", "0.04", D(2800)), ("503 before", "0.1", D(7000))]
)
def test_an_order_is_as_small_as_the_venue_says_when_its_answer_was_lost(
    paper: Caller, order: Order, fault: str, size: str, holds: Decimal
) -> None:
    paper.door("fault", on="amend", do=fault)
    amend(order, "0.04")
    assert held(order.user) == D(7000)
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert (order.quantity, held(order.user)) == (D(size), holds)


def test_a_smaller_order_may_be_changed(paper: Caller, order: Order) -> None:
    new = change(amend(order, "0.04"), price=D(71000))
    assert (status(order), status(new), new.quantity) == ("CANCELED", "OPEN", D("0.04"))
    assert held(order.user) == D(2840)
