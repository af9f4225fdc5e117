"""Orders that wait for a price: what triggers them, what they lock meanwhile, what their account hears."""

from typing import Any

import pytest

from exchange.paper.accounts import Order
from exchange.paper.errors import ApiError
from exchange.paper.venue import Venue
from exchange.paper.wire import placed, queried
from tests.exchange.paper.people import KEYS, Bench, D


@pytest.fixture(autouse=True)
def at_a_hundred(bench: Bench) -> None:
    """The last trade was at 100, and alice has money on both sides."""
    bench.any_price()
    bench.trade("100")
    bench.fund(bench.alice, USDT="1000", BTC="5")


def waiting(bench: Bench, side: str, kind: str, **params: str) -> Order:
    """alice's order, placed."""
    if kind.endswith("_LIMIT"):
        params = {"timeInForce": "GTC", **params}
    found: Order = bench.order(bench.alice, side, kind, **{"quantity": "1", **params})
    return found


@pytest.mark.parametrize(
    ("side", "kind", "stop", "not_yet", "price"),
    [
        ("SELL", "STOP_LOSS_LIMIT", "90", "90.01", "90"),
        ("BUY", "STOP_LOSS_LIMIT", "110", "109.99", "110"),
        ("SELL", "TAKE_PROFIT_LIMIT", "110", "109.99", "110.5"),
        ("BUY", "TAKE_PROFIT_LIMIT", "90", "90.01", "89.5"),
    ],
)
def test_an_order_begins_to_work_when_a_trade_is_at_its_price_or_beyond(
    bench: Bench, side: str, kind: str, stop: str, not_yet: str, price: str
) -> None:
    limit = "80" if side == "BUY" else "120"
    order = waiting(bench, side, kind, stopPrice=stop, price=limit)
    bench.trade(not_yet)
    before = (queried(order)["isWorking"], order.order_id in bench.market.book.orders)
    bench.trade(price)
    assert before == (False, False)
    assert (queried(order)["isWorking"], order.order_id in bench.market.book.orders) == (True, True)


@pytest.mark.parametrize(
    ("side", "kind", "stop"),
    [
        ("SELL", "STOP_LOSS", "100"),
        ("BUY", "STOP_LOSS", "99.99"),
        ("SELL", "TAKE_PROFIT", "99.99"),
        ("BUY", "TAKE_PROFIT", "100"),
    ],
)
def test_a_price_that_is_there_already_is_refused(bench: Bench, side: str, kind: str, stop: str) -> None:
    with pytest.raises(ApiError) as refused:
        waiting(bench, side, kind, stopPrice=stop)
    assert (refused.value.code, refused.value.message) == (-2010, "Stop price would trigger immediately.")


def test_a_stop_without_a_price_sells_at_any_price_when_it_is_triggered(bench: Bench) -> None:
    order = waiting(bench, "SELL", "STOP_LOSS", stopPrice="90")
    bench.fund(bench.bob, USDT="80")
    bench.order(bench.bob, "BUY", price="80", quantity="1")
    locked = bench.held(bench.alice, "BTC")
    bench.trade("90")
    assert locked == (D(4), D(1))
    assert (order.status, order.quote) == ("FILLED", D(80))
    assert (bench.held(bench.alice, "BTC"), bench.held(bench.alice, "USDT")[1]) == ((D(4), D(0)), D(0))


def test_an_order_with_a_price_locks_what_it_can_cost_before_it_is_triggered(bench: Bench) -> None:
    order = waiting(bench, "BUY", "STOP_LOSS_LIMIT", stopPrice="110", price="120", quantity="2")
    locked = bench.held(bench.alice, "USDT")
    bench.venue.trading.cancel(bench.alice, bench.market, order)
    bench.trade("111")
    assert locked == (D(760), D(240))
    assert (order.status, bench.held(bench.alice, "USDT")) == ("CANCELED", (D(1000), D(0)))


def test_a_stop_that_buys_at_any_price_locks_what_it_would_cost_now_and_pays_the_rest_from_what_is_free(
    bench: Bench,
) -> None:
    order = waiting(bench, "BUY", "STOP_LOSS", stopPrice="110", quantity="2")
    locked = bench.held(bench.alice, "USDT")
    bench.fund(bench.bob, BTC="2")
    bench.order(bench.bob, "SELL", price="120", quantity="2")
    bench.trade("110")
    assert locked == (D(800), D(200))
    assert (order.status, bench.held(bench.alice, "USDT")) == ("FILLED", (D(760), D(0)))


def test_a_stop_that_buys_at_any_price_and_cannot_pay_then_is_expired(bench: Bench) -> None:
    order = waiting(bench, "BUY", "STOP_LOSS", stopPrice="110", quantity="9")
    bench.fund(bench.bob, BTC="9")
    bench.order(bench.bob, "SELL", price="120", quantity="9")
    bench.trade("110")
    assert (order.status, order.expiry_reason, order.executed) == ("EXPIRED", "REJECTED", D(0))
    assert bench.held(bench.alice, "USDT") == (D(1000), D(0))


def test_a_triggered_order_on_an_empty_book_is_expired_for_want_of_liquidity(bench: Bench) -> None:
    order = waiting(bench, "SELL", "STOP_LOSS", stopPrice="90")
    bench.trade("90")
    assert (order.status, order.expiry_reason) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert bench.held(bench.alice, "BTC") == (D(5), D(0))


def test_a_triggered_order_may_trigger_another(bench: Bench) -> None:
    first = waiting(bench, "SELL", "STOP_LOSS", stopPrice="90")
    second = waiting(bench, "SELL", "STOP_LOSS_LIMIT", stopPrice="81", price="130")
    bench.fund(bench.bob, USDT="80")
    bench.order(bench.bob, "BUY", price="80", quantity="1")
    bench.trade("90")
    assert (first.status, second.is_working) == ("FILLED", True)


# The five scenarios of the exchange's own pages about trailing stops: prices that pass, and the one that triggers.
SCENARIOS = [
    ("BUY", "STOP_LOSS_LIMIT", {"stopPrice": "440", "trailingDelta": "500"}, "450",
     ["400", "370", "440", "450", "460", "420", "440.99"], "441"),
    ("SELL", "STOP_LOSS_LIMIT", {"stopPrice": "390", "trailingDelta": "1000"}, "380",
     ["400", "415", "390", "370", "410", "369.01"], "369"),
    ("BUY", "TAKE_PROFIT_LIMIT", {"stopPrice": "380", "trailingDelta": "850"}, "385",
     ["400", "420", "380", "370", "390", "380", "401.44"], "401.45"),
    ("SELL", "TAKE_PROFIT_LIMIT", {"stopPrice": "420", "trailingDelta": "750"}, "410",
     ["400", "415", "390", "420", "450", "440", "465", "430.13"], "430.12"),
    ("SELL", "STOP_LOSS_LIMIT", {"trailingDelta": "700"}, "390",
     ["400", "420", "395", "455", "423.16"], "423.15"),
]  # fmt: skip


@pytest.mark.parametrize(("side", "kind", "params", "limit", "passing", "price"), SCENARIOS)
def test_a_trailing_stop_follows_the_best_price_and_triggers_so_far_away_from_it(
    bench: Bench, side: str, kind: str, params: dict[str, str], limit: str, passing: list[str], price: str
) -> None:
    bench.trade("400")
    order = waiting(bench, side, kind, price=limit, **params)
    told = queried(order)["trailingTime"]
    bench.trade(*passing)
    early = order.is_working
    bench.trade(price)
    assert (told, early, order.is_working, order.trailing_ms > 0) == (-1, False, True, True)


@pytest.mark.parametrize(("delta", "said"), [("9", "TRAILING_DELTA"), ("2001", "TRAILING_DELTA"), ("x", "")])
def test_a_trailing_distance_lies_in_its_range(bench: Bench, delta: str, said: str) -> None:
    with pytest.raises(ApiError) as refused:
        waiting(bench, "SELL", "STOP_LOSS", trailingDelta=delta)
    assert said in refused.value.message
    assert refused.value.code == (-1013 if said else -1100)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"type": "STOP_LOSS", "stopPrice": "90", "price": "90"}, -1106),
        ({"type": "STOP_LOSS", "stopPrice": "90", "timeInForce": "GTC"}, -1106),
        ({"type": "STOP_LOSS"}, -1102),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "90", "price": "90"}, -1102),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "90", "timeInForce": "GTC"}, -1102),
        ({"type": "STOP_LOSS_LIMIT", "stopPrice": "90.001", "price": "90", "timeInForce": "GTC"}, -1013),
        ({"type": "LIMIT", "price": "90", "timeInForce": "GTC", "trailingDelta": "10"}, -1106),
        ({"type": "STOP_LOSS", "stopPrice": "90", "strategyType": "999999"}, -1134),
        ({"type": "STOP_LOSS", "stopPrice": "90", "quoteOrderQty": "90"}, -1106),
    ],
)
def test_a_waiting_order_of_the_wrong_shape_gets_the_venues_own_code(
    bench: Bench, params: dict[str, str], code: int
) -> None:
    with pytest.raises(ApiError) as refused:
        bench.venue.trading.place(bench.alice, bench.market, {"side": "SELL", "quantity": "1", **params})
    assert refused.value.code == code


def test_so_many_orders_may_wait_on_a_market_and_no_more(bench: Bench) -> None:
    for _order in range(5):
        waiting(bench, "SELL", "STOP_LOSS", stopPrice="90", quantity="0.5")
    with pytest.raises(ApiError, match="Filter failure: MAX_NUM_ALGO_ORDERS"):
        waiting(bench, "SELL", "STOP_LOSS", stopPrice="90", quantity="0.5")


def reports(heard: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(event["x"], event["X"], event["w"]) for event in heard if event["e"] == "executionReport"]


def test_the_account_hears_of_the_order_when_it_waits_and_when_it_works(bench: Bench) -> None:
    bench.fund(bench.bob, USDT="95")
    bench.order(bench.bob, "BUY", price="95", quantity="1")
    heard = bench.hear(bench.alice)
    params = {"stopPrice": "96", "price": "94", "strategyId": "7", "strategyType": "1000001"}
    order = waiting(bench, "SELL", "STOP_LOSS_LIMIT", **params)
    bench.trade("96")
    bench.venue.settle()
    assert reports(heard) == [("NEW", "NEW", False), ("NEW", "NEW", True), ("TRADE", "FILLED", False)]
    first, second = [event for event in heard if event.get("x") == "NEW"]
    assert ("W" in first, second["W"] == order.working_ms) == (False, True)
    assert [first[key] for key in ("o", "P", "j", "J")] == ["STOP_LOSS_LIMIT", "96.00000000", 7, 1000001]


def test_a_trailing_order_tells_its_distance_and_since_when_it_tracks(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    order = waiting(bench, "SELL", "STOP_LOSS_LIMIT", trailingDelta="100", price="50")
    bench.trade("100", "99")
    bench.venue.settle()
    new = [(event["d"], event["D"]) for event in heard if event.get("x") == "NEW"]
    answer = placed(order, [], "RESULT")
    assert new == [(100, -1), (100, order.trailing_ms)]
    assert (answer["trailingDelta"], answer["trailingTime"]) == (100, order.trailing_ms)


def test_a_waiting_order_waits_on_after_the_venue_was_started_again(tmp_path: Any) -> None:
    venue = Venue(tmp_path, KEYS, levels=0, deepest=0)
    account, market = venue.accounts[1], venue.live["BTCUSDT"]
    account.receive("BTC", D(1))
    stop = {"side": "SELL", "type": "STOP_LOSS_LIMIT", "stopPrice": "70000", "price": "70000",
            "timeInForce": "GTC", "quantity": "1"}  # fmt: skip
    order, _fills = venue.trading.place(account, market, stop)
    venue.settle()
    venue.store.close()
    again = Venue(tmp_path, KEYS, levels=0, deepest=0)
    market = again.live["BTCUSDT"]
    found = again.accounts[1].orders[order.order_id]
    before = found.is_working
    market.trade(D("69999"), D(1), buyer_takes=True, taker=object())
    again.trading.follow(market)
    assert (before, found.is_working, found.order_id in market.book.orders) == (False, True, True)
