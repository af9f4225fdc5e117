"""What goes wrong with orders on request: at every door, in what accounts hear, in the venue's own rules."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from exchange.paper.limits import ORDERS_10S
from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import TRADE, Bench, Caller, D, serving, small, wait_for
from tests.exchange.paper.test_socketapi import ask, signed

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
ORDER = {**LIMIT, "price": "70000"}
Act = Callable[[Caller], requests.Response]


@pytest.fixture(scope="module")
def lasting() -> Iterator[Caller]:
    """The trader of a venue that serves all tests whose faults are over when they have struck."""
    with serving(small()) as url:
        caller = Caller(url)
        caller.deposit("USDT", "900000")
        caller.deposit("BTC", "9")
        caller.door("fault", do="order limit", tenSeconds=100_000, day=100_000)
        yield caller


@pytest.fixture
def funded(lasting: Caller) -> Iterator[Caller]:
    """With the order `first`, and without any when the test is over."""
    lasting.signed("POST", "/api/v3/order", **ORDER, newClientOrderId="first")
    yield lasting
    lasting.door("fault", do="clear")
    lasting.signed("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")


@pytest.fixture
def venue() -> Venue:
    return small()


@pytest.fixture
def changing(trader: Caller) -> Caller:
    """The trader of a venue whose rules change, with the order `first`."""
    trader.deposit("USDT", "9000")
    trader.deposit("BTC", "1")
    trader.signed("POST", "/api/v3/order", **ORDER, newClientOrderId="first")
    return trader


def first(caller: Caller) -> dict[str, Any]:
    """The order that was there before, as it really is."""
    found: dict[str, Any] = caller.signed(
        "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="first"
    ).json()
    return found


def open_orders(caller: Caller) -> list[str]:
    found: list[str] = caller.door_get("state")["accounts"][0]["open_orders"]
    return found


NAMED = {"symbol": "BTCUSDT", "origClientOrderId": "first"}
LIST = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "150000",
    "belowType": "STOP_LOSS", "belowStopPrice": "60000",
}  # fmt: skip
# How each door is used, and how many orders are open when it was.
DOORS: dict[str, tuple[str, str, dict[str, str], int]] = {
    "place": ("POST", "/api/v3/order", ORDER, 2),
    "cancel": ("DELETE", "/api/v3/order", NAMED, 0),
    "cancel all": ("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"}, 0),
    "list": ("POST", "/api/v3/orderList/oco", LIST, 3),
    "amend": ("PUT", "/api/v3/order/amend/keepPriority", {**NAMED, "newQty": "0.005"}, 1),
    "cancel-replace": (
        "POST", "/api/v3/order/cancelReplace",
        {**ORDER, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "first"}, 1,
    ),
}  # fmt: skip
# Each fault: the status that comes, or None for a broken connection, and whether the request was carried out.
FAULTS: dict[str, tuple[int | None, bool]] = {
    "403": (403, False),
    "503 before": (503, False),
    "-1007 before": (504, False),
    "-1008": (503, False),
    "504 after": (504, True),
    "-1000 after": (500, True),
    "-1001 after": (500, True),
    "-1006 after": (500, True),
    "-1007 after": (504, True),
    "reset after": (None, True),
}


# Doors do not differ in how a fault strikes: one knows each fault, and each two of them. That of new orders is tried
# through the whole platform, in tests/orders/test_faults.py.
STRUCK = {
    *(("cancel", do) for do in FAULTS),
    *((on, do) for on in DOORS for do in ("503 before", "-1007 after")),
}


@pytest.mark.parametrize(("on", "do"), sorted(STRUCK))
def test_a_request_is_carried_out_or_not_whatever_the_answer_says(funded: Caller, on: str, do: str) -> None:
    method, path, params, is_open = DOORS[on]
    expected, is_done = FAULTS[do]
    funded.door("fault", on=on, do=do)
    try:
        status: int | None = funded.signed(method, path, **params).status_code
    except requests.ConnectionError:
        status = None
    told = first(funded).get("origQty"), first(funded).get("status")
    is_changed = len(open_orders(funded)) != 1 or told != ("0.01000000", "NEW")
    assert (status, is_changed) == (expected, is_done)
    assert len(open_orders(funded)) == (is_open if is_done else 1)


def test_a_blocked_request_is_answered_with_a_page(funded: Caller) -> None:
    funded.door("fault", on="query", do="403")
    answer = funded.signed("GET", "/api/v3/order", **NAMED)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (403, "text/html")


@pytest.mark.parametrize(
    "on", ["query", "open orders", "all orders", "trades", "query list", "allocations", "account"]
)
def test_questions_may_go_unanswered_too(funded: Caller, on: str) -> None:
    paths = {
        "query": "order", "open orders": "openOrders", "all orders": "allOrders", "trades": "myTrades",
        "query list": "orderList", "allocations": "myAllocations", "account": "account",
    }  # fmt: skip
    funded.door("fault", on=on, do="503 before")
    asked = [
        funded.signed("GET", f"/api/v3/{paths[on]}", **(NAMED if on == "query" else {"symbol": "BTCUSDT"}))
        for _call in range(2)
    ]
    assert (asked[0].status_code, asked[1].status_code in (200, 400)) == (503, True)


@pytest.mark.parametrize(
    ("do", "status", "code", "still"),
    [("refuse new", 409, -2021, "CANCELED"), ("refuse cancel", 400, -2022, "NEW")],
)
def test_one_half_of_a_cancel_replace_may_be_refused(
    funded: Caller, do: str, status: int, code: int, still: str
) -> None:
    method, path, params, _count = DOORS["cancel-replace"]
    funded.door("fault", on="cancel-replace", do=do)
    answer = funded.signed(method, path, **params)
    assert (answer.status_code, answer.json()["code"], first(funded)["status"]) == (status, code, still)


def test_the_orders_of_a_list_may_be_hidden_for_a_while(funded: Caller) -> None:
    funded.door("fault", on="list", do="hide", ms=300)
    names = {"aboveClientOrderId": "above", "belowClientOrderId": "below"}
    funded.signed("POST", "/api/v3/orderList/oco", **LIST, **names)
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "below"}
    before = funded.signed("GET", "/api/v3/order", **asked).json()
    wait_for(lambda: funded.signed("GET", "/api/v3/order", **asked).status_code == 200)
    assert before == {"code": -2013, "msg": "Order does not exist."}


def test_what_was_done_without_an_answer_may_be_hidden_for_a_while(funded: Caller) -> None:
    funded.door("fault", on="place", do="504 after", hideMs=300)
    funded.signed("POST", "/api/v3/order", **ORDER, newClientOrderId="second")
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "second"}
    before = funded.signed("GET", "/api/v3/order", **asked).json()
    wait_for(lambda: funded.signed("GET", "/api/v3/order", **asked).status_code == 200)
    assert before["code"] == -2013


def test_a_right_signature_may_be_called_wrong(funded: Caller) -> None:
    funded.door("fault", on="place", do="-1022")
    codes = [funded.signed("POST", "/api/v3/order", **ORDER).json().get("code") for _order in range(2)]
    assert codes == [-1022, None]


def test_somebody_else_can_trade_with_money_of_their_own(funded: Caller) -> None:
    found = funded.door("account", name="stranger", funds={"USDT": "900"})
    stranger = Caller(funded.url, {"key": found["key"], "secret": found["secret"]})
    placed = stranger.signed("POST", "/api/v3/order", **ORDER)
    refused = stranger.signed("POST", "/api/v3/order", **ORDER)
    assert (placed.status_code, refused.json()["code"], stranger.free("USDT")) == (200, -2010, D(200))
    assert open_orders(funded) == ["first"]


def test_the_state_tells_which_reports_are_still_to_go_wrong(funded: Caller) -> None:
    funded.door("fault", do="events", how="swap", x="TRADE", count=2)
    assert funded.door_get("state")["events"] == [{"how": "swap", "x": "TRADE", "count": 2}]


def test_an_id_is_taken_again_after_its_order_was_filled(funded: Caller) -> None:
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    statuses = [
        funded.signed("POST", "/api/v3/order", **market, newClientOrderId="twice").json()["status"]
        for _order in range(2)
    ]
    assert statuses == ["FILLED", "FILLED"]


# ---------------------------------------------------------------------- over the socket
@pytest.mark.parametrize(
    ("do", "status", "is_done"),
    [
        ("429", 429, False),
        ("-1007 before", 504, False),
        ("-1007 after", 504, True),
        ("-1000 after", 500, True),
    ],
)
def test_the_socket_tells_of_faults_by_their_codes(
    funded: Caller, do: str, status: int, is_done: bool
) -> None:
    channel = Socket(funded.url, "/ws-api/v3")
    funded.door("fault", on="place", do=do)
    answer = ask(channel, "order.place", **signed(TRADE["key"], funded.sign, **ORDER))
    channel.close()
    assert (answer["status"], len(open_orders(funded))) == (status, 1 + is_done)


@pytest.mark.parametrize(
    ("do", "is_done"), [("reset before", False), ("reset after", True), ("504 after", True), ("403", False)]
)
def test_the_socket_may_end_before_or_after_an_order(funded: Caller, do: str, is_done: bool) -> None:
    channel = Socket(funded.url, "/ws-api/v3")
    funded.door("fault", on="place", do=do)
    channel.send(id=1, method="order.place", params=signed(TRADE["key"], funded.sign, **ORDER))
    channel._thread.join(5)
    assert (channel.frames, len(open_orders(funded))) == ([], 1 + is_done)


def test_the_socket_may_be_silent_or_slow_after_an_order(funded: Caller) -> None:
    channel = Socket(funded.url, "/ws-api/v3")
    for do, request_id in (("hang after", 1), ("slow", 2)):
        funded.door("fault", on="place", do=do, ms=100)
        channel.send(id=request_id, method="order.place", params=signed(TRADE["key"], funded.sign, **ORDER))
    wait_for(lambda: len(open_orders(funded)) == 3)
    wait_for(lambda: bool(channel.frames))
    channel.close()
    assert [frame["id"] for frame in channel.frames] == [2]


# ---------------------------------------------------------------------- what accounts hear
@pytest.mark.parametrize(
    ("how", "heard"),
    [
        ("duplicate", ["NEW", "TRADE", "TRADE", "CANCELED"]),
        ("drop", ["NEW", "CANCELED"]),
        ("delay", ["NEW", "CANCELED", "TRADE"]),
        ("swap", ["NEW", "CANCELED", "TRADE"]),
    ],
)
def test_a_fill_is_heard_twice_never_late_or_after_what_followed(
    bench: Bench, how: str, heard: list[str]
) -> None:
    bench.any_price()
    bench.fund(bench.alice, USDT="100")
    bench.fund(bench.bob, BTC="0.5")
    events = bench.hear(bench.alice)
    bench.venue.telling.add({"how": how, "x": "TRADE", "ms": 300})
    order = bench.order(bench.alice, "BUY", price="100", quantity="1")
    bench.order(bench.bob, "SELL", price="100", quantity="0.5")
    bench.venue.settle()
    bench.venue.trading.cancel(bench.alice, bench.market, order)

    def kinds() -> list[str]:
        bench.venue.settle()
        return [event["x"] for event in events if event["e"] == "executionReport"]

    first_heard = kinds()
    wait_for(lambda: len(kinds()) == len(heard))
    assert (kinds(), "TRADE" in first_heard) == (heard, how in ("duplicate", "swap"))


# ---------------------------------------------------------------------- commission
def traded(bench: Bench, asset: str, side: str = "BUY", **funds: str) -> dict[str, Any]:
    """alice's fill of 1 BTC at 100, with the commission taken in that asset."""
    bench.any_price()
    bench.venue.commission_in = asset
    other = "SELL" if side == "BUY" else "BUY"
    bench.fund(bench.bob, BTC="1", USDT="100")
    bench.fund(bench.alice, **({"USDT": "100"} if side == "BUY" else {"BTC": "1"}))
    bench.fund(bench.alice, **funds)
    bench.order(bench.bob, other, price="100", quantity="1")
    bench.order(bench.alice, side, price="100", quantity="1")
    fill: dict[str, Any] = bench.alice.trades[-1]
    return fill


@pytest.mark.parametrize(
    ("asset", "side", "funds", "taken", "has"),
    [
        ("", "BUY", {}, ("0.00100000", "BTC"), {"BTC": "0.999"}),
        ("BNB", "BUY", {"BNB": "1"}, ("0.00012824", "BNB"), {"BTC": "1", "BNB": "0.99987176"}),
        ("BNB", "BUY", {}, ("0.00100000", "BTC"), {"BTC": "0.999"}),
        ("quote", "BUY", {"USDT": "5"}, ("0.10000000", "USDT"), {"BTC": "1", "USDT": "4.9"}),
        ("base", "SELL", {"BTC": "1"}, ("0.00100000", "BTC"), {"BTC": "0.999", "USDT": "100"}),
        ("BNB", "SELL", {"BNB": "1"}, ("0.00012824", "BNB"), {"USDT": "100", "BNB": "0.99987176"}),
    ],
)
def test_the_commission_is_taken_in_the_asset_that_was_chosen_when_there_is_enough(
    bench: Bench, asset: str, side: str, funds: dict[str, str], taken: tuple[str, str], has: dict[str, str]
) -> None:
    fill = traded(bench, asset, side, **funds)
    held = {name: bench.held(bench.alice, name)[0] for name in has}
    assert (fill["commission"], fill["commissionAsset"]) == taken
    assert held == {name: D(amount) for name, amount in has.items()}


def test_the_account_is_told_its_bnb_when_that_paid(bench: Bench) -> None:
    heard = bench.hear(bench.alice)
    traded(bench, "BNB", BNB="1")
    bench.venue.settle()
    report = next(event for event in heard if event.get("x") == "TRADE")
    told = [row["a"] for event in heard if event["e"] == "outboundAccountPosition" for row in event["B"]]
    assert (report["N"], "BNB" in told) == ("BNB", True)


# ---------------------------------------------------------------------- rules that change
def test_a_taker_beyond_the_price_range_expires_where_the_range_ends(bench: Bench) -> None:
    bench.any_price()
    bench.trade("100")
    bench.venue.ranges.set("BTCUSDT", {"bidLimitMultUp": D(105) / bench.market.average()})
    bench.fund(bench.bob, BTC="2")
    for price in ("104", "106"):
        bench.order(bench.bob, "SELL", price=price, quantity="1")
    bench.fund(bench.alice, USDT="300")
    order = bench.order(bench.alice, "BUY", "MARKET", quantity="2")
    assert (order.status, order.executed, order.expiry_reason) == (
        "EXPIRED",
        D(1),
        "EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
    )


def test_the_price_range_is_told_while_there_is_one(changing: Caller) -> None:
    none = changing.get("/api/v3/referencePrice", symbol="BTCUSDT")
    changing.door("fault", do="price range", symbol="BTCUSDT", askLimitMultDown="0.5")
    rules = changing.get("/api/v3/executionRules", symbol="BTCUSDT")["symbolRules"]
    price = D(changing.get("/api/v3/referencePrice", symbol="BTCUSDT")["referencePrice"])
    assert (none["code"], price > 0) == (-2043, True)
    assert rules == [{"symbol": "BTCUSDT", "rules": [{"ruleType": "PRICE_RANGE", "askLimitMultDown": "0.5"}]}]


def test_a_filter_changes_while_the_venue_runs(changing: Caller) -> None:
    changing.door(
        "fault", do="filter", symbol="BTCUSDT", filter={"filterType": "MIN_NOTIONAL", "minNotional": "5000"}
    )
    refused = changing.signed("POST", "/api/v3/order", **ORDER).json()
    rows = changing.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["symbols"][0]["filters"]
    changing.door("fault", do="filter", symbol="BTCUSDT", filter={"filterType": "MIN_NOTIONAL"})
    taken = changing.signed("POST", "/api/v3/order", **ORDER)
    assert refused == {"code": -1013, "msg": "Filter failure: MIN_NOTIONAL"}
    assert [row["minNotional"] for row in rows if row["filterType"] == "MIN_NOTIONAL"] == ["5000"]
    assert taken.status_code == 200


def test_an_ability_is_taken_from_a_market(changing: Caller) -> None:
    changing.door("fault", do="ability", symbol="BTCUSDT", name="ocoAllowed", value=False)
    assert changing.signed("POST", "/api/v3/orderList/oco", **LIST).json()["msg"] == (
        "OCO orders are not supported for this symbol"
    )


@pytest.mark.parametrize("status", ["HALT", "CANCEL_ONLY", "BREAK"])
def test_a_market_that_takes_no_orders_lets_them_be_canceled(changing: Caller, status: str) -> None:
    changing.door("fault", do="status", symbol="BTCUSDT", status=status)
    refused = [
        changing.signed(*DOORS[door][:2], **DOORS[door][2]).json() for door in ("place", "list", "amend")
    ]
    canceled = changing.signed("DELETE", "/api/v3/order", **NAMED).json()
    assert [body["msg"] for body in refused] == ["Market is closed."] * 3
    assert canceled["status"] == "CANCELED"


def test_the_venue_ends_an_order_by_itself(changing: Caller) -> None:
    changing.door("fault", do="expire", symbol="BTCUSDT", clientOrderId="first")
    assert (first(changing)["status"], first(changing)["expiryReason"]) == ("EXPIRED", "EXCHANGE_CANCELED")


def test_the_limit_of_unfilled_orders_is_raised_and_told(changing: Caller) -> None:
    changing.door("fault", do="order limit", tenSeconds=1000, day=500_000)
    limits = changing.get("/api/v3/exchangeInfo", symbol="BTCUSDT")["rateLimits"]
    asked = {**ORDER, "quantity": "0.001", "price": "20000"}
    refused = [
        answer["code"]
        for answer in (
            changing.signed("POST", "/api/v3/order", **asked, newOrderRespType="ACK").json()
            for _order in range(ORDERS_10S + 5)
        )
        if "code" in answer
    ]
    assert [row["limit"] for row in limits if row["rateLimitType"] == "ORDERS"] == [1000, 500_000]
    assert -1015 not in refused


@pytest.mark.parametrize(("ms", "code"), [(10_000, -1021), (-10_000, -1021), (500, None)])
def test_a_clock_that_is_wrong_refuses_who_is_right(changing: Caller, ms: int, code: int | None) -> None:
    changing.door("fault", do="clock", ms=ms)
    told = changing.get("/api/v3/time")["serverTime"]
    answer = changing.signed("GET", "/api/v3/order", **NAMED).json()
    assert answer.get("code") == code
    before = told
    changing.door("fault", do="clear")
    assert abs(before - changing.get("/api/v3/time")["serverTime"] - ms) < 400


@pytest.mark.parametrize(
    "asked",
    [
        {"do": "commission", "asset": "gold"},
        {"do": "events", "how": "sing"},
        {"do": "ability", "symbol": "BTCUSDT", "name": "flying", "value": True},
        {"do": "expire", "symbol": "BTCUSDT", "clientOrderId": "nobody"},
        {"do": "refuse new", "on": "place"},
        {"do": "filter", "symbol": "BTCUSDT"},
    ],
)
def test_what_nobody_knows_is_refused(trader: Caller, asked: dict[str, Any]) -> None:
    assert trader.http.post(f"{trader.url}/paper/fault", json=asked).status_code == 400
