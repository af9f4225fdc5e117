"""An operator sees in figures what is refused because of the house, and why, apart from what customers ask for."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from markets import feed
from orders import services
from tests.orders.test_placing import place
from tests.venue import Venue, error

ORDER, CANCEL = ("POST", "/api/v3/order"), ("DELETE", "/api/v3/order")
LINE = re.compile(r'causeway_order_refusals_total\{by="(.*?)",cause="(.*?)",code="(.*?)"\} (.*)')


def counted() -> dict[tuple[str, str, str], float]:
    found = LINE.findall(Client().get("/metrics").text)
    return {(by, cause, code): float(number) for by, cause, code, number in found}


@pytest.fixture
def more(db: None) -> Callable[[], dict[tuple[str, str, str], float]]:
    """What has been counted since the test began."""
    before = counted()
    return lambda: {
        name: now - before.get(name, 0) for name, now in counted().items() if now != before.get(name)
    }


@pytest.mark.parametrize(
    ("answer", "by", "cause", "code"),
    [
        (error(-2010, "Account has insufficient balance for requested action."), "house", "balance", "unavailable"),
        (error(-2015, "Invalid API-key, IP, or permissions for action."), "house", "key", "unavailable"),
        (error(-2010, "Rest API trading is not enabled."), "house", "key", "unavailable"),
        (error(-1013, "Filter failure: MAX_NUM_ORDERS"), "house", "limits", "unavailable"),
        (error(-1015, "Too many new orders.", 429), "house", "limits", "busy"),
        (error(-2010, "This action is disabled on this account."), "house", "account", "unavailable"),
        (error(-1102, "Mandatory parameter 'quantity' was not sent."), "house", "mistake", "our_mistake"),
        (error(-1021, "Timestamp for this request is outside of the recvWindow."), "house", "clock", "too_late"),
        (requests.exceptions.ConnectTimeout(), "house", "connection", "unavailable"),
        (error(-1013, "Filter failure: PERCENT_PRICE"), "customer", "order", "percent_price"),
        (error(-2010, "Market is closed."), "customer", "order", "market_closed"),
    ],
)  # fmt: skip
def test_a_refusal_is_counted_by_whose_fault_it_is_and_why(
    alice: User, venue: Venue, more: Callable[[], Any], answer: Any, by: str, cause: str, code: str
) -> None:
    venue.on(*ORDER, answer)
    place(alice)
    assert more() == {(by, cause, code): 1}


def test_a_cancel_that_the_houses_key_may_not_make_is_counted(
    alice: User, venue: Venue, more: Callable[[], Any]
) -> None:
    venue.places()
    order = place(alice)
    venue.on(*CANCEL, error(-2015, "Invalid API-key, IP, or permissions for action."))
    venue.knows()
    services.cancel_order(user=alice, order_id=order.pk)
    assert more() == {("house", "key", "unavailable"): 1}


def test_what_was_taken_or_is_not_known_yet_counts_nothing(
    alice: User, venue: Venue, more: Callable[[], Any]
) -> None:
    venue.places()
    place(alice, nonce="a")
    venue.on(*ORDER, (504, ""))
    place(alice, nonce="b", quantity=Decimal("0.1"))
    assert more() == {}


@pytest.fixture
def no_redis(alice: User, settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    feed.client.cache_clear()
    yield
    feed.client.cache_clear()


def test_without_redis_a_refusal_is_told_all_the_same(alice: User, venue: Venue, no_redis: None) -> None:
    venue.on(*ORDER, error(-2010, "Market is closed."))
    order = place(alice)
    assert (order.status, order.reason_code) == ("REJECTED", "market_closed")
    assert counted() == {}
