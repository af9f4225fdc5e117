"""What a stream tells after the answers have: on record in one step, and nothing of it is passed over."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from exchange.binance.models import Report
from orders import services
from orders.models import Fill, Leg, Order, OrderEvent, OrderList
from tests.factories import fund, venue_account
from tests.orders.test_placing import place
from tests.orders.test_reports import event, traded
from tests.venue import Venue, fill_body

WHOLE = {"status": "FILLED", "executedQty": "1.00000000", "cummulativeQuoteQty": "39000.00000000"}


def note(*reports: Report) -> list[Report]:
    """Those that are to be applied."""
    heard = [(timezone.now() - timedelta(seconds=1), report) for report in reports]
    return [report for _at, report in services.note_known(venue_account(), heard, "stream")]


def told(order: Order) -> list[tuple[str, str, list[str]]]:
    events = OrderEvent.objects.filter(order=order, source="stream").order_by("id")
    return [(event.status, event.effect, event.trades) for event in events]


def filled(user: User, venue: Venue, nonce: str, trade: int = 7) -> Order:
    venue.places(**WHOLE, fills=[fill_body(trade, "39000.00", "1.00000000")])
    return place(user, nonce=nonce)


def test_what_the_answer_told_is_on_record_with_when_it_was_heard(alice: User, venue: Venue) -> None:
    order = filled(alice, venue, "a")
    assert note(event(order, "NEW", "NEW"), traded(order, 7, "1", "1", "FILLED")) == []
    assert told(order) == [("OPEN", "", []), ("FILLED", "", ["7"])]
    heard = OrderEvent.objects.filter(source="stream").first()
    assert heard is not None and timedelta(seconds=0.9) < timezone.now() - heard.at < timedelta(seconds=5)
    assert Fill.objects.count() == 1


def test_an_open_order_was_looked_at_when_its_report_came(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    order.venue_orders.update(checked_at=None)
    assert note(event(order, "NEW", "NEW")) == []
    assert order.venue_orders.get().checked_at is not None


def test_an_order_whose_answer_was_lost_is_applied_and_all_that_was_heard_of_it(
    alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (503, ""))
    lost = place(alice, nonce="lost")
    fund(alice, "USDT", "100000")
    known = filled(alice, venue, "known")
    reports = [event(lost, "NEW", "NEW"), traded(lost, 8, "1", "1", "FILLED")]
    assert note(reports[0], event(known, "NEW", "NEW"), reports[1]) == reports
    assert told(lost) == [] and told(known) == [("OPEN", "", [])]


def test_a_trade_that_is_not_booked_keeps_its_orders_reports_from_the_record(
    alice: User, venue: Venue
) -> None:
    venue.places()
    order = place(alice)
    reports = [event(order, "NEW", "NEW"), traded(order, 7, "0.5", "0.5")]
    assert note(*reports) == reports
    assert told(order) == []


def test_what_is_nobodys_and_what_others_wait_for_is_applied(alice: User, venue: Venue) -> None:
    """The end of the first order of a list begins the others."""
    order = filled(alice, venue, "a")
    report = traded(order, 7, "1", "1", "FILLED")
    listed = OrderList.objects.create(
        user=alice, nonce="list", request_hash="", kind=OrderList.Kind.OTO, market=order.market
    )
    Order.objects.update(order_list=listed, leg=Leg.WORKING)
    assert note(report) == [report]
    Order.objects.update(order_list=None, leg="")
    order.venue_orders.update(client_order_id="another")
    assert note(report) == [report]


def test_many_reports_cost_few_statements(alice: User, venue: Venue) -> None:
    fund(alice, "USDT", "1000000")
    orders = [filled(alice, venue, f"n{number}", number) for number in range(1, 11)]
    reports = [
        report
        for number, order in enumerate(orders, 1)
        for report in (event(order, "NEW", "NEW"), traded(order, number, "1", "1", "FILLED"))
    ]
    account, heard = venue_account(), [(timezone.now(), report) for report in reports]
    with CaptureQueriesContext(connection) as asked:
        assert services.note_known(account, heard, "stream") == []
    assert OrderEvent.objects.filter(source="stream").count() == 20
    assert len(asked) <= 5
