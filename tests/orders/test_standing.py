"""An order that was given up, its hold released, and that the venue has after all: staff hear, and it is canceled."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from accounts.models import User
from exchange.binance.models import Report
from exchange.gate import breakers
from exchange.office.models import Notice
from ledger.models import LedgerException
from orders import services
from orders.models import Fill, Order, VenueOrder
from tests.factories import balance, fund, make_market
from tests.ledger.custodian import make_staff
from tests.orders.test_lost_orders import LAST, OPEN, TRADES, asked, knows_nothing, told
from tests.orders.test_placing import made_long_ago, ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, error, order_body, trade_body

D = Decimal
ORDER = "/api/v3/order"
STANDS = "order without a hold at the venue"


@pytest.fixture
def carol(db: None) -> User:
    return make_staff("carol")


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """alice's order of 1 BTC at 39,000 was given up as never arrived, and nothing is held for it."""
    venue.on("POST", ORDER, (504, "timeout"))
    knows_nothing(venue)
    found = services.place_order(user=alice, ticket=ticket())
    services.reconcile(venue_order_id=made_long_ago(found, 60).pk)
    found.refresh_from_db()
    assert (found.status, found.reason_code) == ("REJECTED", "never_arrived")
    return found


def sweep() -> None:
    VenueOrder.objects.update(created_at=F("created_at") - timedelta(minutes=1))
    services.resolve_pending()


def cancels(venue: Venue) -> None:
    """The venue has it open, until it is asked to cancel it."""
    venue.knows()

    def answer(asked: dict[str, Any]) -> Any:
        venue.knows(status="CANCELED")
        return 200, order_body(asked, status="CANCELED")

    venue.on("DELETE", ORDER, answer)


def sources() -> list[str]:
    return list(LedgerException.objects.order_by("id").values_list("source", flat=True))


def test_an_order_that_arrived_after_it_was_given_up_is_canceled_and_staff_hear_of_it(
    alice: User, order: Order, venue: Venue, carol: User
) -> None:
    cancels(venue)
    for _time in range(2):
        tell(event(order, "NEW", "NEW"))
    found = LedgerException.objects.get()
    assert (found.source, found.owner, found.asset_id, found.amount) == (STANDS, carol, "USDT", D(39000))
    assert found.detail["client_order_id"] == order.venue_orders.get().client_order_id
    assert f"Order {order.pk}" in Notice.objects.get(user=carol, kind="ledger.difference").body
    for _time in range(3):
        sweep()
    assert venue.count("DELETE", ORDER) == 1
    assert order.venue_orders.get().status == "CANCELED"
    order.refresh_from_db()
    assert (order.status, balance(alice, "USDT")) == ("REJECTED", (100000, 0))


def test_its_customer_reads_what_is_so(alice: User, order: Order, client: Client) -> None:
    tell(event(order, "NEW", "NEW"))
    client.force_login(alice)
    page = client.get(f"/orders/{order.pk}/").content.decode()
    assert "It is being canceled there" in page
    assert "did not reach the market" not in page


def page_of(order: Order, client: Client) -> str:
    order.refresh_from_db()
    client.force_login(order.user)
    return client.get(f"/orders/{order.pk}/").content.decode()


def test_when_it_was_filled_all_the_same_the_customer_reads_so(
    order: Order, venue: Venue, client: Client
) -> None:
    tell(traded(order, 7, "1", "1", "FILLED"))
    page = page_of(order, client)
    assert "It has ended there, and what it traded is booked" in page
    assert "nothing was executed" not in page
    assert (order.reason_code, order.cumulative_quantity) == ("stood_after_all", 1)
    assert order.status == "FILLED"
    assert "Filled completely" in page and "Not accepted" not in page and "rejected" not in page.lower()


def test_when_its_trades_are_read_only_later_too(order: Order, venue: Venue, client: Client) -> None:
    venue.on("GET", TRADES, (200, [trade_body(4711, 7, "39000.00", "1.0", "39000.0")]))
    filled = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0"}
    tell(Report.from_answer(told(order, **filled)))
    assert "nothing was executed" not in page_of(order, client)
    assert (order.status, order.cumulative_quantity) == ("FILLED", 1)


def test_it_is_not_filled_before_all_its_trades_are_booked(
    order: Order, venue: Venue, client: Client
) -> None:
    venue.on("GET", TRADES, (503, ""))
    filled = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0"}
    tell(Report.from_answer(told(order, **filled)))
    page = page_of(order, client)
    assert order.status == "REJECTED" and "Not accepted" not in page
    tell(traded(order, 8, "0.6", "1", "FILLED"))
    order.refresh_from_db()
    assert order.status == "EXPIRED"
    tell(traded(order, 7, "0.4", "0.4"))
    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity) == ("FILLED", 1)


def test_the_api_says_that_it_was_filled(order: Order, venue: Venue, client: Client) -> None:
    tell(traded(order, 7, "1", "1", "FILLED"))
    client.force_login(order.user)
    told_by_api = client.get(f"/api/v1/orders/{order.pk}/").json()
    assert (told_by_api["status"], told_by_api["cumulative_quantity"]) == ("FILLED", "1")
    steps = client.get(f"/api/v1/orders/{order.pk}/events/").json()["results"]
    assert [step["text"] for step in steps if step["kind"] == "ended"] == ["Filled completely"]


def test_when_it_was_filled_before_it_could_be_canceled_nobody_reads_that_it_was_canceled(
    order: Order, venue: Venue, client: Client
) -> None:
    tell(event(order, "NEW", "NEW"))
    tell(traded(order, 7, "1", "1", "FILLED"))
    page = page_of(order, client)
    assert "It has ended there" in page
    assert "canceled there" not in page


def test_when_a_part_was_traded_and_the_rest_canceled_the_customer_reads_that_it_has_ended(
    order: Order, venue: Venue, client: Client
) -> None:
    cancels(venue)
    tell(traded(order, 7, "0.5", "0.5"))
    assert "It is being canceled there" in page_of(order, client)
    assert order.status == "EXPIRED", "what has traded was not refused"
    sweep()
    page = page_of(order, client)
    assert "It has ended there" in page and "Not accepted" not in page
    assert (order.status, order.cumulative_quantity) == ("EXPIRED", D("0.5"))


def test_what_it_trades_until_it_is_canceled_is_booked(
    alice: User, order: Order, venue: Venue, carol: User
) -> None:
    cancels(venue)
    tell(traded(order, 7, "0.5", "0.5"))
    tell(traded(order, 8, "0.1", "0.6"))
    alice.refresh_from_db()
    assert (Fill.objects.count(), balance(alice, "USDT"), alice.is_frozen) == (2, (76600, 0), True)
    assert sources() == ["uncovered fill", STANDS, "uncovered fill"]
    sweep()
    assert venue.count("DELETE", ORDER) == 1


def test_a_cancel_that_is_not_answered_is_asked_for_again(alice: User, order: Order, venue: Venue) -> None:
    cancels(venue)
    tell(event(order, "NEW", "NEW"))
    venue.on("DELETE", ORDER, (504, ""))
    sweep()
    assert order.venue_orders.get().status == "OPEN"
    cancels(venue)
    sweep()
    assert order.venue_orders.get().status == "CANCELED"


def test_what_the_venue_has_open_besides_those_that_were_asked_for_is_found_too(
    alice: User, order: Order, venue: Venue
) -> None:
    venue.places()
    others = [services.place_order(user=alice, ticket=ticket(nonce=f"other{n}")) for n in range(2)]
    rows = [told(one, orderId=number) for number, one in enumerate([*others, order], 4711)]
    venue.on("GET", OPEN, (200, rows))
    VenueOrder.objects.filter(order__in=others).update(checked_at=None)
    services.reconcile_open()
    assert sources() == [STANDS]
    cancels(venue)
    sweep()
    canceled = [asked["origClientOrderId"] for method, _path, asked in venue.asked if method == "DELETE"]
    assert canceled == [order.venue_orders.get().client_order_id]


def test_one_that_stands_where_nothing_else_of_ours_does_is_found_within_the_day(
    order: Order, venue: Venue
) -> None:
    venue.on("GET", OPEN, (200, [told(order)]))
    cancels(venue)
    asked(2)
    assert (sources(), venue.count("DELETE", ORDER)) == ([STANDS], 1)
    assert order.venue_orders.get().status == "CANCELED"


def test_where_something_was_given_up_is_asked_now_and_then_and_for_a_day(order: Order, venue: Venue) -> None:
    before = venue.count("GET", OPEN)
    for _time in range(3):
        services.reconcile_open()
    assert venue.count("GET", OPEN) == before, "it was asked just now"
    asked()
    assert venue.count("GET", OPEN) == before + 1
    Order.objects.update(finished_at=F("finished_at") - timedelta(days=1))
    asked()
    assert venue.count("GET", OPEN) == before + 1


def test_where_the_venue_refused_an_order_nobody_asks(alice: User, venue: Venue) -> None:
    venue.on("POST", ORDER, error(-2010, "Market is closed."))
    services.place_order(user=alice, ticket=ticket())
    venue.on("GET", OPEN, (200, []))
    asked()
    assert venue.count("GET", OPEN) == 0


def test_many_markets_take_turns(alice: User, venue: Venue) -> None:
    names = ["ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BNB"]
    for name in names:
        make_market(name, "USDT")
    fund(alice, "USDT", "1000000")
    venue.on("POST", ORDER, (504, "timeout"))
    knows_nothing(venue)
    for name in names:
        breakers.forget()  # of so many that failed
        given_up = services.place_order(
            user=alice, ticket=ticket(symbol=f"{name}USDT", nonce=name, price=D(100))
        )
        services.reconcile(venue_order_id=made_long_ago(given_up, 60).pk)
    VenueOrder.objects.update(checked_at=None)
    venue.asked.clear()
    turns = []
    for _turn in range(3):
        services.reconcile_open()
        turns.append(venue.count("GET", OPEN))
    assert turns == [5, 7, 7]
    assert {wanted["symbol"] for _how, _path, wanted in venue.asked} == {f"{name}USDT" for name in names}


def test_one_that_was_taken_for_gone_is_canceled_when_the_venue_has_it_again(
    alice: User, venue: Venue
) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    knows_nothing(venue)
    asked(LAST)
    order.refresh_from_db()
    assert order.reason_code == "lost_at_venue"
    cancels(venue)
    tell(event(order, "NEW", "NEW"))
    sweep()
    assert sources() == ["order the venue does not know", STANDS]
    assert (venue.count("DELETE", ORDER), order.venue_orders.get().status) == (1, "CANCELED")


def test_an_older_report_of_an_order_that_was_canceled_alarms_nobody(alice: User, venue: Venue) -> None:
    venue.places(status="CANCELED")
    order = services.place_order(user=alice, ticket=ticket())
    cancels(venue)
    tell(event(order, "NEW", "NEW"))
    sweep()
    assert (sources(), venue.count("DELETE", ORDER)) == ([], 0)


def test_nor_does_one_of_an_order_that_was_given_up_and_has_been_canceled_since(
    order: Order, venue: Venue
) -> None:
    cancels(venue)
    tell(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    tell(event(order, "NEW", "NEW"))
    sweep()
    assert (sources(), venue.count("DELETE", ORDER)) == ([], 0)
