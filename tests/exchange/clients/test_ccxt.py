"""ccxt by REST: markets, prices, every order it can place, the account, the wallet, and what it is refused."""

from typing import Any

import ccxt
import pytest

from tests.exchange.clients.conftest import TRON, Place
from tests.exchange.clients.pointing import BTC, RESTING, addresses
from tests.exchange.clients.scenario import Say, Scenario

scenario = Scenario("ccxt")
step = scenario.step


def client_of(place: Place, key: str, secret: str) -> Any:
    """ccxt as anybody would set it up for another address."""
    options = {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"}
    found = ccxt.binance({"apiKey": key, "secret": secret, "options": options})
    found.urls["api"].update(addresses(place))
    return found


def test_ccxt_walks_its_scenario(place: Place, figure: Say) -> None:
    client = client_of(place, place.key, place.secret)
    cashier = client_of(place, place.cashier, place.private_key)
    try:
        scenario.walk(figure, client, cashier, place)
    finally:
        for each in (client, cashier):
            each.session.close()


# ---------------------------------------------------------------------- what everybody may know
@step
def it_loads_every_market_with_precision_and_limits(client: Any, cashier: Any, place: Place) -> None:
    market = client.load_markets()[BTC]
    assert len(client.markets) == 5
    assert (market["precision"]["price"], market["limits"]["cost"]["min"]) == (0.01, 10.0)
    assert (market["active"], market["margin"]) == (True, False)


@step
def it_asks_what_can_be_borrowed_and_learns_that_nothing_can(client: Any, cashier: Any, place: Place) -> None:
    assert client.options["fetchMargins"] is True
    unsigned = client.fetch(f"{place.url}/sapi/v1/margin/allPairs", headers={"X-MBX-APIKEY": place.key})
    assert unsigned == []
    with pytest.raises(ccxt.AuthenticationError):
        client.fetch(f"{place.url}/sapi/v1/margin/isolated/allPairs")


@step
def it_loads_currencies_with_their_networks(client: Any, cashier: Any, place: Place) -> None:
    assert set(client.fetch_currencies()["USDT"]["networks"]) == {"TRC20", "ERC20", "BEP20"}


@step
def it_is_told_that_the_venue_is_up_and_what_time_it_is(client: Any, cashier: Any, place: Place) -> None:
    assert client.fetch_status()["status"] == "ok"
    assert abs(client.fetch_time() - client.milliseconds()) < 5000


@step
def it_reads_a_book(client: Any, cashier: Any, place: Place) -> None:
    book = client.fetch_order_book(BTC, limit=20)
    assert (len(book["bids"]), len(book["asks"])) == (20, 20)
    assert book["bids"][1][0] < book["bids"][0][0] < book["asks"][0][0] < book["asks"][1][0]


@step
def it_reads_a_ticker(client: Any, cashier: Any, place: Place) -> None:
    ticker = client.fetch_ticker("ETH/BTC")
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]


@step
def it_reads_all_tickers_best_prices_and_last_prices(client: Any, cashier: Any, place: Place) -> None:
    readings = [client.fetch_tickers(), client.fetch_bids_asks(), client.fetch_last_prices()]
    assert [len(rows) for rows in readings] == [5, 5, 5]
    assert readings[2][BTC]["price"] > 1000


@step
def it_reads_the_ticker_of_a_window_and_of_the_day_of_trade(client: Any, cashier: Any, place: Place) -> None:
    window = client.public_get_ticker({"symbol": "BTCUSDT", "windowSize": "4h"})
    day = client.public_get_ticker_tradingday({"symbol": "BTCUSDT"})
    assert int(window["closeTime"]) - int(window["openTime"]) in range(4 * 3_600_000, 4 * 3_600_000 + 60_000)
    assert int(day["openTime"]) % 86_400_000 == 0
    assert float(day["lowPrice"]) <= float(day["lastPrice"]) <= float(day["highPrice"])


@step
def it_reads_candles_of_several_intervals(client: Any, cashier: Any, place: Place) -> None:
    hours = client.fetch_ohlcv(BTC, "1h", limit=100)
    days = client.fetch_ohlcv(BTC, "1d", since=hours[0][0] - 30 * 86_400_000, limit=10)
    assert (len(hours), len(days)) == (100, 10)
    assert all(low <= min(opened, closed) <= max(opened, closed) <= high
               for _at, opened, high, low, closed, _volume in hours)  # fmt: skip


@step
def it_reads_what_others_traded(client: Any, cashier: Any, place: Place) -> None:
    client.create_order(BTC, "market", "buy", 0.001)
    trades = client.fetch_trades(BTC)
    assert (trades[-1]["symbol"], trades[-1]["side"] in ("buy", "sell")) == (BTC, True)


# ---------------------------------------------------------------------- orders
@step
def it_reads_its_balance(client: Any, cashier: Any, place: Place) -> None:
    balance = client.fetch_balance()
    assert balance["USDT"]["free"] > 40_000
    assert balance["BTC"]["total"] == balance["BTC"]["free"] > 1.9


@step
def it_reads_its_fees(client: Any, cashier: Any, place: Place) -> None:
    assert client.fetch_trading_fee(BTC)["taker"] == 0.001
    assert len(client.fetch_trading_fees()) == 5


@step
def it_tries_an_order_without_placing_it(client: Any, cashier: Any, place: Place) -> None:
    client.create_order(BTC, "limit", "buy", 0.01, 70000, {"test": True})
    assert client.fetch_open_orders(BTC) == []


@step
def it_places_finds_and_cancels_a_limit_order(client: Any, cashier: Any, place: Place) -> None:
    placed = client.create_order(BTC, "limit", "buy", 0.01, 70000)
    found = client.fetch_order(placed["id"], BTC)
    still_open = [order["id"] for order in client.fetch_open_orders(BTC)]
    canceled = client.cancel_order(placed["id"], BTC)
    assert [placed["status"], found["status"], canceled["status"]] == ["open", "open", "canceled"]
    assert still_open == [placed["id"]]


@step
def it_finds_and_cancels_by_the_id_it_gave(client: Any, cashier: Any, place: Place) -> None:
    client.create_order(BTC, "limit", "buy", 0.01, 70000, {"clientOrderId": "mine-1"})
    found = client.fetch_order(None, BTC, {"clientOrderId": "mine-1"})
    canceled = client.cancel_order(None, BTC, {"clientOrderId": "mine-1"})
    assert (found["clientOrderId"], canceled["id"]) == ("mine-1", found["id"])


@step
def what_it_sets_aside_is_seen_in_its_balance(client: Any, cashier: Any, place: Place) -> None:
    placed = client.create_order(BTC, "limit", "buy", 0.01, 70000)
    held = client.fetch_balance()["USDT"]["used"]
    client.cancel_order(placed["id"], BTC)
    assert (held, client.fetch_balance()["USDT"]["used"]) == (700, 0)


@step
def it_buys_at_the_market_and_pays_the_commission(client: Any, cashier: Any, place: Place) -> None:
    before = client.fetch_balance()
    order = client.create_order(BTC, "market", "buy", 0.01)
    after = client.fetch_balance()
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert after["BTC"]["free"] - before["BTC"]["free"] == pytest.approx(0.00999)
    assert before["USDT"]["free"] - after["USDT"]["free"] == pytest.approx(order["cost"])


@step
def it_sells_at_the_market(client: Any, cashier: Any, place: Place) -> None:
    order = client.create_order(BTC, "market", "sell", 0.01)
    assert (order["status"], order["fees"][0]["currency"]) == ("closed", "USDT")


@step
def it_buys_and_sells_by_total(client: Any, cashier: Any, place: Place) -> None:
    bought = client.create_market_buy_order_with_cost(BTC, 500)
    sold = client.create_market_sell_order_with_cost(BTC, 500)
    assert (bought["status"], 498 < bought["cost"] <= 500) == ("closed", True)
    assert (sold["status"], 498 < sold["cost"] < 502) == ("closed", True)


@step
def it_buys_at_once_or_not_at_all(client: Any, cashier: Any, place: Place) -> None:
    far, near = ({"timeInForce": tif} for tif in ("FOK", "IOC"))
    killed = client.create_order(BTC, "limit", "buy", 0.01, 70000, far)
    taken = client.create_order(BTC, "limit", "buy", 0.01, 95000, near)
    assert (killed["status"], killed["filled"], taken["status"]) == ("expired", 0, "closed")


def rests(client: Any, kind: str, side: str, params: dict[str, Any]) -> dict[str, Any]:
    """The order as it was found on the book, from which it was then canceled."""
    price = {"sell": 130000, "buy": 65000}[side] if kind == "limit" else None
    placed = client.create_order(BTC, kind, side, 0.02, price, params)
    found: dict[str, Any] = client.fetch_order(placed["id"], BTC)
    assert (found["status"], client.cancel_order(placed["id"], BTC)["status"]) == ("open", "canceled")
    return found


def _add_resting(kind: str, side: str, params: dict[str, Any], wanted: str) -> None:
    """One step for each type of order that waits."""

    def act(client: Any, cashier: Any, place: Place) -> None:
        assert rests(client, kind, side, params)["info"]["type"] == wanted

    act.__name__ = f"it_places_{wanted.lower()}_with_{'_'.join(params)}"
    step(act)


for _row in RESTING:
    _add_resting(*_row)


@step
def it_replaces_an_order(client: Any, cashier: Any, place: Place) -> None:
    placed = client.create_order(BTC, "limit", "buy", 0.02, 60000)
    edited = client.edit_order(placed["id"], BTC, "limit", "buy", 0.03, 61000)
    gone = client.fetch_order(placed["id"], BTC)["status"]
    client.cancel_order(edited["id"], BTC)
    assert (edited["amount"], edited["price"], gone) == (0.03, 61000, "canceled")


@step
def it_makes_an_order_smaller_where_it_stands(client: Any, cashier: Any, place: Place) -> None:
    placed = client.create_order(BTC, "limit", "buy", 0.02, 60000)
    one = {"symbol": "BTCUSDT", "orderId": placed["id"]}
    amended = client.request("order/amend/keepPriority", ["private"], "PUT", {**one, "newQty": "0.01"})
    rows = client.request("order/amendments", ["private"], "GET", one)
    client.cancel_order(placed["id"], BTC)
    assert (amended["amendedOrder"]["qty"], rows[0]["newQty"]) == ("0.01000000", "0.01000000")


@step
def it_routes_an_order_over_two_books(client: Any, cashier: Any, place: Place) -> None:
    order = client.create_order(BTC, "market", "buy", 0.01, None, {"SOR": True})
    rows = client.private_get_myallocations({"symbol": "BTCUSDT", "orderId": order["id"]})
    assert (order["status"], order["info"]["usedSor"]) == ("closed", True)
    assert sum(float(row["qty"]) for row in rows) == pytest.approx(0.01)


ABOVE_AND_BELOW = {"Type": "LIMIT_MAKER", "Price": "120000"}, {"Type": "STOP_LOSS", "StopPrice": "60000"}
WORKING = {"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC",
           "workingPrice": "60000", "workingQuantity": "0.01"}  # fmt: skip
OTO = {**WORKING, "pendingType": "MARKET", "pendingSide": "SELL"}


def pair(*prefixes: str) -> dict[str, str]:
    """A profit above and a stop below, under the names that a list has for them."""
    legs = zip(prefixes, ABOVE_AND_BELOW, strict=True)
    return {f"{prefix}{name}": value for prefix, leg in legs for name, value in leg.items()}


OCO = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", **pair("above", "below")}
OTOCO = {**WORKING, "pendingSide": "SELL", **pair("pendingAbove", "pendingBelow")}
LISTS: list[tuple[str, dict[str, str], int]] = [
    ("oco", OCO, 2),
    ("oto", {**OTO, "pendingQuantity": "0.01"}, 2),
    ("otoco", {**OTOCO, "pendingQuantity": "0.01"}, 3),
    ("opo", OTO, 2),
    ("opoco", OTOCO, 3),
]


def _add_list(kind: str, params: dict[str, str], orders: int) -> None:
    """One step for each kind of list."""

    def act(client: Any, cashier: Any, place: Place) -> None:
        placed = getattr(client, f"private_post_orderlist_{kind}")(params)
        one = {"symbol": "BTCUSDT", "orderListId": placed["orderListId"]}
        is_open = [row["orderListId"] for row in client.private_get_openorderlist()] == [one["orderListId"]]
        gone = client.private_delete_orderlist(one)
        assert (len(placed["orders"]), is_open, gone["listOrderStatus"]) == (orders, True, "ALL_DONE")

    act.__name__ = f"it_places_and_cancels_a_list_{kind}"
    step(act)


for _list in LISTS:
    _add_list(*_list)


@step
def it_cancels_all_orders_of_a_market(client: Any, cashier: Any, place: Place) -> None:
    for price in (60000, 61000, 62000):
        client.create_order(BTC, "limit", "buy", 0.01, price)
    canceled = client.cancel_all_orders(BTC)
    assert (len(canceled), client.fetch_open_orders(BTC)) == (3, [])


@step
def it_reads_its_past_orders_by_how_they_ended(client: Any, cashier: Any, place: Place) -> None:
    everything = client.fetch_orders(BTC)
    closed, canceled = client.fetch_closed_orders(BTC), client.fetch_canceled_orders(BTC)
    assert {order["status"] for order in closed} == {"closed"}
    assert {order["status"] for order in canceled} == {"canceled"}
    assert len(everything) > len(closed) + len(canceled) - 1 > 10


@step
def it_reads_its_trades_and_those_of_one_order(client: Any, cashier: Any, place: Place) -> None:
    order = client.create_order(BTC, "market", "buy", 0.02)
    trades = client.fetch_my_trades(BTC, limit=1000)
    of_one = client.fetch_order_trades(order["id"], BTC)
    assert sum(trade["amount"] for trade in of_one) == pytest.approx(0.02)
    assert {trade["id"] for trade in of_one} < {trade["id"] for trade in trades}


# ---------------------------------------------------------------------- the wallet
@step
def it_reads_an_address_and_its_deposits(client: Any, cashier: Any, place: Place) -> None:
    address = client.fetch_deposit_address("USDT", {"network": "TRX"})
    deposits = client.fetch_deposits("USDT")
    assert address["address"] == deposits[0]["address"]
    assert (deposits[0]["amount"], deposits[0]["status"]) == (50000.0, "ok")


@step
def it_withdraws_with_another_kind_of_key(client: Any, cashier: Any, place: Place) -> None:
    sent = cashier.withdraw("USDT", 100, TRON, {"network": "TRX"})
    row = next(row for row in cashier.fetch_withdrawals("USDT") if row["id"] == sent["id"])
    assert (row["amount"] + row["fee"]["cost"], row["address"]) == (100, TRON)


@step
def it_reads_what_the_networks_charge(client: Any, cashier: Any, place: Place) -> None:
    fees = client.fetch_deposit_withdraw_fees(["USDT"])
    assert fees["USDT"]["networks"]["TRC20"]["withdraw"]["fee"] > 0


# ---------------------------------------------------------------------- what it is refused
def _add_refusal(name: str, expected: type[Exception], act: Any) -> None:
    def refused(client: Any, cashier: Any, place: Place) -> None:
        with pytest.raises(expected):
            act(client)
        assert client.fetch_open_orders(BTC) == []

    refused.__name__ = f"it_is_told_of_{name}"
    step(refused)


# ccxt rounds prices and amounts by the filters before it sends them: what breaks one goes by its raw call.
RAW = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
_add_refusal("a_price_off_the_tick", ccxt.InvalidOrder,
             lambda c: c.private_post_order({**RAW, "price": "70000.001", "quantity": "1"}))  # fmt: skip
_add_refusal("an_amount_off_the_step", ccxt.InvalidOrder,
             lambda c: c.private_post_order({**RAW, "price": "70000", "quantity": "0.0000101"}))  # fmt: skip
_add_refusal("too_small_a_total", ccxt.BadRequest,
             lambda c: c.create_order(BTC, "limit", "buy", 0.0001, 70000))  # fmt: skip
_add_refusal("too_little_money", ccxt.InsufficientFunds,
             lambda c: c.create_order(BTC, "limit", "buy", 5, 70000))  # fmt: skip
_add_refusal("a_maker_that_would_take", ccxt.OrderImmediatelyFillable,
             lambda c: c.create_order(BTC, "limit", "buy", 0.01, 90000, {"postOnly": True}))  # fmt: skip
_add_refusal("a_stop_that_was_passed", ccxt.InvalidOrder,
             lambda c: c.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 120000}))  # fmt: skip
_add_refusal("nothing_to_cancel", ccxt.OrderNotFound, lambda c: c.cancel_order("1", BTC))
_add_refusal("nothing_to_find", ccxt.OrderNotFound, lambda c: c.fetch_order("1", BTC))
_add_refusal("a_market_that_is_none", ccxt.BadSymbol, lambda c: c.public_get_depth({"symbol": "NOSUCH"}))


@step
def it_is_told_that_its_clock_is_wrong(client: Any, cashier: Any, place: Place) -> None:
    late = client_of(place, place.key, place.secret)
    late.options["timeDifference"] = 60_000
    with pytest.raises(ccxt.InvalidNonce):
        late.fetch_balance()
    late.session.close()


@step
def it_sets_its_clock_by_the_venue_and_may_go_on(client: Any, cashier: Any, place: Place) -> None:
    slow = client_of(place, place.key, place.secret)
    place.door.door("fault", do="clock", ms=-30_000)
    try:
        with pytest.raises(ccxt.InvalidNonce):
            slow.fetch_balance()
        slow.load_time_difference()
        assert slow.fetch_balance()["USDT"]["free"] > 0
    finally:
        place.door.door("fault", do="clock", ms=0)
        slow.session.close()


@step
def it_is_told_that_its_secret_is_wrong(client: Any, cashier: Any, place: Place) -> None:
    wrong = client_of(place, place.key, "another")
    with pytest.raises(ccxt.AuthenticationError):
        wrong.fetch_balance()
    wrong.session.close()


@step
def it_is_told_that_its_key_may_not_withdraw(client: Any, cashier: Any, place: Place) -> None:
    # One that was let in before takes this refusal for a ban.
    fresh = client_of(place, place.key, place.secret)
    with pytest.raises(ccxt.AuthenticationError):
        fresh.sapi_post_capital_withdraw_apply({"coin": "USDT", "address": TRON, "amount": 100})
    fresh.session.close()
