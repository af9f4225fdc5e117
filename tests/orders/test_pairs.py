"""One cancels the other: what is sent, what is held for both, and how each ending of each order ends in the books."""

from typing import Any

import pytest
import requests
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from exchange.errors import DomainError
from ledger import queries as books
from ledger.errors import InsufficientFunds
from ledger.models import Hold, LedgerException
from markets.models import Market
from orders import services
from orders.errors import NonceReused, OrderIsClosed, UnknownOrder, UnknownOrderList
from orders.models import Order, OrderList, VenueOrder
from tests.factories import balance, make_user, publish_ticker
from tests.orders.lists import (
    BUY_LIMIT,
    BUY_STOP,
    PROFIT,
    STOP,
    D,
    event,
    everything_holds,
    leg,
    place_oco,
    statuses,
    tell,
    ticket,
    traded,
)
from tests.orders.test_placing import no_hold_is_left, place
from tests.venue import Venue, error, leg_body, list_body, order_body

OCO = ("POST", "/api/v3/orderList/oco")
ABILITIES = ["OCO", "ICEBERG", "TRAILING_STOP"]


@pytest.fixture
def seller(alice: User, venue: Venue) -> User:
    """The last price is 40,000, and she has two BTC and 100,000 USDT."""
    Market.objects.update(abilities=ABILITIES)
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    return alice


@pytest.fixture
def pair(seller: User) -> OrderList:
    return place_oco(seller)


def asked_of(venue: Venue) -> dict[str, str]:
    return next(asked for method, path, asked in venue.asked if (method, path) == OCO)


def refusal(user: User, above: dict[str, Any], below: dict[str, Any]) -> tuple[str, str | None]:
    with pytest.raises(DomainError) as caught:
        place_oco(user, above, below)
    return caught.value.code, caught.value.field


# ------------------------------------------------------------------ placing
def test_two_orders_are_sent_in_one_call_as_they_were_recorded(seller: User, venue: Venue) -> None:
    found = place_oco(seller)
    asked, above, below = asked_of(venue), leg(found, "ABOVE"), leg(found, "BELOW")
    sent = {
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "1", "listClientOrderId": found.client_order_id,
        "aboveType": "LIMIT_MAKER", "abovePrice": "42000",
        "aboveClientOrderId": above.venue_orders.get().client_order_id,
        "belowType": "STOP_LOSS", "belowStopPrice": "38000",
        "belowClientOrderId": below.venue_orders.get().client_order_id,
        "newOrderRespType": "FULL", "recvWindow": "5000",
        "timestamp": str(above.venue_orders.get().timestamp_ms),
    }  # fmt: skip
    assert {name: value for name, value in asked.items() if name != "signature"} == sent
    assert (statuses(found), found.status) == (["OPEN", "OPEN"], "EXECUTING")


@pytest.mark.parametrize(
    ("above", "below", "held"),
    [
        (PROFIT, STOP, ("BTC", "1")),
        (BUY_STOP, BUY_LIMIT, ("USDT", "43000")),
        ({**BUY_STOP, "price": "37000"}, BUY_LIMIT, ("USDT", "38000")),
    ],
)
def test_one_hold_covers_the_dearer_of_the_two(
    seller: User, above: dict[str, str], below: dict[str, str], held: tuple[str, str]
) -> None:
    found = place_oco(seller, above, below)
    hold = Hold.objects.get(is_open=True)
    assert (hold.cause, hold.cause_id, hold.account.asset_id, hold.remaining) == (
        "LIST", found.pk, held[0], D(held[1]),
    )  # fmt: skip
    assert everything_holds()


def test_a_hold_is_rounded_up_to_the_assets_scale(seller: User) -> None:
    Market.objects.update(filters=[])
    place_oco(seller, {**BUY_STOP, "quantity": "0.333333333"}, {**BUY_LIMIT, "quantity": "0.333333333"})
    assert balance(seller, "USDT")[1] == D("14333.33331900").normalize()


MISPLACED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (STOP, PROFIT, "bad_ticket", "above.type"),
    (PROFIT, {**STOP, "type": "TAKE_PROFIT"}, "bad_ticket", "below.type"),
    (BUY_LIMIT, BUY_STOP, "bad_ticket", "above.type"),
    (PROFIT, {**PROFIT, "price": "39000"}, "bad_ticket", "below.type"),
    (PROFIT, BUY_LIMIT, "bad_ticket", "below.side"),
    (PROFIT, {**STOP, "quantity": "0.5"}, "bad_ticket", "below.quantity"),
    ({**BUY_STOP, "type": "STOP_LOSS", "price": None, "time_in_force": ""}, BUY_LIMIT, "bad_ticket", "above.type"),
    ({**PROFIT, "price": "39999.99"}, STOP, "prices_cross", "above.price"),
    ({**PROFIT, "price": "40000"}, STOP, "prices_cross", "above.price"),
    (PROFIT, {**STOP, "stop_price": "40000"}, "would_trigger", "below.stop_price"),
    (
        {**PROFIT, "type": "TAKE_PROFIT_LIMIT", "time_in_force": "GTC", "stop_price": "41000", "price": "39000"},
        STOP, "prices_cross", "above.price",
    ),
    (BUY_STOP, {**BUY_LIMIT, "price": "40000"}, "prices_cross", "below.price"),
    ({**PROFIT, "price": "42000.001"}, STOP, "off_tick", "above.price"),
    (PROFIT, {**STOP, "stop_price": "38000.001"}, "off_tick", "below.stop_price"),
    ({**PROFIT, "price": None}, STOP, "bad_ticket", "above.price"),
    (PROFIT, {**STOP, "stop_price": None}, "bad_ticket", "below.stop_price"),
    ({**PROFIT, "quantity": "0.000001"}, {**STOP, "quantity": "0.000001"}, "quantity_too_small", "above.quantity"),
]  # fmt: skip


@pytest.mark.parametrize(("above", "below", "code", "field"), MISPLACED)
def test_what_is_no_pair_is_refused_beside_its_field_before_the_venue(
    seller: User, venue: Venue, above: dict[str, Any], below: dict[str, Any], code: str, field: str
) -> None:
    found = refusal(seller, above, below)
    assert found == (code, field)
    assert not (OrderList.objects.exists() or Order.objects.exists() or venue.count(*OCO))


def test_without_a_fresh_price_nobody_can_tell_on_which_side_a_stop_lies(seller: User, venue: Venue) -> None:
    publish_ticker("BTCUSDT", "40000", age_s=600)
    assert refusal(seller, {**PROFIT, "price": "39000"}, STOP) == ("prices_delayed", None)
    assert not (OrderList.objects.exists() or venue.count(*OCO))


def test_a_market_without_pairs_refuses_them(seller: User) -> None:
    Market.objects.update(abilities=[])
    assert refusal(seller, PROFIT, STOP) == ("not_offered", "kind")


def test_more_than_there_is_leaves_nothing(seller: User, venue: Venue) -> None:
    with pytest.raises(InsufficientFunds):
        place_oco(seller, {**PROFIT, "quantity": "3"}, {**STOP, "quantity": "3"})
    assert not (OrderList.objects.exists() or Order.objects.exists() or venue.count(*OCO))


# ------------------------------------------------------------------ the same again
def test_a_repeat_gives_the_first_list_and_another_body_is_refused(seller: User, venue: Venue) -> None:
    first = place_oco(seller)
    assert place_oco(seller) == first
    with pytest.raises(NonceReused):
        place_oco(seller, {**PROFIT, "price": "43000"})
    assert (venue.count(*OCO), OrderList.objects.count()) == (1, 1)


def test_orders_and_lists_share_one_customers_ids(seller: User, venue: Venue) -> None:
    venue.places()
    place(seller, nonce="single")
    with pytest.raises(NonceReused):
        place_oco(seller, nonce="single")
    place_oco(seller, nonce="list")
    with pytest.raises(NonceReused):
        place(seller, nonce="list")
    assert set(Order.objects.values_list("nonce", flat=True)) == {"single", "list", "list/2"}


# ------------------------------------------------------------------ how it ends
def test_a_filled_order_ends_the_other_and_the_hold(pair: OrderList, seller: User) -> None:
    tell(traded(leg(pair, "ABOVE"), 7, "1", "42000"))
    assert (statuses(pair), balance(seller, "BTC")) == (["FILLED", "OPEN"], (1, 0))
    assert not no_hold_is_left()
    assert everything_holds()
    tell(event(leg(pair, "BELOW"), "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    below = leg(pair, "BELOW")
    assert (below.status, below.reason_code) == ("EXPIRED", "OCO_TRIGGER")
    assert "other order of its list" in below.reason
    assert no_hold_is_left() and everything_holds()
    assert balance(seller, "USDT") == (D("141958"), 0)


def test_the_end_of_the_other_may_be_heard_first(pair: OrderList, seller: User) -> None:
    tell(event(leg(pair, "BELOW"), "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    assert balance(seller, "BTC") == (1, 1)
    tell(traded(leg(pair, "ABOVE"), 7, "1", "42000"))
    assert (no_hold_is_left(), balance(seller, "BTC")) == (True, (1, 0))


def test_what_a_purchase_did_not_need_is_given_back_when_both_have_ended(seller: User) -> None:
    found = place_oco(seller, BUY_STOP, BUY_LIMIT)
    tell(traded(leg(found, "BELOW"), 7, "1", "38000"))
    assert balance(seller, "USDT") == (57000, 5000)
    tell(event(leg(found, "ABOVE"), "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    assert (balance(seller, "USDT"), no_hold_is_left()) == ((62000, 0), True)


def test_a_part_that_traded_before_the_cancel_stays_booked(
    pair: OrderList, seller: User, venue: Venue
) -> None:
    """A partial fill of the limit ends the stop at the venue; the customer cancels the rest."""
    above = leg(pair, "ABOVE")
    tell(traded(above, 7, "0.25", "42000", "PARTIALLY_FILLED"))
    tell(event(leg(pair, "BELOW"), "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    assert balance(seller, "BTC") == (1, D("0.75"))
    changes = {
        "status": "CANCELED",
        "executedQty": "0.25",
        "cummulativeQuoteQty": "10500.00",
        "orderId": 4711,
    }
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, **changes)))
    services.cancel_order(user=seller, order_id=above.pk)
    assert statuses(pair) == ["CANCELED", "EXPIRED"]
    assert (balance(seller, "BTC"), no_hold_is_left()) == ((D("1.75"), 0), True)


def test_both_can_never_cost_more_than_what_is_held(pair: OrderList, seller: User) -> None:
    """Were the venue to fill both, the second is booked from what is available, and somebody looks into it."""
    tell(traded(leg(pair, "ABOVE"), 7, "1", "42000"))
    tell(traded(leg(pair, "BELOW"), 8, "1", "37900"))
    assert (balance(seller, "BTC"), no_hold_is_left()) == ((0, 0), True)
    assert LedgerException.objects.get().source == "uncovered fill"


# ------------------------------------------------------------------ canceling
def canceled(venue: Venue) -> None:
    """The cancel of one of the two ends both, and the answer tells of the list."""

    def answer(asked: dict[str, Any]) -> Any:
        sent = asked_of(venue)
        legs = [
            {**leg_body(sent, name, number, status="CANCELED"), "origClientOrderId": sent[f"{name}ClientOrderId"]}
            for name, number in (("above", 4711), ("below", 4712))
        ]  # fmt: skip
        return 200, list_body(sent, legs, "ALL_DONE")

    venue.on("DELETE", "/api/v3/order", answer)


@pytest.mark.parametrize("name", ["ABOVE", "BELOW"])
def test_canceling_one_ends_both_with_one_call(
    pair: OrderList, seller: User, venue: Venue, name: str
) -> None:
    canceled(venue)
    services.cancel_order(user=seller, order_id=leg(pair, name).pk)
    assert statuses(pair) == ["CANCELED", "CANCELED"]
    assert (balance(seller, "BTC"), no_hold_is_left()) == ((2, 0), True)
    assert venue.count("DELETE", "/api/v3/order") == 1


def test_the_list_and_all_orders_can_be_canceled(seller: User, venue: Venue) -> None:
    canceled(venue)
    first = place_oco(seller)
    assert services.cancel_order_list(user=seller, list_id=first.pk).status == "ALL_DONE"
    venue.asked.clear()
    second = place_oco(seller, nonce="n2")
    assert services.cancel_orders(user=seller, side="SELL") == 2
    assert statuses(second) == ["CANCELED", "CANCELED"]
    with pytest.raises(OrderIsClosed):
        services.cancel_order_list(user=seller, list_id=first.pk)


def test_an_answer_about_one_of_the_two_leaves_the_other_to_the_sweep(
    pair: OrderList, seller: User, venue: Venue
) -> None:
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    venue.knows(status="CANCELED")
    services.cancel_order(user=seller, order_id=leg(pair, "ABOVE").pk)
    assert statuses(pair) == ["CANCELED", "CANCELED"]
    assert no_hold_is_left()


def test_nobody_elses_list_is_seen_or_canceled(pair: OrderList) -> None:
    bob = make_user("bob")
    with pytest.raises(UnknownOrderList):
        services.cancel_order_list(user=bob, list_id=pair.pk)
    with pytest.raises(UnknownOrder):
        services.cancel_order(user=bob, order_id=leg(pair, "ABOVE").pk)


# ------------------------------------------------------------------ refusals and silence
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(-2010, "The relationship of the prices for the orders is not correct."), "prices_cross"),
        (error(-2010, "OCO orders are not supported for this symbol"), "not_offered"),
        (error(-2010, "Account has insufficient balance for requested action."), "unavailable"),
        (error(-1021, "Timestamp for this request is outside of the recvWindow."), "too_late"),
        (error(-1003, "Too much request weight used.", 429), "busy"),
    ],
)
def test_a_refusal_ends_both_with_its_reason(seller: User, venue: Venue, answer: Any, code: str) -> None:
    venue.on(*OCO, answer)
    found = place_oco(seller)
    assert (statuses(found), found.status) == (["REJECTED", "REJECTED"], "REJECT")
    assert {order.reason_code for order in found.orders.all()} == {code}
    assert (balance(seller, "BTC"), no_hold_is_left()) == ((2, 0), True)


SILENCES = [
    error(-1007, "Timeout waiting for response from backend server.", 504),
    (503, "<html>Service Unavailable</html>"),
    requests.exceptions.ReadTimeout(),
]


@pytest.mark.parametrize("silence", SILENCES)
def test_a_silent_venue_leaves_both_being_checked_and_is_never_told_again(
    seller: User, venue: Venue, silence: Any
) -> None:
    venue.on(*OCO, silence)
    found = place_oco(seller)
    assert statuses(found) == ["PENDING", "PENDING"]
    assert (venue.count(*OCO), balance(seller, "BTC")) == (1, (1, 1))
    venue.knows()
    for sent in VenueOrder.objects.all():
        services.reconcile(venue_order_id=sent.pk)
    assert (statuses(found), venue.count(*OCO)) == (["OPEN", "OPEN"], 1)
    assert everything_holds()


def test_a_list_that_never_arrived_is_given_up_when_no_request_can_arrive_any_more(
    seller: User, venue: Venue
) -> None:
    venue.on(*OCO, SILENCES[0])
    venue.knows_none()
    found = place_oco(seller)
    ids = list(VenueOrder.objects.values_list("pk", flat=True))
    for number in ids:
        services.reconcile(venue_order_id=number)
    assert statuses(found) == ["PENDING", "PENDING"]
    long_ago = VenueOrder.objects.get(pk=ids[0]).timestamp_ms - 60_000
    VenueOrder.objects.update(timestamp_ms=long_ago, send_by=timezone.now())
    services.reconcile(venue_order_id=ids[0])
    assert (statuses(found), balance(seller, "BTC")) == (["REJECTED", "PENDING"], (1, 1))
    services.reconcile(venue_order_id=ids[1])
    assert (statuses(found), no_hold_is_left()) == (["REJECTED", "REJECTED"], True)


def test_who_comes_too_late_sends_nothing(seller: User, venue: Venue) -> None:
    with override_settings(ORDER_SEND_BY_MS=-1):
        found = place_oco(seller)
    assert (statuses(found), venue.count(*OCO)) == (["REJECTED", "REJECTED"], 0)
    assert no_hold_is_left()


# ------------------------------------------------------------------ the books
def test_trades_of_either_order_name_the_list_they_are_paid_by(pair: OrderList, seller: User) -> None:
    tell(traded(leg(pair, "ABOVE"), 7, "0.25", "42000", "PARTIALLY_FILLED"))
    entries = books.entries_of_cause(Hold.Cause.LIST, pair.pk, seller.pk)
    assert [entry.amount for entry in entries if entry.bucket == "H"] == [1, D("-0.25")]


def test_the_database_refuses_a_second_order_of_one_place_in_a_list(pair: OrderList) -> None:
    above = leg(pair, "ABOVE")
    above.pk, above.nonce = None, "other"
    with pytest.raises(IntegrityError, match="one_order_a_leg"), transaction.atomic():
        above.save()


def test_a_ticket_of_the_same_orders_under_another_kind_is_another_request() -> None:
    assert (
        ticket(above=PROFIT, below=STOP).request_hash != ticket("OTO", above=PROFIT, below=STOP).request_hash
    )
