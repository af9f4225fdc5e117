"""Markets that are recordings: frames of the real venue sent again byte by byte, at the pace they came in."""

import asyncio
import gzip
import json
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from exchange.paper.book import Side
from exchange.paper.catalogue import ABILITIES, recorded_symbols
from exchange.paper.filters import Filters
from exchange.paper.market import Aggregate, now_ms

LONGEST_PAUSE = 5.0
SETTLE_SECONDS = 0.3
QUOTES = ("BUSD", "USDT", "USDC", "TRY", "BTC", "ETH", "BNB", "RUB", "EUR", "USD")


class Sink(Protocol):
    """What takes frames: the feed."""

    def is_wanted(self, streams: set[str]) -> bool: ...

    def publish_frame(self, stream: str, frame: str) -> None: ...


class RecordedMarket:
    """A market of a recording: its book is what was recorded, and nobody can trade on it."""

    is_open = False

    def __init__(self, info: dict[str, Any], snapshots: list[str]) -> None:
        self.info = info
        self.symbol: str = info["symbol"]
        self.base: str = info["baseAsset"]
        self.quote: str = info["quoteAsset"]
        self.filters = Filters(info["filters"])
        self.tape: deque[dict[str, Any]] = deque()
        self.aggregates: deque[Aggregate] = deque()
        self._snapshots = deque(snapshots)

    def depth(self, limit: int) -> dict[str, Any]:
        """The recorded snapshots in their order; the last one stays. Their depth is what was recorded."""
        raw = self._snapshots.popleft() if len(self._snapshots) > 1 else self._snapshots[0]
        found: dict[str, Any] = json.loads(raw)
        return found

    def _best(self, side: Side) -> tuple[str, str]:
        rows = json.loads(self._snapshots[0])["bids" if side == "BUY" else "asks"]
        return (rows[0][0], rows[0][1]) if rows else ("0.00000000", "0.00000000")

    @property
    def last(self) -> Decimal:
        return Decimal(self._best("BUY")[0])

    def best(self) -> dict[str, str]:
        (bid, bid_quantity), (ask, ask_quantity) = self._best("BUY"), self._best("SELL")
        return {"bidPrice": bid, "bidQty": bid_quantity, "askPrice": ask, "askQty": ask_quantity}

    def average(self) -> Decimal:
        return self.last

    def klines(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]:
        return []

    def ticker(self) -> dict[str, Any]:
        """No trades are known but the recorded frames': prices of the snapshot, no volume."""
        price, nothing, at = f"{self.last:.8f}", "0.00000000", now_ms()
        prices = dict.fromkeys(("weightedAvgPrice", "prevClosePrice", "lastPrice"), price)
        return {
            "symbol": self.symbol, "priceChange": nothing, "priceChangePercent": "0.000", **prices, "lastQty": nothing,
            **self.best(), "openPrice": price, "highPrice": price, "lowPrice": price, "volume": nothing,
            "quoteVolume": nothing, "openTime": at - 86_400_000, "closeTime": at, "firstId": -1, "lastId": -1,
            "count": 0,
        }  # fmt: skip


class Replay:
    """A recorded session. It begins when somebody listens to one of its streams, so that nothing is missed."""

    def __init__(self, file: Path, speed: float = 1.0) -> None:
        self.speed = speed
        self._frames: list[tuple[float, str, str]] = []
        snapshots: dict[str, list[str]] = {}
        for line in _lines(file):
            symbol = _symbol(line)
            if line["t"] == "recv" and "stream" in (frame := json.loads(line["data"])):
                self._frames.append((line["ts"], frame["stream"], line["data"]))
            elif line["t"] == "http" and symbol:
                snapshots.setdefault(symbol, []).append(line["data"])
        if not self._frames or not snapshots:
            raise ValueError("it holds no frames of a combined stream, or no depth snapshots")
        self.markets = {symbol: RecordedMarket(_info(symbol), rows) for symbol, rows in snapshots.items()}
        self.is_over = False

    @property
    def streams(self) -> set[str]:
        return {stream for _at, stream, _frame in self._frames}

    async def run(self, sink: Sink) -> None:
        """At its own pace or faster; with speed 0 as fast as they can be sent."""
        while not sink.is_wanted(self.streams):
            await asyncio.sleep(0.02)
        await asyncio.sleep(
            SETTLE_SECONDS
        )  # a client that subscribes stream by stream gets to the end of its list
        before = self._frames[0][0]
        for at, stream, frame in self._frames:
            pause = min(max(0.0, at - before), LONGEST_PAUSE) / self.speed if self.speed else 0
            before = max(before, at)
            await asyncio.sleep(pause)
            sink.publish_frame(stream, frame)
        self.is_over = True


def _info(symbol: str) -> dict[str, Any]:
    """The symbol as exchangeInfo showed it; one that we have no record of has no filters."""
    known = recorded_symbols().get(symbol)
    if known:
        return known
    quote = next((name for name in QUOTES if symbol.endswith(name)), symbol[-3:])
    names = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix(quote),
        "quoteAsset": quote,
    }
    kinds = ("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision")
    more = ("baseCommissionPrecision", "quoteCommissionPrecision")
    return names | dict.fromkeys((*kinds, *more), 8) | {"filters": []} | ABILITIES


def _lines(file: Path) -> list[dict[str, Any]]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as source:
        return [json.loads(line) for line in source]


def _symbol(line: dict[str, Any]) -> str:
    parts = urlsplit(line.get("url", ""))
    return parse_qs(parts.query).get("symbol", [""])[0] if parts.path.endswith("/depth") else ""
