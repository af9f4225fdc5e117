"""A recording beside live markets: its frames byte by byte, its snapshots, and no trading on it."""

import asyncio
import gzip
import itertools
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.paper.replay import Replay
from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Rebuilt, Socket
from tests.exchange.paper.people import KEYS, Caller, serving, wait_for
from tests.markets.recording import OURS
from tests.markets.recording import SESSION as RECORDING


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    with gzip.open(RECORDING, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.fixture
def replayed(tmp_path: Path) -> Iterator[tuple[Caller, Replay]]:
    replay = Replay(RECORDING, speed=60)
    with serving(Venue(tmp_path, KEYS, replay=replay, levels=20, deepest=20)) as url:
        yield Caller(url), replay


def test_every_recorded_frame_is_sent_as_it_was(
    replayed: tuple[Caller, Replay], lines: list[dict[str, Any]]
) -> None:
    caller, _replay = replayed
    frames = [line["data"] for line in lines if line["t"] == "recv"]
    names = "/".join(sorted({json.loads(frame)["stream"] for frame in frames}))
    socket = Socket(caller.url, f"/stream?streams={names}")
    wait_for(lambda: len(socket.texts) >= len(frames), seconds=20)
    assert socket.texts == frames


def test_the_books_of_a_follower_end_as_the_recording_says(
    replayed: tuple[Caller, Replay], lines: list[dict[str, Any]]
) -> None:
    """The follower asks the venue; the other reckoning reads the file alone."""
    caller, replay = replayed
    depth = {s: f"{s.lower()}@depth@100ms" for s in replay.markets}
    socket = Socket(caller.url, "/stream?streams=" + "/".join(depth.values()))
    wait_for(lambda: socket.texts)
    snapshots = {s: caller.get("/api/v3/depth", symbol=s, limit=5000) for s in depth}
    wait_for(lambda: replay.is_over, seconds=20)
    wait_for(lambda: len(socket.texts) >= sum('"depthUpdate"' in line.get("data", "") for line in lines))
    for symbol in depth:
        heard = [event for event in socket.of("depthUpdate") if event["s"] == symbol]
        book, alone = Rebuilt(heard, snapshots[symbol]), from_file(lines, symbol)
        assert (book.sides, book.update_id, book.is_crossed) == (alone.sides, alone.update_id, False)


def from_file(lines: list[dict[str, Any]], symbol: str) -> Rebuilt:
    snapshot = next(json.loads(line["data"]) for line in lines if line.get("url", "").find(f"={symbol}&") > 0)
    events = [json.loads(line["data"])["data"] for line in lines if line["t"] == "recv"]
    return Rebuilt([e for e in events if e.get("e") == "depthUpdate" and e["s"] == symbol], snapshot)


def test_a_recorded_market_is_listed_with_its_filters_and_takes_no_order(
    replayed: tuple[Caller, Replay],
) -> None:
    caller, _replay = replayed
    info = caller.get("/api/v3/exchangeInfo", symbol="VETETH")["symbols"][0]
    order = {
        "symbol": "VETETH",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "1",
        "quantity": "1",
    }
    answer = caller.signed("POST", "/api/v3/order", **order)
    assert (info["baseAsset"], info["quoteAsset"], len(info["filters"])) == ("VET", "ETH", 8)
    assert answer.json() == {"code": -1013, "msg": "Market is closed."}


def test_live_markets_stand_beside_the_recorded_ones(replayed: tuple[Caller, Replay]) -> None:
    caller, replay = replayed
    symbols = {row["symbol"] for row in caller.get("/api/v3/ticker/price")}
    assert symbols > {"BTCUSDT", *replay.markets}


# ---------------------------------------------------------------------- recordings made for a test
def at(second: float, kind: str, data: Any, url: str = "") -> str:
    return json.dumps({"ts": 1_700_000_000 + second, "t": kind, "url": url, "data": json.dumps(data)}) + "\n"


def frame(second: float, stream: str, **event: Any) -> str:
    return at(second, "recv", {"stream": stream, "data": event})


def snapshot(second: float, last: int, *bids: str) -> str:
    body = {"lastUpdateId": last, "bids": [[bid, "1"] for bid in bids], "asks": [["200", "1"]]}
    return at(second, "http", body, "https://api.binance.com/api/v3/depth?symbol=TOYUSDT&limit=1000")


def diff(second: float, first: int, last: int, *bids: str) -> str:
    event = {"e": "depthUpdate", "E": 1_700_000_000_000, "s": "TOYUSDT", "U": first, "u": last}
    return frame(second, "toyusdt@depth@100ms", **event, b=[[bid, "2"] for bid in bids], a=[])


class Heard:
    """A feed that everybody listens to: what is sent, and when."""

    is_silent = is_behind = False

    def __init__(self, *streams: str) -> None:
        self.followed = dict.fromkeys(streams)
        self.sent: list[tuple[float, str, Any]] = []

    def send(self, stream: str, payload: str) -> None:
        self.sent.append((time.monotonic(), stream, json.loads(payload)))


def played(file: Path, *lines: str, **how: Any) -> tuple[Heard, Replay]:
    file.write_text("".join(lines))
    replay, heard = Replay(file, **how), Heard("toyusdt@depth@100ms")
    asyncio.run(replay.run(heard))
    return heard, replay


def test_a_snapshot_asked_for_later_is_the_book_as_played_so_far(tmp_path: Path) -> None:
    lines = snapshot(0, 10, "100", "99"), diff(1, 9, 11, "101"), diff(2, 12, 12, "98")
    _heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    whole = [["101", "2"], ["100", "1"], ["99", "1"], ["98", "2"]]
    market = replay.markets["TOYUSDT"]
    assert market.depth(4) == {"lastUpdateId": 12, "bids": whole, "asks": [["200", "1"]]}
    assert market.depth(2) == market.frozen()(2) == {**market.depth(4), "bids": whole[:2]}


def test_a_book_of_which_no_snapshot_was_recorded_begins_empty_before_its_first_event(tmp_path: Path) -> None:
    file = tmp_path / "toy.jsonl"
    file.write_text(diff(0, 9, 11, "100"))
    assert Replay(file).markets["TOYUSDT"].depth(5) == {"lastUpdateId": 8, "bids": [], "asks": []}
    _heard, replay = played(file, diff(0, 9, 11, "100"), diff(1, 12, 12, "101"), speed=0)
    body = replay.markets["TOYUSDT"].depth(5)
    assert (body["lastUpdateId"], body["bids"]) == (12, [["101", "2"], ["100", "2"]])


def test_markets_of_every_given_recording_are_listed() -> None:
    symbols = {"VETETH", "NKNUSDT", "MANAUSD", "TRXUSDT"}
    assert symbols <= Replay(OURS).markets.keys()


@pytest.mark.parametrize("is_escaped", [True, False])
def test_a_symbol_may_be_written_in_any_script(tmp_path: Path, is_escaped: bool) -> None:
    name = "这是测试币456"
    event = {"e": "depthUpdate", "E": 1, "s": name, "U": 1, "u": 3, "b": [["5", "1"]], "a": []}
    text = json.dumps({"stream": f"{name}@depth@100ms", "data": event}, ensure_ascii=is_escaped)
    file = tmp_path / "far.jsonl"
    file.write_text(json.dumps({"ts": 1.5, "t": "recv", "data": text}, ensure_ascii=is_escaped) + "\n")
    replay, heard = Replay(file, speed=0), Heard(f"{name}@depth@100ms")
    asyncio.run(replay.run(heard))
    assert [stream for _at, stream, _event in heard.sent] == [f"{name}@depth@100ms"]
    assert replay.markets[name].depth(5)["lastUpdateId"] == 3


def test_after_a_hole_in_the_recording_its_next_snapshot_counts(tmp_path: Path) -> None:
    lines = [snapshot(0, 10, "100"), diff(1, 20, 21, "101")]
    _heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    assert replay.markets["TOYUSDT"].depth(5)["lastUpdateId"] == 10
    _heard, replay = played(
        tmp_path / "toy.jsonl", *lines, snapshot(2, 21, "101"), diff(3, 22, 22, "102"), speed=0
    )
    body = replay.markets["TOYUSDT"].depth(5)
    assert (body["lastUpdateId"], [row[0] for row in body["bids"]]) == (22, ["102", "101"])


def test_a_shallow_snapshot_does_not_make_a_known_book_shallow(tmp_path: Path) -> None:
    lines = snapshot(0, 10, "100", "99", "98"), diff(1, 11, 11, "101"), snapshot(2, 12, "101")
    _heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    assert len(replay.markets["TOYUSDT"].depth(5)["bids"]) == 4


@pytest.mark.parametrize("row", [["a lot", "1"], ["99", "?"], ["NaN", "1"], ["-1", "1"], ["99"], "99", 5])
def test_an_event_with_half_a_level_changes_nothing_and_a_snapshot_with_one_is_none(
    tmp_path: Path, row: Any
) -> None:
    event = {"e": "depthUpdate", "s": "TOYUSDT", "U": 11, "u": 11, "b": [["101", "2"], row], "a": []}
    half = {"lastUpdateId": 50, "bids": [row], "asks": []}
    url = "https://api.binance.com/api/v3/depth?symbol=TOYUSDT&limit=1000"
    lines = snapshot(0, 10, "100"), frame(1, "toyusdt@depth@100ms", **event), at(2, "http", half, url)
    heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    assert len(heard.sent) == 1
    body = replay.markets["TOYUSDT"].depth(5)
    assert (body["lastUpdateId"], body["bids"]) == (10, [["100", "1"]])


@pytest.mark.parametrize(("speed", "seconds"), [(1, 0.6), (3, 0.2)])
def test_it_keeps_the_pace_it_is_told(tmp_path: Path, speed: float, seconds: float) -> None:
    lines = snapshot(0, 1, "100"), *(diff(0.1 * n, n + 1, n + 1, "101") for n in range(1, 8))
    heard, _replay = played(tmp_path / "toy.jsonl", *lines, speed=speed)
    assert seconds - 0.05 < heard.sent[-1][0] - heard.sent[0][0] < seconds + 0.3


def test_a_long_pause_is_cut_short(tmp_path: Path) -> None:
    lines = snapshot(0, 1, "100"), diff(1, 2, 2, "101"), diff(3600, 3, 3, "102")
    heard, _replay = played(tmp_path / "toy.jsonl", *lines, speed=50)
    assert 0.09 < heard.sent[1][0] - heard.sent[0][0] < 0.5


def test_times_are_moved_to_now_on_request_and_candles_by_whole_intervals(tmp_path: Path) -> None:
    minute, then = 1_699_999_980_000, 1_700_000_001_000
    candle = {"t": minute, "T": minute + 59_999, "s": "TOYUSDT", "i": "1m", "o": "1"}
    micro = {"e": "trade", "E": then * 1000, "s": "TOYUSDT", "t": 1_700_000_000_123, "p": "1", "q": "1"}
    lines = [
        snapshot(0, 1, "100"),
        diff(1, 2, 2, "101"),
        frame(1, "toyusdt@trade", **micro, T=then * 1000 - 500, m=True),
        frame(1, "toyusdt@kline_1m", e="kline", E=then, s="TOYUSDT", k=candle),
        frame(2, "toyusdt@kline_1m", e="kline", E=then + 60_000, k=candle | {"t": minute + 60_000}),
    ]
    now = time.time() * 1000
    heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0, is_now=True)
    depth, trade, first, second = (event for _at, _stream, event in heard.sent)
    assert all(abs(event["E"] - now) < 5000 for event in (depth, first, second))
    assert abs(trade["E"] / 1000 - now) < 5000
    assert (trade["t"], trade["E"] - trade["T"]) == (micro["t"], 500)
    assert first["k"]["t"] % 60_000 == 0
    assert abs(first["k"]["t"] - now) < 100_000
    assert second["k"]["t"] - first["k"]["t"] == 60_000
    assert replay.markets["TOYUSDT"].tape[0]["time"] == trade["T"]


def test_trades_candles_and_the_day_of_the_recording_are_shown(tmp_path: Path) -> None:
    k = {
        "i": "1m",
        "T": 119_999,
        "o": "1",
        "h": "4",
        "l": "1",
        "c": "3",
        "v": "5",
        "q": "9",
        "n": 2,
        "V": "1",
        "Q": "2",
    }
    lines = [
        snapshot(0, 1, "100"),
        diff(1, 2, 2, "101"),
        frame(1, "toyusdt@trade", e="trade", s="TOYUSDT", t=7, p="3", q="2", T=5, m=True),
        frame(1, "toyusdt@aggTrade", e="aggTrade", s="TOYUSDT", a=4, p="3", q="2", f=7, l=7, T=5, m=True),
        *(frame(1, "toyusdt@kline_1m", e="kline", s="TOYUSDT", k=k | {"t": t}) for t in (60_000, 120_000, 120_000)),
        at(2, "recv", {"stream": "!miniTicker@arr", "data": [
            {"e": "24hrMiniTicker", "s": "TOYUSDT", "o": "2", "h": "5", "l": "1", "c": "3", "v": "10", "q": "25"}]}),
    ]  # fmt: skip
    _heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    market = replay.markets["TOYUSDT"]
    assert [(row["id"], row["price"], row["quoteQty"]) for row in market.tape] == [(7, "3", "6.00000000")]
    assert [agg.row()["a"] for agg in market.aggregates] == [4]
    rows = market.klines("1m", None, None, 10)
    assert [row[0] for row in rows] == [60_000, 120_000]
    assert rows[0][1:] == ["1", "4", "1", "3", "5", 119_999, "9", 2, "1", "2", "0"]
    assert [row[0] for row in market.klines("1m", 60_001, None, 10)] == [120_000]
    ticker = market.ticker()
    assert (ticker["openPrice"], ticker["priceChangePercent"], ticker["volume"]) == ("2", "50.000", "10")


def test_files_are_played_in_their_order_and_a_cut_one_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = gzip.compress(
        "".join([snapshot(0, 1, "100"), *(diff(n, n + 1, n + 1, "101") for n in range(1, 500))]).encode()
    )
    (tmp_path / "1.jsonl.gz").write_bytes(whole[:-300])
    (tmp_path / "2.jsonl.gz").write_bytes(whole[:10] + b"\xff" * 50)
    (tmp_path / "3.jsonl.gz").write_bytes(gzip.compress(diff(600, 999, 999, "1").encode()))
    replay, heard = Replay(tmp_path, speed=0), Heard("toyusdt@depth@100ms")
    asyncio.run(replay.run(heard))
    ids = [event["u"] for _at, _stream, event in heard.sent]
    assert (ids[0], ids[-1], ids == sorted(ids)) == (2, 999, True)
    assert 100 < len(ids) < 500


def test_frames_of_a_recording_that_are_none_do_not_end_it(tmp_path: Path) -> None:
    lines = [
        snapshot(0, 1, "100"),
        "half a li\n",
        at(1, "recv", {"result": None, "id": 1}),
        frame(1, "toyusdt@depth@100ms", e="depthUpdate", s="TOYUSDT"),
        frame(1, "toyusdt@depth@100ms", e="depthUpdate", U=2, u=2, b=[["a lot", "1"]], a=[]),
        at(1, "http", {"code": -1003}, "/api/v3/depth?symbol=TOYUSDT"),
        at(1, "http", {"code": -1003}, "/api/v3/exchangeInfo"),
        '{"ts": 1700000001, "t": "recv"}\n{"ts": 1700000001, "t": "http", "url": "/api/v3/depth"}\n',
        at(1, "recv", {"stream": "!miniTicker@arr", "data": {"no": "list"}}),
        diff(2, 2, 3, "101"),
    ]
    heard, replay = played(tmp_path / "toy.jsonl", *lines, speed=0)
    assert (len(heard.sent), replay.skipped) == (4, 4)
    assert replay.markets["TOYUSDT"].depth(1)["lastUpdateId"] == 3


def odd(data: str, kind: str = "recv", url: str = "") -> str:
    return json.dumps({"ts": 1_700_000_001, "t": kind, "url": url, "data": data}) + "\n"


def kline(**k: Any) -> str:
    return frame(
        1, "toyusdt@kline_1m", e="kline", s="TOYUSDT", k=dict.fromkeys("tohlcvTqnVQ", 1) | {"i": "1m"} | k
    )


ODD_LINES = [
    '{"ts": 1.2.3, "t": "recv", "data": "{}"}\n',
    '{"ts": 1700000001, "data": "{}"}\n',
    '{"ts": NaN, "t": "recv", "data": "{}"}\n',
    '{"ts": Infinity, "t": "recv", "data": "{}"}\n',
    '{"ts": 1700000001, "t": "http", "url": null, "data": "{}"}\n',
    '{"ts": 1700000001, "t": "http", "url": 5, "data": "{}"}\n',
    '{"ts": 1700000001, "t": "http", "url": "http://[/api/v3/depth?symbol=TOYUSDT", "data": "{}"}\n',
    *("[]\n", "5\n", '"x"\n', "null\n", "\n", "[" * 100_000 + "\n"),
]
# Lines of a recording whose text says nothing, or something that cannot be.
ODD_TEXTS = [
    odd('{"stream":5,"data":{}}'),
    odd("[" * 100_000),
    odd('{"stream":"toyusdt@depth@100ms","data":5}'),
    odd('{"stream":"toyusdt@trade","data":' + "[" * 100_000 + "}"),
    odd('{"stream":"!miniTicker@arr","data":[1,{"s":"TOYUSDT","e":[]}]}'),
    odd('{"stream":"!miniTicker@arr","data":' + "[" * 100_000 + "}"),
    odd("[]", "http", "/api/v3/exchangeInfo"),
    odd("5", "http", "/api/v3/exchangeInfo"),
    odd('{"symbols":[{"symbol":"TOYUSDT"}]}', "http", "/api/v3/exchangeInfo"),
    odd('{"symbols":[5]}', "http", "/api/v3/exchangeInfo"),
    odd('{"lastUpdateId":1,"bids":{},"asks":{}}', "http", "/api/v3/depth?symbol=TOYUSDT"),
    odd('{"lastUpdateId":true,"bids":[],"asks":[]}', "http", "/api/v3/depth?symbol=TOYUSDT"),
    odd("[" * 100_000, "http", "/api/v3/depth?symbol=TOYUSDT"),
    kline(t="x"),
]


@pytest.mark.parametrize("where", [0, 2])
def test_odd_lines_are_counted_and_skipped(tmp_path: Path, where: int) -> None:
    lines = [snapshot(0, 1, "100"), diff(1, 2, 2, "101"), diff(2, 3, 3, "102")]
    lines[where:where] = [*ODD_LINES, *ODD_TEXTS]
    (tmp_path / "toy.jsonl").write_text("".join(lines))
    replay = Replay(tmp_path, speed=0)
    asyncio.run(replay.run(Counting("toyusdt@depth@100ms")))
    market = replay.markets["TOYUSDT"]
    assert (market.depth(1)["lastUpdateId"], market.klines("1m", None, None, 5)) == (3, [])
    assert replay.skipped >= len(ODD_LINES)
    assert market.ticker()["symbol"] == "TOYUSDT"


def test_a_long_recording_is_not_held_in_memory(tmp_path: Path) -> None:
    """A hundred megabytes of text are listed and played in far less."""
    event = diff(1, 2, 2, *(f"{n}.00000000" for n in range(400)))
    with gzip.open(tmp_path / "long.jsonl.gz", "wt", compresslevel=1) as file:
        file.write(snapshot(0, 1, "100"))
        file.writelines(itertools.repeat(event, 100_000_000 // len(event) // 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    replay, heard = Replay(tmp_path, speed=0), Counting("toyusdt@depth@100ms")
    asyncio.run(replay.run(heard))
    assert heard.count == 100_000_000 // len(event) // 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000


class Counting(Heard):
    count = 0

    def send(self, stream: str, payload: str) -> None:
        self.count += 1


def test_as_fast_as_can_be_sent_nobody_loses_a_frame(tmp_path: Path) -> None:
    count = 8_000
    lines = snapshot(0, 1, "100"), *(diff(n, n + 1, n + 1, "101") for n in range(1, count + 1))
    (tmp_path / "toy.jsonl").write_text("".join(lines))
    replay = Replay(tmp_path, speed=0)
    with serving(Venue(None, KEYS, replay=replay, levels=20, deepest=20)) as url:
        socket = Socket(url, "/ws/toyusdt@depth@100ms")
        wait_for(lambda: len(socket.texts) == count, seconds=20)
        assert socket.of("depthUpdate")[-1]["u"] == count + 1


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("")
    with pytest.raises(ValueError, match="no frames"):
        Replay(file)
