"""Tickers of a rolling window and of the day of trade, by REST, over the WebSocket API and as a stream."""

import time
from decimal import Decimal

import pytest

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import Caller, small, wait_for
from tests.exchange.paper.test_socketapi import ask

PAIR = {"symbol": "BTCUSDT"}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@pytest.fixture
def venue() -> Venue:
    return small()


@pytest.mark.parametrize(
    ("size", "length"), [("1m", 60_000), ("59m", 59 * 60_000), ("4h", 4 * HOUR_MS), ("7d", 7 * DAY_MS)]
)
def test_a_window_begins_on_a_minute_and_agrees_with_the_candles_in_it(
    trader: Caller, size: str, length: int
) -> None:
    row = trader.get("/api/v3/ticker", **PAIR, windowSize=size)
    start = row["openTime"]
    minutes = trader.get("/api/v3/klines", **PAIR, interval="1m", startTime=start, limit=1)
    assert (start % 60_000, length <= row["closeTime"] - start < length + 60_000) == (0, True)
    assert (minutes[0][0], minutes[0][1]) == (start, row["openPrice"])
    assert Decimal(row["lowPrice"]) <= Decimal(row["lastPrice"]) <= Decimal(row["highPrice"])
    assert row["lastId"] - row["firstId"] + 1 == row["count"] or row["firstId"] == 0


def test_a_longer_window_holds_what_a_shorter_one_does(trader: Caller) -> None:
    sizes = ["5m", "1h", "23h", "1d", "7d"]
    volumes = [Decimal(trader.get("/api/v3/ticker", **PAIR, windowSize=size)["volume"]) for size in sizes]
    assert volumes == sorted(volumes)
    assert volumes[0] < volumes[-1]


def test_the_day_of_trade_begins_at_midnight_of_the_zone(trader: Caller) -> None:
    there = trader.get("/api/v3/ticker/tradingDay", **PAIR, timeZone="5:45")
    here = trader.get("/api/v3/ticker/tradingDay", **PAIR)
    assert here["openTime"] % DAY_MS == 0
    assert (there["openTime"] + 20_700_000) % DAY_MS == 0
    assert {row["closeTime"] - row["openTime"] for row in (here, there)} == {DAY_MS - 1}
    assert here["openTime"] <= time.time() * 1000 <= here["closeTime"]


def test_a_short_form_and_several_markets_may_be_asked_for(trader: Caller) -> None:
    rows = trader.get("/api/v3/ticker", symbols='["BTCUSDT"]', type="MINI")
    assert [row["symbol"] for row in rows] == ["BTCUSDT"]
    assert "priceChange" not in rows[0]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/api/v3/ticker", {}, -1102),
        ("/api/v3/ticker/tradingDay", {}, -1102),
        ("/api/v3/ticker", {**PAIR, "windowSize": "60m"}, -1100),
        ("/api/v3/ticker", {**PAIR, "windowSize": "8d"}, -1100),
        ("/api/v3/ticker", {**PAIR, "windowSize": "0h"}, -1100),
        ("/api/v3/ticker", {**PAIR, "type": "LONG"}, -1139),
        ("/api/v3/ticker/tradingDay", {**PAIR, "timeZone": "15"}, -1100),
    ],
)
def test_what_is_no_window_is_refused(trader: Caller, path: str, params: dict[str, str], code: int) -> None:
    assert trader.get(path, **params)["code"] == code


def test_it_costs_by_the_market(trader: Caller) -> None:
    before = trader.raw("GET", "/api/v3/ping").headers["x-mbx-used-weight-1m"]
    after = trader.raw("GET", "/api/v3/ticker", query="symbol=BTCUSDT").headers["x-mbx-used-weight-1m"]
    assert int(after) - int(before) == 4


def test_the_socket_answers_the_same_questions_and_for_past_trades(trader: Caller) -> None:
    trader.deposit("USDT", "500")
    trader.signed("POST", "/api/v3/order", **PAIR, side="BUY", type="MARKET", quoteOrderQty="400")
    channel = Socket(trader.url, "/ws-api/v3")
    window = ask(channel, "ticker", **PAIR, windowSize="1h")["result"]
    day = ask(channel, "ticker.tradingDay", **PAIR)["result"]
    single, together = (
        ask(channel, f"trades.{kind}", **PAIR, limit=5)["result"] for kind in ("historical", "aggregate")
    )
    channel.close()
    assert set(window) == set(day)
    assert together[-1]["l"] >= single[-1]["id"] > 0


def test_streams_tell_the_windows_of_an_hour_four_and_a_day(trader: Caller) -> None:
    names = ("1h", "4h", "1d")
    path = "/".join(f"btcusdt@ticker_{name}" for name in names)
    listening = Socket(trader.url, f"/stream?streams={path}/!ticker_1h@arr")
    wait_for(lambda: all(listening.of(f"{name}Ticker") for name in names))
    wait_for(lambda: any(isinstance(frame["data"], list) for frame in listening.frames))
    everything = next(frame["data"] for frame in listening.frames if isinstance(frame["data"], list))
    listening.close()
    hour, day = listening.of("1hTicker")[0], listening.of("1dTicker")[0]
    assert HOUR_MS <= hour["C"] - hour["O"] < HOUR_MS + 60_000
    assert Decimal(hour["v"]) < Decimal(day["v"])
    assert (everything[0]["e"], everything[0]["s"]) == ("1hTicker", "BTCUSDT")
