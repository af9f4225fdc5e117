"""What rests is taken from the market to be traded here only when it could go back, in time, and never by mistake."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.gate import services as gate
from exchange.gate.models import Inventory, Switch, VenueAccount
from markets.models import Market
from orders import services
from orders.models import Cross
from tests.factories import balance
from tests.ledger.custodian import make_staff
from tests.orders.test_crossing_in_doubt import carol
from tests.orders.test_lost_orders import TRADES
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
    only_wanted_is_held,
    sent,
    tell_book,
)
from tests.orders.test_stopping import release
from tests.venue import Body, Venue, error, in_time, trade_body

__all__ = ["bob"]
D = Decimal


@pytest.fixture
def cancels_only(bob: User) -> None:
    """The market makes no order smaller: what is traded of one is canceled there first."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])


def cross() -> tuple[str, str]:
    found = Cross.objects.get()
    return found.state, found.reason


def when_asking(monkeypatch: Any, act: Callable[[], object]) -> None:
    """Something happens between the record of a cross and the question to the venue."""
    monkeypatch.setattr("exchange.failpoints.hit", lambda point: act() if point == "cross.asking" else None)


# ------------------------------------------------------------------ the venue was silent
def test_that_the_venue_does_not_show_an_order_for_a_moment_is_no_answer(
    alice: User, bob: User, venue: Venue, cancels_only: None
) -> None:
    """The cancel was carried out, its answer lost, and the venue's list of orders lags."""
    venue.on("DELETE", PLACE, (504, "timeout"))
    buy(alice)
    venue.knows_none()
    long_ago(60)
    services.follow_crosses()
    assert cross() == ("ASKED", "")
    venue.knows(status="CANCELED", origQty="1.0", side="SELL", price="40005.00")
    services.follow_crosses()
    assert (of(alice).status, of(bob).status, of(bob).left) == ("FILLED", "PARTIALLY_FILLED", D("0.6"))
    assert sent(venue, "POST")[-1]["quantity"] == "0.6"


def test_an_order_that_was_taken_back_is_not_ended_because_its_trades_are_told_late(
    alice: User, bob: User, venue: Venue, cancels_only: None
) -> None:
    """The venue traded 0.3 of it before the cancel, and shows that trade only later."""
    venue.on("DELETE", PLACE, (504, "timeout"))
    buy(alice)
    traded: Body = {"executedQty": "0.3", "cummulativeQuoteQty": "12001.5"}
    venue.knows(status="CANCELED", origQty="1.0", side="SELL", price="40005.00", **traded)
    venue.on("GET", TRADES, (503, ""))
    long_ago(60)
    services.follow_crosses()
    assert cross() == ("ASKED", "")
    sold: Body = {"isBuyer": False, "isMaker": True}
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "40005.00", "0.3", "12001.5", **sold)]))
    services.follow_crosses()
    assert (of(alice).status, of(bob).status, of(bob).left) == ("FILLED", "PARTIALLY_FILLED", D("0.3"))
    assert only_wanted_is_held()


# ------------------------------------------------------------------ staff stop it
@pytest.mark.parametrize("scope", ["EVERYTHING", "CUSTOMER"])
@pytest.mark.parametrize("abilities", [[], ["AMEND", "CANCEL_REPLACE"]], ids=["cancel", "amend"])
def test_what_could_not_go_back_is_not_taken_from_the_market(
    alice: User, bob: User, venue: Venue, monkeypatch: Any, scope: str, abilities: list[str]
) -> None:
    """Staff stop everything, or bob's orders, when alice's is on record and the venue is about to be asked for his."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=abilities)
    gives_back(venue)
    fills_buyers(venue, "0.4", "16004.0")
    customer = bob.pk if scope == "CUSTOMER" else None
    when_asking(
        monkeypatch,
        lambda: gate.flip_switch(scope=scope, by=carol(), reason="stop", customer_id=customer),
    )
    buy(alice)
    assert sent(venue, "DELETE") + sent(venue, "PUT", AMEND) == []
    assert (of(bob).status, of(bob).crossing, cross()) == ("OPEN", 2, ("MISSED", "not_sent"))


def test_a_stop_in_between_leaves_in_the_market_what_still_stands_there(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)

    def amends_and_staff_stop(asked: Body) -> Any:
        gate.flip_switch(scope="EVERYTHING", by=carol(), reason="stop")
        return amended(asked)

    venue.on("PUT", AMEND, amends_and_staff_stop)
    buy(alice)
    services.follow_crosses()
    assert (sent(venue, "DELETE"), of(bob).reason_code) == ([], "rest_waits")
    release(Switch.objects.get(), carol(), make_staff("dave"))
    stands_whole_again(bob, venue)


def test_without_an_account_for_it_an_order_keeps_in_the_market_what_still_stands_there(
    alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)

    def amends_and_the_account_is_closed(asked: Body) -> Any:
        tell_book("40001.00")
        VenueAccount.objects.update(is_enabled=False)
        return amended(asked)

    venue.on("PUT", AMEND, amends_and_the_account_is_closed)
    buy(alice)
    services.follow_crosses()
    assert (sent(venue, "DELETE"), of(bob).reason_code) == ([], "rest_waits")
    VenueAccount.objects.update(is_enabled=True)
    stands_whole_again(bob, venue)


def test_what_still_stands_at_the_venue_is_room_for_the_whole_in_its_account(
    alice: User, bob: User, venue: Venue
) -> None:
    """Of bob's 1 BTC there 0.6 are locked by what stands, and only what was taken back is free."""
    gives_back(venue)

    def amends_late(asked: Body) -> Any:
        tell_book("40001.00")
        VenueAccount.objects.update(inventory_at=timezone.now())
        free = {"free": D("0.4"), "locked": D("0.6"), "told_ms": 1}
        Inventory.objects.update_or_create(
            venue_account=VenueAccount.objects.get(), asset="BTC", defaults=free
        )
        return amended(asked)

    venue.on("PUT", AMEND, amends_late)
    venue.on("DELETE", PLACE, lambda asked: canceled(asked, origQty="0.6"))
    fills_buyers(venue, "0.4", "16000.4", "40001.00")
    buy(alice)
    assert (of(bob).status, of(bob).crossing) == ("OPEN", 2)
    assert sent(venue, "POST")[1]["quantity"] == "1"


def stands_whole_again(bob: User, venue: Venue) -> None:
    venue.on("DELETE", PLACE, lambda asked: canceled(asked, origQty="0.6"))
    fills_buyers(venue, "0.4", "16004.0")
    services.follow_crosses()
    order = of(bob)
    assert (order.status, order.crossing, order.reason) == ("OPEN", 2, "")
    assert order.venue_orders.latest("id").quantity == 1
    assert len(sent(venue, "DELETE")) == 1 and only_wanted_is_held()


# ------------------------------------------------------------------ the market stops
def halts(status: str = "HALT") -> None:
    Market.objects.filter(symbol="BTCUSDT").update(status=status)


@pytest.mark.parametrize("abilities", [[], ["AMEND", "CANCEL_REPLACE"]], ids=["cancel", "amend"])
def test_nothing_is_taken_from_a_market_that_stopped_meanwhile(
    alice: User, bob: User, venue: Venue, monkeypatch: Any, abilities: list[str]
) -> None:
    Market.objects.filter(symbol="BTCUSDT").update(abilities=abilities)
    gives_back(venue)
    when_asking(monkeypatch, halts)
    buy(alice)
    assert sent(venue, "DELETE") + sent(venue, "PUT", AMEND) == []
    assert (of(bob).status, of(bob).crossing, cross()) == ("OPEN", 2, ("MISSED", "not_sent"))


def test_what_still_stands_in_a_market_that_stopped_stays_there(alice: User, bob: User, venue: Venue) -> None:
    gives_back(venue)

    def amends_and_the_market_stops(asked: Body) -> Any:
        halts()
        return amended(asked)

    venue.on("PUT", AMEND, amends_and_the_market_stops)
    buy(alice)
    services.follow_crosses()
    assert cross() == ("RETURNED", "market_closed")
    assert (sent(venue, "DELETE"), of(bob).reason_code) == ([], "rest_waits")
    halts("TRADING")
    stands_whole_again(bob, venue)


def test_what_was_taken_back_waits_until_its_market_trades_again(
    alice: User, bob: User, venue: Venue, cancels_only: None
) -> None:
    """At the venue it would have outlived the break: it is not sent there to be refused, and its money stays held."""

    def cancels_and_the_market_stops(asked: Body) -> Any:
        halts("BREAK")
        return canceled(asked)

    venue.on("DELETE", PLACE, cancels_and_the_market_stops)
    venue.on("POST", PLACE, error(-2010, "Market is closed."))
    buy(alice)
    for _time in range(2):
        services.follow_crosses()
    assert len(sent(venue, "POST")) == 1
    assert (of(bob).status, balance(bob, "BTC")) == ("OPEN", (1, 1))
    assert of(bob).reason.endswith("This market takes no new orders at the moment.")
    halts("TRADING")
    fills_buyers(venue, "0.4", "16004.0")
    services.follow_crosses()
    assert (of(bob).status, of(bob).reason, of(bob).venue_orders.count()) == ("OPEN", "", 2)
    assert only_wanted_is_held()


# ------------------------------------------------------------------ nobody sends late
@pytest.mark.parametrize("abilities", [[], ["AMEND", "CANCEL_REPLACE"]], ids=["cancel", "amend"])
def test_the_venue_refuses_to_give_back_what_a_sender_that_was_asleep_asks_for(
    alice: User, bob: User, venue: Venue, monkeypatch: Any, abilities: list[str]
) -> None:
    """By then the sweep may have sent the buyer to the market."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=abilities)
    venue.on("PUT", AMEND, in_time(amended))
    venue.on("DELETE", PLACE, in_time(canceled))
    venue.knows(origQty="1.0", side="SELL", price="40005.00")
    fills_buyers(venue, "0.4", "16004.0")
    when_asking(monkeypatch, lambda: time.sleep(0.3))
    order = buy(alice)
    assert (of(bob).status, stands(bob), cross()) == ("OPEN", D(1), ("MISSED", "refused"))
    assert (order.status, order.cumulative_quote) == ("FILLED", 16004)


def stands(user: User) -> Decimal | None:
    """How much stands at the venue for the user's order."""
    return of(user).venue_orders.get().quantity
