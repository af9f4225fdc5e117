"""Changing an open order: whichever half the venue carries out, what is held is exact, and nothing is sent twice."""

from decimal import Decimal
from typing import Any

import pytest
import requests
from django.db import transaction
from django.test import Client, override_settings
from pytest_django import Settings

from accounts.models import User
from exchange.desk.evidence import stray_holds
from exchange.errors import DomainError
from ledger import queries as books
from ledger.errors import InsufficientFunds
from ledger.models import Hold, LedgerException
from ledger.queries.rebuilt import Rebuilt
from markets.models import Market
from orders import queries, services
from orders.errors import ChangeUnderWay, OrderIsClosed
from orders.models import Order
from tests.factories import CROWD, balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.test_placing import made_long_ago, no_hold_is_left, place
from tests.orders.test_reports import event, tell, traded
from tests.race import at_once
from tests.venue import Venue, error, fill_body, order_body

D = Decimal
CHANGE = ("POST", "/api/v3/order/cancelReplace")
Body = dict[str, Any]


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """alice buys 1 BTC at 39000; it rests at the venue."""
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    venue.places()
    return place(alice)


def change(order: Order, nonce: str = "new", **wanted: Any) -> Order:
    return services.replace_order(user=order.user, order_id=order.pk, nonce=nonce, **wanted)


def canceled(order: Order, **changes: Any) -> Body:
    own = order.venue_orders.get().client_order_id
    asked = {"symbol": order.market_id, "side": order.side, "origClientOrderId": own}
    return order_body(asked, status="CANCELED") | {"origClientOrderId": own, "clientOrderId": "c1", **changes}


def halves(cancel: Body | None, new: Body | None) -> Body:
    """An error's body is one with a code."""

    def result(body: Body | None) -> str:
        return "NOT_ATTEMPTED" if body is None else "FAILURE" if "code" in body else "SUCCESS"

    return {
        "cancelResult": result(cancel), "newOrderResult": result(new),
        "cancelResponse": cancel, "newOrderResponse": new,
    }  # fmt: skip


def no(code: int, message: str) -> Body:
    return {"code": code, "msg": message}


def answers(venue: Venue, order: Order, **new: Any) -> None:
    """Both halves succeed."""
    venue.on(*CHANGE, lambda asked: (200, halves(canceled(order), order_body(asked, orderId=4712, **new))))


def asked(venue: Venue) -> Body:
    return next(found for method, path, found in venue.asked if (method, path) == CHANGE)


def unanswered(venue: Venue, order: Order, **wanted: Any) -> Order:
    venue.on(*CHANGE, (504, "timeout"))
    return change(order, **wanted)


def spend_the_rest(alice: User, venue: Venue) -> None:
    venue.places(orderId=1)
    place(alice, nonce="rest", price=D(30500), quantity=D(2))
    assert balance(alice, "USDT")[0] == 0


def states(*orders: Order) -> list[str]:
    for each in orders:
        each.refresh_from_db()
    return [each.status for each in orders]


def all_is_well() -> bool:
    """Every law of the books holds, they can be built anew from their entries, and holds are those of open orders."""
    stray = [
        *stray_holds("order", books.held_for(Hold.Cause.ORDER), queries.holding_orders()),
        *stray_holds("change", books.held_for(Hold.Cause.CHANGE), queries.holding_changes()),
    ]
    with transaction.atomic():
        broken = books.first_broken_row() or Rebuilt().first_difference()
    return (broken, stray) == ("", []) and not LedgerException.objects.exists()


# ------------------------------------------------------------------ the five outcomes
@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"price": D(38000)}, (62000, 38000)),
        ({"price": D(39500)}, (60500, 39500)),
        ({"quantity": D("0.5")}, (80500, 19500)),
        ({"price": D(38000), "quantity": D(2)}, (24000, 76000)),
    ],
)
def test_both_succeed_and_the_new_order_holds_what_it_can_cost(
    alice: User, venue: Venue, order: Order, wanted: dict[str, Any], left: tuple[int, int]
) -> None:
    answers(venue, order)
    new = change(order, **wanted)
    assert states(order, new) == ["CANCELED", "OPEN"]
    assert (new.replaces, new.price, new.quantity) == (
        order, wanted.get("price", order.price), wanted.get("quantity", order.quantity),
    )  # fmt: skip
    assert balance(alice, "USDT") == left
    assert Hold.objects.filter(is_open=True).count() == 1


def test_one_request_names_both_orders_and_stops_when_the_old_one_has_traded(
    venue: Venue, order: Order
) -> None:
    answers(venue, order)
    sent = change(order, price=D(38000)).venue_orders.get()
    found = asked(venue)
    assert found["cancelReplaceMode"] == "STOP_ON_FAILURE"
    assert found["cancelRestrictions"] == "ONLY_NEW"
    assert found["cancelOrigClientOrderId"] == order.venue_orders.get().client_order_id
    assert (found["newClientOrderId"], found["price"]) == (sent.client_order_id, "38000")
    assert int(found["timestamp"]) == sent.timestamp_ms
    assert venue.count("POST", "/api/v3/order") == 1


@pytest.mark.parametrize(
    ("refusal", "code", "sentence"),
    [
        ((-2011, "Unknown order sent."), "order_is_closed", "ended meanwhile"),
        ((-2011, "Order was not canceled due to cancel restrictions."), "order_moved", "has moved on"),
        ((-1007, "Timeout waiting for response from backend server."), "try_again", "try again"),
        (
            (-2015, "Invalid API-key, IP, or permissions for action."),
            "unavailable",
            "temporarily unavailable",
        ),
    ],
)
def test_an_order_that_was_filled_meanwhile_stays_as_it_is_and_the_new_one_is_refused(
    alice: User, venue: Venue, order: Order, refusal: tuple[int, str], code: str, sentence: str
) -> None:
    data = halves(no(*refusal), None)
    venue.on(*CHANGE, (400, {**no(-2022, "Order cancel-replace failed."), "data": data}))
    venue.on("GET", "/api/v3/myTrades", (200, []))
    venue.knows(status="PARTIALLY_FILLED", executedQty="0.5", cummulativeQuoteQty="19500.0")
    new = change(order, price=D(39500))
    assert states(order, new) == ["OPEN", "REJECTED"]
    assert new.reason_code == code and sentence in new.reason
    assert balance(alice, "USDT") == (61000, 39000)
    tell(traded(order, 7, "0.5", "0.5"))
    assert states(order) == ["PARTIALLY_FILLED"]
    assert all_is_well()


def test_a_canceled_order_without_a_successor_gives_everything_back(
    alice: User, venue: Venue, order: Order
) -> None:
    data = halves(canceled(order), no(-2010, "Account has insufficient balance for requested action."))
    venue.on(*CHANGE, (409, {**no(-2021, "Order cancel-replace partially failed."), "data": data}))
    new = change(order, price=D(39500))
    assert states(order, new) == ["CANCELED", "REJECTED"]
    assert new.reason_code == "unavailable"
    assert balance(alice, "USDT") == (100000, 0)
    assert no_hold_is_left() and all_is_well()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(-1015, "Too many new orders.", 429), "busy"),
        (error(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"), "percent_price"),
        (error(-2010, "Order cancel-replace is not supported for this symbol."), "not_offered"),
        (error(-1021, "Timestamp for this request is outside of the recvWindow."), "too_late"),
        (requests.exceptions.ConnectTimeout(), "unavailable"),
    ],
)
def test_what_is_refused_before_either_half_changes_nothing(
    alice: User, venue: Venue, order: Order, answer: Any, code: str
) -> None:
    venue.on(*CHANGE, answer)
    new = change(order, price=D(39500))
    assert (states(order, new), new.reason_code) == (["OPEN", "REJECTED"], code)
    assert balance(alice, "USDT") == (61000, 39000)
    assert all_is_well()


SILENCES = [(504, "timeout"), error(-1007, "Timeout.", 504), (200, "{"), requests.exceptions.ReadTimeout()]


@pytest.mark.parametrize("answer", SILENCES, ids=lambda answer: str(answer)[:20])
def test_silence_keeps_all_that_either_order_can_cost_and_nothing_is_sent_again(
    alice: User, venue: Venue, order: Order, answer: Any
) -> None:
    venue.on(*CHANGE, answer)
    venue.on("GET", "/api/v3/order", (503, ""))
    new = change(order, price=D(39500))
    services.resolve_pending()
    assert states(order, new) == ["OPEN", "PENDING"]
    assert balance(alice, "USDT") == (60500, 39500)
    assert venue.count(*CHANGE) == 1
    assert all_is_well()


def silent(venue: Venue, order: Order, old: str, new: str) -> Order:
    """No answer came; asked for later, the venue knows each of the two in this state (or not at all)."""
    venue.on(*CHANGE, (504, "timeout"))
    placed = change(order, price=D(39500))
    state = {order.venue_orders.get().client_order_id: old, placed.venue_orders.get().client_order_id: new}

    def found(wanted: Body) -> Any:
        status = state[wanted["origClientOrderId"]]
        number = 4711 if status == old else 4712
        return (200, order_body(wanted, status=status, orderId=number)) if status else error(-2013, "No.")

    venue.on("GET", "/api/v3/order", found)
    for path in ("openOrders", "allOrders"):
        venue.on("GET", f"/api/v3/{path}", (200, []))
    services.reconcile(venue_order_id=made_long_ago(placed, 60).pk)
    return placed


@pytest.mark.parametrize(
    ("at_venue", "ends", "left"),
    [
        (("NEW", ""), ["OPEN", "REJECTED"], (61000, 39000)),
        (("CANCELED", "NEW"), ["CANCELED", "OPEN"], (60500, 39500)),
        (("CANCELED", ""), ["CANCELED", "REJECTED"], (100000, 0)),
    ],
)
def test_after_silence_both_are_asked_for_until_it_is_certain(
    alice: User, venue: Venue, order: Order, at_venue: tuple[str, str], ends: list[str], left: tuple[int, int]
) -> None:
    new = silent(venue, order, *at_venue)
    assert (states(order, new), balance(alice, "USDT")) == (ends, left)
    assert venue.count(*CHANGE) == 1
    assert all_is_well()


def test_all_of_it_in_one_order_can_be_changed_to_cost_less_but_not_more(
    alice: User, venue: Venue, order: Order
) -> None:
    spend_the_rest(alice, venue)
    with pytest.raises(InsufficientFunds):
        change(order, price=D(39001))
    assert Order.objects.count() == 2
    answers(venue, order)
    assert change(order, price=D(38999)).status == "OPEN"
    assert balance(alice, "USDT")[0] == 1


def test_an_order_that_has_traded_keeps_its_hold_and_the_new_one_has_its_own(
    alice: User, venue: Venue, order: Order
) -> None:
    """How much it will have traded when it is canceled nobody knows."""
    tell(traded(order, 7, "0.4", "0.4"))
    venue.on(*CHANGE, (504, "timeout"))
    new = change(order, price=D(38000))
    assert (new.quantity, "cancelRestrictions" in asked(venue)) == (D("0.6"), False)
    assert balance(alice, "USDT") == (61000 - 22800, 23400 + 22800)
    tell(traded(order, 8, "0.1", "0.5"))
    own = order.venue_orders.get().client_order_id
    tell(event(order, "CANCELED", "CANCELED", z="0.5", Z="19500.0", c="x", C=own))
    tell(event(new, "NEW", "NEW", q="0.6", p="38000"))
    assert states(order, new) == ["CANCELED", "OPEN"]
    assert balance(alice, "USDT") == (100000 - 19500 - 22800, 22800)
    assert all_is_well()


def test_a_sale_is_changed_with_the_coins_it_holds(alice: User, venue: Venue, order: Order) -> None:
    sale = place(alice, nonce="sale", side="SELL", price=D(41000), quantity=D(2))
    assert balance(alice, "BTC") == (0, 2)
    venue.on(*CHANGE, lambda asked: (200, halves(canceled(sale), order_body(asked, orderId=4712))))
    new = change(sale, price=D(42000))
    assert states(sale, new) == ["CANCELED", "OPEN"]
    assert balance(alice, "BTC") == (0, 2)


def test_a_new_order_that_trades_at_once_is_settled(alice: User, venue: Venue, order: Order) -> None:
    fills = [fill_body(9, "39500.00", "1.00000000")]
    answers(venue, order, status="FILLED", executedQty="1", cummulativeQuoteQty="39500.00", fills=fills)
    new = change(order, price=D(39500))
    assert states(order, new) == ["CANCELED", "FILLED"]
    assert balance(alice, "USDT") == (60500, 0)
    assert no_hold_is_left() and all_is_well()


def test_a_half_whose_fate_is_not_known_is_asked_for(alice: User, venue: Venue, order: Order) -> None:
    data = halves(canceled(order), no(-1007, "Timeout waiting for response from backend server."))
    venue.on(*CHANGE, (409, {**no(-2021, "Order cancel-replace partially failed."), "data": data}))
    new = change(order, price=D(39500))
    assert states(order, new) == ["CANCELED", "PENDING"]
    assert balance(alice, "USDT") == (60500, 39500)
    tell(event(new, "NEW", "NEW"))
    assert states(new) == ["OPEN"]
    assert all_is_well()


@pytest.mark.parametrize("word", ["SUCCESS", "LATER"])
def test_a_half_that_nobody_can_read_is_asked_for(alice: User, venue: Venue, order: Order, word: str) -> None:
    """The new order may stand at the venue: nothing is given back."""
    told = {**halves(canceled(order), None), "newOrderResult": word, "newOrderResponse": None}
    venue.on(*CHANGE, (200, told))
    new = change(order, price=D(39500))
    assert states(order, new) == ["CANCELED", "PENDING"]
    assert balance(alice, "USDT") == (60500, 39500)
    tell(event(new, "NEW", "NEW"))
    assert states(new) == ["OPEN"]
    assert all_is_well()


def test_an_order_that_lives_against_what_the_venue_promises_is_ended_and_told(
    alice: User, venue: Venue, order: Order
) -> None:
    """The old one was filled, and the new one is there all the same; nothing is left to hold for it."""
    spend_the_rest(alice, venue)
    new = unanswered(venue, order, price=D(38000))
    tell(traded(order, 7, "1", "1", "FILLED"))
    tell(event(new, "NEW", "NEW"))
    assert states(order, new) == ["FILLED", "OPEN"]
    assert new.cancel_requested_at is not None
    assert books.first_broken_row() == ""


# ------------------------------------------------------------------ what is refused before the venue
def refusal(order: Order, **wanted: Any) -> str:
    with pytest.raises(DomainError) as caught:
        change(order, **wanted)
    return caught.value.code


def test_only_an_open_order_that_nobody_changes_can_be_changed(
    alice: User, venue: Venue, order: Order
) -> None:
    assert refusal(order, price=order.price) == "no_change"
    assert refusal(order, price=D("39000.001")) == "off_tick"
    venue.on(*CHANGE, (504, "timeout"))
    change(order, price=D(38000))
    assert refusal(order, price=D(38001), nonce="another") == "change_under_way"
    tell(traded(order, 7, "1", "1", "FILLED"))
    assert refusal(order, price=D(38001), nonce="another") == "order_is_closed"
    with pytest.raises(DomainError, match="no such order"):
        services.replace_order(user=make_user("bob"), order_id=order.pk, nonce="x", price=D(1))
    assert venue.count(*CHANGE) == 1


def test_what_has_traded_in_full_is_closed_before_the_venue_says_so(
    alice: User, venue: Venue, order: Order
) -> None:
    """Its trades were asked for after a report of before the last of them."""
    tell(traded(order, 7, "1", "1", "PARTIALLY_FILLED"))
    assert states(order) == ["PARTIALLY_FILLED"]
    assert refusal(order, price=D(38000)) == "order_is_closed"


def test_a_market_that_cannot_change_orders_says_so(venue: Venue, order: Order) -> None:
    Market.objects.update(abilities=[])
    assert refusal(order, price=D(38000)) == "not_offered"


def test_a_repeat_gives_the_first_answer_and_another_body_is_refused(venue: Venue, order: Order) -> None:
    answers(venue, order)
    first = change(order, price=D(38000))
    assert change(order, price=D(38000)) == first
    assert refusal(order, price=D(38001)) == "nonce_reused"
    assert refusal(order, nonce="n1", price=order.price) == "nonce_reused"
    assert venue.count(*CHANGE) == 1


def test_a_change_that_slept_past_its_time_is_not_sent(alice: User, venue: Venue, order: Order) -> None:
    with override_settings(ORDER_SEND_BY_MS=-1):
        new = change(order, price=D(38000))
    assert (states(order, new), new.reason_code) == (["OPEN", "REJECTED"], "too_late")
    assert venue.count(*CHANGE) == 0
    assert balance(alice, "USDT") == (61000, 39000)


@CROWD
def test_of_16_changes_at_once_one_is_sent(committed_db: str, venue: Venue, settings: Settings) -> None:
    """All that there is for a new order is what the old one holds, and ten for each of them."""
    settings.GATE_MAX_RELAYS = 64
    make_market(abilities=["CANCEL_REPLACE"])
    venue_account()
    publish_book()
    venue.places()
    user = make_user()
    fund(user, "USDT", "39500")
    order = place(user)
    answers(venue, order)
    results = at_once(
        16, lambda number: change(order, nonce=f"n{number}x", price=D(39000 + 10 * number + 10)).status
    )
    assert results.count("OPEN") == 1
    assert set(results) <= {"OPEN", ChangeUnderWay, OrderIsClosed}
    assert venue.count(*CHANGE) == 1
    new = Order.objects.get(replaces=order)
    assert balance(user, "USDT") == (39500 - new.price, new.price)
    assert all_is_well()


def test_the_api_changes_an_order(client: Client, alice: User, venue: Venue, order: Order) -> None:
    answers(venue, order)
    client.force_login(alice)
    path = f"/api/v1/orders/{order.pk}/replace/"
    fund(alice, "USDT", "1")
    for odd in ({"price": "x"}, {"price": "38000", "amount": "1"}, {"quantity": "0"}):
        assert client.post(path, odd, content_type="application/json").status_code == 400
    answer = client.post(path, {"price": "38000"}, content_type="application/json")
    assert (answer.status_code, answer.json()["replaces"], answer.json()["price"]) == (201, order.pk, "38000")
