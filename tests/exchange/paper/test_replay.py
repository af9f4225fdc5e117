"""A recording beside live markets: its frames byte by byte, its snapshots, and no trading on it."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.paper.replay import Replay
from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Rebuilt, Socket
from tests.exchange.paper.people import KEYS, Caller, serving, wait_for

RECORDING = Path(__file__).parents[2] / "data" / "depth" / "binance-2021-04-17-10sym.jsonl.gz"


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
    snapshots = {s: caller.get("/api/v3/depth", symbol=s, limit=1000) for s in depth}
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


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("")
    with pytest.raises(ValueError, match="no frames"):
        Replay(file)
