"""Which of our orders show that the stream is deaf, and which do not."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import override_settings

from accounts.models import User
from orders import services
from orders.models import Order, VenueOrder
from orders.services import watching
from tests.factories import venue_account
from tests.orders.test_lost_orders import LAST, asked, knows_nothing, now
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, traded
from tests.venue import Venue, error, fill_body

DEAF = "no event told of 1 orders that moved"
FILLED = {
    "status": "FILLED",
    "executedQty": "1.0",
    "cummulativeQuoteQty": "39000.0",
    "fills": [fill_body(7, "39000.00", "1.0")],
}


@pytest.fixture
def watch(alice: User) -> services.Watch:
    found = services.Watch(venue_account())
    found.begin()
    return found


def place(user: User) -> Order:
    return services.place_order(user=user, ticket=ticket())


def verdict(watch: services.Watch) -> str:
    """What it says when it looks again after longer than it waits."""
    with override_settings(STREAM_MISSING_SECONDS=0):
        watch.doubt()
        time.sleep(0.002)
        return watch.doubt()


def test_a_trade_that_only_the_answer_told_shows_a_deaf_stream(
    watch: services.Watch, alice: User, venue: Venue
) -> None:
    venue.places(**FILLED)
    place(alice)
    assert watch.doubt() == "", "the event may be on its way"
    assert verdict(watch) == DEAF


def test_a_trade_that_the_stream_told_shows_nothing(watch: services.Watch, alice: User, venue: Venue) -> None:
    venue.places(**FILLED)
    order = place(alice)
    watch.hear(traded(order, 7, "1", "1", "FILLED"))
    assert verdict(watch) == ""


def test_an_event_that_comes_before_the_answer_counts(
    watch: services.Watch, alice: User, venue: Venue
) -> None:
    venue.places()
    order = place(alice)
    watch.hear(traded(order, 7, "1", "1", "FILLED"))
    VenueOrder.objects.update(status="FILLED", cumulative_quantity=Decimal(1))
    assert verdict(watch) == ""


def test_an_event_of_less_than_what_is_known_is_not_enough(
    watch: services.Watch, alice: User, venue: Venue
) -> None:
    venue.places(**FILLED)
    order = place(alice)
    watch.hear(traded(order, 7, "0.5", "0.5"))
    assert verdict(watch) == DEAF


def test_an_end_that_nobody_was_told_of_shows_a_deaf_stream(
    watch: services.Watch, alice: User, venue: Venue
) -> None:
    venue.places()
    order = place(alice)
    watch.hear(event(order, "NEW", "NEW"))
    VenueOrder.objects.update(status="CANCELED")
    assert verdict(watch) == DEAF
    watch.hear(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    assert verdict(watch) == ""


@pytest.mark.parametrize("answer", [None, error(-2010, "Market is closed."), (504, "")])
def test_an_order_that_rests_or_was_refused_or_is_pending_owes_no_event(
    watch: services.Watch, alice: User, venue: Venue, answer: object
) -> None:
    venue.places()
    if answer:
        venue.on("POST", "/api/v3/order", answer)
    place(alice)
    assert verdict(watch) == ""


def test_what_was_known_when_the_stream_was_subscribed_was_asked_for(alice: User, venue: Venue) -> None:
    venue.places(**{**FILLED, "status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "19500.0",
                    "fills": [fill_body(7, "39000.00", "0.5")]})  # fmt: skip
    order = place(alice)
    watch = services.Watch(venue_account())
    watch.begin()
    assert verdict(watch) == ""
    VenueOrder.objects.filter(order=order).update(status="FILLED", cumulative_quantity=Decimal(1))
    assert verdict(watch) == DEAF
    watch.begin()
    assert verdict(watch) == ""


def test_events_of_nobodys_orders_are_kept_in_bounds(
    watch: services.Watch, alice: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_EARLY", 3)
    venue.places()
    report = traded(place(alice), 7, "1", "1", "FILLED")
    for number in range(10):
        watch.hear(replace(report, client_order_id=f"web_{number}"))
    assert list(watch._early) == ["web_7", "web_8", "web_9"]


def test_an_order_that_was_taken_for_gone_shows_nothing(
    watch: services.Watch, alice: User, venue: Venue
) -> None:
    """No event tells of an end that the venue knows nothing of."""
    venue.places()
    order = place(alice)
    knows_nothing(venue)
    asked(LAST)
    assert now(order) == ("EXPIRED", "lost_at_venue")
    assert verdict(watch) == ""
