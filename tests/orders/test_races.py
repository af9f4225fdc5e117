"""Facts and wishes about one order from several processes at the same moment."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from ledger import queries as books
from ledger.models import Hold, LedgerException, Transfer
from markets.models import Market
from orders.models import Fill, Order
from orders.services import follow_lists, place_order_list
from tests.conftest import begin_with_nothing_used
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.ledger.test_accidents import ALWAYS, STATES, collide, strike
from tests.orders import contests, lists
from tests.race import at_once, race
from tests.venue import Venue

ROUNDS = 25
PAIRS = 10


@pytest.fixture
def alice(committed_db: str) -> User:
    make_market()
    venue_account()
    publish_book()
    user = make_user()
    fund(user, "USDT", "1000000")
    begin_with_nothing_used(1_000_000)
    return user


def test_a_cancel_and_a_fill_at_the_same_moment_both_count(alice: User) -> None:
    assert race(contests.cancel_against_fill, 2, user=alice.pk, rounds=ROUNDS) == [None, None]
    assert set(Order.objects.values_list("status", "cumulative_quantity")) == {("CANCELED", Decimal("0.5"))}
    assert Fill.objects.count() == Transfer.objects.filter(kind="FILL").count() == ROUNDS
    assert balance(alice, "USDT") == (1000000 - ROUNDS * 19500, 0)
    assert not Hold.objects.filter(is_open=True).exists()
    assert not LedgerException.objects.exists()
    assert books.first_broken_row() == ""


def test_an_order_canceled_twice_at_once_gives_its_money_back_once(alice: User) -> None:
    told = race(contests.cancels, 3, user=alice.pk, rounds=ROUNDS)
    assert {status for one in told for status in one} <= {"CANCELED", "CLOSED"}
    assert all("CANCELED" in answers for answers in zip(*told, strict=True))
    assert Transfer.objects.filter(kind="RELEASE").count() == Order.objects.count() == ROUNDS
    assert balance(alice, "USDT") == (1000000, 0)
    assert books.first_broken_row() == ""


def test_an_order_whose_hold_collides_every_time_is_refused_with_a_sentence_and_leaves_nothing(
    alice: User, owner: Any, venue: Venue
) -> None:
    browser = Client()
    browser.force_login(alice)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000"}
    for state in STATES:
        strike(owner, collide(state), times=ALWAYS)
        body = {**order, "quantity": "1", "client_order_id": state}
        answer = browser.post("/api/v1/orders/", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.content
        assert "try again" in answer.json()["message"]
    assert not (Order.objects.exists() or Hold.objects.exists())
    assert balance(alice, "USDT") == (1000000, 0)


def test_what_waits_for_an_order_begins_once_whoever_sees_its_last_trade(alice: User, venue: Venue) -> None:
    venue.places(orderId=4713)
    found = place_order_list(
        user=alice, ticket=lists.ticket("OTO", working=lists.BUY, pending=lists.SELL_ALL)
    )
    trade = lists.traded(lists.leg(found, "WORKING"), 7, "1", "39000")
    at_once(8, lambda number: lists.tell(trade) if number % 2 else follow_lists())
    follow_lists()
    assert lists.statuses(found) == ["FILLED", "OPEN"]
    sides = [asked["side"] for method, path, asked in venue.asked if path == "/api/v3/order"]
    assert sides == ["BUY", "SELL"]
    assert lists.everything_holds()


def test_two_orders_that_end_at_once_give_their_one_hold_back_once(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    fund(alice, "BTC", str(PAIRS))
    venue.places_pairs()
    for number in range(PAIRS):
        found = lists.place_oco(alice, nonce=f"n{number}")
        ends = [lists.event(order, "CANCELED", "CANCELED") for order in found.orders.all()]
        at_once(2, lambda which, ends=ends: lists.tell(ends[which]))  # type: ignore[misc]
    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELED"}
    assert Transfer.objects.filter(kind="RELEASE").count() == PAIRS
    assert balance(alice, "BTC") == (PAIRS, 0)
    assert books.first_broken_row() == ""


def test_one_id_of_a_list_at_once_is_one_list_and_one_call(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    fund(alice, "BTC", "5")
    venue.places_pairs()
    found = at_once(4, lambda _number: lists.place_oco(alice).pk)
    assert (len(set(found)), Order.objects.count()) == (1, 2)
    assert venue.count("POST", "/api/v3/orderList/oco") == 1
    assert balance(alice, "BTC") == (4, 1)
