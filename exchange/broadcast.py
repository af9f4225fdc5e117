"""Market feeds to open pages: one reader a web process, each frame encoded once and sent directly to every socket.

A socket acknowledges the book frames it has handled. While too many are unacknowledged it is skipped, and gets a
fresh snapshot once its window opens again: a slow page is late, never wrong, and never slows the others.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
import redis.asyncio as redis
import structlog
from django.conf import settings

log = structlog.get_logger()

CHANNEL = f"{settings.REDIS_PREFIX}:feed"
WINDOW = 40
TOP_LEVELS, TAPE, CANDLES = 50, 50, 2
STATUS_SECONDS = 1.0
# What nobody spoke of for so long is not live any more; the markets process speaks of every book each second.
AWAY_SECONDS = 5.0
# A socket is closed only after its window was full for long, and never when we were too busy to read its answers.
FULL_SECONDS, LAG_SECONDS = 20.0, 0.5
STUCK = 4008
YIELD_EVERY = 64
SIDES = ("bids", "asks")
Send = Callable[[str], Awaitable[None]]
Body = dict[str, Any]
_encoder = msgspec.json.Encoder()


def book_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:book:{symbol}"


def trades_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:trades:{symbol}"


def encode(body: Body) -> str:
    return _encoder.encode(body).decode()


@dataclass(eq=False)
class Socket:
    """One open page: what it follows, which book frame it has, how many it has not acknowledged."""

    send: Send
    close: Callable[[int], Awaitable[None]]
    symbol: str = ""
    interval: str = "1m"
    seq: int | None = None
    unread: deque[int] = field(default_factory=deque)
    full_since: float | None = None

    @property
    def is_open(self) -> bool:
        return len(self.unread) < WINDOW


@dataclass(frozen=True)
class Top:
    """A market's best levels as they were last told, and the number of the frame that told them."""

    seq: int
    body: Body
    heard_at: float

    @cached_property
    def sides(self) -> dict[str, dict[str, str]]:
        return {side: dict(self.body[side]) for side in SIDES}

    @cached_property
    def snapshot(self) -> str:
        levels = {side: self.body[side] for side in SIDES}
        return encode({"type": "book", "kind": "snapshot", "seq": self.seq, **self._head, **levels})

    def since(self, before: "Top") -> str:
        """What a page that has `before` needs to have this."""
        levels = {side: difference(before.sides[side], self.sides[side]) for side in SIDES}
        return encode(
            {"type": "book", "kind": "diff", "prev": before.seq, "seq": self.seq, **self._head, **levels}
        )

    @property
    def _head(self) -> Body:
        known = self.body
        return {
            "u": known["u"],
            "epoch": known["epoch"],
            "state": known["state"],
            "at": known["published_ms"],
        }


def difference(before: dict[str, str], after: dict[str, str]) -> list[list[str]]:
    """The levels that changed, with quantity "0" for those that are gone."""
    changed = [[price, quantity] for price, quantity in after.items() if before.get(price) != quantity]
    return changed + [[price, "0"] for price in before if price not in after]


class Hub:
    """All market sockets of this process and the one task that feeds them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.followers: defaultdict[str, set[Socket]] = defaultdict(set)
        self.ticker_sockets: set[Socket] = set()
        self.tops: dict[str, Top] = {}
        self.tapes: dict[str, deque[Body]] = {}
        self.candles: defaultdict[tuple[str, str], deque[Body]] = defaultdict(lambda: deque(maxlen=CANDLES))
        self.tickers: dict[str, Body] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._seq = time.time_ns() // 1_000_000
        self._heard_at = clock()

    # ------------------------------------------------------------------ sockets come and go
    async def join(self, socket: Socket) -> None:
        """The socket gets what is known now and every change from here on."""
        self._start()
        if not socket.symbol:
            self.ticker_sockets.add(socket)
            if self.tickers:
                await self._send(socket, encode({"type": "tickers", "tickers": self.tickers}))
            return
        if socket.symbol not in self.tapes:
            await self._load(socket.symbol)
        self.followers[socket.symbol].add(socket)
        await self._catch_up(socket)

    def leave(self, socket: Socket) -> None:
        self.ticker_sockets.discard(socket)
        self.followers[socket.symbol].discard(socket)
        if not self.followers[socket.symbol]:
            del self.followers[socket.symbol]

    async def acknowledge(self, socket: Socket, seq: int) -> None:
        """The page has handled everything up to book frame `seq`; one that was skipped meanwhile catches up."""
        was_skipped = socket.full_since is not None
        while socket.unread and socket.unread[0] <= seq:
            socket.unread.popleft()
        if socket.is_open:
            socket.full_since = None
            if was_skipped:
                await self._catch_up(socket)

    async def resync(self, socket: Socket) -> None:
        """The page has lost its thread and wants a snapshot."""
        socket.seq = None
        await self._book_to(socket, None)

    async def change_interval(self, socket: Socket, interval: str) -> None:
        """The page's chart shows other candles now."""
        socket.interval = interval
        await self._candles_to(socket)

    def _start(self) -> None:
        """The tasks begin with the first socket, and again should they ever have ended."""
        loop = asyncio.get_running_loop()
        if not self._tasks or any(task.done() or task.get_loop() is not loop for task in self._tasks):
            self._tasks = [loop.create_task(self._read_forever()), loop.create_task(self._beat_forever())]

    # ------------------------------------------------------------------ the reader
    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read()
            except Exception as error:  # the outermost loop: Redis may be away; pages are told so by the beat
                log.warning("broadcast.reader_down", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _read(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL)
            while True:
                message = await channel.get_message(timeout=5)
                if message is not None:
                    await self.handle(msgspec.json.decode(message["data"]))

    async def handle(self, body: Body) -> None:
        """One message of the feed goes to everybody it concerns."""
        self._heard_at = self._clock()
        match body["type"]:
            case "book":
                await self._on_book(body)
            case "tickers":
                await self._on_tickers(body)
            case "trades":
                await self._on_trades(body)
            case "candle":
                await self._on_candle(body)

    async def _on_book(self, body: Body) -> None:
        before = self.tops.get(body["symbol"])
        top = self._remember(body)
        followers = self._following(body["symbol"])
        diff = top.since(before) if before is not None and followers else None
        for number, socket in enumerate(followers):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            # While others were served this one may have caught up by itself.
            if socket.seq != top.seq:
                has_before = before is not None and socket.seq == before.seq
                await self._book_to(socket, diff if has_before else None)

    def _remember(self, body: Body) -> Top:
        self._seq += 1
        top = Top(self._seq, body, self._clock())
        self.tops[body["symbol"]] = top
        return top

    async def _on_tickers(self, body: Body) -> None:
        self.tickers.update(body["tickers"])
        await self._to_all(self.ticker_sockets, encode(body))
        for symbol, ticker in body["tickers"].items():
            if followers := self._following(symbol):
                await self._to_all(followers, encode({"type": "ticker", **ticker}))

    async def _on_trades(self, body: Body) -> None:
        tape = self.tapes.get(body["symbol"])
        if tape is not None:
            known = {trade["id"] for trade in tape}
            tape.extend(trade for trade in body["trades"] if trade["id"] not in known)
        await self._to_all(self._following(body["symbol"]), encode(body))

    async def _on_candle(self, body: Body) -> None:
        known = self.candles[body["symbol"], body["interval"]]
        if known and known[-1]["open_at"] == body["open_at"]:
            known.pop()
        known.append(body)
        wanted = [s for s in self._following(body["symbol"]) if s.interval == body["interval"]]
        await self._to_all(wanted, encode(body))

    async def _load(self, symbol: str) -> None:
        """What was published before this process listened."""
        try:
            async with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
                raw = await client.get(book_key(symbol))
                rows = await client.lrange(trades_key(symbol), 0, TAPE - 1)  # type: ignore[misc]
        except (OSError, redis.RedisError):
            return
        trades = [msgspec.json.decode(row) for row in reversed(rows)]
        self.tapes.setdefault(symbol, deque(trades, maxlen=TAPE))
        if raw is not None and symbol not in self.tops:
            body = msgspec.json.decode(raw)
            is_old = time.time_ns() // 1_000_000 - body["published_ms"] > AWAY_SECONDS * 1000
            levels = {side: body[side][:TOP_LEVELS] for side in SIDES}
            self._remember({**body, **levels, "state": "STALE" if is_old else body["state"]})

    # ------------------------------------------------------------------ sending
    def _following(self, symbol: str) -> list[Socket]:
        return list(self.followers.get(symbol, ()))

    async def _catch_up(self, socket: Socket) -> None:
        """All that a page shows, at once."""
        await self._book_to(socket, None)
        trades = list(self.tapes.get(socket.symbol, ()))
        await self._send(socket, encode({"type": "trades", "symbol": socket.symbol, "trades": trades}))
        if ticker := self.tickers.get(socket.symbol):
            await self._send(socket, encode({"type": "ticker", **ticker}))
        await self._candles_to(socket)

    async def _candles_to(self, socket: Socket) -> None:
        for candle in list(self.candles.get((socket.symbol, socket.interval), ())):
            await self._send(socket, encode(candle))

    async def _book_to(self, socket: Socket, diff: str | None) -> None:
        """The market's newest book: by a difference to what the socket has, or whole; nothing while it is full."""
        top = self.tops.get(socket.symbol)
        if top is None:
            return
        if self._is_full(socket):
            return
        socket.seq = top.seq
        socket.unread.append(top.seq)
        await self._send(socket, top.snapshot if diff is None else diff)

    async def _to_all(self, sockets: Iterable[Socket], text: str) -> None:
        for number, socket in enumerate(list(sockets)):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            if not self._is_full(socket):
                await self._send(socket, text)

    def _is_full(self, socket: Socket) -> bool:
        """A socket that is passed over now, and since when."""
        if socket.is_open:
            return False
        socket.full_since = socket.full_since or self._clock()
        return True

    async def _send(self, socket: Socket, text: str) -> None:
        try:
            await socket.send(text)
        except Exception:  # a socket that is just closing never stops the others
            self.leave(socket)

    # ------------------------------------------------------------------ each second
    async def _beat_forever(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(STATUS_SECONDS)
            await self.beat(lag=time.monotonic() - before - STATUS_SECONDS)

    async def beat(self, lag: float) -> None:
        """Tells pages whether the feed lives, calls old books stale, and closes who has not read for long."""
        now = self._clock()
        state = "LIVE" if now - self._heard_at < AWAY_SECONDS else "STALE"
        text = encode({"type": "status", "feed": state, "at": time.time_ns() // 1_000_000})
        everybody = [socket for sockets in self.followers.values() for socket in sockets]
        await self._to_all([*everybody, *self.ticker_sockets], text)
        for top in list(self.tops.values()):
            if top.body["state"] == "LIVE" and now - top.heard_at > AWAY_SECONDS:
                await self._on_book({**top.body, "state": "STALE"})
        await self._close_stuck(everybody, now, lag)

    async def _close_stuck(self, sockets: list[Socket], now: float, lag: float) -> None:
        for socket in sockets:
            if socket.full_since is None:
                continue
            if lag > LAG_SECONDS:
                socket.full_since = now
            elif now - socket.full_since > FULL_SECONDS:
                self.leave(socket)
                await socket.close(STUCK)


hub = Hub()
