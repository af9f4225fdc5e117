"""Changes that are repeated, and changes whose answers are lost: nothing is done twice, and nothing is stuck."""

from dataclasses import replace
from decimal import Decimal

import pytest

from accounts.models import User
from ledger.models import LedgerException
from markets.models import Market
from orders import services
from orders.models import Fill, Order, VenueOrder
from tests.factories import balance, venue_account
from tests.orders.test_amending import amended
from tests.orders.test_placing import place
from tests.orders.test_replacing import canceled, halves
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, order_body

D = Decimal
CHANGE = ("POST", "/api/v3/order/cancelReplace")
AMEND = ("PUT", "/api/v3/order/amend/keepPriority")


@pytest.mark.parametrize("more", ["0", "0.1"])
def test_a_repeated_change_changes_nothing_more(alice: User, venue: Venue, more: str) -> None:
    """0.5 is still to be traded; when the same is asked again, more of it may have traded."""
    Market.objects.update(abilities=["CANCEL_REPLACE", "AMEND"])
    venue.places()
    order = place(alice)
    tell(traded(order, 7, "0.2", "0.2"))
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.2", "cumulativeQuoteQty": "7800"}
    venue.on(*AMEND, lambda asked: amended(asked, **part))
    wish = {"order_id": order.pk, "nonce": "c1", "price": D(39000), "quantity": D("0.5")}
    first = services.change_order(user=alice, **wish)  # type: ignore[arg-type]
    assert (first.pk, first.quantity) == (order.pk, D("0.7"))
    if D(more):
        tell(traded(order, 8, more, f"{D('0.2') + D(more):f}"))
    told = canceled(order, origQty="0.7", executedQty="0.2", cummulativeQuoteQty="7800")
    venue.on(*CHANGE, lambda asked: (200, halves(told, order_body(asked, orderId=4712))))
    again = services.change_order(user=alice, **wish)  # type: ignore[arg-type]
    assert (again.pk, venue.count(*AMEND), venue.count(*CHANGE)) == (order.pk, 1, 0)


def test_what_is_held_for_a_successor_is_not_given_back_by_a_late_amend(alice: User, venue: Venue) -> None:
    """Both the amend and the change were done, and neither was answered; all else is spent meanwhile."""
    Market.objects.update(abilities=["CANCEL_REPLACE", "AMEND"])
    venue.places()
    old = place(alice)
    own = old.venue_orders.get().client_order_id
    venue.on(*AMEND, (504, "timeout"))
    services.amend_order(user=alice, order_id=old.pk, quantity=D("0.5"))
    venue.on(*CHANGE, (504, "timeout"))
    new = services.replace_order(user=alice, order_id=old.pk, nonce="new", price=D(38500), quantity=D(1))
    tell(event(old, "REPLACED", "NEW", q="0.50000000", C=own))
    venue.places(orderId=4800)
    place(alice, nonce="third", price=D(30500), quantity=D(2))
    assert balance(alice, "USDT") == (0, 100000)
    tell(event(old, "CANCELED", "CANCELED", c="x", C=own, q="0.5"))
    tell(event(new, "NEW", "NEW", i=4712))
    filled = traded(new, 77, "1", "1", "FILLED")
    (trade,) = filled.fills
    trade = replace(trade, price=D(38500), quote_quantity=D(38500))
    tell(replace(filled, fills=(trade,), cumulative_quote=D(38500)))
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.status, new.status, Fill.objects.count()) == ("CANCELED", "FILLED", 1)
    assert not LedgerException.objects.exists()


# ------------------------------------------------------------------ answers that cannot be read
def test_a_placing_answer_that_cannot_be_read_leaves_the_order_to_be_asked_for(
    alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (200, {}))
    assert place(alice).status == "PENDING"
    assert balance(alice, "USDT") == (61000, 39000)


def test_a_cancel_whose_answer_cannot_be_read_is_asked_for(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    venue.knows(status="CANCELED")
    venue.on("DELETE", "/api/v3/order", (200, {}))
    services.cancel_order(user=alice, order_id=order.pk)
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert (order.status, balance(alice, "USDT")) == ("CANCELED", (100000, 0))


def test_one_odd_row_of_open_orders_stops_no_resuming(alice: User, venue: Venue) -> None:
    venue.places()
    first = place(alice)
    venue.places(orderId=4712)
    second = place(alice, nonce="n2")
    names = [order.venue_orders.get().client_order_id for order in (first, second)]
    asked = [{"symbol": "BTCUSDT", "newClientOrderId": n, "quantity": "1", "price": "39000"} for n in names]
    odd, plain = map(order_body, asked)
    del odd["type"]
    VenueOrder.objects.update(checked_at=None)
    venue.on("GET", "/api/v3/openOrders", (200, [odd, plain]))
    venue.knows()
    services.resume(venue_account=venue_account(), heard_until=None)
    assert venue.count("GET", "/api/v3/openOrders") == 1
    assert set(Order.objects.values_list("status", flat=True)) == {"OPEN"}
    assert balance(alice, "USDT") == (22000, 78000)
