"""Lists of orders: who begins when, what they lock together, who ends with whom, what their account hears."""

from pathlib import Path
from typing import Any

import pytest

from exchange.paper.accounts import Order
from exchange.paper.errors import ApiError
from exchange.paper.venue import Venue
from tests.exchange.paper.people import KEYS, Bench, Caller, D

SELL = {
    "side": "SELL", "quantity": "1", "aboveType": "LIMIT_MAKER", "abovePrice": "120", "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "90", "belowPrice": "85", "belowTimeInForce": "GTC",
}  # fmt: skip
BUY = {
    "side": "BUY", "quantity": "1", "belowType": "LIMIT_MAKER", "belowPrice": "80", "aboveType": "STOP_LOSS_LIMIT",
    "aboveStopPrice": "110", "abovePrice": "125", "aboveTimeInForce": "GTC",
}  # fmt: skip
WORKING = {
    "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "95", "workingQuantity": "1",
    "workingTimeInForce": "GTC",
}  # fmt: skip
PENDING = {
    "pendingType": "LIMIT", "pendingSide": "SELL", "pendingPrice": "130", "pendingQuantity": "1",
    "pendingTimeInForce": "GTC",
}  # fmt: skip
PAIR = {
    "pendingSide": "SELL", "pendingQuantity": "1", "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "120",
    "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "90",
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_a_hundred(bench: Bench) -> None:
    """The last trade was at 100, and alice has money on both sides."""
    bench.any_price()
    bench.trade("100")
    bench.fund(bench.alice, USDT="1000", BTC="5")


def orders(bench: Bench, answer: Any) -> list[Order]:
    return [bench.alice.orders[row["orderId"]] for row in answer["orders"]]


def placed(bench: Bench, kind: str, *params: dict[str, str], **more: str) -> list[Order]:
    """The orders of alice's list; of a pair the one above before the one below."""
    asked = {name: value for part in params for name, value in part.items()} | more
    found = orders(bench, bench.place_list(bench.alice, kind, **asked))
    is_paired = len(found) == 3 or kind in ("oco", "old")
    return [*found[:-2], *found[:-3:-1]] if is_paired and found[-1].side == "SELL" else found


def statuses(found: list[Order]) -> list[str]:
    return [order.status for order in found]


def sold_to(bench: Bench, price: str, quantity: str = "1") -> None:
    """bob buys of what stands on the book at this price."""
    bench.fund(bench.bob, USDT="1000")
    bench.order(bench.bob, "BUY", price=price, quantity=quantity, timeInForce="IOC")


def bought_from(bench: Bench, price: str, quantity: str = "1") -> None:
    bench.fund(bench.bob, BTC=quantity)
    bench.order(bench.bob, "SELL", price=price, quantity=quantity, timeInForce="IOC")


# ---------------------------------------------------------------------- one cancels the other
def test_both_of_a_pair_lock_the_dearer_ones_funds_once(bench: Bench) -> None:
    placed(bench, "oco", SELL)
    placed(bench, "oco", BUY)
    assert bench.held(bench.alice, "BTC") == (D(4), D(1))
    assert bench.held(bench.alice, "USDT") == (D(875), D(125))


def test_the_first_fill_of_one_ends_the_other_and_the_rest_goes_on(bench: Bench) -> None:
    above, below = placed(bench, "oco", SELL)
    sold_to(bench, "120", "0.4")
    partly = statuses([above, below])
    sold_to(bench, "120", "0.6")
    assert (partly, below.expiry_reason) == (["PARTIALLY_FILLED", "EXPIRED"], "OCO_TRIGGER")
    assert (above.status, bench.held(bench.alice, "BTC")) == ("FILLED", (D(4), D(0)))


def test_a_triggered_stop_ends_the_limit_and_works_with_what_both_had_locked(bench: Bench) -> None:
    above, below = placed(bench, "oco", SELL)
    bench.trade("90")
    assert statuses([above, below]) == ["EXPIRED", "NEW"]
    assert (below.is_working, bench.held(bench.alice, "BTC")) == (True, (D(4), D(1)))


def test_a_cheaper_limit_that_fills_frees_what_the_stop_would_have_cost(bench: Bench) -> None:
    above, below = placed(bench, "oco", BUY)
    bought_from(bench, "80")
    assert statuses([above, below]) == ["EXPIRED", "FILLED"]
    assert bench.held(bench.alice, "USDT") == (D(920), D(0))


def test_a_stop_of_a_pair_may_sell_at_any_price(bench: Bench) -> None:
    sell = {k: v for k, v in SELL.items() if k not in ("belowPrice", "belowTimeInForce")}
    above, below = placed(bench, "oco", sell | {"belowType": "STOP_LOSS"})
    bench.fund(bench.bob, USDT="88")
    bench.order(bench.bob, "BUY", price="88", quantity="1")
    bench.trade("89")
    assert (statuses([above, below]), below.quote) == (["EXPIRED", "FILLED"], D(88))


@pytest.mark.parametrize("which", [0, 1])
def test_canceling_one_cancels_the_list_and_frees_what_it_locked(bench: Bench, which: int) -> None:
    found = placed(bench, "oco", SELL)
    answer = bench.venue.trading.cancel(bench.alice, bench.market, found[which], "the-cancel")
    assert (answer["listOrderStatus"], statuses(found)) == ("ALL_DONE", ["CANCELED", "CANCELED"])
    assert [row["clientOrderId"] for row in answer["orderReports"]] == ["the-cancel", "the-cancel"]
    assert bench.held(bench.alice, "BTC") == (D(5), D(0))


def test_a_profit_may_wait_for_its_price_as_well(bench: Bench) -> None:
    profit = {"aboveType": "TAKE_PROFIT_LIMIT", "aboveStopPrice": "115", "abovePrice": "114",
              "aboveTimeInForce": "GTC"}  # fmt: skip
    above, below = placed(bench, "oco", SELL | profit)
    bench.trade("115")
    assert (above.is_working, statuses([above, below])) == (True, ["NEW", "EXPIRED"])


def test_the_oco_of_former_times_names_a_limit_and_a_stop(bench: Bench) -> None:
    old = {"price": "80", "quantity": "1", "stopPrice": "110", "stopLimitPrice": "125", "side": "BUY",
           "stopLimitTimeInForce": "GTC", "limitClientOrderId": "the-limit"}  # fmt: skip
    above, below = placed(bench, "old", old)
    assert [(o.type, o.price, o.stop_price) for o in (above, below)] == [
        ("STOP_LOSS_LIMIT", D(125), D(110)),
        ("LIMIT_MAKER", D(80), D(0)),
    ]
    assert below.client_id == "the-limit"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"aboveType": "LIMIT"}, -1158, "Order type not supported in OCO."),
        ({"belowType": "LIMIT_MAKER", "belowPrice": "90", "belowStopPrice": "", "belowTimeInForce": ""},
         -1168, "At least one OCO order must be contingent."),
        ({"belowType": "TAKE_PROFIT_LIMIT"}, -1199, "A take profit order in a sell OCO must be above."),
        ({"aboveType": "STOP_LOSS", "abovePrice": "", "aboveStopPrice": "120"},
         -1197, "A stop loss order in a sell OCO must be below."),
        ({"abovePrice": "100"}, -2010, "The relationship of the prices for the orders is not correct."),
        ({"belowStopPrice": "100"}, -2010, "The relationship of the prices for the orders is not correct."),
        ({"belowIcebergQty": "0.5", "belowTimeInForce": "FOK"}, -1160,
         "Parameter 'belowIcebergQty' is not supported if 'belowTimeInForce' is not GTC."),
        ({"belowTimeInForce": ""}, -1102,
         "Mandatory parameter 'belowTimeInForce' was not sent, was empty/null, or malformed."),
        ({"aboveClientOrderId": "same", "belowClientOrderId": "same"}, -2010, "Duplicate order sent."),
        ({"quantity": "5.1"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
    ],
)  # fmt: skip
def test_a_pair_that_cannot_be_is_refused_and_locks_nothing(
    bench: Bench, changes: dict[str, str], code: int, said: str
) -> None:
    with pytest.raises(ApiError) as refused:
        placed(bench, "oco", SELL | changes)
    assert (refused.value.code, refused.value.message) == (code, said)
    assert bench.held(bench.alice, "BTC") == (D(5), D(0))


def test_a_limit_that_buys_lies_below(bench: Bench) -> None:
    with pytest.raises(ApiError, match=r"A limit order in a buy OCO must be below\.") as refused:
        placed(bench, "oco", {"side": "BUY", "quantity": "1", "aboveType": "LIMIT_MAKER", "abovePrice": "120",
                              "belowType": "STOP_LOSS", "belowStopPrice": "90"})  # fmt: skip
    assert refused.value.code == -1165


def test_an_id_of_a_list_is_unique_among_open_lists(bench: Bench) -> None:
    found = placed(bench, "oco", SELL, listClientOrderId="mine")
    with pytest.raises(ApiError, match=r"Duplicate order sent\."):
        placed(bench, "oco", SELL, listClientOrderId="mine")
    bench.venue.trading.cancel(bench.alice, bench.market, found[0])
    assert len(placed(bench, "oco", SELL, listClientOrderId="mine")) == 2


def test_so_many_lists_may_be_open_on_a_market(bench: Bench) -> None:
    bench.market.filters.rows["MAX_NUM_ORDER_LISTS"]["maxNumOrderLists"] = 2
    for _list in range(2):
        placed(bench, "oco", SELL)
    with pytest.raises(ApiError, match="Filter failure: MAX_NUM_ORDER_LISTS"):
        placed(bench, "oco", SELL)
    bench.market.filters.rows["MAX_NUM_ORDER_LISTS"]["maxNumOrderLists"] = 20


# ---------------------------------------------------------------------- one triggers the other
def test_the_second_waits_until_the_first_is_wholly_filled(bench: Bench) -> None:
    working, pending = placed(bench, "oto", WORKING, PENDING)
    bought_from(bench, "95", "0.4")
    partly = pending.status
    bought_from(bench, "95", "0.6")
    assert (working.status, partly, pending.status) == ("FILLED", "PENDING_NEW", "NEW")
    assert pending.order_id in bench.market.book.orders


def test_a_first_that_fills_at_once_is_answered_with_the_second_still_pending(bench: Bench) -> None:
    bench.fund(bench.bob, BTC="1")
    bench.order(bench.bob, "SELL", price="95", quantity="1")
    answer = bench.place_list(bench.alice, "oto", **WORKING, **PENDING)
    assert [row["status"] for row in answer["orderReports"]] == ["FILLED", "PENDING_NEW"]
    assert statuses(orders(bench, answer)) == ["FILLED", "NEW"]


def test_a_second_at_any_price_trades_when_its_turn_comes(bench: Bench) -> None:
    sell = {"pendingType": "MARKET", "pendingSide": "SELL", "pendingQuantity": "1"}
    _working, pending = placed(bench, "oto", WORKING, sell)
    bench.fund(bench.carol, USDT="94")
    bench.order(bench.carol, "BUY", price="94", quantity="1")
    bought_from(bench, "95")
    assert (pending.status, pending.quote) == ("FILLED", D(94))


@pytest.mark.parametrize("which", [0, 1])
def test_canceling_either_ends_both(bench: Bench, which: int) -> None:
    found = placed(bench, "oto", WORKING, PENDING)
    bench.venue.trading.cancel(bench.alice, bench.market, found[which])
    assert statuses(found) == ["CANCELED", "CANCELED"]
    assert (bench.held(bench.alice, "BTC"), bench.held(bench.alice, "USDT")) == (
        (D(5), D(0)),
        (D(1000), D(0)),
    )


def test_a_first_that_expires_takes_the_second_with_it(bench: Bench) -> None:
    working, pending = placed(bench, "oto", WORKING | {"workingTimeInForce": "IOC"}, PENDING)
    assert (statuses([working, pending]), pending.expiry_reason) == (
        ["EXPIRED", "EXPIRED"],
        "OTO_PHASE_ONE_EXPIRED",
    )
    assert bench.held(bench.alice, "BTC") == (D(5), D(0))


def test_a_second_that_would_trigger_at_once_is_expired_as_rejected(bench: Bench) -> None:
    stop = {
        "pendingType": "STOP_LOSS",
        "pendingSide": "SELL",
        "pendingQuantity": "1",
        "pendingStopPrice": "96",
    }
    _working, pending = placed(bench, "oto", WORKING, stop)
    bought_from(bench, "95")
    assert (pending.status, pending.expiry_reason) == ("EXPIRED", "REJECTED")
    assert bench.held(bench.alice, "BTC")[1] == D(0)


def test_a_pair_begins_when_the_first_is_filled_and_one_of_it_ends_the_other(bench: Bench) -> None:
    working, above, below = placed(bench, "otoco", WORKING, PAIR)
    before = [bench.held(bench.alice, "BTC"), statuses([working, above, below])]
    bought_from(bench, "95")
    begun = statuses([working, above, below])
    sold_to(bench, "120")
    assert before == [(D(4), D(1)), ["NEW", "PENDING_NEW", "PENDING_NEW"]]
    assert begun == ["FILLED", "NEW", "NEW"]
    assert statuses([working, above, below]) == ["FILLED", "FILLED", "EXPIRED"]
    assert [found.is_open for found in bench.alice.lists.values()] == [False]


def test_a_pair_whose_prices_are_past_is_expired_as_rejected(bench: Bench) -> None:
    pair = PAIR | {"pendingBelowStopPrice": "97"}
    working, above, below = placed(bench, "otoco", WORKING, pair)
    bought_from(bench, "95")
    assert statuses([working, above, below]) == ["FILLED", "EXPIRED", "EXPIRED"]
    assert (above.expiry_reason, below.expiry_reason) == ("REJECTED", "REJECTED")
    assert bench.held(bench.alice, "BTC")[1] == D(0)


# ---------------------------------------------------------------------- one pays the other
def test_what_was_received_is_locked_for_the_second_and_sold_to_the_lot(bench: Bench) -> None:
    bench.alice.balance("BTC").free = D(0)
    pending = {k: v for k, v in PENDING.items() if k != "pendingQuantity"}
    answer = bench.place_list(bench.alice, "opo", **(WORKING | {"workingQuantity": "0.51234"}), **pending)
    _working, second = orders(bench, answer)
    bought_from(bench, "95", "0.3")
    partly = bench.held(bench.alice, "BTC")
    bought_from(bench, "95", "0.21234")
    assert ("origQty" in answer["orderReports"][1], partly) == (False, (D(0), D("0.2997")))
    assert (second.status, second.quantity) == ("NEW", D("0.51182"))
    assert bench.held(bench.alice, "BTC") == (D("0.00000766"), D("0.51182"))


def test_a_canceled_list_that_pays_the_other_frees_what_was_received(bench: Bench) -> None:
    bench.alice.balance("BTC").free = D(0)
    pair = {k: v for k, v in PAIR.items() if k != "pendingQuantity"}
    found = placed(bench, "opoco", WORKING, pair)
    bought_from(bench, "95", "0.5")
    bench.venue.trading.cancel(bench.alice, bench.market, found[2])
    assert (statuses(found), bench.held(bench.alice, "BTC")) == (["CANCELED"] * 3, (D("0.4995"), D(0)))


def test_a_pair_is_paid_by_the_first(bench: Bench) -> None:
    bench.alice.balance("BTC").free = D(0)
    pair = {k: v for k, v in PAIR.items() if k != "pendingQuantity"}
    _working, above, below = placed(bench, "opoco", WORKING, pair)
    bought_from(bench, "95")
    sold_to(bench, "120")
    assert (above.executed, below.status, bench.held(bench.alice, "BTC")) == (
        D("0.999"),
        "EXPIRED",
        (D(0), D(0)),
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"workingSide": "SELL"}, -1222),
        ({"pendingSide": "BUY"}, -1223),
        ({"pendingQuantity": "1"}, -1225),
        ({"workingType": "MARKET", "workingPrice": "", "workingTimeInForce": ""}, -1014),
    ],
)
def test_a_list_that_pays_the_other_buys_first_and_sells_what_it_got(
    bench: Bench, changes: dict[str, str], code: int
) -> None:
    pending = {k: v for k, v in PENDING.items() if k != "pendingQuantity"}
    with pytest.raises(ApiError) as refused:
        placed(bench, "opo", WORKING, pending, changes)
    assert refused.value.code == code


# ---------------------------------------------------------------------- what the account hears and can ask
def heard_of(events: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        ("list", event["l"], event["L"])
        if event["e"] == "listStatus"
        else (event["x"], event["X"], event.get("eR", ""))
        for event in events
        if event["e"] in ("listStatus", "executionReport")
    ]


def test_the_account_hears_of_the_list_and_of_each_of_its_orders(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    above, _below = placed(bench, "oco", SELL)
    sold_to(bench, "120")
    bench.venue.settle()
    assert heard_of(heard) == [
        ("list", "EXEC_STARTED", "EXECUTING"),
        ("NEW", "NEW", ""),
        ("NEW", "NEW", ""),
        ("EXPIRED", "EXPIRED", "OCO_TRIGGER"),
        ("TRADE", "FILLED", ""),
        ("list", "ALL_DONE", "ALL_DONE"),
    ]
    assert {event["g"] for event in heard if "g" in event} == {above.list_id}


def test_a_pending_order_is_told_as_such(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    placed(bench, "oto", WORKING, PENDING)
    bench.venue.settle()
    reports = [(e["X"], e["w"], "W" in e) for e in heard if e["e"] == "executionReport"]
    assert reports == [("NEW", True, True), ("PENDING_NEW", False, False)]


def test_a_list_goes_on_after_the_venue_was_started_again(tmp_path: Path) -> None:
    venue = Venue(tmp_path, KEYS, levels=0, deepest=0)
    bench = Bench(venue=venue)
    bench.any_price()
    bench.trade("100")
    bench.fund(bench.alice, BTC="1")
    found = placed(bench, "oco", SELL)
    venue.settle()
    venue.note()
    venue.store.close()
    again = Bench(venue=Venue(tmp_path, KEYS, levels=0, deepest=0))
    again.any_price()
    above, below = (again.alice.orders[order.order_id] for order in found)
    again.trade("90")
    assert (above.status, below.is_working, again.held(again.alice, "BTC")) == (
        "EXPIRED",
        True,
        (D(0), D(1)),
    )


def test_a_list_is_found_by_either_id_and_canceled_as_a_whole(trader: Caller) -> None:
    trader.deposit("BTC", "1")
    last = D(trader.get("/api/v3/ticker/price", symbol="BTCUSDT")["price"])
    params = {
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "listClientOrderId": "a-list",
        "aboveType": "LIMIT_MAKER", "abovePrice": f"{last * 2:.2f}", "belowType": "STOP_LOSS_LIMIT",
        "belowStopPrice": f"{last / 2:.2f}", "belowPrice": f"{last / 2:.2f}", "belowTimeInForce": "GTC",
    }  # fmt: skip
    answer = trader.signed("POST", "/api/v3/orderList/oco", **params).json()
    found = trader.signed("GET", "/api/v3/orderList", origClientOrderId="a-list").json()
    still_open = trader.signed("GET", "/api/v3/openOrderList").json()
    gone = trader.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT").json()
    every = trader.signed("GET", "/api/v3/allOrderList", limit="5").json()
    none = trader.signed("DELETE", "/api/v3/orderList", symbol="BTCUSDT", listClientOrderId="a-list").json()
    assert [row["status"] for row in answer["orderReports"]] == ["NEW", "NEW"]
    assert (found["orderListId"], still_open) == (answer["orderListId"], [found])
    assert (len(gone), gone[0]["listStatusType"], every[0]["listOrderStatus"]) == (1, "ALL_DONE", "ALL_DONE")
    assert none == {"code": -2011, "msg": "Unknown order sent."}
