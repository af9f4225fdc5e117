"""With whom a customer may trade: only with what rests, is certain, and can be taken back from the venue."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from markets.models import Market
from orders import services
from orders.errors import AmendedTooOften, NotChanged
from orders.models import Cross, Order, RouteDecision
from tests.factories import fund, make_user
from tests.orders.test_placing import market_ticket
from tests.orders.test_routes_crossing import (
    AMEND,
    PLACE,
    amended,
    bob,
    buy,
    canceled,
    fills_buyers,
    gives_back,
    of,
    rests,
    sent,
    tell_book,
)
from tests.venue import Venue, error, fill_body

__all__ = ["bob"]
D = Decimal


def buy_again(user: User, quantity: str, nonce: str) -> Order:
    wanted = market_ticket(quantity=D(quantity)).__dict__
    return services.place_order(user=user, ticket=services.Ticket(**{**wanted, "nonce": nonce}))


def why_not(order: Order) -> str:
    ways = {way["kind"]: way.get("out", "") for way in RouteDecision.objects.get(order=order).candidates}
    return str(ways["CROSS"])


# ------------------------------------------------------------------ only what rests
@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
def test_an_order_that_only_takes_is_nobodys_counterpart(
    alice: User, bob: User, venue: Venue, time_in_force: str
) -> None:
    """dave's sale has traded in part, and the venue has not said yet that the rest of it is over."""
    dave = make_user("dave")
    fund(dave, "BTC", "2")
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "20002.0"}
    venue.places(orderId=4720, fills=[fill_body(5, "40004.00", "0.5", asset="USDT")], **part)
    services.place_order(user=dave, ticket=rests("40004", nonce="d1", time_in_force=time_in_force))
    assert of(dave).status == "PARTIALLY_FILLED"
    tell_book("40004.00")
    fills_buyers(venue, "0.4", "16001.6", "40004.00")
    order = buy(alice)
    assert (order.route, why_not(order)) == ("DIRECT", "nobody")


# ------------------------------------------------------------------ only what is certain
def test_an_order_whose_owner_made_it_smaller_without_an_answer_is_not_traded_until_that_is_certain(
    alice: User, bob: User, venue: Venue
) -> None:
    """bob wants to sell half of it only, and the venue did that without saying so."""
    venue.on("PUT", AMEND, (504, "timeout"))
    services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.5"))
    gives_back(venue)
    fills_buyers(venue, "0.5", "20002.5", "40005.00")
    order = buy(alice, "0.5")
    assert (order.route, why_not(order)) == ("DIRECT", "nobody")
    venue.knows(origQty="0.5", side="SELL", price="40005.00")
    look_at(bob)
    assert of(bob).quantity == D("0.5")
    venue.places(status="EXPIRED", orderId=4730)
    assert buy_again(alice, "0.2", "a2").route == "DIRECT", "another request of his may still arrive there"
    asked_long_ago(bob)
    look_at(bob)
    assert buy_again(alice, "0.2", "a3").route == "CROSS"
    assert of(bob).left == D("0.3")


def test_an_order_whose_change_was_answered_may_be_traded_at_once(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.8"))
    assert buy(alice, "0.3").route == "CROSS"
    venue.on("PUT", AMEND, error(-2038, "Cannot amend."))
    venue.knows(origQty="0.5", side="SELL", price="40005.00")
    with pytest.raises(NotChanged):
        services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.6"))
    gives_back(venue)
    assert buy_again(alice, "0.1", "a2").route == "CROSS"


def test_a_second_answer_does_not_make_a_first_silence_certain(alice: User, bob: User, venue: Venue) -> None:
    venue.on("PUT", AMEND, (504, "timeout"))
    services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.5"))
    gives_back(venue)
    services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.7"))
    fills_buyers(venue, "0.5", "20002.5", "40005.00")
    assert buy(alice, "0.5").route == "DIRECT"


def look_at(user: User) -> None:
    """A sweep asks for what nobody has looked at for a while."""
    order = of(user)
    order.venue_orders.update(checked_at=None, created_at=timezone.now() - timedelta(seconds=60))
    services.resolve_pending()


def asked_long_ago(user: User) -> None:
    Order.objects.filter(user=user).update(amend_asked_at=timezone.now() - timedelta(seconds=60))


# ------------------------------------------------------------------ how often it can be made smaller
@pytest.fixture
def once(bob: User, market: Market) -> Any:
    """The venue makes an order smaller once."""
    rule = {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 1}
    Market.objects.filter(symbol="BTCUSDT").update(filters=[*market.filters, rule])


def test_what_was_traded_of_an_order_counts_among_the_changes_its_market_allows(
    alice: User, bob: User, venue: Venue, once: Any
) -> None:
    gives_back(venue)
    assert buy(alice, "0.3").route == "CROSS"
    with pytest.raises(AmendedTooOften):
        services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.8"))
    assert len(sent(venue, "PUT", AMEND)) == 1


def test_an_order_that_cannot_be_made_smaller_any_more_is_taken_back_whole_and_rests_as_a_new_one(
    alice: User, bob: User, venue: Venue, once: Any
) -> None:
    gives_back(venue)
    buy(alice, "0.3")
    fills_buyers(venue, "0.2", "8001.0", "40005.00")
    venue.on("DELETE", PLACE, lambda asked: canceled(asked, origQty="0.7"))
    order = buy_again(alice, "0.2", "a2")
    assert (order.status, order.route, Cross.objects.filter(state="SETTLED").count()) == (
        "FILLED",
        "CROSS",
        2,
    )
    assert (len(sent(venue, "PUT", AMEND)), len(sent(venue, "DELETE"))) == (1, 1)
    assert sent(venue, "POST")[-1]["quantity"] == "0.5"
    venue.on("PUT", AMEND, lambda asked: amended_of(asked, 4713))
    maker = services.amend_order(user=bob, order_id=of(bob).pk, quantity=D("0.9"))
    assert maker.left == D("0.4"), "the new one has not been made smaller before"


def amended_of(asked: Any, number: int) -> Any:
    status, body = amended(asked)
    body["amendedOrder"]["orderId"] = number
    return status, body


# ------------------------------------------------------------------ before an order is placed
def test_a_preview_tells_of_another_customer_as_what_it_would_trade_with(
    alice: User, bob: User, client: Client
) -> None:
    client.force_login(alice)
    wish = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.4"}
    found = client.post("/api/v1/orders/preview/", wish, content_type="application/json").json()["route"]
    assert (found["kind"], found["text"]) == ("CROSS", "With another customer of ours")
    assert not Cross.objects.exists()
