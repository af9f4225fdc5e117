"""From the venue's frames to what is published: local books, tape, tickers, candles. One writer for all symbols.

The receiving thread applies frames; a publisher thread writes what changed to Redis every tick, in one round trip;
a snapshot thread fetches what books ask for, at a bounded rate; candles are stored every few seconds.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from exchange.binance.models import DepthSnapshot, Kline
from exchange.money import plain
from markets import feed
from markets.book import Diff, LocalBook, State

log = structlog.get_logger()

TICK_SECONDS = 0.1
PUBLISHED_TOP = 50
FULL_EVERY_SECONDS = 0.25
REPUBLISH_SECONDS = 1.0
SILENT_SECONDS = 8.0
SNAPSHOT_PAUSE_SECONDS = 0.05
RETRY_SNAPSHOT_SECONDS = 0.5
LIVE_INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d", "1w")


class DepthEvent(msgspec.Struct):
    s: str
    E: int
    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]


class TradeEvent(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool


class TickerEvent(msgspec.Struct):
    s: str
    c: str
    o: str
    h: str
    l: str  # noqa: E741  the venue's name
    v: str
    q: str


_depth = msgspec.json.Decoder(DepthEvent).decode
_trade = msgspec.json.Decoder(TradeEvent).decode
_ticker = msgspec.json.Decoder(TickerEvent).decode


def streams_of(symbols: Sequence[str]) -> list[str]:
    """The combined stream's names for these markets."""
    kinds = ["depth@100ms", "trade", "miniTicker", *(f"kline_{interval}" for interval in LIVE_INTERVALS)]
    return [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds]


class MarketFeed:
    """All listed markets: `fetch_snapshot` and `store_candles` are the only roads outside."""

    def __init__(
        self,
        *,
        fetch_snapshot: Callable[[str], DepthSnapshot],
        store_candles: Callable[[str, str, list[Kline]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.books: dict[str, LocalBook] = {}
        self._fetch, self._store = fetch_snapshot, store_candles
        self._clock = clock
        self._lock = threading.RLock()
        self._changed: set[str] = set()
        self._wanted: deque[str] = deque()
        self._trades: list[TradeEvent] = []
        self._tickers: dict[str, TickerEvent] = {}
        self._candles: dict[tuple[str, str, int], tuple[Kline, dict[str, Any]]] = {}
        self._unstored: dict[tuple[str, str, int], Kline] = {}
        self._full_at: dict[str, float] = {}
        self._heard_at = clock()
        self._republished_at = 0.0
        self._silent = False

    # ------------------------------------------------------------------ the receiving thread
    def follow(self, symbols: Sequence[str]) -> None:
        """Books exist for these markets and for no others."""
        with self._lock:
            for symbol in symbols:
                self.books.setdefault(symbol, LocalBook(symbol))
            for symbol in set(self.books) - set(symbols):
                del self.books[symbol]

    def opened(self) -> None:
        """A new connection: every book starts over."""
        with self._lock:
            self._heard_at, self._silent = self._clock(), False
            epoch = time.time_ns() // 1_000_000
            for book in self.books.values():
                book.restart(epoch)
                self._changed.add(book.symbol)
            self._wanted = deque(self.books)

    def down(self, reason: str) -> None:
        """No connection: every book says so."""
        with self._lock:
            self._wanted.clear()
            for book in self.books.values():
                book.mark_stale()
                self._changed.add(book.symbol)

    def frame(self, stream: str, payload: msgspec.Raw) -> None:
        """One event of the combined stream."""
        kind = stream.partition("@")[2]
        with self._lock:
            self._heard_at = self._clock()
            if self._silent:
                self.opened()
            if kind.startswith("depth"):
                self._on_depth(_depth(payload))
            elif kind == "trade":
                self._trades.append(_trade(payload))
            elif kind == "miniTicker":
                event = _ticker(payload)
                self._tickers[event.s] = event
            elif kind.startswith("kline_"):
                self._on_candle(msgspec.json.decode(payload)["k"])

    def _on_depth(self, event: DepthEvent) -> None:
        book = self.books.get(event.s)
        if book is None:
            return
        if book.on_diff(Diff(event.U, event.u, event.E, event.b, event.a)):
            log.warning("book.gap", symbol=book.symbol, resyncs=book.resyncs)
            self._wanted.append(book.symbol)
        self._changed.add(event.s)

    def _on_candle(self, k: dict[str, Any]) -> None:
        kline = Kline.from_event(k)
        key = (k["s"], k["i"], kline.open_ms)
        self._unstored[key] = kline
        self._candles[key] = (kline, k)

    # ------------------------------------------------------------------ snapshots
    def fetch_one(self) -> bool:
        """Fetches the snapshot of the next book that asks for one; False when none does."""
        with self._lock:
            if not self._wanted:
                return False
            symbol = self._wanted.popleft()
            book = self.books.get(symbol)
            if book is None or book.state == State.STALE:
                return True
            epoch = book.epoch
        try:
            snapshot = self._fetch(symbol)
        except Exception as error:  # the outermost loop: the book stays SYNCING and asks again
            log.warning("book.no_snapshot", symbol=symbol, reason=str(error)[:120])
            self._ask_again(symbol, epoch)
            return True
        with self._lock:
            is_current = book.epoch == epoch and book.state == State.SYNCING
            if is_current and not book.on_snapshot(snapshot.last_update_id, snapshot.bids, snapshot.asks):
                self._ask_again(symbol, epoch)
            self._changed.add(symbol)
        return True

    def _ask_again(self, symbol: str, epoch: int) -> None:
        time.sleep(RETRY_SNAPSHOT_SECONDS)
        with self._lock:
            if symbol in self.books and self.books[symbol].epoch == epoch:
                self._wanted.append(symbol)

    def snapshots_forever(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            stopped.wait(SNAPSHOT_PAUSE_SECONDS if self.fetch_one() else TICK_SECONDS)

    # ------------------------------------------------------------------ publishing
    def publish_forever(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_SECONDS):
            try:
                self.publish()
            except (
                Exception
            ) as error:  # the outermost loop: Redis away, everything is said again when it is back
                log.warning("feed.not_published", error=type(error).__name__)
                with self._lock:
                    self._changed.update(self.books)
                stopped.wait(1)

    def publish(self) -> None:
        """Everything that changed since the last tick, in one round trip."""
        now = self._clock()
        with self._lock:
            self._watch_silence(now)
            if now - self._republished_at >= REPUBLISH_SECONDS:
                self._changed.update(self.books)
                self._republished_at = now
            books = [self._published(symbol, now) for symbol in self._changed if symbol in self.books]
            self._changed.clear()
            trades, self._trades = self._trades, []
            tickers, self._tickers = self._tickers, {}
            candles, self._candles = self._candles, {}
        pipe = feed.client().pipeline(transaction=False)
        for top, full in books:
            if full is not None:
                pipe.set(feed.book_key(top["symbol"]), json.dumps(full, separators=(",", ":")))
            pipe.publish(feed.CHANNEL, json.dumps(top, separators=(",", ":")))
        self._add_trades(pipe, trades)
        for event in tickers.values():
            pipe.hset(feed.TICKERS, event.s, json.dumps(ticker_of(event)))
        if tickers:
            body = {"type": "tickers", "tickers": {event.s: ticker_of(event) for event in tickers.values()}}
            pipe.publish(feed.CHANNEL, json.dumps(body))
        for (symbol, interval, _open_ms), (_kline, k) in candles.items():
            pipe.publish(feed.CHANNEL, json.dumps(candle_of(symbol, interval, k)))
        pipe.set(feed.ALIVE, time.time_ns() // 1_000_000)
        pipe.execute()

    def _watch_silence(self, now: float) -> None:
        """A line that is open but says nothing at all is as good as down."""
        if not self._silent and now - self._heard_at > SILENT_SECONDS:
            self._silent = True
            log.warning("feed.silent")
            self.down("silence")

    def _published(self, symbol: str, now: float) -> tuple[dict[str, Any], dict[str, Any] | None]:
        book = self.books[symbol]
        head = {
            "symbol": symbol,
            "epoch": book.epoch,
            "u": book.last_update_id,
            "event_ms": book.event_ms,
            "published_ms": time.time_ns() // 1_000_000,
            "state": str(book.state),
        }
        top = {
            "type": "book",
            **head,
            "bids": book.bids.top(PUBLISHED_TOP),
            "asks": book.asks.top(PUBLISHED_TOP),
        }
        if now - self._full_at.get(symbol, 0.0) < FULL_EVERY_SECONDS and book.state == State.LIVE:
            self._changed_later(symbol)
            return top, None
        self._full_at[symbol] = now
        return top, {**head, "bids": book.bids.top(), "asks": book.asks.top()}

    def _changed_later(self, symbol: str) -> None:
        """The full book is written at the next second's republication at the latest."""
        self._republished_at = min(
            self._republished_at, self._clock() - REPUBLISH_SECONDS + FULL_EVERY_SECONDS
        )

    @staticmethod
    def _add_trades(pipe: Any, trades: list[TradeEvent]) -> None:
        by_symbol: dict[str, list[dict[str, object]]] = {}
        for event in trades:
            by_symbol.setdefault(event.s, []).append(trade_of(event))
        for symbol, rows in by_symbol.items():
            pipe.lpush(feed.trades_key(symbol), *(json.dumps(row) for row in rows))
            pipe.ltrim(feed.trades_key(symbol), 0, feed.TRADES_KEPT - 1)
            pipe.publish(feed.CHANNEL, json.dumps({"type": "trades", "symbol": symbol, "trades": rows}))

    # ------------------------------------------------------------------ candles
    def store_candles(self) -> None:
        """Every candle that moved since the last time is in the database."""
        with self._lock:
            unstored, self._unstored = self._unstored, {}
        by_series: dict[tuple[str, str], list[Kline]] = {}
        for (symbol, interval, _open_ms), kline in unstored.items():
            by_series.setdefault((symbol, interval), []).append(kline)
        for (symbol, interval), klines in by_series.items():
            self._store(symbol, interval, klines)


def trade_of(event: TradeEvent) -> dict[str, object]:
    maker = "BUY" if event.m else "SELL"
    return {"id": event.t, "price": event.p, "quantity": event.q, "at": event.T, "maker_side": maker}


def ticker_of(event: TickerEvent) -> dict[str, str]:
    opened = Decimal(event.o)
    change = (Decimal(event.c) - opened) * 100 / opened if opened else Decimal(0)
    return {
        "symbol": event.s,
        "last": event.c,
        "open": event.o,
        "high": event.h,
        "low": event.l,
        "volume": event.v,
        "quote_volume": event.q,
        "change_percent": plain(round(change, 2)),
    }


def candle_of(symbol: str, interval: str, k: dict[str, Any]) -> dict[str, object]:
    return {
        "type": "candle",
        "symbol": symbol,
        "interval": interval,
        "open_at": k["t"] // 1000,
        "open": k["o"],
        "high": k["h"],
        "low": k["l"],
        "close": k["c"],
        "volume": k["v"],
        "closed": k["x"],
    }
