"""Cancel-replace with every outcome of its two halves, and amending an order that keeps its place."""

from typing import Any

import pytest

from exchange.paper import limits
from exchange.paper.errors import ApiError
from exchange.paper.orderapi import amend, amendments, cancel
from exchange.paper.replaceapi import cancel_replace
from exchange.paper.wire import queried
from tests.exchange.paper.people import Bench, Caller, D
from tests.exchange.paper.test_lists import BUY, PENDING, SELL, WORKING

PARAMS = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}


@pytest.fixture(autouse=True)
def at_a_hundred(bench: Bench) -> None:
    bench.any_price()
    bench.trade("100")
    bench.fund(bench.alice, USDT="100")


def replaced(bench: Bench, **params: str) -> tuple[int, dict[str, Any]]:
    """(status, body) of replacing the order `old` by one at 90 unless told otherwise."""
    usual = {"price": "90", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "old"}
    try:
        return 200, cancel_replace(bench.venue, PARAMS | usual | params, bench.alice)
    except ApiError as error:
        return error.status, {"code": error.code, "msg": error.message, "data": error.data}


def old(bench: Bench) -> Any:
    return bench.order(bench.alice, "BUY", price="95", quantity="1", newClientOrderId="old")


def results(body: dict[str, Any]) -> tuple[str, str]:
    data = body.get("data", body)
    return data["cancelResult"], data["newOrderResult"]


def crowded(bench: Bench) -> None:
    """The account may place no more orders now."""
    for _order in range(limits.ORDERS_10S):
        bench.venue.limits.count_order(bench.alice.account_id)


def test_both_halves_succeed_with_the_funds_of_the_first_for_the_second(bench: Bench) -> None:
    order = old(bench)
    status, body = replaced(bench, price="99", newClientOrderId="new")
    assert (status, results(body), order.status) == (200, ("SUCCESS", "SUCCESS"), "CANCELED")
    assert body["cancelResponse"]["origClientOrderId"] == "old"
    assert (body["newOrderResponse"]["clientOrderId"], body["newOrderResponse"]["status"]) == ("new", "NEW")
    assert bench.held(bench.alice, "USDT") == (D(1), D(99))


def test_without_the_cancel_the_new_order_is_not_attempted_but_counted(bench: Bench) -> None:
    before = bench.venue.limits.order_counts(bench.alice.account_id)[0]
    status, body = replaced(bench)
    assert (status, body["code"], results(body)) == (400, -2022, ("FAILURE", "NOT_ATTEMPTED"))
    assert body["data"]["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}
    assert body["data"]["newOrderResponse"] is None
    assert bench.venue.limits.order_counts(bench.alice.account_id)[0] == before + 1


def test_a_canceled_order_may_be_left_without_the_new_one(bench: Bench) -> None:
    order = old(bench)
    status, body = replaced(bench, price="101")
    assert (status, body["code"], results(body)) == (409, -2021, ("SUCCESS", "FAILURE"))
    assert body["data"]["newOrderResponse"]["code"] == -2010
    assert (order.status, bench.held(bench.alice, "USDT")) == ("CANCELED", (D(100), D(0)))


def test_there_may_be_two_orders_where_failure_is_allowed(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="100")
    still = old(bench)
    status, body = replaced(bench, cancelReplaceMode="ALLOW_FAILURE", cancelOrigClientOrderId="another")
    assert (status, body["code"], results(body)) == (409, -2021, ("FAILURE", "SUCCESS"))
    assert still.is_open
    assert len(list(bench.alice.open_orders())) == 2


def test_both_halves_may_fail(bench: Bench) -> None:
    status, body = replaced(bench, cancelReplaceMode="ALLOW_FAILURE", price="101")
    assert (status, body["code"], results(body)) == (400, -2022, ("FAILURE", "FAILURE"))


@pytest.mark.parametrize(
    ("mode", "at_limit", "has_old", "status", "code"),
    [
        ("STOP_ON_FAILURE", "DO_NOTHING", True, 429, -1015),
        ("ALLOW_FAILURE", "DO_NOTHING", True, 429, -1015),
        ("STOP_ON_FAILURE", "CANCEL_ONLY", True, 429, -2021),
        ("ALLOW_FAILURE", "CANCEL_ONLY", True, 409, -2021),
        ("STOP_ON_FAILURE", "CANCEL_ONLY", False, 429, -2022),
        ("ALLOW_FAILURE", "CANCEL_ONLY", False, 400, -2022),
    ],
)
def test_at_the_limit_of_orders_nothing_or_only_the_cancel_is_done(
    bench: Bench, mode: str, at_limit: str, has_old: bool, status: int, code: int
) -> None:
    order = old(bench) if has_old else None
    crowded(bench)
    found, body = replaced(bench, cancelReplaceMode=mode, orderRateLimitExceededMode=at_limit)
    assert (found, body["code"]) == (status, code)
    assert order is None or order.is_open is (at_limit == "DO_NOTHING")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"quantity": "0.000001"}, -1013),
        ({"price": "90.001"}, -1013),
        ({"timeInForce": ""}, -1102),
        ({"cancelReplaceMode": ""}, -1102),
        ({"cancelReplaceMode": "MAYBE"}, -1130),
        ({"cancelOrigClientOrderId": ""}, -1102),
    ],
)
def test_what_could_never_be_placed_cancels_nothing(bench: Bench, params: dict[str, str], code: int) -> None:
    order = old(bench)
    _status, body = replaced(bench, **params)
    assert (body["code"], order.is_open) == (code, True)


@pytest.mark.parametrize(
    ("filled", "restriction", "said"),
    [
        ("", "ONLY_NEW", ""),
        ("", "ONLY_PARTIALLY_FILLED", "Order was not canceled due to cancel restrictions."),
        ("0.5", "ONLY_PARTIALLY_FILLED", ""),
        ("0.5", "ONLY_NEW", "Order was not canceled due to cancel restrictions."),
        ("", "ONLY_ONCE", "Invalid cancelRestrictions"),
    ],
)
def test_a_cancel_may_be_restricted_to_a_state(
    bench: Bench, filled: str, restriction: str, said: str
) -> None:
    order = old(bench)
    if filled:
        bench.fund(bench.bob, BTC=filled)
        bench.order(bench.bob, "SELL", price="95", quantity=filled)
    params = {"symbol": "BTCUSDT", "origClientOrderId": "old", "cancelRestrictions": restriction}
    try:
        cancel(bench.venue, params, bench.alice)
        answer = ""
    except ApiError as error:
        answer = error.message
    assert (answer, order.is_open) == (said, bool(said))


# ---------------------------------------------------------------------- amending
def smaller(bench: Bench, order: Any, quantity: str, **params: str) -> Any:
    asked = {"symbol": "BTCUSDT", "orderId": str(order.order_id), "newQty": quantity, **params}
    return amend(bench.venue, asked, bench.alice)


def test_an_amended_order_keeps_its_place_and_frees_what_it_needs_no_more(bench: Bench) -> None:
    order = old(bench)
    bench.fund(bench.carol, USDT="95")
    behind = bench.order(bench.carol, "BUY", price="95", quantity="1")
    answer = smaller(bench, order, "0.4", newClientOrderId="old")
    seen = bench.market.depth(1)["bids"]
    bench.fund(bench.bob, BTC="0.5")
    bench.order(bench.bob, "SELL", price="95", quantity="0.5")
    assert (seen, bench.held(bench.alice, "USDT")[1]) == ([["95.00000000", "1.40000000"]], D(0))
    assert (answer["amendedOrder"]["qty"], answer["amendedOrder"]["clientOrderId"]) == ("0.40000000", "old")
    assert (order.status, order.executed, behind.executed) == ("FILLED", D("0.4"), D("0.1"))


def test_an_amended_order_has_another_id_unless_its_own_is_sent(bench: Bench) -> None:
    order = old(bench)
    heard = bench.hear(bench.alice)
    answer = smaller(bench, order, "0.5")
    bench.venue.settle()
    report = heard[0]
    assert order.client_id != "old"
    assert [report[key] for key in ("x", "X", "c", "C", "q")] == [
        "REPLACED", "NEW", order.client_id, "old", "0.50000000",
    ]  # fmt: skip
    assert answer["executionId"] == report["I"]
    with pytest.raises(ApiError, match=r"Unknown order sent\."):
        cancel(bench.venue, {"symbol": "BTCUSDT", "origClientOrderId": "old"}, bench.alice)


def test_every_amendment_can_be_asked_for(bench: Bench) -> None:
    order = old(bench)
    for quantity in ("0.8", "0.6"):
        smaller(bench, order, quantity, newClientOrderId="old")
    rows = amendments(bench.venue, {"symbol": "BTCUSDT", "orderId": str(order.order_id)}, bench.alice)
    changes = [(row["origQty"], row["newQty"]) for row in rows]
    assert changes == [("1.00000000", "0.80000000"), ("0.80000000", "0.60000000")]


@pytest.mark.parametrize(
    ("quantity", "code", "said"),
    [
        ("1.1", -2038, "Order amend (quantity increase) is not supported."),
        ("1", -2038, "The requested action would change no state; rejecting."),
        ("0.000001", -1013, "Filter failure: LOT_SIZE"),
        ("0.05", -1013, "Filter failure: MIN_NOTIONAL"),
        ("0", -1013, "Invalid newQty."),
    ],
)
def test_an_amend_that_cannot_be_leaves_the_order_as_it_was(
    bench: Bench, quantity: str, code: int, said: str
) -> None:
    order = old(bench)
    before = queried(order)
    with pytest.raises(ApiError) as refused:
        smaller(bench, order, quantity)
    assert (refused.value.code, refused.value.message) == (code, said)
    assert queried(order) == before


def test_an_order_is_amended_so_often_and_no_more(bench: Bench) -> None:
    order = old(bench)
    for step in range(10):
        smaller(bench, order, f"{D('0.99') - D(step) / 100}", newClientOrderId="old")
    with pytest.raises(ApiError, match="Filter failure: MAX_NUM_ORDER_AMENDS") as refused:
        smaller(bench, order, "0.5")
    assert refused.value.code == -2038


def test_an_order_amended_to_what_it_has_traded_is_done(bench: Bench) -> None:
    order = old(bench)
    bench.fund(bench.bob, BTC="0.5")
    bench.order(bench.bob, "SELL", price="95", quantity="0.5")
    answer = smaller(bench, order, "0.5")
    assert (answer["amendedOrder"]["status"], order.is_open) == ("EXPIRED", False)
    assert bench.held(bench.alice, "USDT") == (D("52.5"), D(0))
    assert bench.market.depth(5)["bids"] == []


def test_an_icebergs_hidden_part_goes_first(bench: Bench) -> None:
    order = bench.order(bench.alice, "BUY", price="50", quantity="2", icebergQty="0.5")
    smaller(bench, order, "1")
    seen = bench.market.depth(1)["bids"]
    smaller(bench, order, "0.4")
    assert (seen, bench.market.depth(1)["bids"]) == (
        [["50.00000000", "0.50000000"]],
        [["50.00000000", "0.40000000"]],
    )


def test_a_smaller_stop_at_any_price_locks_less(bench: Bench) -> None:
    stop = bench.order(bench.alice, "BUY", "STOP_LOSS", quantity="1", stopPrice="110")
    smaller(bench, stop, "0.5")
    assert bench.held(bench.alice, "USDT") == (D(50), D(50))


def test_amending_one_of_a_pair_amends_both_and_what_they_lock(bench: Bench) -> None:
    bench.fund(bench.alice, USDT="25", BTC="1")
    answer = bench.place_list(bench.alice, "oco", **BUY)
    above, below = (bench.alice.orders[row["orderId"]] for row in answer["orders"])
    heard = bench.hear(bench.alice)
    told = smaller(bench, below, "0.4", newClientOrderId="another")
    bench.venue.settle()
    assert (above.quantity, below.quantity, bench.held(bench.alice, "USDT")) == (
        D("0.4"),
        D("0.4"),
        (D(75), D(50)),
    )
    assert told["listStatus"]["orders"][1]["clientOrderId"] == "another"
    assert [event["l"] for event in heard if event["e"] == "listStatus"] == ["UPDATED"]
    bench.fund(bench.bob, BTC="0.4")
    bench.order(bench.bob, "SELL", price="80", quantity="0.4")
    assert (below.status, bench.held(bench.alice, "USDT")) == ("FILLED", (D(93), D(0)))


def test_a_pending_order_is_amended_by_itself(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="1")
    answer = bench.place_list(bench.alice, "oto", **WORKING, **PENDING)
    working, pending = (bench.alice.orders[row["orderId"]] for row in answer["orders"])
    told = smaller(bench, pending, "0.5")
    assert (told["amendedOrder"]["status"], "workingTime" in told["amendedOrder"]) == ("PENDING_NEW", False)
    assert (working.quantity, bench.held(bench.alice, "BTC")) == (D(1), (D("0.5"), D("0.5")))


def test_what_is_paid_by_another_cannot_be_amended_before(bench: Bench) -> None:
    pending = {k: v for k, v in PENDING.items() if k != "pendingQuantity"}
    answer = bench.place_list(bench.alice, "opo", **WORKING, **pending)
    second = bench.alice.orders[answer["orders"][1]["orderId"]]
    with pytest.raises(ApiError, match=r"Order amend \(pending OPO order\) is not supported\."):
        smaller(bench, second, "0.5")


def test_replacing_one_of_a_list_cancels_the_list(bench: Bench) -> None:
    bench.fund(bench.alice, BTC="1")
    answer = bench.place_list(bench.alice, "oco", **SELL, aboveClientOrderId="old")
    status, body = replaced(bench)
    assert (status, body["cancelResponse"]["listOrderStatus"]) == (200, "ALL_DONE")
    assert body["cancelResponse"]["orderListId"] == answer["orderListId"]


def test_both_halves_come_over_the_wire_with_their_status(trader: Caller) -> None:
    trader.deposit("USDT", "1000")
    new = {**PARAMS, "quantity": "0.01", "price": "70000", "cancelReplaceMode": "STOP_ON_FAILURE"}
    answer = trader.signed("POST", "/api/v3/order/cancelReplace", **new, cancelOrderId="1")
    first = trader.signed("POST", "/api/v3/order", **{**PARAMS, "quantity": "0.01", "price": "70000"}).json()
    second = trader.signed("POST", "/api/v3/order/cancelReplace", **new, cancelOrderId=first["orderId"])
    path, made = "/api/v3/order/amend/keepPriority", second.json()["newOrderResponse"]
    less = trader.signed("PUT", path, symbol="BTCUSDT", orderId=made["orderId"], newQty="0.005")
    assert (answer.status_code, answer.json()["data"]["newOrderResult"]) == (400, "NOT_ATTEMPTED")
    assert (second.status_code, made["fills"]) == (200, [])
    assert (less.status_code, less.json()["amendedOrder"]["qty"]) == (200, "0.00500000")
