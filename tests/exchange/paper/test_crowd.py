"""The crowd: many cheap markets whose streams and snapshots meet, as the real venue's do."""

import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from exchange.paper.crowd import CrowdMarket
from exchange.paper.store import Store
from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Rebuilt, Socket, is_continuous
from tests.exchange.paper.people import KEYS, Caller, serving, wait_for

SYMBOLS = ("P001USDT", "P002USDT", "P003USDT")


@pytest.fixture
def crowded() -> Iterator[Caller]:
    with serving(Venue(None, KEYS, crowd=3, levels=20, deepest=20)) as url:
        yield Caller(url)


@pytest.mark.parametrize("limit", [5, 100, 5000])
def test_a_snapshot_of_any_depth_meets_the_stream(crowded: Caller, limit: int) -> None:
    socket = Socket(crowded.url, "/stream?streams=p001usdt@depth@100ms")
    wait_for(lambda: socket.of("depthUpdate"))
    early = crowded.get("/api/v3/depth", symbol="P001USDT", limit=limit)
    time.sleep(0.4)
    later = crowded.get("/api/v3/depth", symbol="P001USDT", limit=limit)
    wait_for(lambda: socket.of("depthUpdate")[-1]["u"] >= later["lastUpdateId"])
    events = [event for event in socket.of("depthUpdate") if event["u"] <= later["lastUpdateId"]]
    rebuilt = Rebuilt(events, early)
    assert is_continuous(events)
    assert (rebuilt.update_id, rebuilt.is_crossed) == (later["lastUpdateId"], False)
    if limit == 5000:
        assert rebuilt.sides == {side: dict(later[side]) for side in ("bids", "asks")}
    assert min(len(later[side]) for side in ("bids", "asks")) >= min(limit, 1000)


def test_each_market_sends_ten_diffs_a_second_at_both_speeds(crowded: Caller) -> None:
    names = [f"{symbol.lower()}@depth{speed}" for symbol in SYMBOLS for speed in ("@100ms", "")]
    socket = Socket(crowded.url, f"/stream?streams={'/'.join(names)}")
    wait_for(lambda: socket.frames)
    time.sleep(1.5)
    by_stream: dict[str, list[dict[str, int]]] = {}
    for frame in socket.frames:
        by_stream.setdefault(frame["stream"], []).append(frame["data"])
    assert all(is_continuous(events) for events in by_stream.values())
    assert all(12 <= len(by_stream[name]) <= 18 for name in names if name.endswith("ms")), by_stream.keys()
    assert all(1 <= len(by_stream[name]) <= 3 for name in names if not name.endswith("ms"))


def test_trades_tickers_and_candles_of_it_agree(crowded: Caller) -> None:
    kinds = ("trade", "aggTrade", "kline_1m", "miniTicker", "bookTicker")
    names = [f"{symbol.lower()}@{kind}" for symbol in SYMBOLS for kind in kinds]
    socket = Socket(crowded.url, f"/stream?streams={'/'.join([*names, '!miniTicker@arr'])}")
    wait_for(lambda: socket.of("trade") and socket.of("kline"))
    told = {(event["s"], event["t"]): event["p"] for event in socket.of("trade")}
    tapes = {symbol: crowded.get("/api/v3/trades", symbol=symbol) for symbol in SYMBOLS}
    tape = {(symbol, row["id"]): row["price"] for symbol, rows in tapes.items() for row in rows}
    assert told == {trade: tape[trade] for trade in told}
    lists = [frame["data"] for frame in socket.frames if frame.get("stream") == "!miniTicker@arr"]
    assert {row["s"] for rows in lists for row in rows} > {"BTCUSDT"}
    kline = socket.of("kline")[-1]["k"]
    row = crowded.get("/api/v3/klines", symbol=kline["s"], interval="1m", limit=2)[-1]
    assert (row[0], len(row)) == (kline["t"], 12)
    assert crowded.get("/api/v3/ticker/24hr", symbol=kline["s"])["count"] >= 1


def test_it_is_listed_and_takes_no_order(crowded: Caller) -> None:
    rows = {row["symbol"]: row for row in crowded.get("/api/v3/exchangeInfo")["symbols"]}
    ticks = {symbol: Decimal(rows[symbol]["filters"][0]["tickSize"]) for symbol in SYMBOLS}
    best = {symbol: crowded.get("/api/v3/ticker/bookTicker", symbol=symbol) for symbol in SYMBOLS}
    assert all(Decimal(best[symbol]["bidPrice"]) % ticks[symbol] == 0 for symbol in SYMBOLS)
    order = {"symbol": "P001USDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    answer = crowded.signed("POST", "/api/v3/order", **order)
    assert answer.json() == {"code": -1013, "msg": "Market is closed."}


@pytest.mark.parametrize("count", [-1, 1000])
def test_a_crowd_that_is_too_large_is_refused_in_a_sentence(count: int) -> None:
    with pytest.raises(CommandError, match="--crowd") as refused:
        call_command("paper", port=0, crowd=count)
    assert refused.value.returncode == 2


def test_a_day_of_it_stays_deep_and_never_crosses() -> None:
    """20,000 turns: its changes are the shares they are meant to be, near the best price as meant."""
    market, kinds, spreads = CrowdMarket(7, Store(None)), Counter[str](), []
    known = {True: set(market._bids.keys), False: set(market._asks.keys)}
    for _turn in range(20_000):
        changes, is_trade = market.act()
        for (is_bid, key), size in changes.items():
            kinds["removed" if not size else "changed" if key in known[is_bid] else "new"] += 1
            known[is_bid] = known[is_bid] - {key} if not size else known[is_bid] | {key}
        kinds["trades"] += is_trade
        spreads.append(-market._asks.keys[-1] - market._bids.keys[-1])
    levels = sum(kinds[kind] for kind in ("removed", "changed", "new"))
    assert 2.7 < levels / 20_000 < 3.3
    assert all(0.25 < kinds[kind] / levels < 0.45 for kind in ("removed", "changed", "new"))
    assert 800 < kinds["trades"] < 1200
    assert min(spreads) >= 1
    assert max(spreads) < 200
    assert min(len(market._bids.keys), len(market._asks.keys)) >= 1000
    assert (set(market._bids.keys), set(market._asks.keys)) == (known[True], known[False])
