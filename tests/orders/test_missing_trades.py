"""A trade that could not be read when its order's report came is read by whoever hears of the order next."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.binance.models import Report
from orders import services
from orders.models import Fill, Order
from tests.factories import fund, venue_account
from tests.orders.test_lost_orders import OPEN, TRADES, asked, told
from tests.orders.test_placing import place
from tests.orders.test_reports import event, tell, traded
from tests.orders.test_routes_crossing import bob, buy, gives_back, of
from tests.venue import Body, Venue, trade_body

__all__ = ["bob"]
D = Decimal
HALF = {"status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "19500.0"}


def test_the_sweep_reads_a_trade_that_is_missing_of_an_open_order_beside_another(
    alice: User, venue: Venue
) -> None:
    fund(alice, "USDT", "1000000")
    orders = []
    for number in (4711, 4712):
        venue.places(orderId=number)
        orders.append(place(alice, nonce=str(number)))
    venue.on("GET", OPEN, (200, [told(orders[0], **HALF), told(orders[1], orderId=4712)]))
    venue.on("GET", TRADES, (503, ""))
    asked()
    assert Fill.objects.count() == 0
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "0.5", "19500.0")]))
    asked()
    assert Fill.objects.get().order == orders[0]
    before = venue.count("GET", TRADES)
    asked()
    assert venue.count("GET", TRADES) == before, "nothing is missing any more"


@pytest.mark.parametrize("booked", [0, 3])
def test_the_trades_of_an_order_of_very_many_are_read_to_the_last(
    alice: User, venue: Venue, monkeypatch: pytest.MonkeyPatch, booked: int
) -> None:
    """Seven, of which the venue tells three at once: the newest, unless it is told from which one on."""
    monkeypatch.setattr("orders.services.pages.PAGE", 3)
    venue.places()
    order = place(alice)
    rows = [trade_body(4711, number, "39000.00", "0.1", "3900.0") for number in range(1, 8)]

    def page(wanted: Body) -> Any:
        if "fromId" not in wanted:
            return 200, rows[-3:]
        return 200, [row for row in rows if row["id"] >= int(wanted["fromId"])][:3]

    venue.on("GET", TRADES, page)
    for number in range(7, 7 - booked, -1):
        tell(traded(order, number, "0.1", f"0.{8 - number}"))
    most = {"status": "PARTIALLY_FILLED", "executedQty": "0.7", "cummulativeQuoteQty": "27300.0"}
    tell(Report.from_answer(told(order, **most)))
    assert Fill.objects.filter(order=order).count() == 7


def test_a_list_that_has_no_end_is_left_for_later(
    alice: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is asked for the venue gives the same page."""
    monkeypatch.setattr("orders.services.pages.PAGE", 1)
    venue.places()
    order = place(alice)
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "0.1", "3900.0")]))
    tell(Report.from_answer(told(order, **HALF)))
    assert venue.count("GET", TRADES) == 3
    order.refresh_from_db()
    assert (order.status, Fill.objects.count()) == ("OPEN", 0)


@pytest.fixture
def half_crossed(alice: User, bob: User, venue: Venue) -> Order:
    """0.4 of bob's 1 BTC went to alice, and of the rest the venue traded 0.3, which it did not show."""
    gives_back(venue)
    buy(alice)
    part = {"status": "PARTIALLY_FILLED", "executedQty": "0.3", "cummulativeQuoteQty": "12001.5"}
    venue.knows(**part, origQty="0.6", side="SELL", price="40005.00")
    venue.on("GET", TRADES, (503, ""))
    services.reconcile(venue_order_id=of(bob).venue_orders.get().pk)
    trade = trade_body(4711, 7, "40005.00", "0.3", "12001.5", isBuyer=False, isMaker=True)
    venue.on("GET", TRADES, (200, [trade]))
    return of(bob)


def test_a_question_reads_a_trade_that_is_missing_of_who_has_traded_with_another_customer(
    half_crossed: Order, venue: Venue
) -> None:
    sent = half_crossed.venue_orders.get()
    services.reconcile(venue_order_id=sent.pk)
    assert Fill.objects.get(venue_order=sent).quantity == D("0.3")
    half_crossed.refresh_from_db()
    assert half_crossed.left == D("0.3")


def test_the_stream_does_not_take_such_an_order_for_known(half_crossed: Order, venue: Venue) -> None:
    report = event(half_crossed, "NEW", "PARTIALLY_FILLED", z="0.3", Z="12001.5", q="0.6")
    heard = [(timezone.now(), report)]
    assert services.note_known(venue_account(), heard, "stream") == heard
    tell(report)
    assert services.note_known(venue_account(), heard, "stream") == []
