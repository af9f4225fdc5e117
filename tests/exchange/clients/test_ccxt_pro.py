"""ccxt.pro by sockets: market streams, orders over the WebSocket API, and the account's own events."""

import asyncio
from typing import Any

import ccxt.pro
import pytest

from tests.exchange.clients.conftest import Place
from tests.exchange.clients.pointing import BTC, RESTING, addresses
from tests.exchange.clients.scenario import Say, Scenario

scenario = Scenario("ccxt", "ccxt.pro")
step = scenario.step


def client_of(place: Place, secret: str) -> Any:
    options = {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot", "newUpdates": True}
    found = ccxt.pro.binance({"apiKey": place.key, "secret": secret, "options": options})
    found.urls["api"].update(addresses(place))
    found.urls["api"]["ws"]["spot"] = f"{place.stream_url}/ws"
    found.urls["api"]["ws"]["ws-api"]["spot"] = f"{place.stream_url}/ws-api/v3"
    return found


def test_ccxt_pro_walks_its_scenario(place: Place, figure: Say) -> None:
    async def live() -> None:
        client = client_of(place, place.secret)
        try:
            await scenario.walk_asynchronously(figure, client, place)
        finally:
            await client.close()

    asyncio.run(live())


async def until(watch: Any, is_so: Any) -> Any:
    """What was watched when it came to be so."""
    while not is_so(found := await watch()):
        pass
    return found


# ---------------------------------------------------------------------- market streams
@step
async def it_loads_the_markets(client: Any, place: Place) -> None:
    assert BTC in await client.load_markets()


@step
async def it_follows_a_book_from_a_snapshot_and_changes(client: Any, place: Place) -> None:
    first = (await client.watch_order_book(BTC))["nonce"]
    book = await until(lambda: client.watch_order_book(BTC), lambda book: book["nonce"] > first)
    assert book["bids"][1][0] < book["bids"][0][0] < book["asks"][0][0] < book["asks"][1][0]


@step
async def it_hears_what_others_trade(client: Any, place: Place) -> None:
    trades = await until(lambda: client.watch_trades(BTC), len)
    assert (trades[-1]["symbol"], trades[-1]["amount"] > 0) == (BTC, True)


@step
async def it_hears_trades_of_several_markets_at_once(client: Any, place: Place) -> None:
    trades = await client.watch_trades_for_symbols([BTC, "ETH/USDT"])
    assert trades[-1]["symbol"] in (BTC, "ETH/USDT")


@step
async def it_hears_trades_in_the_aggregate(client: Any, place: Place) -> None:
    trades = await client.watch_trades("ETH/USDT", params={"name": "aggTrade"})
    assert trades[-1]["symbol"] == "ETH/USDT"


@step
async def it_follows_books_of_several_markets_at_once(client: Any, place: Place) -> None:
    seen: set[str] = set()
    names = ["ETH/USDT", "ETH/BTC"]
    while len(seen) < 2:
        book = await client.watch_order_book_for_symbols(names)
        assert book["bids"][0][0] < book["asks"][0][0]
        seen.add(book["symbol"])


@step
async def it_follows_candles(client: Any, place: Place) -> None:
    _at, opened, high, low, closed, _volume = (await client.watch_ohlcv(BTC, "1m"))[-1]
    assert low <= min(opened, closed) <= max(opened, closed) <= high


@step
async def it_follows_candles_of_several_markets_at_once(client: Any, place: Place) -> None:
    found = await client.watch_ohlcv_for_symbols([[BTC, "5m"], ["ETH/USDT", "1h"]])
    assert set(found) <= {BTC, "ETH/USDT"}


@step
async def it_follows_a_ticker(client: Any, place: Place) -> None:
    ticker = await client.watch_ticker(BTC)
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


@step
async def it_follows_the_ticker_of_a_window(client: Any, place: Place) -> None:
    ticker = await client.watch_ticker("ETH/USDT", {"name": "ticker_1h"})
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


@step
async def it_follows_the_tickers_of_all_markets(client: Any, place: Place) -> None:
    tickers = await client.watch_tickers()
    assert tickers[BTC]["last"] > 1000


@step
async def it_follows_best_prices(client: Any, place: Place) -> None:
    best = (await client.watch_bids_asks([BTC]))[BTC]
    assert best["bid"] < best["ask"]


@step
async def it_stops_following(client: Any, place: Place) -> None:
    await client.un_watch_trades(BTC)
    await client.un_watch_ticker(BTC)
    await client.un_watch_ohlcv(BTC, "1m")
    await client.un_watch_order_book(BTC)
    assert (await client.watch_order_book(BTC))["nonce"]


# ---------------------------------------------------------------------- questions over the WebSocket API
@step
async def it_asks_for_candles(client: Any, place: Place) -> None:
    assert len(await client.fetch_ohlcv_ws(BTC, "1h", limit=50)) == 50


@step
async def it_asks_for_trades_of_the_past(client: Any, place: Place) -> None:
    trades = await client.fetch_trades_ws(BTC, limit=5)
    assert len(trades) == 5
    assert trades[0]["timestamp"] <= trades[-1]["timestamp"]


@step
async def it_asks_for_its_balance(client: Any, place: Place) -> None:
    rows = (await client.fetch_balance_ws())["info"]["balances"]
    assert {"asset": "USDT", "free": "50000.00000000", "locked": "0.00000000"} in rows


# ---------------------------------------------------------------------- the account's own events, and orders
@step
async def it_hears_of_its_order_from_beginning_to_end(client: Any, place: Place) -> None:
    watching = asyncio.ensure_future(client.watch_orders(BTC))
    await subscribed(client)
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, 70000)
    states = [dict(order)["status"] for order in await watching]
    watching = asyncio.ensure_future(client.watch_orders(BTC))
    await client.cancel_order_ws(placed["id"], BTC)
    states += [dict(order)["status"] for order in await watching]
    assert states == ["open", "canceled"]


async def subscribed(client: Any) -> None:
    """Its subscription to the account's events stands."""
    await client.authenticate({"type": "spot"})


@step
async def it_hears_how_its_balance_moves(client: Any, place: Place) -> None:
    watching = asyncio.ensure_future(until(client.watch_balance, lambda b: b["USDT"]["free"] == 50_123))
    await asyncio.to_thread(place.door.deposit, "USDT", "123")
    await watching


@step
async def it_hears_of_its_trades_and_what_they_cost(client: Any, place: Place) -> None:
    watching = asyncio.ensure_future(client.watch_my_trades(BTC))
    order = await client.create_order_ws(BTC, "market", "buy", 0.01)
    trades = await watching
    assert order["status"] == "closed"
    assert {trade["order"] for trade in trades} == {order["id"]}
    assert trades[0]["fee"]["currency"] == "BTC"


@step
async def it_places_finds_and_cancels(client: Any, place: Place) -> None:
    placed = await client.create_order_ws(BTC, "limit", "sell", 0.01, 130000)
    found = await client.fetch_order_ws(placed["id"], BTC)
    still_open = [order["id"] for order in await client.fetch_open_orders_ws(BTC)]
    canceled = await client.cancel_order_ws(placed["id"], BTC)
    assert [placed["status"], found["status"], canceled["status"]] == ["open", "open", "canceled"]
    assert still_open == [placed["id"]]


@step
async def it_tries_an_order_without_placing_it(client: Any, place: Place) -> None:
    await client.create_order_ws(BTC, "limit", "buy", 0.01, 70000, {"test": True})
    assert await client.fetch_open_orders_ws(BTC) == []


@step
async def it_buys_at_once_or_not_at_all(client: Any, place: Place) -> None:
    killed = await client.create_order_ws(BTC, "limit", "buy", 0.01, 70000, {"timeInForce": "FOK"})
    taken = await client.create_order_ws(BTC, "limit", "buy", 0.01, 95000, {"timeInForce": "IOC"})
    assert (killed["status"], taken["status"]) == ("expired", "closed")


@step
async def it_buys_by_total(client: Any, place: Place) -> None:
    order = await client.create_order_ws(BTC, "market", "buy", 0.01, None, {"quoteOrderQty": 500})
    assert (order["status"], 498 < order["cost"] <= 500) == ("closed", True)


def _add_resting(kind: str, side: str, params: dict[str, Any], wanted: str) -> None:
    """One step for each type of order that waits."""

    async def act(client: Any, place: Place) -> None:
        price = {"sell": 130000, "buy": 65000}[side] if kind == "limit" else None
        placed = await client.create_order_ws(BTC, kind, side, 0.02, price, params)
        found = await client.fetch_order_ws(placed["id"], BTC)
        await client.cancel_order_ws(placed["id"], BTC)
        assert (found["info"]["type"], found["status"]) == (wanted, "open")

    act.__name__ = f"it_places_{wanted.lower()}_with_{'_'.join(params)}"
    step(act)


for _row in RESTING:
    _add_resting(*_row)


@step
async def it_replaces_an_order(client: Any, place: Place) -> None:
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.02, 60000)
    edited = await client.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.03, 61000)
    gone = (await client.fetch_order_ws(placed["id"], BTC))["status"]
    await client.cancel_order_ws(edited["id"], BTC)
    assert (edited["amount"], edited["price"], gone) == (0.03, 61000, "canceled")


@step
async def it_cancels_all_orders_of_a_market(client: Any, place: Place) -> None:
    for price in (60000, 61000):
        await client.create_order_ws(BTC, "limit", "buy", 0.01, price)
    canceled = await client.cancel_all_orders_ws(BTC)
    assert (len(canceled), await client.fetch_open_orders_ws(BTC)) == (2, [])


@step
async def it_reads_its_past_orders_and_trades(client: Any, place: Place) -> None:
    orders, closed = await client.fetch_orders_ws(BTC), await client.fetch_closed_orders_ws(BTC)
    trades = await client.fetch_my_trades_ws(BTC, limit=1000)
    assert {order["status"] for order in closed} == {"closed"}
    assert len(orders) > len(closed) > 0
    assert {trade["order"] for trade in trades} == {order["id"] for order in closed}


# ---------------------------------------------------------------------- what it is refused
@step
async def it_is_told_of_a_wrong_filter(client: Any, place: Place) -> None:
    with pytest.raises(ccxt.BadRequest, match="MIN_NOTIONAL"):
        await client.create_order_ws(BTC, "limit", "buy", 0.0001, 70000)


@step
async def it_is_told_of_too_little_money(client: Any, place: Place) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order_ws(BTC, "limit", "buy", 5, 70000)


@step
async def it_is_told_that_there_is_nothing_to_cancel(client: Any, place: Place) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order_ws("1", BTC)


@step
async def it_is_told_that_its_secret_is_wrong(client: Any, place: Place) -> None:
    wrong = client_of(place, "another")
    try:
        with pytest.raises(ccxt.AuthenticationError):
            await wrong.fetch_balance_ws()
    finally:
        await wrong.close()


@step
async def it_is_told_that_its_clock_is_wrong(client: Any, place: Place) -> None:
    late = client_of(place, place.secret)
    late.options["timeDifference"] = 60_000
    try:
        with pytest.raises(ccxt.InvalidNonce):
            await late.fetch_balance_ws()
    finally:
        await late.close()


@step
async def it_hears_the_account_again_after_its_line_broke(client: Any, place: Place) -> None:
    watching = asyncio.ensure_future(client.watch_balance())
    await asyncio.to_thread(place.door.door, "fault", do="disconnect")
    with pytest.raises(ccxt.NetworkError):
        await watching
    watching = asyncio.ensure_future(until(client.watch_balance, lambda b: b["USDT"]["used"] == 700))
    await subscribed(client)
    placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, 70000)
    await watching
    await client.cancel_order_ws(placed["id"], BTC)
