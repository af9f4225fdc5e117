"""What the venue took without an answer: looked for wherever it may be shown before it is given up, and after that."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from exchange.binance.errors import Unknown
from orders import services
from orders.models import Fill, Order
from tests.factories import balance
from tests.orders.test_lost_orders import ALL, OPEN, knows_nothing, told
from tests.orders.test_placing import made_long_ago, market_ticket, ticket
from tests.venue import Body, Venue, trade_body

D = Decimal
ORDER = "/api/v3/order"


def unanswered(user: User, venue: Venue, wanted: services.Ticket) -> Order:
    """Placed a minute ago; nobody has answered, and asked for it by its name the venue knows nothing of it."""
    venue.on("POST", ORDER, (504, "timeout"))
    order = services.place_order(user=user, ticket=wanted)
    made_long_ago(order, 60)
    return order


def look(order: Order) -> str:
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    return order.status


def test_a_market_order_that_the_list_of_all_orders_has_as_filled_is_booked(
    alice: User, venue: Venue
) -> None:
    knows_nothing(venue, trade_body(4711, 7, "40000.00", "0.5", "20000.0"))
    order = unanswered(alice, venue, market_ticket(quantity=D("0.5")))
    filled = {"status": "FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "20000.0", "type": "MARKET"}
    venue.on("GET", ALL, (200, [told(order, **filled)]))
    assert look(order) == "FILLED"
    assert (Fill.objects.count(), balance(alice, "USDT")) == (1, (80000, 0))


def test_an_order_that_the_list_of_open_orders_has_is_open(alice: User, venue: Venue) -> None:
    knows_nothing(venue)
    order = unanswered(alice, venue, ticket())
    venue.on("GET", OPEN, (200, [told(order)]))
    assert look(order) == "OPEN"
    assert balance(alice, "USDT") == (61000, 39000)


def test_the_list_of_all_orders_is_read_from_before_the_order_was_signed_to_its_end(
    alice: User, venue: Venue
) -> None:
    knows_nothing(venue)
    order = unanswered(alice, venue, ticket())
    others = [
        {**told(order), "orderId": number, "clientOrderId": f"web_{number}"} for number in range(1, 1001)
    ]
    own = told(order, orderId=1001, status="EXPIRED")

    def page(wanted: Body) -> Any:
        if "orderId" in wanted:
            return 200, [own] if wanted["orderId"] == "1001" else []
        return 200, others

    venue.on("GET", ALL, page)
    assert look(order) == "EXPIRED"
    first = next(wanted for _how, path, wanted in venue.asked if path == ALL)
    signed = order.venue_orders.get().timestamp_ms
    assert signed - 60_000 < int(first["startTime"]) < signed
    assert venue.count("GET", ALL) == 2


def test_an_order_that_no_list_has_is_given_up(alice: User, venue: Venue) -> None:
    knows_nothing(venue)
    order = unanswered(alice, venue, ticket())
    venue.on("GET", ALL, (503, ""))
    with pytest.raises(Unknown):
        look(order)
    assert balance(alice, "USDT") == (61000, 39000), "a list that is not told proves nothing"
    venue.on("GET", ALL, (200, []))
    assert look(order) == "REJECTED"
    assert balance(alice, "USDT") == (100000, 0)
