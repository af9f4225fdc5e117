"""Trades among customers when something else happens to one of their orders at the same time."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.gate import services as gate
from markets.models import Market
from orders import services
from orders.models import Cross, Fill, Order, VenueOrder
from orders.services import crossing
from tests.factories import balance, fund, make_user, publish_book
from tests.orders.test_placing import ticket
from tests.orders.test_routes_crossing import (
    AMEND,
    PLACE,
    amended,
    bob,
    buy,
    canceled,
    fills_buyers,
    gives_back,
    long_ago,
    of,
    rests,
    sent,
    stopped,
    tell_book,
)
from tests.orders.test_routes_two_legs import Stop
from tests.venue import Body, Venue, error, order_body

__all__ = ["bob"]


def carol() -> User:
    """Of staff."""
    return User.objects.get(email="carol@example.com")


def ago(**time: int) -> datetime:
    return timezone.now() - timedelta(**time)


def sell(user: User) -> Order:
    ticket = services.Ticket("BTCUSDT", "SELL", "MARKET", "b9", quantity=Decimal("0.2"))
    return services.place_order(user=user, ticket=ticket)


def alice_rests_after_taking(alice: User, venue: Venue) -> Order:
    """alice took bob's 1 BTC; 0.5 of hers rests as the best bid."""
    gives_back(venue)
    services.place_order(user=alice, ticket=ticket(price=Decimal(40006), quantity=Decimal("1.5"), nonce="a1"))
    order = of(alice)
    assert (order.status, order.left, order.crossing) == ("PARTIALLY_FILLED", Decimal("0.5"), 2)
    publish_book(bids=[("40006.00", "0.5"), ("40000.00", "5")], asks=[("40010.00", "5")])
    return order


def bids(asked: Body, **more: Any) -> tuple[int, Body]:
    found = {
        "side": "BUY",
        "price": "40006.00",
        "origQty": "0.3",
        "status": "CANCELED",
        "orderId": 4713,
        **more,
    }
    return 200, order_body(asked, origClientOrderId=asked["origClientOrderId"], **found)


def test_a_former_taker_that_was_made_smaller_in_vain_stands_whole_again(
    alice: User, bob: User, venue: Venue
) -> None:
    order = alice_rests_after_taking(alice, venue)

    def amends_and_it_gets_better(asked: Body) -> Any:
        publish_book(bids=[("40008.00", "5")], asks=[("40010.00", "5")])
        status, body = amended(asked)
        body["amendedOrder"] |= {"side": "BUY", "price": "40006.00", "orderId": 4713}
        return status, body

    venue.on("PUT", AMEND, amends_and_it_gets_better)
    venue.on("DELETE", PLACE, bids)
    fills = {"status": "EXPIRED", "orderId": 4719}
    venue.on(
        "POST",
        PLACE,
        lambda asked: (200, order_body(asked, **(fills if asked["side"] == "SELL" else {"orderId": 4720}))),
    )
    services.place_order(
        user=bob,
        ticket=services.Ticket(
            symbol="BTCUSDT", side="SELL", type="MARKET", nonce="b9", quantity=Decimal("0.2")
        ),
    )
    assert Cross.objects.latest("id").reason == "venue_is_better"
    for _time in range(5):
        services.follow_crosses()
    order.refresh_from_db()
    stands = order.venue_orders.exclude(status__in=["CANCELED", "FILLED", "REJECTED"]).latest("id")
    assert (order.crossing, stands.quantity, order.left) == (2, Decimal("0.5"), Decimal("0.5"))


def test_a_former_taker_waits_as_every_maker_does(alice: User, bob: User, venue: Venue) -> None:
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])
    order = alice_rests_after_taking(alice, venue)
    Cross.objects.update(ended_at=timezone.now() - timedelta(minutes=5))

    def cancels_and_staff_stop_alice(asked: Body) -> Any:
        publish_book(bids=[("40008.00", "5")], asks=[("40010.00", "5")])
        gate_flip(alice, carol())
        return bids(asked, origQty="0.5")

    venue.on("DELETE", PLACE, cancels_and_staff_stop_alice)
    venue.on("POST", PLACE, lambda asked: (200, order_body(asked, status="EXPIRED", orderId=4719)))
    services.place_order(
        user=bob,
        ticket=services.Ticket(
            symbol="BTCUSDT", side="SELL", type="MARKET", nonce="b9", quantity=Decimal("0.2")
        ),
    )
    assert Cross.objects.latest("id").reason == "venue_is_better"
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("PARTIALLY_FILLED", "rest_waits")


def gate_flip(user: User, by: User) -> None:
    gate.flip_switch(scope="CUSTOMER", by=by, reason="x", customer_id=user.pk)


def test_nothing_is_crossed_after_staff_stopped_everything(alice: User, bob: User, venue: Venue) -> None:
    venue.on("PUT", AMEND, (504, "timeout"))
    order = buy(alice)
    gate.flip_switch(scope="EVERYTHING", by=carol(), reason="stop")
    venue.knows(status="NEW", origQty="0.6", side="SELL", price="40005.00")
    long_ago(5)
    services.follow_crosses()
    order.refresh_from_db()
    assert Cross.objects.get().state != "SETTLED"
    assert not Fill.objects.exists()


def test_an_order_that_is_being_changed_is_not_crossed(
    alice: User, bob: User, venue: Venue, monkeypatch: Any
) -> None:
    """bob changes his price between alice's look at resting orders and the record of her order."""
    record = crossing._record

    def late(*args: Any) -> Any:
        venue.on("POST", "/api/v3/order/cancelReplace", (504, "timeout"))  # carried out all the same
        services.replace_order(user=bob, order_id=of(bob).pk, nonce="b2", price=Decimal(40009))
        return record(*args)

    monkeypatch.setattr(crossing, "_record", late)
    first = of(bob)
    venue.on("PUT", AMEND, error(-2038, "Unknown order sent."))
    venue.on("DELETE", PLACE, error(-2011, "Unknown order sent."))

    def knows(asked: Body) -> Any:
        is_first = asked["origClientOrderId"] == first.venue_orders.get().client_order_id
        state = {"status": "CANCELED", "orderId": 4711} if is_first else {"status": "NEW", "orderId": 4722}
        return 200, order_body(
            asked, origQty="1.0", side="SELL", price="40005.00" if is_first else "40009.00", **state
        )

    venue.on("GET", PLACE, knows)
    fills_buyers(venue, "0.4", "16004.0")
    buy(alice)
    for _time in range(2):
        services.follow_crosses()
    for sent_one in VenueOrder.objects.exclude(status__in=["CANCELED", "FILLED", "REJECTED"]):
        services.reconcile(venue_order_id=sent_one.pk)
    assert not Cross.objects.filter(state="SETTLED").exists()


def test_what_stands_again_is_not_asked_for_with_every_sweep(alice: User, bob: User, venue: Venue) -> None:
    def amends_late(asked: Body) -> Any:
        tell_book("40001.00")
        return amended(asked)

    gives_back(venue)
    venue.on("PUT", AMEND, amends_late)
    fills_buyers(venue, "0.4", "16000.4", "40001.00")
    buy(alice)
    assert (of(bob).status, of(bob).venue_orders.count()) == ("OPEN", 2)
    old = of(bob).venue_orders.earliest("id").client_order_id
    ended = {"origQty": "0.6", "status": "CANCELED", "orderId": 4711}
    stands = {"origQty": "1", "status": "NEW", "orderId": 4713}

    def knows(asked: Body) -> Any:
        found = ended if asked["origClientOrderId"] == old else stands
        return 200, order_body(asked, side="SELL", price="40005.00", **found)

    venue.on("GET", PLACE, knows)
    for _time in range(5):
        VenueOrder.objects.update(
            checked_at=timezone.now() - timedelta(seconds=3), created_at=timezone.now() - timedelta(seconds=9)
        )
        services.resolve_pending()
    asked = [one["origClientOrderId"] for one in sent(venue, "GET")]
    assert asked.count(old) == 0


def test_a_rest_that_was_given_up_is_not_asked_for_for_ever(alice: User, bob: User, venue: Venue) -> None:
    gives_back(venue)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orders.services.crossing.relay", stopped)
        with pytest.raises(Stop):
            buy(alice, "1.5")
    gate.flip_switch(scope="EVERYTHING", by=carol(), reason="stop")
    VenueOrder.objects.filter(order__user=alice).update(send_by=timezone.now() - timedelta(seconds=90))
    Cross.objects.update(ended_at=timezone.now() - timedelta(seconds=90))
    services.follow_crosses()
    order = of(alice)
    assert (order.status, balance(alice, "USDT")[1]) == ("EXPIRED", 0)
    venue.knows_none()
    for _time in range(4):
        VenueOrder.objects.update(
            checked_at=timezone.now() - timedelta(seconds=3),
            created_at=timezone.now() - timedelta(days=9),
            timestamp_ms=1,
        )
        services.resolve_pending()
    asked = sent(venue, "GET")
    assert not asked


def test_a_stopped_rest_leaves_no_row_with_every_sweep(alice: User, bob: User, venue: Venue) -> None:
    """bob's whole order was taken back and goes back; staff stop everything meanwhile, for long."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])

    def cancels_late(asked: Body) -> Any:
        tell_book("40001.00")
        gate.flip_switch(scope="MARKET", market="BTCUSDT", by=carol(), reason="stop")
        return canceled(asked)

    venue.on("DELETE", PLACE, cancels_late)
    buy(alice)
    venue.knows_none()
    counts = []
    for _time in range(6):
        VenueOrder.objects.filter(order__user=bob, status="PENDING").update(
            send_by=timezone.now() - timedelta(seconds=1)
        )
        services.follow_crosses()
        counts.append(of(bob).venue_orders.count())
    assert counts[-1] <= 2


def test_who_waits_for_long_keeps_nobody_else_waiting(
    alice: User, bob: User, venue: Venue, monkeypatch: Any
) -> None:
    """bob's order is back in the house and staff have stopped him; alice's with dave's is followed all the same."""
    monkeypatch.setattr(crossing, "BATCH", 1)
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])

    def cancels_and_bob_is_stopped(asked: Body) -> Any:
        tell_book("40001.00")
        gate.flip_switch(scope="CUSTOMER", by=carol(), reason="x", customer_id=bob.pk)
        return canceled(asked)

    venue.on("DELETE", PLACE, cancels_and_bob_is_stopped)
    venue.on(
        "POST",
        PLACE,
        lambda asked: (
            200,
            order_body(
                asked,
                **({"status": "EXPIRED", "orderId": 4712} if asked["side"] == "BUY" else {"orderId": 4790}),
            ),
        ),
    )
    buy(alice)
    assert of(bob).reason_code == "rest_waits"
    dave = make_user("dave")
    fund(dave, "BTC", "2")
    tell_book()
    services.place_order(user=dave, ticket=rests(nonce="d1"))
    venue.on("DELETE", PLACE, (504, "timeout"))
    services.place_order(
        user=alice,
        ticket=services.Ticket(
            symbol="BTCUSDT", side="BUY", type="MARKET", nonce="a2", quantity=Decimal("0.4")
        ),
    )
    assert Cross.objects.latest("id").state == "ASKED"
    venue.on(
        "GET",
        PLACE,
        lambda asked: (
            200,
            order_body(asked, side="SELL", price="40005.00", origQty="1.0", status="CANCELED", orderId=4790),
        ),
    )
    long_ago(60)
    for _time in range(60):  # each turn takes one of those that wait, whichever it is
        services.follow_crosses()
    last = Cross.objects.latest("id")
    assert last.state != "ASKED"
