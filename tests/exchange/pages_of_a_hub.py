"""Open pages as the hub sees them, and what the feed says to them."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

from exchange.broadcast import Hub, Socket
from exchange.broadcast.frames import Frame

Found = TypeVar("Found")


class Page:
    """What a page does with the frames: keeps the book, notices a gap, acknowledges when told to."""

    def __init__(self, hub: Hub, symbol: str = "BTCUSDT") -> None:
        self.hub = hub
        self.heard: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.books: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
        self.seq: int | None = None
        self.number = self.bytes = 0
        self.state = ""
        self.gaps = 0
        self.socket = Socket(send=self.receive, close=self.close, symbol=symbol)

    async def receive(self, frame: Frame) -> None:
        message = json.loads(frame["text"])
        self.heard.append(message)
        self.bytes += len(frame["text"])
        self.number = max(self.number, message.get("seq", 0))
        if message["type"] == "book":
            self.apply(message)

    def apply(self, message: dict[str, Any]) -> None:
        if message["kind"] == "snapshot":
            self.books = {"bids": {}, "asks": {}}
        elif message["prev"] != self.seq:
            self.gaps += 1
            return
        for side in ("bids", "asks"):
            for price, quantity in message[side]:
                self.books[side][price] = quantity
                if quantity == "0":
                    del self.books[side][price]
        self.seq, self.state = message["seq"], message["state"]

    async def close(self, code: int) -> None:
        self.closed = code

    async def acknowledge(self) -> None:
        await self.hub.acknowledge(self.socket, self.number)

    def kinds(self) -> list[str]:
        return [message.get("kind", message["type"]) for message in self.heard]


def run(work: Awaitable[Found]) -> Found:
    async def within() -> Found:
        return await asyncio.wait_for(work, 30)

    return asyncio.run(within())


def book(u: int, bids: dict[str, str], asks: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    sides = {"bids": [list(row) for row in bids.items()], "asks": [list(row) for row in (asks or {}).items()]}
    head = {"symbol": "BTCUSDT", "epoch": 1, "u": u, "event_ms": 1, "published_ms": 1, "state": "LIVE"}
    return {"type": "book", **head, **sides, **more}


def trades(*ids: int) -> dict[str, Any]:
    rows = [{"id": n, "price": "1", "quantity": "1", "at": n, "maker_side": "BUY"} for n in ids]
    return {"type": "trades", "symbol": "BTCUSDT", "trades": rows}


def long_trades(*ids: int) -> dict[str, Any]:
    """As a busy market's: some hundred characters each."""
    first = trades(*ids)
    for trade in first["trades"]:
        trade |= {
            "id": 10**9 + trade["id"],
            "price": "60123.45000000",
            "quantity": "0.00123000",
            "at": 10**12,
        }
    return first


def alive(epoch: int, at: int = 0) -> dict[str, Any]:
    return {"type": "alive", "epoch": epoch, "at": at}


async def joined(hub: Hub, *, interval: str = "1m") -> Page:
    page = Page(hub)
    page.socket.interval = interval
    await hub.join(page.socket)
    return page


class Clock:
    """Stands still, and fails as many times as it is told to."""

    def __init__(self) -> None:
        self.now, self.breaks = 1000.0, 0

    def __call__(self) -> float:
        if self.breaks:
            self.breaks -= 1
            raise OSError
        return self.now


def candle(open_at: int, close: str, interval: str = "1m") -> dict[str, Any]:
    return {"type": "candle", "symbol": "BTCUSDT", "interval": interval, "open_at": open_at, "close": close}
