"""What rests is taken from the market to be traded here, and never by mistake."""

from decimal import Decimal

import pytest

from accounts.models import User
from markets.models import Market
from orders import services
from orders.models import Cross
from tests.orders.test_lost_orders import TRADES
from tests.orders.test_routes_crossing import (
    PLACE,
    bob,
    buy,
    long_ago,
    of,
    only_wanted_is_held,
    sent,
)
from tests.venue import Body, Venue, trade_body

__all__ = ["bob"]
D = Decimal


@pytest.fixture
def cancels_only(bob: User) -> None:
    """The market makes no order smaller: what is traded of one is canceled there first."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=[])


def cross() -> tuple[str, str]:
    found = Cross.objects.get()
    return found.state, found.reason


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
