"""A venue that hangs while a resting order is taken back: who wants to trade with it waits as for any order, and nobody
else waits at all."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.test import Client, override_settings

from accounts.models import User
from exchange.gate import queue
from orders import services
from orders.errors import Busy
from orders.models import Cross, Order
from tests.exchange.paper.people import wait_for
from tests.factories import fund, make_user
from tests.orders.test_placing import ticket
from tests.orders.test_routes_crossing import AMEND, PLACE, amended, bob, buy, of
from tests.orders.test_waiting import MOMENT, Silence, alice, in_thread, seconds_of, silence
from tests.venue import Venue, order_body

__all__ = ["alice", "bob", "silence"]


def all_is_carried_out(silence: Silence) -> None:
    silence.is_over.set()
    services.placing._threads().shutdown()


def test_who_trades_with_another_customer_waits_for_a_silent_venue_as_for_any_order(
    alice: User, bob: User, venue: Venue, silence: Silence, client: Client
) -> None:
    venue.on("PUT", AMEND, silence.then(amended))
    client.force_login(alice)
    wish = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.4", "client_order_id": "a1"}
    answers: list[Any] = []

    def ask() -> None:
        answers.append(client.post("/api/v1/orders/", wish, content_type="application/json"))

    assert seconds_of(ask) < MOMENT
    assert (answers[0].status_code, answers[0].json()["status"]) == (202, "PENDING")
    all_is_carried_out(silence)
    assert (of(alice).status, of(alice).route, Cross.objects.get().state) == ("FILLED", "CROSS", "SETTLED")


@pytest.fixture
def one_seat() -> Iterator[None]:
    """One new order and one cancel may be under way in this process."""
    with override_settings(GATE_MAX_RELAYS=1):
        for seats in (queue.placing, queue.canceling):
            seats.cache_clear()
        yield
    for seats in (queue.placing, queue.canceling):
        seats.cache_clear()


def test_a_cancel_does_not_wait_for_what_is_taken_back_to_be_traded(
    alice: User, bob: User, venue: Venue, silence: Silence, one_seat: None
) -> None:
    dave = make_user("dave")
    fund(dave, "USDT", "100000")
    venue.places(orderId=4720)
    resting = services.place_order(user=dave, ticket=ticket(nonce="d1"))
    venue.on("PUT", AMEND, silence.then(amended))
    venue.on("DELETE", PLACE, lambda asked: (200, order_body(asked, orderId=4720, status="CANCELED")))
    with ThreadPoolExecutor(1) as crowd:
        buying = crowd.submit(in_thread, partial(buy, alice))
        wait_for(lambda: venue.count("PUT", AMEND) == 1)
        canceled = services.cancel_order(user=dave, order_id=resting.pk)
        assert canceled.status == "CANCELED"
        buying.result()
    all_is_carried_out(silence)
    assert Order.objects.get(user=alice).status == "FILLED"


def test_no_more_is_taken_back_at_once_than_new_orders_may_be_under_way(
    alice: User, bob: User, venue: Venue, silence: Silence, one_seat: None
) -> None:
    venue.on("PUT", AMEND, silence.then(amended))
    buy(alice)
    eve = make_user("eve")
    fund(eve, "USDT", "100000")
    with pytest.raises(Busy):
        buy(eve)
    assert not Order.objects.filter(user=eve).exists()
    all_is_carried_out(silence)
