"""An order keeps what it was decided upon, and the hash of what was signed for it."""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from accounts.models import User
from markets import feed
from markets.models import Market
from orders import services
from orders.models import Order, VenueOrder
from tests.factories import publish_book, publish_ticker
from tests.orders import lists
from tests.orders.test_placing import market_ticket, place, ticket
from tests.orders.test_replacing import answers, change
from tests.venue import Venue, fill_body

D = Decimal


def decision_of(order: Order) -> dict[str, Any]:
    return order.venue_orders.get().decision or {}


def test_an_order_keeps_the_book_and_the_prices_it_was_decided_upon(alice: User, venue: Venue) -> None:
    venue.places()
    publish_book(bids=[("40000.10", "5.50000000")], asks=[("40010.00", "0.00100000")], age_ms=250)
    found = decision_of(place(alice))
    assert found["book"].pop("age_ms") in range(250, 5000)
    best = {"bid": ["40000.10", "5.50000000"], "ask": ["40010.00", "0.00100000"]}
    book = {"epoch": 1, "u": 1, "state": "LIVE", **best}
    assert found == {"book": book, "last": "40005.05", "earlier": None}


def test_an_order_placed_without_a_book_says_so(alice: User, venue: Venue) -> None:
    venue.places()
    feed.client().delete(feed.book_key("BTCUSDT"))
    assert decision_of(place(alice))["book"] is None


def hash_of(asked: dict[str, str]) -> str:
    """Of what was signed, built anew from what came out of the wire."""
    signed = {name: value for name, value in asked.items() if name != "signature"}
    return hashlib.sha256(urlencode(signed, quote_via=quote).encode()).hexdigest()


def sent_by(venue: Venue) -> dict[str, str]:
    return next(asked for method, _path, asked in reversed(venue.asked) if method == "POST")


TICKETS: list[Callable[[], services.Ticket]] = [
    ticket,
    lambda: ticket(type="LIMIT_MAKER", time_in_force=""),
    lambda: ticket(side="SELL", price=D("41000.50"), quantity=D("0.00100")),
    lambda: market_ticket(quote_quantity=D("1000.50")),
    lambda: market_ticket("SELL", quantity=D("0.5")),
    lambda: ticket(
        side="SELL", type="STOP_LOSS_LIMIT", price=D(38000), stop_price=D(39000), iceberg_quantity=D("0.5")
    ),
]


@pytest.mark.parametrize("wanted", TICKETS)
def test_the_hash_on_record_is_that_of_what_was_signed(
    alice: User, venue: Venue, wanted: Callable[[], services.Ticket]
) -> None:
    Market.objects.update(abilities=["ICEBERG"])
    venue.places()
    order = services.place_order(user=alice, ticket=wanted())
    assert order.venue_orders.get().request_hash == hash_of(sent_by(venue))


def test_two_orders_of_one_request_have_its_hash(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    lists.place_oco(alice)
    hashes = set(VenueOrder.objects.values_list("request_hash", flat=True))
    assert hashes == {hash_of(sent_by(venue))}


def test_an_order_that_takes_anothers_place_has_the_hash_of_the_change(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    venue.places()
    order = place(alice)
    answers(venue, order)
    new = change(order, price=D(39500))
    assert new.venue_orders.get().request_hash == hash_of(sent_by(venue))


def test_an_order_that_began_after_another_has_the_hash_of_its_own_request(alice: User, venue: Venue) -> None:
    fills = [fill_body(7, "39000.00", "1.0")]
    venue.places(status="FILLED", executedQty="1.0", cummulativeQuoteQty="39000.0", fills=fills)
    wanted = lists.ticket("OTO", working=lists.BUY, pending={**lists.SELL_ALL, "quantity": "0.9"})
    found = services.place_order_list(user=alice, ticket=wanted)
    later = lists.leg(found, "PENDING").venue_orders.get()
    assert later.request_hash == hash_of(sent_by(venue))
    assert decision_of(later.order)["book"]["u"] == 1
