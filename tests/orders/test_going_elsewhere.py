"""An account's key is refused before anybody here knows of it: the order goes to another account, once."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from exchange.gate.models import VenueAccount
from ledger.models import Hold
from markets.models import Market
from orders.models import Order, OrderEvent
from tests.exchange.gate.test_choosing import first, second, secret, told
from tests.factories import balance
from tests.orders.lists import place_oco
from tests.orders.test_placing import no_hold_is_left, place
from tests.venue import Body, Venue, error, leg_body, list_body, order_body

__all__ = ["first", "second", "secret"]
PLACE, PAIR = "/api/v3/order", "/api/v3/orderList/oco"
NO_KEY = error(-2015, "Invalid API-key, IP, or permissions for action.", 401)


@pytest.fixture(autouse=True)
def both_have_enough(alice: User, secret: None, first: VenueAccount, second: VenueAccount) -> None:
    for account in (first, second):
        told(account, USDT="100000", BTC="10")


def then(venue: Venue, path: str, answers: list[Any], last: Callable[[Body], Any]) -> None:
    """The first requests are answered so, and all others as the last one says."""
    venue.on("POST", path, lambda asked: answers.pop(0) if answers else last(asked))


def names(venue: Venue, path: str = PLACE) -> list[str]:
    return [asked["newClientOrderId"] for how, where, asked in venue.asked if (how, where) == ("POST", path)]


def test_an_order_that_meets_a_revoked_key_is_sent_with_the_other_accounts(
    alice: User, venue: Venue, first: VenueAccount
) -> None:
    then(venue, PLACE, [NO_KEY], lambda asked: (200, order_body(asked)))
    order = place(alice)
    sent = order.venue_orders.get()
    assert (order.status, sent.venue_account.name, sent.venue_order_id) == ("OPEN", "second", 4711)
    assert names(venue) == [sent.client_order_id] * 2
    assert balance(alice, "USDT") == (61000, 39000)
    assert Hold.objects.count() == 1
    first.refresh_from_db()
    assert first.key_state == "REFUSED"
    assert OrderEvent.objects.filter(order=order, kind="REFUSED", code="-2015").exists()


def test_it_is_tried_again_once_and_then_refused_as_the_houses_problem(alice: User, venue: Venue) -> None:
    then(venue, PLACE, [NO_KEY, NO_KEY], lambda asked: (200, order_body(asked)))
    order = place(alice)
    assert (order.status, order.reason_code) == ("REJECTED", "unavailable")
    assert len(names(venue)) == 2
    assert no_hold_is_left()


def test_without_another_account_it_is_refused(alice: User, venue: Venue, second: VenueAccount) -> None:
    told(second, USDT="1")
    then(venue, PLACE, [NO_KEY], lambda asked: (200, order_body(asked)))
    assert place(alice).status == "REJECTED"
    assert len(names(venue)) == 1
    assert no_hold_is_left()


@pytest.mark.parametrize("answer", [(401, "<html>"), (504, "timeout"), error(-1006, "Unexpected", 401)])
def test_what_leaves_doubt_is_never_sent_to_another_account(alice: User, venue: Venue, answer: Any) -> None:
    then(venue, PLACE, [answer], lambda asked: (200, order_body(asked)))
    order = place(alice)
    assert (order.status, order.venue_orders.get().venue_account.name) == ("PENDING", "primary")
    assert len(names(venue)) == 1


def test_two_that_cancel_each_other_go_together(alice: User, venue: Venue, market: Market) -> None:
    Market.objects.update(abilities=["OCO"])

    def takes(asked: Body) -> Any:
        legs = [leg_body(asked, *leg) for leg in (("above", 4711), ("below", 4712))]
        return 200, list_body(asked, legs)

    then(venue, PAIR, [NO_KEY], takes)
    place_oco(alice)
    orders = Order.objects.filter(user=alice)
    assert {(order.status, order.venue_orders.get().venue_account.name) for order in orders} == {
        ("OPEN", "second")
    }
    assert balance(alice, "BTC") == (1, 1)
