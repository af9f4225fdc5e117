"""Market feeds to open pages: one reader a web process, each frame encoded once and sent directly to every socket.

A socket acknowledges what it has seen. While too much is unacknowledged it is skipped, and gets a fresh snapshot once
its window opens again: a slow page is late, never wrong, and never slows the others.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as redis
import structlog
from django.conf import settings

log = structlog.get_logger()

CHANNEL = f"{settings.REDIS_PREFIX}:feed"
WINDOW = 40
TAPE = 50
FULL_SECONDS = 20.0
LAG_SECONDS = 0.5
STATUS_SECONDS = 1.0
AWAY_SECONDS = 5.0
Send = Callable[[str], Awaitable[None]]
Levels = list[list[str]]


def book_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:book:{symbol}"


def trades_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:trades:{symbol}"


def encode(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


@dataclass(eq=False)
class Socket:
    """One open page: what it follows, how far it has acknowledged."""

    send: Send
    close: Callable[[int], Awaitable[None]]
    symbol: str = ""
    interval: str = "1m"
    unread: deque[int] = field(default_factory=deque)
    needs_snapshot: bool = True
    full_since: float | None = None

    @property
    def is_open(self) -> bool:
        return len(self.unread) < WINDOW


@dataclass
class Top:
    """A market's published top levels, and the number of the frame that told them."""

    seq: int
    body: dict[str, Any]
    sides: dict[str, dict[str, str]] = field(default_factory=dict)


def difference(before: dict[str, str], after: dict[str, str]) -> Levels:
    """The levels that changed, with quantity "0" for those that are gone."""
    changed = [[price, quantity] for price, quantity in after.items() if before.get(price) != quantity]
    return changed + [[price, "0"] for price in before if price not in after]


class Hub:
    """All market sockets of this process and the one task that feeds them."""

    def __init__(self) -> None:
        self.sockets: set[Socket] = set()
        self.ticker_sockets: set[Socket] = set()
        self.tops: dict[str, Top] = {}
        self.tickers: dict[str, Any] = {}
        self._reader: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._seq = 0
        self._heard_at = time.monotonic()
        self._lag = 0.0

    # ------------------------------------------------------------------ sockets come and go
    async def join(self, socket: Socket) -> None:
        """The socket gets a snapshot now and every change from here on."""
        self._start()
        if socket.symbol and socket.symbol not in self.tops:
            await self._load(socket.symbol)
        (self.sockets if socket.symbol else self.ticker_sockets).add(socket)
        if socket.symbol:
            await self._snapshot(socket)
            await self._tape(socket)
        elif self.tickers:
            await socket.send(encode({"type": "tickers", "tickers": self.tickers}))

    def leave(self, socket: Socket) -> None:
        self.sockets.discard(socket)
        self.ticker_sockets.discard(socket)

    async def acknowledge(self, socket: Socket, seq: int) -> None:
        """The page has handled everything up to book frame `seq`; one that was skipped meanwhile gets a snapshot."""
        while socket.unread and socket.unread[0] <= seq:
            socket.unread.popleft()
        if socket.is_open:
            socket.full_since = None
            if socket.needs_snapshot:
                await self._snapshot(socket)

    async def resync(self, socket: Socket) -> None:
        socket.needs_snapshot = True
        if socket.is_open:
            await self._snapshot(socket)

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._reader is None or self._reader.done() or self._reader.get_loop() is not loop:
            self._reader = loop.create_task(self._read_forever())
            self._beat = loop.create_task(self._beat_forever())

    # ------------------------------------------------------------------ the reader
    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read()
            except asyncio.CancelledError:
                raise
            except (
                Exception
            ) as error:  # the outermost loop: Redis may be away; pages see how old their book is
                log.warning("broadcast.reader_down", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _read(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL)
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL)
            while True:
                message = await channel.get_message(timeout=5)
                if message is None:
                    continue
                self._heard_at = time.monotonic()
                await self.handle(json.loads(message["data"]))

    async def handle(self, body: dict[str, Any]) -> None:
        """One message of the feed goes to everybody it concerns."""
        kind = body["type"]
        if kind == "book":
            await self._on_book(body)
        elif kind == "tickers":
            self.tickers.update(body["tickers"])
            await self._to_all(self.ticker_sockets, encode(body))
            for symbol, ticker in body["tickers"].items():
                await self._to_market(symbol, encode({"type": "ticker", **ticker}))
        elif kind == "trades":
            await self._to_market(body["symbol"], encode(body))
        elif kind == "candle":
            text = encode(body)
            wanted = [
                s for s in self.sockets if s.symbol == body["symbol"] and s.interval == body["interval"]
            ]
            await self._to_all(wanted, text)

    async def _on_book(self, body: dict[str, Any]) -> None:
        top = self._remember(body)
        before, after = top
        followers = [socket for socket in self.sockets if socket.symbol == body["symbol"]]
        if not followers:
            return
        diff = encode(
            {
                "type": "book",
                "kind": "diff",
                "prev": before.seq if before else 0,
                "seq": after.seq,
                **_head(body),
                **{
                    side: difference(before.sides[side] if before else {}, after.sides[side])
                    for side in _SIDES
                },
            }
        )
        for socket in followers:
            if before is None or socket.needs_snapshot:
                socket.needs_snapshot = True
                if socket.is_open:
                    await self._snapshot(socket)
            else:
                await self._push(socket, after.seq, diff)

    def _remember(self, body: dict[str, Any]) -> tuple[Top | None, Top]:
        before = self.tops.get(body["symbol"])
        self._seq += 1
        after = Top(self._seq, body, {side: dict(body[side]) for side in _SIDES})
        self.tops[body["symbol"]] = after
        return before, after

    async def _load(self, symbol: str) -> None:
        """The book as it was last published, before the feed brings the next one."""
        try:
            async with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
                raw = await client.get(book_key(symbol))
        except (OSError, redis.RedisError):
            return
        if raw is not None and symbol not in self.tops:
            body = json.loads(raw)
            self._remember({**body, "bids": body["bids"][:50], "asks": body["asks"][:50]})

    async def _tape(self, socket: Socket) -> None:
        """The newest trades, oldest first, before the first one that is new."""
        try:
            async with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
                rows: list[bytes] = await client.lrange(trades_key(socket.symbol), 0, TAPE - 1)  # type: ignore[misc]
        except (OSError, redis.RedisError):
            return
        trades = [json.loads(row) for row in reversed(rows)]
        await self._send(socket, encode({"type": "trades", "symbol": socket.symbol, "trades": trades}))

    # ------------------------------------------------------------------ sending
    async def _snapshot(self, socket: Socket) -> None:
        top = self.tops.get(socket.symbol)
        if top is None:
            return
        socket.needs_snapshot = False
        body = {"type": "book", "kind": "snapshot", "seq": top.seq, **_head(top.body)}
        await self._push(socket, top.seq, encode({**body, **{side: top.body[side] for side in _SIDES}}))

    async def _push(self, socket: Socket, seq: int, text: str) -> None:
        if not socket.is_open:
            socket.needs_snapshot = True
            socket.full_since = socket.full_since or time.monotonic()
            return
        socket.unread.append(seq)
        await self._send(socket, text)

    async def _to_market(self, symbol: str, text: str) -> None:
        await self._to_all([socket for socket in self.sockets if socket.symbol == symbol], text)

    async def _to_all(self, sockets: Any, text: str) -> None:
        for socket in list(sockets):
            if socket.is_open:
                await self._send(socket, text)

    async def _send(self, socket: Socket, text: str) -> None:
        try:
            await socket.send(text)
        except Exception:  # a socket that is just closing never stops the others
            self.leave(socket)

    # ------------------------------------------------------------------ each second
    async def _beat_forever(self) -> None:
        """Tells pages that the line lives, and closes those that have not read for long, if the fault is theirs."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(STATUS_SECONDS)
            self._lag = time.monotonic() - before - STATUS_SECONDS
            state = "LIVE" if time.monotonic() - self._heard_at < AWAY_SECONDS else "STALE"
            await self._to_all(self.sockets | self.ticker_sockets, encode({"type": "status", "feed": state}))
            await self._close_stuck()

    async def _close_stuck(self) -> None:
        now = time.monotonic()
        for socket in list(self.sockets):
            if self._lag > LAG_SECONDS:
                socket.full_since = now if socket.full_since else None
            elif socket.full_since is not None and now - socket.full_since > FULL_SECONDS:
                self.leave(socket)
                await socket.close(4008)


_SIDES = ("bids", "asks")


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {"u": body["u"], "epoch": body["epoch"], "state": body["state"], "at": body["published_ms"]}


hub = Hub()
