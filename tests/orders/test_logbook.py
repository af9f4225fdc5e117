"""What staff read of an order: everything that is known of it, in one line of time."""

from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client

from accounts.models import User
from ledger.models import Transfer
from orders import logbook, services
from orders.models import Fill, Order, VenueOrder
from tests.ledger.custodian import make_staff
from tests.orders.test_placing import place
from tests.orders.test_reports import tell, traded
from tests.venue import Venue, error, fill_body, order_body

HOUSE = error(-2010, "Account has insufficient balance for requested action.")


@pytest.fixture
def desk(client: Client, db: None) -> Client:
    client.force_login(make_staff("carol"))
    return client


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """Filled at once, and told again by the stream."""
    fills = [fill_body(7, "38900.00", "1.0", "0.001")]
    venue.places(status="FILLED", executedQty="1.0", cummulativeQuoteQty="38900.00", fills=fills)
    found = place(alice)
    tell(traded(found, 7, "1", "1", "FILLED"))
    return found


def page_of(desk: Client, order: Order) -> str:
    answer = desk.get(f"/admin/orders/order/{order.pk}/change/")
    assert answer.status_code == 200
    return answer.text


def test_staff_see_the_book_the_hash_and_the_numbers_of_the_request(desk: Client, order: Order) -> None:
    page, sent = page_of(desk, order), order.venue_orders.get()
    assert sent.request_hash in page
    assert order.request_hash in page
    assert "epoch 1, u 1, LIVE" in page
    assert "40010.00 × 5" in page
    assert f'<a href="/admin/orders/venueorder/{sent.pk}/change/">{sent.client_order_id}</a>' in page


def test_staff_see_every_report_and_what_it_changed(desk: Client, order: Order) -> None:
    page = page_of(desk, order)
    assert "Report, answer to the order: FILLED; the books were changed by it" in page
    assert "Report, user data stream: FILLED; nothing new" in page
    assert "2023-11-14 22:13:20.000 UTC" in page  # the venue's own time


def test_staff_see_each_line_of_the_books_and_where_to_look(desk: Client, order: Order) -> None:
    page, fill = page_of(desk, order), Fill.objects.get()
    held = Transfer.objects.get(kind="HOLD")
    for number in (held.pk, fill.transfer_id):
        assert f'<a href="/admin/ledger/transfer/{number}/change/">{number}</a>' in page
    assert f"USER:{order.user_id}:USDT" in page and "−39,000 available" in page
    assert "COMMISSION::BTC" in page
    assert f'<a href="/admin/orders/fill/{fill.pk}/change/">7</a>' in page
    assert f'<a href="/admin/accounts/user/{order.user_id}/change/">alice@example.com</a>' in page


def test_staff_read_the_venues_own_words_of_a_refusal(desk: Client, alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", HOUSE)
    page = page_of(desk, place(alice))
    assert "Refused, answer to the order" in page
    assert "-2010" in page and "Account has insufficient balance for requested action." in page


def test_staff_see_that_what_was_taken_up_did_not_leave(desk: Client, alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", requests.exceptions.ConnectTimeout())
    page = page_of(desk, place(alice, nonce="never"))
    assert "Taken up to be sent," in page and "Not sent, in place of the answer to the order" in page
    assert "Sent, " not in page


def test_staff_see_how_often_the_venue_was_asked_and_what_it_said(
    desk: Client, alice: User, venue: Venue
) -> None:
    venue.on("POST", "/api/v3/order", (504, "timeout"))
    venue.knows_none()
    order = place(alice)
    for _time in range(3):
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    page = page_of(desk, order)
    assert "No answer, in place of the answer to the order" in page
    assert "Asked 3 times, question: not known there" in page
    assert "-2013 Order does not exist." in page


def test_the_lines_stand_in_the_order_of_time(order: Order) -> None:
    lines = logbook.logbook(order).lines
    texts = [line.text.partition(",")[0] for line in lines]
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert texts[0].startswith("Asked for: BUY LIMIT GTC")
    assert texts.index("Booked: hold") < texts.index("Sent") < texts.index("Booked: fill")


def test_an_order_of_very_many_trades_says_what_is_left_out(
    desk: Client, alice: User, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "MOST", 2)
    venue.places()
    order = place(alice)
    for number in range(1, 5):
        tell(traded(order, number, "0.1", str(Decimal(number) / 10)))
    page = page_of(desk, order)
    assert page.count("Filled 0.1 at") == 2
    assert "lines more stand in the tables" in page


@pytest.mark.parametrize("table", ["orderevent", "inquiry"])
def test_the_tables_of_the_recorder_are_for_reading(desk: Client, order: Order, table: str) -> None:
    assert desk.get(f"/admin/orders/{table}/?q={order.pk}").status_code == 200
    assert desk.get(f"/admin/orders/{table}/add/").status_code == 403


# ------------------------------------------------------------------ asking the venue again
def test_asking_again_goes_on_after_a_failure_and_says_which_failed(
    desk: Client, alice: User, venue: Venue
) -> None:
    venue.places()
    sent = [place(alice, nonce=f"n{n}", quantity=Decimal("0.1")).venue_orders.get() for n in range(3)]
    names = [one.client_order_id for one in sent]

    def asked(query: dict[str, str]) -> Any:
        is_last = query["origClientOrderId"] == names[-1]
        return (200, order_body(query, status="CANCELED")) if is_last else (504, "")

    venue.on("GET", "/api/v3/order", asked)
    chosen = [str(one.pk) for one in sent]
    told = desk.post(
        "/admin/orders/venueorder/", {"action": "ask_again", "_selected_action": chosen}, follow=True
    ).text
    assert [name for name in names if f"Order {name} could not be asked for: HTTP 504" in told] == names[:2]
    assert VenueOrder.objects.get(status="CANCELED") == sent[-1]
    assert "1 order is as the venue has it." in told
