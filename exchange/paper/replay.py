"""A recorded hour of the real market, sent again frame by frame as it was received."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exchange.paper.errors import MARKET_CLOSED, ApiError, rejected
from exchange.paper.feed import Listener

TRADING_PATHS = ("/api/v3/order", "/api/v3/order/test")


class ReplayFeed:
    """Like the live feed to its listeners; frames are the recorded texts, byte for byte."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def publish(self, frame: str) -> None:
        stream = json.loads(frame)["stream"]
        raw = frame[frame.index('"data":') + len('"data":') : -1]
        for listener in self.listeners:
            if stream in listener.streams:
                listener.send(stream, raw) if not listener.wrapped else listener.queue.put_nowait(frame)


class Replay:
    """Frames wait until somebody listens; a snapshot is answered once the frames before it have been sent."""

    def __init__(self, file: Path, speed: float = 1.0) -> None:
        self.speed = speed
        self.feed = ReplayFeed()
        self.lines = _lines(file)
        self.symbols = sorted({_symbol(line) for line in self.lines if line["t"] == "http"} - {""})
        self.snapshots: dict[str, str] = {}
        self.is_over = False
        self._recorded = {
            _symbol(line): line["data"] for line in self.lines if line["t"] == "http" and _symbol(line)
        }

    async def run(self) -> None:
        """At its own pace (or faster), from the moment the first listener is there."""
        while not self.feed.listeners:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        before = None
        for line in self.lines:
            if before is not None and self.speed > 0:
                await asyncio.sleep(min(max(0.0, line["ts"] - before) / self.speed, 5))
            before = line["ts"]
            if line["t"] == "recv":
                self.feed.publish(line["data"])
            elif line["t"] == "http" and _symbol(line):
                self.snapshots[_symbol(line)] = line["data"]
        self.is_over = True

    def answer(self, path: str, params: dict[str, str]) -> Any:
        """The recording's own answer to a request; None: the live venue answers."""
        if path in TRADING_PATHS:
            raise rejected(MARKET_CLOSED)
        if path == "/api/v3/depth":
            raw = self.snapshots.get(params.get("symbol", ""))
            if raw is None:
                raise ApiError(-1000, "An unknown error occurred while processing the request.", 503)
            return json.loads(raw)
        if path == "/api/v3/exchangeInfo":
            return {
                "timezone": "UTC",
                "serverTime": 0,
                "rateLimits": [],
                "exchangeFilters": [],
                "symbols": self._info(),
            }
        return None

    def _info(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": symbol,
                "status": "BREAK",
                "baseAsset": symbol[: -_quote(symbol)],
                "quoteAsset": symbol[-_quote(symbol) :],
                "baseAssetPrecision": 8,
                "quotePrecision": 8,
                "quoteAssetPrecision": 8,
                "orderTypes": ["LIMIT"],
                "quoteOrderQtyMarketAllowed": False,
                "isSpotTradingAllowed": True,
                "filters": [],
                "permissions": [],
                "permissionSets": [["SPOT"]],
            }
            for symbol in self.symbols
        ]


def _quote(symbol: str) -> int:
    return next(
        (
            len(code)
            for code in ("BUSD", "USDT", "TRY", "BTC", "ETH", "BNB", "RUB", "USD")
            if symbol.endswith(code)
        ),
        3,
    )


def _lines(file: Path) -> list[dict[str, Any]]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as source:
        return [json.loads(line) for line in source]


def _symbol(line: dict[str, Any]) -> str:
    parts = urlsplit(line.get("url", ""))
    return parse_qs(parts.query).get("symbol", [""])[0] if parts.path.endswith("/depth") else ""
