"""Making an open order smaller: it keeps its place, and what it no longer needs is given back once it is certain."""

import time
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.test import Client

from accounts.models import User
from exchange.errors import DomainError
from exchange.gate import services as gate
from ledger.models import Hold
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import balance, make_user
from tests.orders.test_placing import no_hold_is_left, place
from tests.orders.test_replacing import all_is_well
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, error, in_time, order_body

D = Decimal
AMEND = ("PUT", "/api/v3/order/amend/keepPriority")
Body = dict[str, Any]


@pytest.fixture
def order(alice: User, market: Market, venue: Venue) -> Order:
    """alice buys 1 BTC at 39000; it rests at the venue."""
    most = {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 2}
    Market.objects.update(abilities=["AMEND"], filters=[*market.filters, most])
    venue.places()
    return place(alice)


def amended(asked: Body, **changes: Any) -> tuple[int, Body]:
    """The answer, in the venue's own names for amounts."""
    found = {
        "symbol": asked["symbol"], "orderId": 4711, "orderListId": -1, "origClientOrderId": asked["origClientOrderId"],
        "clientOrderId": asked["newClientOrderId"], "price": "39000.00000000", "qty": asked["newQty"],
        "executedQty": "0.00000000", "preventedQty": "0.00000000", "quoteOrderQty": "0.00000000",
        "cumulativeQuoteQty": "0.00000000", "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
        "workingTime": 1, "selfTradePreventionMode": "EXPIRE_MAKER", **changes,
    }  # fmt: skip
    return 200, {"transactTime": 1_700_000_000_000, "executionId": 7, "amendedOrder": found}


def answers(venue: Venue, **changes: Any) -> None:
    venue.on(*AMEND, lambda asked: amended(asked, **changes))


def amend(order: Order, quantity: str) -> Order:
    return services.amend_order(user=order.user, order_id=order.pk, quantity=D(quantity))


def replaced(order: Order, quantity: str, **changes: Any) -> Any:
    """The stream's report of it; `C` is the id it had, which stays."""
    own = order.venue_orders.get().client_order_id
    return event(order, "REPLACED", "NEW", q=quantity, C=own, **changes)


def quantities(order: Order) -> tuple[Any, Any]:
    order.refresh_from_db()
    return order.quantity, order.original_quantity


def refusal(order: Order, quantity: str) -> DomainError:
    with pytest.raises(DomainError) as caught:
        amend(order, quantity)
    return caught.value


def test_a_smaller_order_keeps_its_id_and_holds_only_what_it_needs(
    alice: User, venue: Venue, order: Order
) -> None:
    answers(venue)
    found = amend(order, "0.4")
    own = order.venue_orders.get().client_order_id
    asked = next(asked for method, path, asked in venue.asked if (method, path) == AMEND)
    assert (asked["origClientOrderId"], asked["newClientOrderId"], asked["newQty"]) == (own, own, "0.4")
    assert (found.status, *quantities(order)) == ("OPEN", D("0.4"), D(1))
    assert balance(alice, "USDT") == (84400, 15600)
    assert all_is_well()


@pytest.mark.parametrize("times", [1, 3])
def test_answer_stream_and_question_give_back_once(
    alice: User, venue: Venue, order: Order, times: int
) -> None:
    answers(venue)
    amend(order, "0.4")
    venue.knows(origQty="0.4")
    for _time in range(times):
        tell(replaced(order, "0.4"))
        tell(event(order, "NEW", "NEW", q="1.00000000"))  # an older one
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert quantities(order) == (D("0.4"), D(1))
    assert balance(alice, "USDT") == (84400, 15600)
    assert all_is_well()


def test_a_change_that_comes_late_is_refused_by_the_venue_and_may_be_asked_for_again(
    alice: User, venue: Venue, order: Order
) -> None:
    """Its sender waits for the venue's time, which is slow to come."""
    venue.on(*AMEND, in_time(amended))
    venue.knows(origQty="1.0")
    waits = iter([0.3])

    def slow(asked: Body) -> Any:
        time.sleep(next(waits, 0))
        return 200, {"serverTime": time.time_ns() // 1_000_000}

    venue.on("GET", "/api/v3/time", slow)
    gate.clock().forget()
    assert refusal(order, "0.4").code == "try_again"
    assert quantities(order) == (D(1), None)
    assert amend(order, "0.4").quantity == D("0.4")


UNCLEAR = [(504, "timeout"), error(-1007, "Timeout.", 504), requests.exceptions.ReadTimeout()]


@pytest.mark.parametrize("answer", UNCLEAR, ids=["504", "-1007", "time-out"])
@pytest.mark.parametrize("is_done", [True, False])
def test_after_an_unclear_answer_everything_stays_held_until_it_is_known(
    alice: User, venue: Venue, order: Order, answer: Any, is_done: bool
) -> None:
    venue.on(*AMEND, answer)
    amend(order, "0.4")
    assert balance(alice, "USDT") == (61000, 39000)
    venue.knows(origQty="0.4" if is_done else "1.0")
    services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert quantities(order) == ((D("0.4"), D(1)) if is_done else (D(1), None))
    assert balance(alice, "USDT") == ((84400, 15600) if is_done else (61000, 39000))
    assert venue.count(*AMEND) == 1


def test_trades_before_and_after_are_paid_from_what_is_left(alice: User, venue: Venue, order: Order) -> None:
    tell(traded(order, 7, "0.3", "0.3"))
    answers(venue, status="PARTIALLY_FILLED", executedQty="0.3", cumulativeQuoteQty="11700.00000000")
    amend(order, "0.5")
    assert balance(alice, "USDT") == (80500, 7800)
    tell(traded(order, 8, "0.2", "0.5", "FILLED"))
    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity) == ("FILLED", D("0.5"))
    assert balance(alice, "USDT") == (80500, 0)
    assert no_hold_is_left() and all_is_well()


def test_a_trade_that_the_amend_met_is_booked_before_or_after_it(
    alice: User, venue: Venue, order: Order
) -> None:
    """It traded 0.45 before the venue made it 0.4: it ends with what it traded."""
    venue.on(*AMEND, (504, ""))
    amend(order, "0.4")
    tell(replaced(order, "0.45", z="0.45", Z="17550.0"))
    tell(event(order, "EXPIRED", "EXPIRED", q="0.45", z="0.45", Z="17550.0"))
    tell(traded(order, 7, "0.45", "0.45"))
    order.refresh_from_db()
    assert (order.status, order.quantity) == ("EXPIRED", D("0.45"))
    assert balance(alice, "USDT") == (100000 - 17550, 0)
    assert no_hold_is_left() and all_is_well()


def test_a_sale_made_smaller_gives_coins_back(alice: User, venue: Venue, order: Order) -> None:
    sale = place(alice, nonce="sale", side="SELL", price=D(41000), quantity=D(2))
    answers(venue, side="SELL")
    amend(sale, "0.5")
    assert balance(alice, "BTC") == (D("1.5"), D("0.5"))


def test_what_cannot_be_less_is_refused_before_the_venue_with_the_nearest_amount(
    alice: User, venue: Venue, order: Order
) -> None:
    tell(traded(order, 7, "0.3", "0.3"))
    refused = {text: refusal(order, text) for text in ("1", "1.5", "0.3", "0.2", "0.500001", "0.0001")}
    assert {text: found.code for text, found in refused.items()} == {
        "1": "no_change", "1.5": "only_less", "0.3": "already_filled", "0.2": "already_filled",
        "0.500001": "off_step", "0.0001": "below_min_notional",
    }  # fmt: skip
    assert [getattr(refused[text], "nearest", None) for text in ("1.5", "0.2", "0.500001")] == [
        "1", "0.30001", "0.5",
    ]  # fmt: skip
    assert {found.field for found in refused.values()} == {"quantity"}
    assert venue.count(*AMEND) == 0


def test_an_order_is_made_smaller_as_often_as_the_market_allows(venue: Venue, order: Order) -> None:
    answers(venue)
    for text in ("0.9", "0.8"):
        amend(order, text)
    assert refusal(order, "0.7").code == "amended_too_often"
    assert venue.count(*AMEND) == 2


def test_a_market_that_does_not_offer_it_and_an_order_that_is_none_say_so(
    alice: User, venue: Venue, order: Order
) -> None:
    with pytest.raises(DomainError, match="no such order"):
        services.amend_order(user=make_user("bob"), order_id=order.pk, quantity=D(1))
    Market.objects.update(abilities=[])
    assert refusal(order, "0.5").code == "not_offered"
    tell(traded(order, 7, "1", "1", "FILLED"))
    assert refusal(order, "0.5").code == "order_is_closed"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(-2038, "Filter failure: MAX_NUM_ORDER_AMENDS"), "amended_too_often"),
        (error(-2038, "Order amend is not supported for this symbol."), "not_offered"),
        (error(-2038, "Order amend (quantity increase) is not supported."), "only_less"),
        (error(-2015, "Invalid API-key, IP, or permissions for action.", 401), "unavailable"),
        (error(-1003, "Too much request weight used.", 429), "try_again"),
    ],
)
def test_the_venues_refusal_is_told_and_leaves_the_order_as_it_is(
    alice: User, venue: Venue, order: Order, answer: Any, code: str
) -> None:
    venue.on(*AMEND, answer)
    venue.knows()
    assert refusal(order, "0.4").code == code
    assert quantities(order) == (D(1), None)
    assert balance(alice, "USDT") == (61000, 39000)


def test_an_order_that_ended_meanwhile_is_closed(alice: User, venue: Venue, order: Order) -> None:
    venue.on(*AMEND, error(-2038, "Unknown order sent."))
    venue.knows(status="CANCELED")
    assert refusal(order, "0.4").code == "order_is_closed"
    assert no_hold_is_left()


def test_the_api_makes_an_order_smaller(client: Client, alice: User, venue: Venue, order: Order) -> None:
    answers(venue)
    client.force_login(alice)
    path = f"/api/v1/orders/{order.pk}/"
    for odd in ({}, {"quantity": 0.5}, {"quantity": "0.5", "price": "1"}, {"quantity": "1e0"}):
        assert client.patch(path, odd, content_type="application/json").status_code == 400
    shown = client.patch(path, {"quantity": "0.4"}, content_type="application/json")
    assert (shown.status_code, shown.json()["quantity"], shown.json()["original_quantity"]) == (
        200,
        "0.4",
        "1",
    )
    venue.on(*AMEND, lambda asked: (504, order_body(asked)))
    assert client.patch(path, {"quantity": "0.3"}, content_type="application/json").status_code == 202
    assert Hold.objects.get().remaining == D("15600")
