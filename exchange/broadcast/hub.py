"""Market feeds to open pages: one reader a web process, each frame encoded once and sent directly to every socket.

The reader listens to the channels of what its sockets follow, and tells the markets process what that is. A socket
acknowledges the numbered frames it has handled. While too much is unacknowledged it is skipped, and gets a fresh
snapshot once its window opens again: a slow page is late, never wrong, and never slows the others. When this process
itself is late, it tells the newest book and not those in between.
"""

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress

import redis.asyncio as redis
import structlog
from django.conf import settings
from redis.asyncio.client import PubSub

from exchange.broadcast.frames import Body, Frame, Table, Top, encode
from exchange.broadcast.names import ALIVE, TICKERS, WATCHED, candle_channel, trades_key
from exchange.broadcast.reading import AWAY_SECONDS, TAPE, heard, is_news, said
from exchange.broadcast.sockets import Followers, Socket, book_channel

log = structlog.get_logger()

WATCH_SECONDS = 5.0
CANDLES = 2
STATUS_SECONDS = 1.0
# A socket is closed only after its window was full for long, and never when we were too busy to read its answers.
FULL_SECONDS, LAG_SECONDS = 20.0, 0.5
STUCK, BROKEN = 4008, 4011
YIELD_EVERY = 64
# The numbers of frames go up by so much at most.
MOST_STEP = 1000
# Longer than a thousand pages that come at once keep this process from anything else.
CONNECT_SECONDS = 10.0


def is_ending() -> bool:
    """True when this task was told to end: the client of Redis may swallow that while it connects or disconnects."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Hub:
    """All market sockets of this process and the one task that feeds them."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.followers = Followers()
        self.tops: dict[tuple[str, str], Top] = {}
        self.tapes: dict[str, deque[Body]] = {}
        self.candles: defaultdict[tuple[str, str], deque[Body]] = defaultdict(lambda: deque(maxlen=CANDLES))
        self.tickers = Table()
        self._tasks: list[asyncio.Task[None]] = []
        self._loading: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._seq = time.time_ns() // 1_000_000
        self._heard_at = clock()
        self._alive: Body = {}
        self._channel: PubSub | None = None
        self._tuned: set[str] = set()
        self._watched_at = clock() - WATCH_SECONDS

    # ------------------------------------------------------------------ sockets come and go
    async def join(self, socket: Socket) -> None:
        """The socket gets what is known now and every change from here on."""
        self._start()
        self.followers.add(socket)
        await self._tune()
        await self._look_up(socket)
        await self._catch_up(socket)

    def leave(self, socket: Socket) -> None:
        self.followers.remove(socket)

    async def acknowledge(self, socket: Socket, seq: int) -> None:
        """The page has handled everything up to frame `seq`; one that was skipped meanwhile catches up."""
        was_skipped = socket.full_since is not None
        socket.acknowledge(seq)
        if socket.is_open:
            socket.full_since = None
            if was_skipped:
                await self._catch_up(socket)

    async def resync(self, socket: Socket) -> None:
        """The page has lost its thread and wants a snapshot."""
        socket.seq = None
        await self._newest_to(socket)

    async def change_interval(self, socket: Socket, interval: str) -> None:
        """The page's chart shows other candles now."""
        self.followers.turn(socket, interval=interval, step=socket.step)
        await self._tune()
        await self._candles_to(socket)

    async def change_step(self, socket: Socket, step: str) -> None:
        """The page shows the book from farther away, or near again."""
        if socket.step != step:
            self.followers.turn(socket, interval=socket.interval, step=step)
            socket.seq = None
            await self._tune()
            await self._look_up(socket)
            await self._newest_to(socket)

    def _start(self) -> None:
        """The tasks begin with the first socket, and again should they ever have ended."""
        loop = asyncio.get_running_loop()
        if not self._tasks or any(task.done() or task.get_loop() is not loop for task in self._tasks):
            self._tasks = [loop.create_task(self._read_forever()), loop.create_task(self._beat_forever())]

    # ------------------------------------------------------------------ the reader
    async def _read_forever(self) -> None:
        while not is_ending():
            try:
                await self._read()
            except Exception as error:  # the outermost loop: Redis may be away; pages are told so by the beat
                log.warning("broadcast.reader_down", error=type(error).__name__)
                await asyncio.sleep(1)

    async def _read(self) -> None:
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=CONNECT_SECONDS)
        async with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            wanted = self.followers.channels
            await channel.subscribe(ALIVE, TICKERS, *wanted)
            self._channel, self._tuned = channel, wanted
            self._forget_but(wanted)
            try:
                await self._watch_now()
                await self._tune()
                await self._load_all()
                while not is_ending():
                    for body in await heard(channel):
                        await self.handle(body)
            finally:
                self._channel = None

    async def _tune(self) -> None:
        """Listens to what the sockets follow now, and says at once what is new of it."""
        wanted = self.followers.channels
        fresh, gone, channel = wanted - self._tuned, self._tuned - wanted, self._channel
        if channel is None or not (fresh or gone):
            return
        self._forget_but(wanted & self._tuned)
        self._tuned = wanted
        if gone:
            await channel.unsubscribe(*gone)
        if fresh:
            await channel.subscribe(*fresh)
            await self._watch_now()

    def _forget_but(self, heard_on: set[str]) -> None:
        """What was said elsewhere than on these channels grew old unheard."""
        for symbol in [symbol for symbol in self.tapes if trades_key(symbol) not in heard_on]:
            del self.tapes[symbol]
        for book in [book for book in self.tops if book_channel(*book) not in heard_on]:
            del self.tops[book]
        for series in [series for series in self.candles if candle_channel(*series) not in heard_on]:
            del self.candles[series]

    async def _watch_now(self) -> None:
        self._watched_at = self._clock() - WATCH_SECONDS
        await self._watch()

    async def _watch(self) -> None:
        """The markets process hears what is looked at here."""
        now = self._clock()
        if now - self._watched_at < WATCH_SECONDS:
            return
        self._watched_at = now
        names = self.followers.names
        if not names:
            return
        try:
            async with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=CONNECT_SECONDS) as client:
                await client.zadd(WATCHED, dict.fromkeys(names, time.time()))
        except (OSError, redis.RedisError) as error:
            log.warning("broadcast.not_watched", error=type(error).__name__)

    async def handle(self, body: Body) -> None:
        """One message of the feed goes to everybody it concerns."""
        was_away, self._heard_at = self._is_away, self._clock()
        if was_away:
            await self._load_all()
        match body["type"]:
            case "alive":
                await self._on_alive(body)
            case "book":
                await self._on_book(body)
            case "tickers":
                await self._on_tickers(body)
            case "trades":
                await self._on_trades(body)
            case "candle":
                await self._on_candle(body)

    async def _on_alive(self, body: Body) -> None:
        """Another writer than before: what the last one said is stale until it is said again."""
        was, self._alive = self._alive, body
        if was and was["epoch"] != body["epoch"]:
            await self._make_stale(lambda top: bool(top.body["epoch"] != body["epoch"]))

    async def _make_stale(self, is_old: Callable[[Top], bool]) -> None:
        for top in list(self.tops.values()):
            if top.body["state"] == "LIVE" and is_old(top):
                await self._on_book({**top.body, "state": "STALE"})

    async def _on_book(self, body: Body) -> None:
        symbol, step = body["symbol"], body.get("step", "")
        before = self.tops.get((symbol, step))
        top = self._remember(body)
        followers = [socket for socket in self.followers.of(symbol) if socket.step == step]
        diff = top.since(before) if before is not None and followers else None
        for number, socket in enumerate(followers):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
                if self.tops.get((symbol, step)) is not top:
                    return  # who tells the newer one serves all who are left
            # While others were served this one may have caught up by itself.
            if socket.seq != top.seq and socket.step == step and not self._is_full(socket):
                frame = diff if before is not None and socket.seq == before.seq else None
                socket.seq = top.seq
                await self._send(socket, frame or top.snapshot, top.seq)

    def _remember(self, body: Body) -> Top:
        top = Top(self._number(), body)
        self.tops[body["symbol"], body.get("step", "")] = top
        return top

    def _remember_trades(self, symbol: str, trades: Iterable[Body]) -> list[Body]:
        """Those that nobody here had heard of."""
        tape = self.tapes.setdefault(symbol, deque(maxlen=TAPE))
        known = {trade["id"] for trade in tape}
        fresh = [trade for trade in trades if trade["id"] not in known]
        tape.extend(fresh)
        return fresh

    def _number(self) -> int:
        """The next frame's; nobody can guess it, so that only who reads can acknowledge."""
        self._seq += random.randint(1, MOST_STEP)
        return self._seq

    async def _on_tickers(self, body: Body) -> None:
        self.tickers.update(body["tickers"])
        seq = self._number()
        await self._to_all(self.followers.of(""), encode({**body, "seq": seq}), seq)
        for symbol, ticker in body["tickers"].items():
            if followers := self.followers.of(symbol):
                await self._to_all(followers, encode({"type": "ticker", **ticker}))

    async def _on_trades(self, body: Body) -> None:
        if body["symbol"] in self.tapes:
            self._remember_trades(body["symbol"], body["trades"])
        shown = {**body, "trades": body["trades"][-TAPE:]}
        await self._to_all(self.followers.of(body["symbol"]), encode(shown))

    async def _on_candle(self, body: Body) -> None:
        known = self.candles[body["symbol"], body["interval"]]
        if known and known[-1]["open_at"] == body["open_at"]:
            known.pop()
        known.append(body)
        wanted = [s for s in self.followers.of(body["symbol"]) if s.interval == body["interval"]]
        await self._to_all(wanted, encode(body))

    async def _look_up(self, socket: Socket) -> None:
        """What the page shows and nobody here has heard of yet is read, for all together who come meanwhile."""
        book = socket.symbol, socket.step
        if not socket.symbol or (socket.symbol in self.tapes and book in self.tops):
            return
        loading = self._loading.get(book)
        if loading is None:
            loading = self._loading[book] = asyncio.ensure_future(self._load(*book))
            loading.add_done_callback(lambda _done: self._loading.pop(book, None))
        await asyncio.shield(loading)

    async def _load(self, symbol: str, step: str) -> None:
        """What was published while this process did not listen; who follows it is told."""
        try:
            async with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=CONNECT_SECONDS) as client:
                found = await said(client, symbol, step)
        except (OSError, redis.RedisError):
            return
        has_tape = symbol in self.tapes
        missed = self._remember_trades(symbol, found.trades)
        if has_tape and missed:
            frame = encode({"type": "trades", "symbol": symbol, "trades": missed})
            await self._to_all(self.followers.of(symbol), frame)
        known = self.tops.get((symbol, step))
        if found.book is not None and (known is None or is_news(found.book, known.body)):
            await self._on_book(found.book)

    async def _load_all(self) -> None:
        """Whatever was missed of what pages show."""
        for book in {(socket.symbol, socket.step) for socket in self.followers if socket.symbol}:
            await self._load(*book)

    # ------------------------------------------------------------------ sending
    async def _catch_up(self, socket: Socket) -> None:
        """All that a page shows, at once."""
        if not socket.symbol:
            if self.tickers:
                seq = self._number()
                await self._send(socket, self.tickers.frame(seq), seq)
            return
        await self._newest_to(socket)
        trades = list(self.tapes.get(socket.symbol, ()))
        await self._send(socket, encode({"type": "trades", "symbol": socket.symbol, "trades": trades}))
        if ticker := self.tickers.of(socket.symbol):
            await self._send(socket, encode({"type": "ticker", **ticker}))
        await self._candles_to(socket)

    async def _candles_to(self, socket: Socket) -> None:
        for candle in list(self.candles.get((socket.symbol, socket.interval), ())):
            await self._send(socket, encode(candle))

    async def _newest_to(self, socket: Socket) -> None:
        """The market's newest book, whole, for who has another."""
        top = self.tops.get((socket.symbol, socket.step))
        if top is not None and socket.seq != top.seq and not self._is_full(socket):
            socket.seq = top.seq
            await self._send(socket, top.snapshot, top.seq)

    async def _to_all(self, sockets: Iterable[Socket], frame: Frame, seq: int | None = None) -> None:
        for number, socket in enumerate(sockets):
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
            if not self._is_full(socket):
                await self._send(socket, frame, seq)

    def _is_full(self, socket: Socket) -> bool:
        """A socket that is passed over now, and since when."""
        if socket.is_open:
            return False
        socket.full_since = socket.full_since or self._clock()
        return True

    async def _send(self, socket: Socket, frame: Frame, seq: int | None = None) -> None:
        socket.note(len(frame["text"]), seq)
        try:
            await socket.send(frame)
        except Exception as error:  # a socket that is just closing never stops the others
            log.debug("broadcast.not_sent", error=type(error).__name__)
            self._let_go(socket, BROKEN)

    # ------------------------------------------------------------------ each second
    async def _beat_forever(self) -> None:
        woke = time.monotonic()
        while not is_ending():
            await asyncio.sleep(STATUS_SECONDS)
            before, woke = woke, time.monotonic()
            try:
                await self.beat(lag=woke - before - STATUS_SECONDS)
            except Exception as error:  # the outermost loop: the next second is another one
                log.warning("broadcast.beat_failed", error=type(error).__name__)

    async def beat(self, lag: float) -> None:
        """Tells quiet pages whether the feed lives, calls old books stale, and closes who has not read for long.

        The lag is by how many seconds this process was later than it wanted to be, all of its own work included.
        """
        now, everybody = self._clock(), list(self.followers)
        await self._tell_status(everybody)
        if self._is_away:
            await self._make_stale(lambda top: True)
        await self._tune()
        await self._watch()
        self._close_stuck(everybody, now, lag)

    async def _tell_status(self, everybody: list[Socket]) -> None:
        """That the feed is away is said to all, that it lives to those who would hear nothing else of it."""
        is_away, seq, at = self._is_away, self._number(), time.time_ns() // 1_000_000
        status = {"type": "status", "feed": "STALE" if is_away else "LIVE", "at": at, "seq": seq}
        due = everybody if is_away else [socket for socket in everybody if not socket.is_told]
        await self._to_all(due, encode(status), seq)
        for socket in everybody:
            socket.is_told = False

    @property
    def _is_away(self) -> bool:
        """True when nobody has spoken on the feed for long."""
        return self._clock() - self._heard_at >= AWAY_SECONDS

    def _close_stuck(self, sockets: list[Socket], now: float, lag: float) -> None:
        for socket in sockets:
            if socket.full_since is None:
                continue
            if lag > LAG_SECONDS:
                socket.full_since = now
            elif now - socket.full_since > FULL_SECONDS:
                self._let_go(socket, STUCK)

    def _let_go(self, socket: Socket, code: int) -> None:
        """Closed while others are served: who reads nothing may not read its farewell either."""
        self.leave(socket)
        task = asyncio.ensure_future(close(socket, code))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def close(socket: Socket, code: int) -> None:
    """The page comes again by itself; one that is gone already need not be told."""
    with suppress(Exception):
        await socket.close(code)


hub = Hub()
