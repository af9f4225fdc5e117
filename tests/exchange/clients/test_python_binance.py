"""python-binance, the client that waits for each answer: by REST, and its calls over the WebSocket API."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from binance import BinanceAPIException, Client

from tests.exchange.clients.conftest import TRON, Place
from tests.exchange.clients.scenario import Say, Scenario

PAIR = "BTCUSDT"
scenario = Scenario("python-binance")
step = scenario.step


def pointed(place: Place, kind: type) -> Any:
    """The client's class with the venue's addresses in place of the exchange's."""
    addresses = {
        "API_URL": f"{place.url}/api",
        "MARGIN_API_URL": f"{place.url}/sapi",
        "WS_API_URL": f"{place.stream_url}/ws-api/v3",
    }
    return type(kind.__name__, (kind,), addresses)


def test_python_binance_walks_its_scenario(place: Place, figure: Say) -> None:
    client = pointed(place, Client)(place.key, place.secret)
    try:
        scenario.walk(figure, client, place)
    finally:
        client.loop.run_until_complete(client.ws_api.close())
        client.close_connection()


@contextmanager
def refused(code: int, words: str = "") -> Iterator[None]:
    with pytest.raises(BinanceAPIException) as refusal:
        yield
    assert (refusal.value.code, words in refusal.value.message) == (code, True)


# ---------------------------------------------------------------------- what everybody may know
@step
def it_reads_the_rules_of_a_market(client: Any, place: Place) -> None:
    info = client.get_symbol_info(PAIR)
    assert "PRICE_FILTER" in {row["filterType"] for row in info["filters"]}
    assert len(client.get_exchange_info()["symbols"]) == 5


@step
def it_is_told_what_time_it_is_and_that_the_venue_is_up(client: Any, place: Place) -> None:
    assert client.get_server_time()["serverTime"] > 0
    assert client.get_system_status() == {"status": 0, "msg": "normal"}


@step
def it_reads_a_book(client: Any, place: Place) -> None:
    book = client.get_order_book(symbol=PAIR, limit=20)
    assert (len(book["bids"]), len(book["asks"])) == (20, 20)
    assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])


@step
def it_reads_candles_and_walks_through_those_of_the_past(client: Any, place: Place) -> None:
    assert len(client.get_klines(symbol=PAIR, interval="1h", limit=100)) == 100
    assert len(client.get_ui_klines(symbol=PAIR, interval="1d", limit=10)) == 10
    walked = client.get_historical_klines(PAIR, "5m", "1 Jan, 2026", "5 Jan, 2026")
    assert len(walked) == 4 * 288 + 1


@step
def it_reads_tickers_of_a_day_a_window_and_the_day_of_trade(client: Any, place: Place) -> None:
    asked = {"symbol": PAIR}
    rows = [client.get_ticker(**asked), client.get_symbol_ticker_window(**asked, windowSize="4h"),
            client.v3_get_ticker_trading_day(**asked)]  # fmt: skip
    assert all(Decimal(r["lowPrice"]) <= Decimal(r["lastPrice"]) <= Decimal(r["highPrice"]) for r in rows)


@step
def it_reads_last_and_best_prices(client: Any, place: Place) -> None:
    assert len(client.get_all_tickers()) == len(client.get_orderbook_tickers()) == 5
    best = client.get_orderbook_ticker(symbol=PAIR)
    assert Decimal(best["bidPrice"]) < Decimal(best["askPrice"])
    assert Decimal(client.get_symbol_ticker(symbol=PAIR)["price"]) > 1000
    assert Decimal(client.get_avg_price(symbol=PAIR)["price"]) > 1000


@step
def it_reads_what_others_traded(client: Any, place: Place) -> None:
    client.order_market_buy(symbol=PAIR, quantity="0.001")
    last = client.get_recent_trades(symbol=PAIR)[-1]
    assert client.get_historical_trades(symbol=PAIR, fromId=last["id"])[0]["id"] == last["id"]
    assert client.get_aggregate_trades(symbol=PAIR)[-1]["l"] >= last["id"]


# ---------------------------------------------------------------------- orders
@step
def it_reads_its_account(client: Any, place: Place) -> None:
    assert client.get_account()["canTrade"] is True
    assert Decimal(client.get_asset_balance(asset="USDT")["free"]) > 40_000
    assert client.get_trade_fee(symbol=PAIR)[0]["takerCommission"] == "0.001"
    assert client.v3_get_account_commission(symbol=PAIR)["symbol"] == PAIR


@step
def it_tries_an_order_without_placing_it(client: Any, place: Place) -> None:
    asked = {"symbol": PAIR, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    assert client.create_test_order(**asked, quantity="0.01", price="70000") == {}
    assert client.get_open_orders(symbol=PAIR) == []


@step
def it_places_finds_and_cancels_a_limit_order(client: Any, place: Place) -> None:
    placed = client.order_limit_buy(symbol=PAIR, quantity="0.01", price="70000")
    one = {"symbol": PAIR, "orderId": placed["orderId"]}
    found, still_open = client.get_order(**one), client.get_open_orders(symbol=PAIR)
    canceled = client.cancel_order(**one)
    assert [placed["status"], found["status"], canceled["status"]] == ["NEW", "NEW", "CANCELED"]
    assert [order["orderId"] for order in still_open] == [placed["orderId"]]


@step
def it_finds_and_cancels_by_the_id_it_gave(client: Any, place: Place) -> None:
    mine = {"symbol": PAIR, "origClientOrderId": "mine-1"}
    client.order_limit_sell(symbol=PAIR, quantity="0.01", price="130000", newClientOrderId="mine-1")
    assert client.get_order(**mine)["clientOrderId"] == "mine-1"
    assert client.cancel_order(**mine)["origClientOrderId"] == "mine-1"


@step
def it_buys_and_sells_at_the_market(client: Any, place: Place) -> None:
    bought = client.order_market_buy(symbol=PAIR, quantity="0.01")
    sold = client.order_market_sell(symbol=PAIR, quoteOrderQty="500")
    assert (bought["status"], bought["fills"][0]["commissionAsset"]) == ("FILLED", "BTC")
    assert (sold["status"], sold["fills"][0]["commissionAsset"]) == ("FILLED", "USDT")


@step
def it_buys_at_once_or_not_at_all(client: Any, place: Place) -> None:
    killed, taken = (
        client.order_limit_buy(symbol=PAIR, quantity="0.01", price=price, timeInForce=tif)
        for tif, price in (("FOK", "70000"), ("IOC", "95000"))
    )
    assert (killed["status"], taken["status"]) == ("EXPIRED", "FILLED")


RESTING: list[dict[str, str]] = [
    {"type": "LIMIT_MAKER", "price": "130000"},
    {"type": "LIMIT", "price": "130000", "timeInForce": "GTC", "icebergQty": "0.01"},
    {"type": "STOP_LOSS", "stopPrice": "60000"},
    {"type": "STOP_LOSS", "trailingDelta": "100"},
    {"type": "STOP_LOSS_LIMIT", "price": "59000", "stopPrice": "60000", "timeInForce": "GTC"},
    {"type": "TAKE_PROFIT", "stopPrice": "120000"},
    {"type": "TAKE_PROFIT_LIMIT", "price": "119000", "stopPrice": "120000", "timeInForce": "GTC"},
]


def _add_resting(params: dict[str, str]) -> None:
    """One step for each type of order that waits."""

    def act(client: Any, place: Place) -> None:
        placed = client.create_order(symbol=PAIR, side="SELL", quantity="0.02", **params)
        one = {"symbol": PAIR, "orderId": placed["orderId"]}
        found = client.get_order(**one)
        assert (found["type"], found["status"]) == (params["type"], "NEW")
        assert client.cancel_order(**one)["status"] == "CANCELED"

    act.__name__ = f"it_places_{'_'.join([params['type'].lower(), *list(params)[1:]])}"
    step(act)


for _params in RESTING:
    _add_resting(_params)


@step
def it_replaces_an_order(client: Any, place: Place) -> None:
    placed = client.order_limit_buy(symbol=PAIR, quantity="0.02", price="60000")
    answer = client.cancel_replace_order(
        symbol=PAIR, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.03", price="61000",
        cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=placed["orderId"],
    )  # fmt: skip
    client.cancel_order(symbol=PAIR, orderId=answer["newOrderResponse"]["orderId"])
    assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")


PROFIT = {"Type": "LIMIT_MAKER", "Price": "120000"}
STOP = {"Type": "STOP_LOSS_LIMIT", "StopPrice": "60000", "Price": "59000", "TimeInForce": "GTC"}
WORKING = {"symbol": PAIR, "workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC",
           "workingPrice": "60000", "workingQuantity": "0.01", "pendingSide": "SELL",
           "pendingQuantity": "0.01"}  # fmt: skip


def prefixed(prefix: str, leg: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in leg.items()}


OCO = {
    "symbol": PAIR,
    "side": "SELL",
    "quantity": "0.01",
    **prefixed("above", PROFIT),
    **prefixed("below", STOP),
}
OTO = {**WORKING, "pendingType": "LIMIT_MAKER", "pendingPrice": "130000"}
OTOCO = {**WORKING, **prefixed("pendingAbove", PROFIT), **prefixed("pendingBelow", STOP)}


@step
def it_places_asks_for_and_cancels_every_list(client: Any, place: Place) -> None:
    lists = [client.create_oco_order(**OCO), client.v3_post_order_list_oto(**OTO),
             client.v3_post_order_list_otoco(**OTOCO)]  # fmt: skip
    one = {"orderListId": lists[0]["orderListId"]}
    assert [len(answer["orders"]) for answer in lists] == [2, 2, 3]
    assert client.v3_get_order_list(**one)["listOrderStatus"] == "EXECUTING"
    assert len(client.get_open_oco_orders()) == 3
    for answer in lists:
        client.v3_delete_order_list(symbol=PAIR, orderListId=answer["orderListId"])
    assert client.get_open_orders() == []


@step
def it_routes_an_order_over_two_books(client: Any, place: Place) -> None:
    order = client.v3_post_sor_order(symbol=PAIR, side="BUY", type="MARKET", quantity="0.01")
    rows = client.get_allocations(symbol=PAIR, orderId=order["orderId"])
    assert (order["usedSor"], sum(Decimal(row["qty"]) for row in rows)) == (True, Decimal("0.01"))


@step
def it_cancels_all_orders_of_a_market(client: Any, place: Place) -> None:
    for price in ("60000", "61000"):
        client.order_limit_buy(symbol=PAIR, quantity="0.01", price=price)
    assert len(client.cancel_all_open_orders(symbol=PAIR)) == 2
    assert client.get_open_orders(symbol=PAIR) == []


@step
def it_reads_its_past_orders_trades_and_counts(client: Any, place: Place) -> None:
    orders, trades = client.get_all_orders(symbol=PAIR), client.get_my_trades(symbol=PAIR)
    filled = {row["orderId"] for row in orders if row["status"] == "FILLED" and not row.get("usedSor")}
    assert {row["orderId"] for row in trades} == filled
    assert [row["rateLimitType"] for row in client.get_current_order_count()] == ["ORDERS", "ORDERS"]


# ---------------------------------------------------------------------- the wallet
@step
def it_reads_coins_an_address_and_its_deposits(client: Any, place: Place) -> None:
    coins = {row["coin"] for row in client.get_all_coins_info()}
    address = client.get_deposit_address(coin="USDT", network="TRX")
    deposits = client.get_deposit_history(coin="USDT")
    assert {"USDT", "BTC"} <= coins
    assert (deposits[0]["address"], Decimal(deposits[0]["amount"])) == (address["address"], Decimal(50_000))


@step
def it_withdraws_with_another_kind_of_key(client: Any, place: Place) -> None:
    cashier = pointed(place, Client)(place.cashier, private_key=place.private_key)
    sent = cashier.withdraw(coin="USDT", network="TRX", address=TRON, amount="100")
    row = next(row for row in cashier.get_withdraw_history(coin="USDT") if row["id"] == sent["id"])
    cashier.close_connection()
    assert Decimal(row["amount"]) + Decimal(row["transactionFee"]) == 100


# ---------------------------------------------------------------------- over the WebSocket API
@step
def it_asks_for_prices_over_the_socket(client: Any, place: Place) -> None:
    asked = {"symbol": PAIR}
    assert len(client.ws_get_order_book(**asked, limit=10)["bids"]) == 10
    assert len(client.ws_get_klines(**asked, interval="1h", limit=5)) == 5
    assert (
        client.ws_get_historical_trades(**asked)[-1]["id"] <= client.ws_get_aggregate_trades(**asked)[-1]["l"]
    )
    windows = [client.ws_get_trading_day_ticker(**asked), client.ws_get_symbol_ticker_window(**asked)]
    assert [row["symbol"] for row in windows] == [PAIR, PAIR]


@step
def it_places_finds_replaces_and_cancels_over_the_socket(client: Any, place: Place) -> None:
    asked = {"symbol": PAIR, "quantity": "0.01"}
    placed = client.ws_order_limit_buy(**asked, price="70000")
    found = client.ws_get_order(symbol=PAIR, orderId=placed["orderId"])
    answer = client.ws_cancel_and_replace_order(
        **asked, side="BUY", type="LIMIT", timeInForce="GTC", price="71000", cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=placed["orderId"],
    )  # fmt: skip
    client.ws_cancel_order(symbol=PAIR, orderId=answer["newOrderResponse"]["orderId"])
    assert (found["status"], client.ws_get_open_orders(symbol=PAIR)) == ("NEW", [])


@step
def it_places_and_cancels_lists_over_the_socket(client: Any, place: Place) -> None:
    lists = [client.ws_create_oco_order(**OCO), client.ws_create_oto_order(**OTO),
             client.ws_create_otoco_order(**OTOCO)]  # fmt: skip
    assert len(client.ws_get_oco_open_orders()) == 3
    for answer in lists:
        client.ws_cancel_oco_order(symbol=PAIR, orderListId=answer["orderListId"])
    assert client.ws_get_open_orders() == []


@step
def it_reads_its_account_over_the_socket(client: Any, place: Place) -> None:
    assert client.ws_get_account()["canTrade"] is True
    assert len(client.ws_get_my_trades(symbol=PAIR)) == len(client.get_my_trades(symbol=PAIR))
    assert len(client.ws_get_all_orders(symbol=PAIR)) == len(client.get_all_orders(symbol=PAIR))


@step
def it_is_told_of_too_little_money_over_the_socket(client: Any, place: Place) -> None:
    with refused(-2010, "insufficient balance"):
        client.ws_order_limit_buy(symbol=PAIR, quantity="5", price="70000")


# ---------------------------------------------------------------------- what it is refused
def _add_refusal(name: str, code: int, words: str, **params: str) -> None:
    def act(client: Any, place: Place) -> None:
        with refused(code, words):
            client.create_order(**{"symbol": PAIR, "side": "BUY", "quantity": "0.01", **params})
        assert client.get_open_orders() == []

    act.__name__ = f"it_is_told_of_{name}"
    step(act)


LIMIT = {"type": "LIMIT", "timeInForce": "GTC", "price": "70000"}
_add_refusal("a_price_off_the_tick", -1013, "PRICE_FILTER", **{**LIMIT, "price": "70000.001"})
_add_refusal("an_amount_off_the_step", -1013, "LOT_SIZE", **{**LIMIT, "quantity": "0.0100001"})
_add_refusal("too_small_a_total", -1013, "NOTIONAL", **{**LIMIT, "quantity": "0.0001"})
_add_refusal("too_little_money", -2010, "insufficient balance", **{**LIMIT, "quantity": "5"})
_add_refusal("a_maker_that_would_take", -2010, "immediately match", type="LIMIT_MAKER", price="90000")
_add_refusal("a_stop_that_was_passed", -2010, "trigger immediately", type="STOP_LOSS", stopPrice="60000")
_add_refusal("a_market_that_is_none", -1121, "Invalid symbol", **{**LIMIT, "symbol": "NOSUCH"})
_add_refusal("a_type_that_is_none", -1116, "orderType", type="LIMITED")


@step
def it_is_told_that_there_is_nothing_to_cancel_or_to_find(client: Any, place: Place) -> None:
    with refused(-2011, "Unknown order sent."):
        client.cancel_order(symbol=PAIR, orderId=1)
    with refused(-2013, "Order does not exist."):
        client.get_order(symbol=PAIR, orderId=1)


@step
def it_is_told_that_its_secret_is_wrong(client: Any, place: Place) -> None:
    wrong = pointed(place, Client)(place.key, "another")
    with refused(-1022, "Signature"):
        wrong.get_account()
    wrong.close_connection()


@step
def it_is_told_that_its_clock_is_wrong_and_may_set_it(client: Any, place: Place) -> None:
    place.door.door("fault", do="clock", ms=-30_000)
    try:
        with refused(-1021, "ahead"):
            client.get_account()
        client.timestamp_offset = -30_000
        assert client.get_account()["canTrade"] is True
    finally:
        client.timestamp_offset = 0
        place.door.door("fault", do="clock", ms=0)


@step
def it_is_told_that_its_message_is_stale(client: Any, place: Place) -> None:
    client.timestamp_offset = -60_000
    try:
        with refused(-1021, "recvWindow"):
            client.order_limit_buy(symbol=PAIR, quantity="0.01", price="70000")
    finally:
        client.timestamp_offset = 0
