"""An unmodified client of other people, pointed at the venue by its own settings, finds all as at the exchange."""

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from tests.exchange.paper.people import TRADE, Caller


@pytest.fixture
def client(trader: Caller) -> Iterator[Any]:
    """ccxt as anybody would set it up for another address."""
    options = {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"}
    found = ccxt.binance({"apiKey": TRADE["key"], "secret": TRADE["secret"], "options": options})
    for name in found.urls["api"]:
        if name in ("public", "private", "v1"):
            found.urls["api"][name] = f"{trader.url}/api/v3"
        elif name.startswith("sapi"):
            version = name.removeprefix("sapi").lower() or "v1"
            found.urls["api"][name] = f"{trader.url}/sapi/{version}"
    yield found
    found.session.close()


@pytest.fixture
def funded(trader: Caller, client: Any) -> Any:
    trader.deposit("USDT", "5000")
    return client


def test_it_loads_every_market_with_its_precision_and_limits(client: Any) -> None:
    markets = client.load_markets()
    market = markets["BTC/USDT"]
    assert len(markets) >= 12
    assert (market["precision"]["price"], market["limits"]["cost"]["min"]) == (0.01, 10.0)


def test_it_asks_what_can_be_borrowed_and_learns_that_nothing_can(client: Any, trader: Caller) -> None:
    markets = client.load_markets()
    assert client.options["fetchMargins"] is True
    assert [name for name, market in markets.items() if market["margin"]] == []
    unsigned = client.fetch(f"{trader.url}/sapi/v1/margin/allPairs", headers={"X-MBX-APIKEY": TRADE["key"]})
    assert unsigned == []
    with pytest.raises(ccxt.AuthenticationError):
        client.fetch(f"{trader.url}/sapi/v1/margin/isolated/allPairs")


def test_it_loads_currencies_with_their_networks(client: Any) -> None:
    currencies = client.fetch_currencies()
    assert set(currencies["USDT"]["networks"]) == {"TRC20", "ERC20", "BEP20"}


def test_it_reads_a_book_tickers_trades_and_candles(client: Any) -> None:
    book = client.fetch_order_book("BTC/USDT", limit=20)
    ticker = client.fetch_ticker("ETH/BTC")
    trades = client.fetch_trades("BTC/USDT")
    candles = client.fetch_ohlcv("BTC/USDT", "1h", limit=100)
    assert (len(book["bids"]), len(book["asks"]), len(candles)) == (20, 20, 100)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert trades == [] or trades[-1]["symbol"] == "BTC/USDT"


def test_it_places_finds_and_cancels_an_order(funded: Any) -> None:
    placed = funded.create_order("BTC/USDT", "limit", "buy", 0.01, 70000)
    found = funded.fetch_order(placed["id"], "BTC/USDT")
    still_open = [order["id"] for order in funded.fetch_open_orders("BTC/USDT")]
    canceled = funded.cancel_order(placed["id"], "BTC/USDT")
    assert [placed["status"], found["status"], canceled["status"]] == ["open", "open", "canceled"]
    assert still_open == [placed["id"]]


def test_it_buys_by_market_and_reads_its_balances_and_trades(funded: Any) -> None:
    order = funded.create_order("BTC/USDT", "market", "buy", 0.01)
    balance = funded.fetch_balance()
    trades = funded.fetch_my_trades("BTC/USDT")
    assert (order["status"], order["filled"]) == ("closed", 0.01)
    assert balance["BTC"]["free"] == pytest.approx(0.00999)
    assert balance["USDT"]["free"] == pytest.approx(5000 - order["cost"])
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)


def test_it_buys_by_total(funded: Any) -> None:
    order = funded.create_market_buy_order_with_cost("BTC/USDT", 500)
    assert (order["status"], 498 < order["cost"] <= 500) == ("closed", True)


TYPES: list[tuple[str, str, dict[str, Any], str]] = [
    ("limit", "sell", {"postOnly": True}, "LIMIT_MAKER"),
    ("limit", "sell", {"timeInForce": "FOK"}, "LIMIT"),
    ("limit", "sell", {"icebergAmount": 0.01}, "LIMIT"),
    ("limit", "sell", {"stopLossPrice": 60000}, "STOP_LOSS_LIMIT"),
    ("limit", "buy", {"takeProfitPrice": 60000}, "TAKE_PROFIT_LIMIT"),
    ("market", "sell", {"stopLossPrice": 60000}, "STOP_LOSS"),
    ("market", "sell", {"takeProfitPrice": 120000}, "TAKE_PROFIT"),
    ("market", "sell", {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}, "STOP_LOSS"),
    ("limit", "buy", {"trailingPercent": 0.5, "stopLossOrTakeProfit": "takeProfit"}, "TAKE_PROFIT_LIMIT"),
]


def test_it_places_every_type_it_offers(funded: Any, trader: Caller) -> None:
    trader.deposit("BTC", "1")
    for kind, side, params, wanted in TYPES:
        price = {"sell": 130000, "buy": 65000}[side] if kind == "limit" else None
        placed = funded.create_order("BTC/USDT", kind, side, 0.02, price, params)
        found = funded.fetch_order(placed["id"], "BTC/USDT")
        state = "expired" if params.get("timeInForce") == "FOK" else "open"
        assert (found["info"]["type"], found["status"]) == (wanted, state)
        if state == "open":
            assert funded.cancel_order(placed["id"], "BTC/USDT")["status"] == "canceled"


def test_it_replaces_an_order_and_places_lists_by_the_names_of_their_paths(
    funded: Any, trader: Caller
) -> None:
    trader.deposit("BTC", "1")
    placed = funded.create_order("BTC/USDT", "limit", "buy", 0.02, 60000)
    edited = funded.edit_order(placed["id"], "BTC/USDT", "limit", "buy", 0.03, 61000)
    pair = {
        "AboveType": "LIMIT_MAKER",
        "AbovePrice": "120000",
        "BelowType": "STOP_LOSS",
        "BelowStopPrice": "60000",
    }
    alone = {name[0].lower() + name[1:]: value for name, value in pair.items()}
    working = {"symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingTimeInForce": "GTC",
               "workingPrice": "60000", "workingQuantity": "0.01"}  # fmt: skip
    pending = {"pendingSide": "SELL", **{f"pending{name}": value for name, value in pair.items()}}
    answers = [
        funded.private_post_orderlist_oco({"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", **alone}),
        funded.private_post_orderlist_otoco({**working, **pending, "pendingQuantity": "0.01"}),
        funded.private_post_orderlist_opo({**working, "pendingType": "MARKET", "pendingSide": "SELL"}),
    ]
    one = {"symbol": "BTCUSDT", "orderListId": answers[0]["orderListId"]}
    gone = funded.private_delete_orderlist(one)
    assert (edited["amount"], gone["listOrderStatus"]) == (0.03, "ALL_DONE")
    assert [len(answer["orders"]) for answer in answers] == [2, 3, 2]
    assert len(funded.fetch_open_orders("BTC/USDT")) == 6


def test_it_understands_the_words_of_every_refusal(funded: Any) -> None:
    refusals: list[tuple[type[Exception], Any]] = [
        (ccxt.InsufficientFunds, lambda: funded.create_order("BTC/USDT", "limit", "buy", 1, 70000)),
        (ccxt.OrderImmediatelyFillable,
         lambda: funded.create_order("BTC/USDT", "limit", "buy", 0.01, 90000, {"postOnly": True})),
        (ccxt.OrderNotFound, lambda: funded.cancel_order("1", "BTC/USDT")),
        (ccxt.OrderNotFound, lambda: funded.fetch_order("1", "BTC/USDT")),
        (ccxt.BadSymbol, lambda: funded.public_get_depth({"symbol": "NOSUCH"})),
        (ccxt.InvalidOrder, lambda: funded.private_post_order(
            {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "70000.001",
             "quantity": "1"})),
    ]  # fmt: skip
    for expected, act in refusals:
        with pytest.raises(expected):
            act()


def test_it_is_told_when_its_clock_or_its_secret_is_wrong(client: Any) -> None:
    client.nonce = lambda: 1_600_000_000_000
    with pytest.raises(ccxt.InvalidNonce):
        client.private_get_account()
    client.secret = "another"
    del client.nonce
    with pytest.raises(ccxt.AuthenticationError):
        client.private_get_account()


def test_it_reads_addresses_and_deposits(funded: Any) -> None:
    address = funded.fetch_deposit_address("USDT", {"network": "TRX"})
    deposits = funded.fetch_deposits("USDT")
    assert address["address"] == deposits[0]["address"]
    assert (deposits[0]["amount"], deposits[0]["status"]) == (5000.0, "ok")
