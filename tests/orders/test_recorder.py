"""The flight recorder of an order: all that was heard of it, once, and nothing secret; a day's silence is a row."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
import requests
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from accounts.models import User
from exchange.binance.models import MyTrade
from exchange.gate import breakers
from markets.models import Market
from orders import services
from orders.models import Inquiry, Order, OrderEvent
from tests.conftest import forget_the_venue
from tests.factories import venue_account
from tests.orders.test_amending import answers as answers_amends
from tests.orders.test_placing import place
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, error, fill_body, trade_body

D = Decimal
FILLED = [fill_body(7, "39000.00", "1.0")]
WHOLE: dict[str, Any] = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0"}


def rows(order: Order) -> list[tuple[str, ...]]:
    found = OrderEvent.objects.filter(order=order)
    return list(found.values_list("kind", "source", "status", "effect"))


# ------------------------------------------------------------------ what was heard
def test_answer_and_stream_are_both_on_record_and_one_of_them_changed_the_books(
    alice: User, venue: Venue
) -> None:
    venue.places(**WHOLE, fills=FILLED)
    order = place(alice)
    tell(event(order, "NEW", "NEW"))
    tell(traded(order, 7, "1", "1", "FILLED"))
    assert rows(order) == [
        ("REPORT", "answer", "FILLED", "CHANGED"),
        ("REPORT", "stream", "OPEN", ""),
        ("REPORT", "stream", "FILLED", ""),
    ]
    assert [found.trades for found in OrderEvent.objects.all()] == [["7"], [], ["7"]]


def test_a_refusal_is_on_record_in_the_venues_words(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-2010, "Account has insufficient balance for requested action."))
    found = OrderEvent.objects.get(order=place(alice))
    assert (found.kind, found.code) == ("REFUSED", "-2010")
    assert found.message == "Account has insufficient balance for requested action."


def test_words_no_column_takes_stop_nothing(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", error(-2010, "\0" + "long " * 100))
    order = place(alice)
    assert order.status == "REJECTED"
    assert len(OrderEvent.objects.get(order=order).message) == 200


def test_a_time_no_calendar_has_stops_nothing(alice: User, venue: Venue) -> None:
    venue.places(transactTime=10**30)
    assert place(alice).status == "OPEN"
    assert OrderEvent.objects.get().venue_time_ms is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((504, "timeout"), "UNKNOWN"),
        (requests.exceptions.ReadTimeout(), "UNKNOWN"),
        (requests.exceptions.ConnectTimeout(), "NOT_SENT"),
    ],
)
def test_silence_and_what_was_never_sent_are_told_apart(
    alice: User, venue: Venue, answer: Any, kind: str
) -> None:
    venue.on("POST", "/api/v3/order", answer)
    assert rows(place(alice)) == [(kind, "answer", "", "")]


def test_a_fill_after_the_end_is_marked(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    tell(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    tell(traded(order, 7, "0.5", "0.5"))
    assert rows(order)[-1] == ("REPORT", "stream", "PARTIALLY_FILLED", "LATE")


def test_trades_that_had_to_be_asked_for_are_on_record_as_such(alice: User, venue: Venue) -> None:
    venue.on("GET", "/api/v3/myTrades", (200, [trade_body(4711, 7, "39000.00", "1.0", "39000")]))
    venue.places(**WHOLE)
    order = place(alice)
    assert rows(order) == [
        ("REPORT", "answer", "FILLED", "CHANGED"),
        ("REPORT", "reconciliation", "FILLED", "CHANGED"),
    ]
    assert [found.trades for found in OrderEvent.objects.all()] == [[], ["7"]]


def test_a_trade_found_by_comparing_is_on_record(alice: User, venue: Venue) -> None:
    venue.places()
    place(alice)
    trade = MyTrade.from_wire(trade_body(4711, 7, "39000.00", "0.5", "19500"))
    services.apply_trades(venue_account=venue_account(), trades=[trade, trade])
    found = OrderEvent.objects.filter(source="reconciliation").get()
    assert (found.trades, found.effect, found.cumulative_quantity) == (["7"], "CHANGED", D("0.5"))


def test_a_smaller_size_is_on_record_from_the_wish_to_the_answer(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["AMEND"])
    venue.places()
    order = place(alice)
    answers_amends(venue)
    services.amend_order(user=alice, order_id=order.pk, quantity=D("0.4"))
    assert rows(order)[1:] == [("ASKED", "amend", "", ""), ("REPORT", "amend", "OPEN", "CHANGED")]
    assert set(OrderEvent.objects.filter(source="amend").values_list("quantity", flat=True)) == {D("0.4")}


# ------------------------------------------------------------------ a long outage
def test_a_day_of_silence_is_one_row_with_a_count(alice: User, venue: Venue, settings: Any) -> None:
    settings.SWEEP_SECONDS = 0
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.on("GET", "/api/v3/order", (503, ""))
    order = place(alice)
    for _time in range(50):
        breakers.forget()  # each time as if it had let some time pass
        services.resolve_pending()
    found = Inquiry.objects.get()
    assert (found.kind, found.outcome, found.count, found.reason) == ("QUERY", "UNANSWERED", 50, "HTTP 503")
    assert found.last_at > found.first_at
    assert len(rows(order)) == 1


def test_a_question_that_a_breaker_keeps_back_is_none(alice: User, venue: Venue, settings: Any) -> None:
    settings.SWEEP_SECONDS = 0
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.on("GET", "/api/v3/order", (503, ""))
    place(alice)
    for _time in range(20):
        services.resolve_pending()
    found = Inquiry.objects.get()
    assert (found.count, found.reason) == (5, "HTTP 503")
    assert venue.count("GET", "/api/v3/order") == 5 * 3, "each is tried three times, then the breaker is open"


def test_a_second_silence_is_counted_anew(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    number = order.venue_orders.get().pk
    for share in ("0.5", "0.9"):
        venue.on("GET", "/api/v3/order", (503, ""))
        for _time in range(2):
            with pytest.raises(Exception, match="503"):
                services.reconcile(venue_order_id=number)
        tell(traded(order, int(D(share) * 10), share if share == "0.5" else "0.4", share))
    assert list(Inquiry.objects.values_list("count", flat=True)) == [2, 2]


def test_an_order_that_rests_for_weeks_is_looked_at_in_one_row(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    venue.knows()
    for _time in range(20):
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert Inquiry.objects.values_list("outcome", "count").get() == ("UNCHANGED", 20)
    assert len(rows(order)) == 1


# ------------------------------------------------------------------ what it costs, and what it never holds
def test_an_order_that_fills_at_once_costs_one_statement_more_for_each_report(
    alice: User, venue: Venue
) -> None:
    venue.places(**WHOLE, fills=FILLED)
    with CaptureQueriesContext(connection) as asked:
        order = place(alice)
    with CaptureQueriesContext(connection) as heard:
        tell(traded(order, 7, "1", "1", "FILLED"))
    for found, begins in ((asked, "WITH"), (heard, "INSERT")):  # what is applied is written with all else
        ours = [
            query["sql"]
            for query in found
            if "orders_orderevent" in query["sql"] or "inquiry" in query["sql"]
        ]
        assert [sql.split()[0] for sql in ours] == [begins]
        assert ours[0].count("INSERT INTO orders_orderevent") == 1


def test_no_key_no_secret_and_no_signature_is_on_record(alice: User, venue: Venue, settings: Any) -> None:
    """Whatever happens to orders; what the venue says back may hold none of it either."""
    canaries = {"BINANCE_API_KEY": "canarykey" * 5, "BINANCE_API_SECRET": "canarysecret" * 4}
    settings.SWEEP_SECONDS = 0
    with override_settings(**canaries):
        forget_the_venue()
        place(alice, nonce="silent")
        venue.on("GET", "/api/v3/order", (503, ""))
        services.resolve_pending()
        venue.on("POST", "/api/v3/order", error(-1022, "Signature for this request is not valid."))
        place(alice, nonce="refused")
        venue.places(**WHOLE, fills=FILLED)
        place(alice, nonce="filled")
    signatures = [asked["signature"] for _method, _path, asked in venue.asked if "signature" in asked]
    assert len(signatures) >= 4
    text = dumped("orders_orderevent", "orders_inquiry", "orders_venueorder", "orders_order")
    assert "refused" in text
    assert [word for word in (*canaries.values(), *signatures) if word in text] == []


def dumped(*tables: str) -> str:
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f"SELECT {table}::text FROM {table}")
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


CHANGES = [
    "UPDATE orders_orderevent SET code = ''",
    "DELETE FROM orders_orderevent",
    "TRUNCATE orders_orderevent",
    "DELETE FROM orders_inquiry",
    "TRUNCATE orders_inquiry",
]


@pytest.mark.parametrize("sql", CHANGES)
def test_what_is_on_record_is_not_the_applications_to_change(db: None, sql: str) -> None:
    refused = pytest.raises(DatabaseError, match="permission denied")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_not_even_the_owner_changes_what_is_on_record(committed_db: str, owner: psycopg.Connection) -> None:
    owner.execute(
        "INSERT INTO orders_orderevent (order_id, venue_order_id, at, kind, source, effect, status, trades, code,"
        " message) VALUES (1, 1, now(), 'REPORT', 'stream', '', 'OPEN', '{}', '', '')"
    )
    for sql in ("UPDATE orders_orderevent SET code = 'x'", "DELETE FROM orders_orderevent"):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            owner.execute(sql)
