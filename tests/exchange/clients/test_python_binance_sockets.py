"""python-binance, the client that waits for sockets: its managers of streams, of books and of the account's events."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from binance import AsyncClient, BinanceAPIException, BinanceSocketManager
from binance.ws.depthcache import DepthCacheManager

from tests.exchange.clients.conftest import TRON, Place
from tests.exchange.clients.scenario import Say, Scenario
from tests.exchange.clients.test_python_binance import OCO, OTO, OTOCO, PAIR, RESTING, pointed

scenario = Scenario("python-binance", "python-binance's AsyncClient and sockets")
step = scenario.step


def sockets_of(client: Any, place: Place) -> Any:
    kind = type("BinanceSocketManager", (BinanceSocketManager,), {"STREAM_URL": f"{place.stream_url}/"})
    return kind(client)


def test_python_binance_walks_its_scenario_of_sockets(place: Place, figure: Say) -> None:
    async def live() -> None:
        client = await pointed(place, AsyncClient).create(place.key, place.secret)
        try:
            await scenario.walk_asynchronously(figure, client, sockets_of(client, place), place)
        finally:
            await client.ws_api.close()
            await client.close_connection()

    asyncio.run(live())


async def heard(socket: Any, is_wanted: Any = bool) -> Any:
    """The first message of this socket that is wanted."""
    async with socket as stream:
        while not is_wanted(message := await stream.recv()):
            pass
    return message


# ---------------------------------------------------------------------- market streams
@step
async def it_hears_changes_of_a_book(client: Any, sockets: Any, place: Place) -> None:
    async with sockets.depth_socket(PAIR, interval=100) as stream:
        first, second = await stream.recv(), await stream.recv()
    assert (first["e"], second["U"]) == ("depthUpdate", first["u"] + 1)


@step
async def it_hears_the_best_of_a_book(client: Any, sockets: Any, place: Place) -> None:
    book = await heard(sockets.depth_socket(PAIR, depth="5", interval=100))
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)


@step
async def it_keeps_a_book(client: Any, sockets: Any, place: Place) -> None:
    manager = DepthCacheManager(client, PAIR, bm=sockets, ws_interval=100, conv_type=Decimal)
    async with manager as kept:
        book = await kept.recv()
    assert book.get_bids()[0][0] < book.get_asks()[0][0]


def _add_stream(name: str, event: str, *arguments: str) -> None:
    """One step for each stream of a market that has a method of its own."""

    async def act(client: Any, sockets: Any, place: Place) -> None:
        message = await heard(getattr(sockets, name)(*arguments))
        assert (message["e"], message["s"]) == (event, PAIR)

    act.__name__ = f"it_hears_the_{name}"
    step(act)


_add_stream("kline_socket", "kline", PAIR, "1m")
_add_stream("trade_socket", "trade", PAIR)
_add_stream("aggtrade_socket", "aggTrade", PAIR)
_add_stream("symbol_ticker_socket", "24hrTicker", PAIR)
_add_stream("symbol_miniticker_socket", "24hrMiniTicker", PAIR)


@step
async def it_hears_best_prices(client: Any, sockets: Any, place: Place) -> None:
    message = await heard(sockets.symbol_book_ticker_socket(PAIR))
    assert Decimal(message["b"]) < Decimal(message["a"])


@step
async def it_hears_several_streams_on_one_line(client: Any, sockets: Any, place: Place) -> None:
    names = ["btcusdt@depth@100ms", "ethusdt@kline_1h", "!miniTicker@arr"]
    seen: set[str] = set()
    async with sockets.multiplex_socket(names) as stream:
        while seen != set(names):
            seen.add((await stream.recv())["stream"])


# ---------------------------------------------------------------------- the account's own events
@step
async def it_hears_of_its_order_from_beginning_to_end(client: Any, sockets: Any, place: Place) -> None:
    async with sockets.user_socket() as stream:
        placed = await client.order_limit_buy(symbol=PAIR, quantity="0.01", price="70000")
        await client.cancel_order(symbol=PAIR, orderId=placed["orderId"])
        reports = await reported(stream, placed["orderId"], "CANCELED")
    assert [report["X"] for report in reports] == ["NEW", "CANCELED"]
    assert reports[1]["C"] == placed["clientOrderId"]


async def reported(stream: Any, order_id: int, last: str) -> list[dict[str, Any]]:
    """What was reported of the order, until it came to that state."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["X"] != last:
        event = await stream.recv()
        found += [event] if event["e"] == "executionReport" and event["i"] == order_id else []
    return found


@step
async def it_hears_of_its_trades_and_what_they_cost(client: Any, sockets: Any, place: Place) -> None:
    async with sockets.user_socket() as stream:
        order = await client.order_market_buy(symbol=PAIR, quantity="0.01")
        reports = await reported(stream, order["orderId"], "FILLED")
    trades = [report for report in reports if report["x"] == "TRADE"]
    assert [trade["t"] for trade in trades] == [fill["tradeId"] for fill in order["fills"]]
    assert {trade["N"] for trade in trades} == {"BTC"}


@step
async def it_hears_how_its_balance_moves(client: Any, sockets: Any, place: Place) -> None:
    async with sockets.user_socket() as stream:
        await asyncio.to_thread(place.door.deposit, "USDT", "123")
        while (event := await stream.recv())["e"] != "balanceUpdate":
            pass
        position = await stream.recv()
    assert (event["a"], event["d"]) == ("USDT", "123.00000000")
    assert (position["e"], position["B"][0]["a"]) == ("outboundAccountPosition", "USDT")


@step
async def it_hears_how_a_list_goes(client: Any, sockets: Any, place: Place) -> None:
    async with sockets.user_socket() as stream:
        placed = await client.create_oco_order(**OCO)
        await client.v3_delete_order_list(symbol=PAIR, orderListId=placed["orderListId"])
        states: list[str] = []
        while states[-1:] != ["ALL_DONE"]:
            event = await stream.recv()
            states += [event["l"]] if event["e"] == "listStatus" else []
    assert states == ["EXEC_STARTED", "ALL_DONE"]


# ---------------------------------------------------------------------- questions and orders
@step
async def it_reads_markets_prices_and_candles(client: Any, sockets: Any, place: Place) -> None:
    assert (await client.get_symbol_info(PAIR))["symbol"] == PAIR
    assert len((await client.get_order_book(symbol=PAIR, limit=10))["bids"]) == 10
    assert len(await client.get_klines(symbol=PAIR, interval="1h", limit=10)) == 10
    assert len(await client.get_all_tickers()) == 5


@step
async def it_places_finds_and_cancels(client: Any, sockets: Any, place: Place) -> None:
    placed = await client.order_limit_sell(symbol=PAIR, quantity="0.01", price="130000")
    one = {"symbol": PAIR, "orderId": placed["orderId"]}
    found, still_open = await client.get_order(**one), await client.get_open_orders(symbol=PAIR)
    canceled = await client.cancel_order(**one)
    assert (found["status"], canceled["status"]) == ("NEW", "CANCELED")
    assert [order["orderId"] for order in still_open] == [placed["orderId"]]


def _add_resting(params: dict[str, str]) -> None:
    """One step for each type of order that waits, placed over the WebSocket API."""

    async def act(client: Any, sockets: Any, place: Place) -> None:
        placed = await client.ws_create_order(symbol=PAIR, side="SELL", quantity="0.02", **params)
        one = {"symbol": PAIR, "orderId": placed["orderId"]}
        found = await client.ws_get_order(**one)
        assert (found["type"], found["status"]) == (params["type"], "NEW")
        assert (await client.ws_cancel_order(**one))["status"] == "CANCELED"

    act.__name__ = f"it_places_{'_'.join([params['type'].lower(), *list(params)[1:]])}_over_the_socket"
    step(act)


for _params in RESTING:
    _add_resting(_params)


@step
async def it_places_lists_and_cancels_all(client: Any, sockets: Any, place: Place) -> None:
    await client.create_oco_order(**OCO)
    await client.v3_post_order_list_oto(**OTO)
    await client.v3_post_order_list_otoco(**OTOCO)
    assert len(await client.get_open_oco_orders()) == 3
    await client.cancel_all_open_orders(symbol=PAIR)
    assert await client.get_open_orders() == []


@step
async def it_reads_its_balance_orders_and_trades(client: Any, sockets: Any, place: Place) -> None:
    assert Decimal((await client.get_asset_balance(asset="USDT"))["free"]) > 40_000
    orders = await client.get_all_orders(symbol=PAIR)
    trades = await client.get_my_trades(symbol=PAIR)
    assert {row["orderId"] for row in trades} == {
        order["orderId"] for order in orders if order["status"] == "FILLED"
    }


# ---------------------------------------------------------------------- what it is refused
def _add_refusal(name: str, code: int, **params: str) -> None:
    async def act(client: Any, sockets: Any, place: Place) -> None:
        asked = {"symbol": PAIR, "quantity": "0.01", "price": "70000", **params}
        for place_order in (client.order_limit_buy, client.ws_order_limit_buy):
            with pytest.raises(BinanceAPIException) as refusal:
                await place_order(**asked)
            assert refusal.value.code == code

    act.__name__ = f"it_is_told_of_{name}_by_both_ways"
    step(act)


_add_refusal("a_wrong_filter", -1013, price="70000.001")
_add_refusal("too_little_money", -2010, quantity="5")
_add_refusal("a_market_that_is_none", -1121, symbol="NOSUCH")


@step
async def it_is_told_that_its_secret_or_its_clock_is_wrong(client: Any, sockets: Any, place: Place) -> None:
    for secret, offset, code in (("another", 0, -1022), (place.secret, -60_000, -1021)):
        wrong = await pointed(place, AsyncClient).create(place.key, secret)
        wrong.timestamp_offset = offset
        with pytest.raises(BinanceAPIException) as refusal:
            await wrong.get_account()
        await wrong.close_connection()
        assert refusal.value.code == code


@step
async def it_is_told_that_its_key_may_not_withdraw(client: Any, sockets: Any, place: Place) -> None:
    with pytest.raises(BinanceAPIException) as refusal:
        await client.withdraw(coin="USDT", network="TRX", address=TRON, amount="100")
    assert refusal.value.code == -2015
