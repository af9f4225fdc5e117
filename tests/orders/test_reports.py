"""Facts arrive by answer, stream and question, twice, late and out of order; each counts once."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from exchange.binance.models import Report, dec
from ledger import queries as books
from ledger.errors import InsufficientFunds
from ledger.models import Entry, Hold, LedgerException, Transfer
from orders import services
from orders.errors import OrderIsClosed, UnknownOrder
from orders.models import Fill, Order
from tests.factories import CROWD, balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import ticket
from tests.race import at_once
from tests.venue import Venue, error, fill_body, order_body, trade_body

FILL = {"price": "39000.00", "quantity": "0.5", "quote": "19500.00"}


def event(order: Order, kind: str, status: str, **changes: Any) -> Report:
    """An executionReport of alice's order of 1 BTC at 39000."""
    sent = order.venue_orders.get()
    body = {
        "e": "executionReport", "s": order.market_id, "c": sent.client_order_id, "S": order.side, "o": "LIMIT",
        "f": "GTC",
        "q": f"{sent.quantity or 1:f}",
        "p": "39000.00", "C": "", "x": kind, "X": status, "r": "NONE", "i": 4711, "l": "0.00000000",
        "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": 1_700_000_000_000, "t": -1, "m": False,
        "Z": "0.00000000", "Y": "0.00000000",
    }  # fmt: skip
    return Report.from_event({**body, **changes})


def traded(
    order: Order, trade_id: int, quantity: str, total: str, status: str = "PARTIALLY_FILLED"
) -> Report:
    """A trade at 39000 that brings the order to `total`."""
    quote, so_far = dec(quantity) * 39000, dec(total) * 39000
    return event(
        order, "TRADE", status, l=quantity, z=total, L="39000.00", t=trade_id, Y=f"{quote:f}", Z=f"{so_far:f}"
    )  # fmt: skip


def tell(report: Report) -> None:
    services.apply_report(venue_account=venue_account(), report=report, source="stream")


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    venue.places()
    return services.place_order(user=alice, ticket=ticket())


def test_one_trade_told_by_answer_stream_and_question_is_booked_once(alice: User, venue: Venue) -> None:
    fills = [fill_body(7, "39000.00", "0.50000000")]
    venue.places(
        status="PARTIALLY_FILLED", executedQty="0.5", cummulativeQuoteQty="19500.00000000", fills=fills
    )
    order = services.place_order(user=alice, ticket=ticket())
    tell(traded(order, 7, "0.5", "0.5"))
    venue.knows(status="PARTIALLY_FILLED", executedQty="0.5", cummulativeQuoteQty="19500.0")
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert Fill.objects.count() == 1
    assert balance(alice, "USDT") == (61000, 19500)


def test_a_trade_told_before_the_answer_is_booked_once(alice: User, venue: Venue) -> None:
    """The stream is faster than the HTTP answer."""

    def answer(asked: dict[str, Any]) -> Any:
        order = Order.objects.get()
        tell(traded(order, 7, "1", "1", "FILLED"))
        fills = [fill_body(7, "39000.00", "1.00000000")]
        return 200, order_body(
            asked, status="FILLED", executedQty="1.0", cummulativeQuoteQty="39000.00", fills=fills
        )

    venue.on("POST", "/api/v3/order", answer)
    order = services.place_order(user=alice, ticket=ticket())
    assert order.status == "FILLED"
    assert Fill.objects.count() == 1
    assert balance(alice, "BTC")[0] == Decimal("2.999")


def test_an_older_report_never_takes_an_order_back(order: Order) -> None:
    tell(traded(order, 7, "1", "1", "FILLED"))
    tell(event(order, "NEW", "NEW"))
    order.refresh_from_db()
    assert order.status == "FILLED"
    assert order.cumulative_quantity == 1


def test_trades_out_of_order_add_up(alice: User, venue: Venue, order: Order) -> None:
    venue.on("GET", "/api/v3/myTrades", (200, []))
    tell(traded(order, 8, "0.6", "1", "FILLED"))
    order.refresh_from_db()
    assert order.status == "PARTIALLY_FILLED"
    tell(traded(order, 7, "0.4", "0.4"))
    order.refresh_from_db()
    assert order.status == "FILLED"
    assert balance(alice, "USDT") == (61000, 0)


def test_an_order_is_not_over_while_a_trade_is_missing(alice: User, venue: Venue, order: Order) -> None:
    venue.on("GET", "/api/v3/myTrades", (503, ""))
    tell(
        event(
            order,
            "CANCELED",
            "CANCELED",
            z="0.5",
            Z="19500.0",
            c="x",
            C=order.venue_orders.get().client_order_id,
        )
    )
    order.refresh_from_db()
    assert order.finished_at is None
    assert balance(alice, "USDT") == (61000, 39000)
    tell(traded(order, 7, "0.5", "0.5"))
    order.refresh_from_db()
    assert order.status == "CANCELED"
    assert balance(alice, "USDT") == (80500, 0)


def test_a_trade_after_the_cancel_was_booked_is_booked_too(alice: User, order: Order) -> None:
    tell(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    tell(traded(order, 7, "0.5", "0.5"))
    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity) == ("CANCELED", Decimal("0.5"))
    assert balance(alice, "USDT") == (80500, 0)
    assert LedgerException.objects.get().source == "uncovered fill"


def test_a_match_with_ourselves_is_told_plainly(order: Order) -> None:
    tell(event(order, "TRADE_PREVENTION", "EXPIRED_IN_MATCH"))
    order.refresh_from_db()
    assert order.status == "EXPIRED"
    assert "another order of this platform" in order.reason


def test_a_match_with_ourselves_is_told_plainly_by_the_answer_too(alice: User, venue: Venue) -> None:
    """The venue has no word of its own for why: its status says it."""
    venue.places(status="EXPIRED_IN_MATCH", preventedMatchId=3, preventedQuantity="1.0", expiryReason="NONE")
    order = services.place_order(user=alice, ticket=ticket())
    assert (order.status, order.reason_code) == ("EXPIRED", "EXPIRED_IN_MATCH")
    assert "another order of this platform" in order.reason
    assert balance(alice, "USDT") == (100000, 0)


def test_a_match_with_ourselves_is_told_plainly_when_it_is_asked_for(order: Order, venue: Venue) -> None:
    venue.knows(status="EXPIRED_IN_MATCH", preventedMatchId=3, preventedQuantity="1.0")
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    order.refresh_from_db()
    assert (order.status, order.reason_code) == ("EXPIRED", "EXPIRED_IN_MATCH")


def test_a_trade_of_an_order_that_is_not_ours_goes_to_suspense(alice: User, order: Order) -> None:
    stranger = traded(order, 9, "0.1", "0.1").__dict__ | {"client_order_id": "web_123"}
    tell(Report(**stranger))
    assert LedgerException.objects.get().source == "fill of an unknown order"
    assert balance(alice, "BTC") == (2, 0)


# ------------------------------------------------------------------ canceling
def cancel(order: Order) -> Order:
    return services.cancel_order(user=order.user, order_id=order.pk)


def test_a_cancel_releases_what_was_not_filled(alice: User, venue: Venue, order: Order) -> None:
    tell(traded(order, 7, "0.5", "0.5"))
    venue.on(
        "DELETE",
        "/api/v3/order",
        lambda asked: (200, {**order_body(asked, status="CANCELED", executedQty="0.5", cummulativeQuoteQty="19500.0"),
                             "origClientOrderId": asked["origClientOrderId"], "clientOrderId": "cancel-1"}),
    )  # fmt: skip
    assert cancel(order).status == "CANCELED"
    assert balance(alice, "USDT") == (80500, 0)
    assert Order.objects.get().cumulative_quantity == Decimal("0.5")


def test_unknown_order_at_a_cancel_proves_nothing(alice: User, venue: Venue, order: Order) -> None:
    venue.on("DELETE", "/api/v3/order", error(-2011, "Unknown order sent."))
    venue.knows(status="FILLED", executedQty="1.0", cummulativeQuoteQty="39000.0")
    venue.on("GET", "/api/v3/myTrades", (200, [trade_body(4711, 7, "39000.00", "1.0", "39000.0")]))
    assert cancel(order).status == "FILLED"
    assert balance(alice, "USDT") == (61000, 0)


def test_a_cancel_that_gets_no_answer_is_carried_out_by_the_sweep(
    alice: User, venue: Venue, order: Order
) -> None:
    venue.on("DELETE", "/api/v3/order", (504, ""))
    assert cancel(order).status == "OPEN"
    venue.knows()
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert Order.objects.get().status == "CANCELED"
    assert balance(alice, "USDT") == (100000, 0)


def test_a_cancel_that_could_not_be_sent_is_on_record_and_carried_out_by_the_sweep(
    alice: User, venue: Venue, order: Order
) -> None:
    venue.on("DELETE", "/api/v3/order", requests.exceptions.ConnectTimeout())
    found = cancel(order)
    assert (found.status, found.cancel_requested_at is None) == ("OPEN", False)
    venue.knows()
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert Order.objects.get().status == "CANCELED"
    assert balance(alice, "USDT") == (100000, 0)


@pytest.mark.parametrize(
    ("answer", "status", "stands"),
    [
        (error(-1003, "Too much request weight used.", 429), 202, "OPEN"),
        (requests.exceptions.ConnectTimeout(), 202, "OPEN"),
        ((504, ""), 202, "OPEN"),
        (lambda asked: (200, order_body(asked, status="CANCELED")), 200, "CANCELED"),
    ],
)
def test_the_api_says_whether_an_order_has_ended_or_is_being_canceled(
    client: Client, alice: User, venue: Venue, order: Order, answer: Any, status: int, stands: str
) -> None:
    client.force_login(alice)
    venue.on("DELETE", "/api/v3/order", answer)
    found = client.delete(f"/api/v1/orders/{order.pk}/")
    assert (found.status_code, found.json()["status"]) == (status, stands)
    assert found.json()["cancel_requested_at"]


def test_a_closed_order_and_a_strangers_order_cannot_be_canceled(order: Order) -> None:
    tell(traded(order, 7, "1", "1", "FILLED"))
    with pytest.raises(OrderIsClosed):
        cancel(order)
    with pytest.raises(UnknownOrder):
        services.cancel_order(user=make_user("bob"), order_id=order.pk)


# ------------------------------------------------------------------ at once
@pytest.fixture
def committed_alice(committed_db: str, venue: Venue, settings: Settings) -> User:
    """As many relays at once as there are orders: a busy gate would give money back for others to use."""
    settings.GATE_MAX_RELAYS = 200
    make_market()
    venue_account()
    publish_book()
    venue.places()
    user = make_user()
    fund(user, "USDT", "390000")
    return user


@CROWD
def test_of_64_simultaneous_orders_with_funds_for_ten_exactly_ten_are_taken(committed_alice: User) -> None:
    results = at_once(
        64,
        lambda number: services.place_order(user=committed_alice, ticket=ticket(nonce=f"n{number}")).status,
    )
    assert results.count("OPEN") == 10
    assert results.count(InsufficientFunds) == 54
    assert balance(committed_alice, "USDT") == (0, 390000)


@CROWD
def test_one_id_used_32_times_at_once_is_one_order(committed_alice: User, venue: Venue) -> None:
    results = at_once(32, lambda _number: services.place_order(user=committed_alice, ticket=ticket()).pk)
    assert len(set(results)) == 1
    assert venue.count("POST", "/api/v3/order") == 1
    assert Hold.objects.count() == 1


# ------------------------------------------------------------------ seeded lives
def life(order: Order, dice: random.Random) -> list[Report]:
    """Everything the venue says of one order's life, repeated and shuffled."""
    parts = dice.choice([["1"], ["0.5", "0.5"], ["0.25", "0.25", "0.5"], ["0.3"], []])
    total, reports = Decimal(0), [event(order, "NEW", "NEW")]
    for number, part in enumerate(parts):
        total += Decimal(part)
        status = "FILLED" if total == 1 else "PARTIALLY_FILLED"
        reports.append(traded(order, order.pk * 100 + number, part, f"{total:f}", status))
    if total < 1:
        own = order.venue_orders.get().client_order_id
        ending = dice.choice(["CANCELED", "EXPIRED"])
        reports.append(event(order, ending, ending, z=f"{total:f}", Z=f"{total * 39000:f}", c="x", C=own))
    reports += dice.choices(reports, k=dice.randint(0, 4))
    dice.shuffle(reports)
    return reports


@pytest.mark.parametrize("block", range(8))
def test_any_order_of_reports_ends_in_the_same_books(alice: User, venue: Venue, block: int) -> None:
    """30 seeds a block: whatever order the reports come in, money and states end exactly right."""
    venue.on("GET", "/api/v3/myTrades", (200, []))
    venue.places()
    for seed in range(block * 30, block * 30 + 30):
        before, owned = balance(alice, "USDT")[0], balance(alice, "BTC")[0]
        order = services.place_order(user=alice, ticket=ticket(nonce=f"seed-{seed}"))
        reports = life(order, random.Random(seed))
        for report in reports:
            tell(report)
        order.refresh_from_db()
        total = max(report.cumulative_quantity for report in reports)
        assert order.finished_at is not None, f"seed {seed}"
        assert order.cumulative_quantity == total, f"seed {seed}"
        assert balance(alice, "USDT") == ((before - total * 39000).normalize(), 0), f"seed {seed}"
        assert balance(alice, "BTC")[0] == (owned + total - total / 1000).normalize(), f"seed {seed}"
        fund(alice, "USDT", "39000")
    assert books.first_broken_row() == ""
    assert not LedgerException.objects.exists()


def test_a_better_price_gives_the_rest_back_with_the_last_trade(alice: User, order: Order) -> None:
    tell(traded(order, 7, "0.4", "0.4"))
    better = traded(order, 8, "0.6", "1", "FILLED")
    cheap = replace(better.fills[0], price=Decimal(38000), quote_quantity=Decimal(22800))
    tell(replace(better, fills=(cheap,), cumulative_quote=Decimal(38400)))
    last = Fill.objects.get(trade_id=8).transfer_id
    moved = {
        (entry.bucket, entry.amount) for entry in Entry.objects.filter(transfer=last, account__owner=alice)
    }
    assert {("H", Decimal(-22800)), ("H", Decimal(-600)), ("A", Decimal(600))} <= moved
    assert balance(alice, "USDT") == (61600, 0)
    assert not Transfer.objects.filter(kind="RELEASE").exists()
