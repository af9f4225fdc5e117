"""An order that nothing else concerns is recorded and booked by a statement each, if nothing happened meanwhile."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ledger.errors import InsufficientFunds
from ledger.models import Hold, LedgerException, Transfer
from orders.models import Fill, Order, OrderEvent, VenueOrder
from tests.factories import balance
from tests.orders.test_placing import place
from tests.orders.test_reports import event, tell, traded
from tests.venue import Body, Venue, fill_body, order_body

WHOLE = {"status": "FILLED", "executedQty": "1.00000000", "cummulativeQuoteQty": "39000.00000000"}
ONE = [fill_body(7, "39000.00", "1.00000000")]
BOTH = [fill_body(7, "39000.00", "0.50000000"), fill_body(8, "39000.00", "0.50000000")]


def meanwhile(venue: Venue, happens: Callable[[Order], object], fills: list[Body]) -> None:
    """The venue fills the order, and something happens before its answer is there."""

    def answer(asked: Body) -> tuple[int, Body]:
        happens(Order.objects.get())
        return 200, order_body(asked, **WHOLE, fills=fills)

    venue.on("POST", "/api/v3/order", answer)


def heard() -> list[tuple[str, str]]:
    return list(OrderEvent.objects.order_by("id").values_list("source", "effect"))


@pytest.mark.parametrize("fills", [ONE, BOTH])
def test_it_is_recorded_by_one_statement_and_booked_by_another(
    alice: User, venue: Venue, fills: list[Body]
) -> None:
    """Between them it is claimed by who sends it."""
    venue.places(**WHOLE, fills=fills)
    with CaptureQueriesContext(connection) as asked:
        order = place(alice)
    writes = [query["sql"] for query in asked if query["sql"].startswith(("INSERT", "UPDATE", "WITH"))]
    recorded, claimed, booked = writes
    assert 'INSERT INTO "orders_order"' in recorded and 'INSERT INTO "orders_venueorder"' in recorded
    assert claimed.startswith("UPDATE orders_venueorder SET sent_at")
    assert booked.count('INSERT INTO "orders_fill"') == len(fills)
    assert (order.status, order.cumulative_quantity, order.cumulative_quote) == ("FILLED", 1, 39000)
    assert not Hold.objects.get(cause="ORDER", cause_id=order.pk).is_open


@pytest.mark.parametrize("answer", [{**WHOLE, "fills": BOTH}, {}])
def test_what_the_customer_is_told_is_what_is_recorded(alice: User, venue: Venue, answer: Body) -> None:
    venue.places(**answer)
    order = place(alice)
    stored = Order.objects.get(pk=order.pk)
    for field in Order._meta.concrete_fields:
        assert getattr(order, field.attname) == getattr(stored, field.attname), field.name
    sent = order.venue_orders.get()
    assert (sent.status, sent.venue_order_id) == (order.status, 4711)
    assert None not in (sent.sent_at, sent.answered_at, sent.checked_at)


def test_each_trade_is_booked_with_its_transfer(alice: User, venue: Venue) -> None:
    venue.places(**WHOLE, fills=BOTH)
    order = place(alice)
    booked = Fill.objects.order_by("id").values_list("trade_id", "order", "venue_order", "transfer_id")
    posted = Transfer.objects.filter(kind="FILL").order_by("id").values_list("pk", flat=True)
    sent = order.venue_orders.get()
    assert list(booked) == [
        (trade, order.pk, sent.pk, transfer) for trade, transfer in zip((7, 8), posted, strict=True)
    ]
    (row,) = OrderEvent.objects.filter(order=order, venue_order=sent)
    assert (row.effect, row.status, row.trades) == ("CHANGED", "FILLED", ["7", "8"])


# ------------------------------------------------------------------ what happened meanwhile
def test_what_the_stream_told_before_the_answer_is_booked_once(alice: User, venue: Venue) -> None:
    meanwhile(venue, lambda order: tell(traded(order, 7, "1", "1", "FILLED")), ONE)
    order = place(alice)
    assert (order.status, Fill.objects.count(), balance(alice, "USDT")) == ("FILLED", 1, (61000, 0))
    assert heard() == [("stream", "CHANGED"), ("answer", "")]


def test_of_two_trades_the_stream_may_have_told_the_first(alice: User, venue: Venue) -> None:
    meanwhile(venue, lambda order: tell(traded(order, 7, "0.5", "0.5")), BOTH)
    order = place(alice)
    assert (order.status, order.cumulative_quote, Fill.objects.count()) == ("FILLED", 39000, 2)
    assert balance(alice, "USDT") == (61000, 0)
    assert not Hold.objects.filter(is_open=True).exists()


def test_a_wish_to_cancel_is_still_there_after_the_answer(alice: User, venue: Venue) -> None:
    now = timezone.now()
    meanwhile(venue, lambda _order: Order.objects.update(cancel_requested_at=now), BOTH)
    order = place(alice)
    assert (order.status, order.cancel_requested_at, Fill.objects.count()) == ("FILLED", now, 2)


def test_what_its_hold_does_not_cover_any_more_is_booked_and_told_to_staff(alice: User, venue: Venue) -> None:
    meanwhile(venue, lambda order: tell(event(order, "CANCELED", "CANCELED")), ONE)
    order = place(alice)
    assert (order.cumulative_quantity, balance(alice, "USDT")) == (1, (61000, 0))
    assert LedgerException.objects.get().source == LedgerException.Source.UNCOVERED_FILL


def test_a_trade_that_is_booked_already_undoes_all_of_the_statement(alice: User, venue: Venue) -> None:
    """Another order of ours has it: nobody knows how that came about, and nothing is booked twice."""
    venue.places(**WHOLE, fills=[fill_body(8, "39000.00", "1.00000000")])
    first = place(alice)
    venue.places(**WHOLE, fills=BOTH)
    venue.on("GET", "/api/v3/myTrades", (200, []))
    second = place(alice, nonce="second")
    assert Fill.objects.get(trade_id=8).order_id == first.pk
    assert Fill.objects.get(trade_id=7).order_id == second.pk
    assert Transfer.objects.filter(kind="FILL").count() == 2
    assert Order.objects.get(pk=second.pk).cumulative_quantity == Decimal("0.5")


# ------------------------------------------------------------------ what is not recorded
def test_without_funds_nothing_is_recorded(alice: User, venue: Venue) -> None:
    with pytest.raises(InsufficientFunds):
        place(alice, quantity=Decimal(3))
    assert not (Order.objects.exists() or VenueOrder.objects.exists() or Hold.objects.exists())
