"""Market streams: depth that rebuilds the true book, control messages, raw and combined frames."""

import time
from contextlib import suppress
from decimal import Decimal

import pytest

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Rebuilt, Socket, is_continuous
from tests.exchange.paper.people import Caller, wait_for


@pytest.mark.parametrize("speed", ["@100ms", ""])
def test_the_depth_stream_rebuilds_the_true_book(venue: Venue, trader: Caller, speed: str) -> None:
    socket = Socket(trader.url, f"/stream?streams=btcusdt@depth{speed}")
    wait_for(lambda: socket.of("depthUpdate"))
    snapshot = trader.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
    trader.deposit("USDT", "50000")
    for _order in range(5):
        trader.signed("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.05")
    time.sleep(1.5)
    for market in venue.live.values():
        market.info["status"] = "HALT"  # the simulated world stands still, so that both can be compared
    true = trader.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
    wait_for(lambda: socket.of("depthUpdate")[-1]["u"] >= true["lastUpdateId"])
    events = socket.of("depthUpdate")
    rebuilt = Rebuilt(events, snapshot)
    known = {side: dict(true[side][:300]) for side in ("bids", "asks")}
    assert is_continuous(events)
    assert (rebuilt.update_id, rebuilt.is_crossed) == (true["lastUpdateId"], False)
    assert {side: {p: rebuilt.sides[side].get(p) for p in known[side]} for side in known} == known


def test_no_event_leaves_a_book_crossed_on_any_market(venue: Venue, trader: Caller) -> None:
    names = "/".join(f"{symbol.lower()}@depth@100ms" for symbol in venue.live)
    socket = Socket(trader.url, f"/stream?streams={names}")
    time.sleep(0.3)
    books = {
        symbol: Rebuilt([], trader.get("/api/v3/depth", symbol=symbol, limit=1000)) for symbol in venue.live
    }
    wait_for(lambda: len(socket.of("depthUpdate")) > 100)
    crossed = []
    for event in socket.of("depthUpdate"):
        books[event["s"]].apply(event)
        crossed.append(books[event["s"]].is_crossed)
    assert (any(crossed), len({event["s"] for event in socket.of("depthUpdate")})) == (False, 16)


def test_a_socket_subscribes_and_leaves_while_it_is_open(trader: Caller) -> None:
    socket = Socket(trader.url, "/ws")
    socket.send(method="SUBSCRIBE", params=["btcusdt@bookTicker", "!miniTicker@arr"], id="a-text")
    socket.send(method="LIST_SUBSCRIPTIONS", id=7)
    wait_for(lambda: len(socket.frames) > 4)
    socket.send(method="UNSUBSCRIBE", params=["btcusdt@bookTicker", "!miniTicker@arr"], id=None)
    wait_for(lambda: {"result": None, "id": None} in socket.frames)
    after = len(socket.frames)
    time.sleep(1.2)
    assert socket.frames[0] == {"result": None, "id": "a-text"}
    assert socket.frames[1] == {"result": ["!miniTicker@arr", "btcusdt@bookTicker"], "id": 7}
    assert len(socket.frames) == after


def test_a_raw_stream_gives_plain_events_and_a_combined_one_wraps_them(trader: Caller) -> None:
    raw, combined = (
        Socket(trader.url, "/ws/btcusdt@trade"),
        Socket(trader.url, "/stream?streams=btcusdt@trade"),
    )
    wait_for(lambda: raw.frames and combined.frames)
    assert (raw.frames[0]["e"], combined.frames[0]["stream"], combined.frames[0]["data"]["e"]) == (
        "trade",
        "btcusdt@trade",
        "trade",
    )


def test_more_than_five_messages_a_second_end_the_connection(trader: Caller) -> None:
    socket = Socket(trader.url, "/ws")
    with suppress(OSError):  # it may have ended before the last of them
        for number in range(8):
            socket.send(method="LIST_SUBSCRIPTIONS", id=number)
    socket._thread.join(5)
    assert not socket._thread.is_alive()


def test_a_message_that_is_no_request_is_told_so(trader: Caller) -> None:
    socket = Socket(trader.url, "/ws")
    socket.send(method="DANCE", id=1)
    wait_for(lambda: socket.frames)
    assert (socket.frames[0]["code"], socket.frames[0]["id"]) == (2, 1)


def test_a_trade_is_told_with_the_ids_the_tape_has(trader: Caller) -> None:
    socket = Socket(trader.url, "/stream?streams=ethusdt@trade/ethusdt@aggTrade")
    wait_for(lambda: len(socket.of("trade")) > 2 and socket.of("aggTrade"))
    told = {event["t"]: (event["p"], event["q"], event["m"]) for event in socket.of("trade")}
    tape = {
        row["id"]: (row["price"], row["qty"], row["isBuyerMaker"])
        for row in trader.get("/api/v3/trades", symbol="ETHUSDT", limit=1000)
    }
    assert told == {trade_id: tape[trade_id] for trade_id in told}


def test_one_takers_trades_at_one_price_are_one_aggregate(venue: Venue, trader: Caller) -> None:
    for market in venue.live.values():
        market.info["status"] = "HALT"
    market = venue.live["BTCUSDT"]
    taker = object()
    before = len(market.aggregates)
    for quantity in ("0.1", "0.2"):
        market.trade(Decimal("100"), Decimal(quantity), buyer_takes=True, taker=taker)
    market.trade(Decimal("101"), Decimal("0.3"), buyer_takes=True, taker=taker)
    rows = trader.get("/api/v3/aggTrades", symbol="BTCUSDT")[before:]
    assert [(row["q"], row["l"] - row["f"]) for row in rows] == [("0.30000000", 1), ("0.30000000", 0)]


def test_a_candle_that_closed_is_told_once_more(venue: Venue, trader: Caller) -> None:
    socket = Socket(trader.url, "/ws/btcusdt@kline_1s")
    wait_for(lambda: sum(event["k"]["x"] for event in socket.of("kline")) >= 2)
    closed = [event["k"]["t"] for event in socket.of("kline") if event["k"]["x"]]
    assert closed == sorted(set(closed))


def test_a_lost_event_shows_as_a_gap_and_silence_as_nothing(trader: Caller) -> None:
    socket = Socket(trader.url, "/ws/btcusdt@depth@100ms")
    wait_for(lambda: socket.frames)
    trader.door("fault", do="gap", symbol="BTCUSDT")
    wait_for(lambda: not is_continuous(socket.of("depthUpdate")))
    trader.door("fault", do="silence", ms=60_000)
    time.sleep(0.2)
    quiet = len(socket.frames)
    time.sleep(0.4)
    assert len(socket.frames) == quiet
    trader.door("fault", do="clear")
    wait_for(lambda: len(socket.frames) > quiet)


def test_a_shutdown_is_announced_on_every_socket(trader: Caller) -> None:
    market, private = Socket(trader.url, "/stream?streams=btcusdt@depth"), Socket(trader.url, "/ws-api/v3")
    time.sleep(0.2)
    trader.door("fault", do="shutdown")
    wait_for(lambda: market.of("serverShutdown") and private.of("serverShutdown"))
    assert [frame["stream"] for frame in market.frames if "serverShutdown" in str(frame)] == [
        "!serverShutdown"
    ]
