"""Writes to Redis what changed, a few times a second and in one round trip."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import structlog

from markets import feed
from markets.book import LocalBook, State
from markets.stream.events import TickerEvent, TradeEvent, candle_of, ticker_of, trade_of
from markets.stream.following import Changes, Following

log = structlog.get_logger()

TICK_SECONDS = 0.1
AWAY_SECONDS = 1.0
# Pages get the best levels each tick; the whole book, for walks and for who asks, is written less often.
TOP_LEVELS = 50
WHOLE_SECONDS = 0.25
# What did not change is said again, so that its age can be told from silence.
AGAIN_SECONDS = 1.0
TICKERS_SECONDS = 1.0
# Last prices that did not move are said to be still the last ones, while the line speaks: else they grow old.
PRICES_SECONDS = 10.0
_encode = msgspec.json.Encoder().encode


class Publisher:
    """The one who tells others what the followed markets do."""

    def __init__(self, following: Following, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._following, self._clock = following, clock
        self._whole_at: dict[str, float] = {}
        self._not_whole: set[str] = set()
        self._again_at = clock()
        self._tickers: dict[str, TickerEvent] = {}
        self._tickers_at = clock() - TICKERS_SECONDS
        self._prices: dict[str, TickerEvent] = {}
        self._prices_at = clock()
        self._silent = False

    def run(self, stopped: threading.Event) -> None:
        while not stopped.wait(TICK_SECONDS):
            try:
                self.publish()
            except Exception as error:  # the outermost loop: Redis away, all is said again when it is back
                log.warning("feed.not_published", error=type(error).__name__)
                self._again_at = self._clock() - AGAIN_SECONDS
                stopped.wait(AWAY_SECONDS)

    def publish(self) -> None:
        """Everything that changed since the last time."""
        changes = self._following.changes()
        pipe = feed.client().pipeline(transaction=False)
        self._add_books(pipe, self._due(changes))
        self._add_trades(pipe, changes.trades)
        self._add_tickers(pipe, self._ripe_tickers(changes), self._standing_tickers())
        for k in changes.candles.values():
            pipe.publish(feed.CHANNEL, _encode(candle_of(k)))
        if len(pipe):
            pipe.execute()

    def _ripe_tickers(self, changes: Changes) -> list[TickerEvent]:
        """The newest of every market that moved, once a second: each arrives at a moment of its own."""
        self._tickers |= changes.tickers
        self._prices |= changes.tickers
        now = self._clock()
        if now - self._tickers_at < TICKERS_SECONDS:
            return []
        ripe, self._tickers, self._tickers_at = list(self._tickers.values()), {}, now
        return ripe

    def _standing_tickers(self) -> list[TickerEvent]:
        """The newest of every followed market, now and then and only while the line speaks."""
        now = self._clock()
        if self._following.is_silent or now - self._prices_at < PRICES_SECONDS:
            return []
        self._prices = {
            symbol: self._prices[symbol] for symbol in self._following.books if symbol in self._prices
        }
        self._prices_at = now
        return list(self._prices.values())

    def _due(self, changes: Changes) -> set[str]:
        """The markets to speak of: those that changed; once a second, or when the line fell silent, all."""
        now, silent = self._clock(), self._following.is_silent
        if now - self._again_at >= AGAIN_SECONDS or silent != self._silent:
            self._again_at, self._silent = now, silent
            return set(self._following.books)
        return changes.books

    def _add_books(self, pipe: Any, symbols: set[str]) -> None:
        now = self._clock()
        self._not_whole |= symbols
        with self._following.lock:
            books = {s: book for s in self._not_whole if (book := self._following.books.get(s))}
            tops = [self._body(books[s], TOP_LEVELS) for s in symbols if s in books]
            ripe = [s for s in books if now - self._whole_at.get(s, 0.0) >= WHOLE_SECONDS]
            wholes = {s: self._body(books[s]) for s in ripe}
        for symbol, body in wholes.items():
            pipe.set(feed.book_key(symbol), _encode(body))
            self._whole_at[symbol] = now
        for body in tops:
            pipe.publish(feed.CHANNEL, _encode({"type": "book", **body}))
        self._not_whole = set(books) - set(wholes)

    def _body(self, book: LocalBook, *count: int) -> dict[str, Any]:
        return {
            "symbol": book.symbol,
            "epoch": book.epoch,
            "u": book.last_update_id,
            "event_ms": book.event_ms,
            "published_ms": time.time_ns() // 1_000_000,
            "state": str(State.STALE if self._silent else book.state),
            "bids": book.bids.top(*count),
            "asks": book.asks.top(*count),
        }

    @staticmethod
    def _add_trades(pipe: Any, trades: Iterable[TradeEvent]) -> None:
        by_symbol: dict[str, list[dict[str, object]]] = {}
        for event in trades:
            by_symbol.setdefault(event.s, []).append(trade_of(event))
        for symbol, rows in by_symbol.items():
            pipe.lpush(feed.trades_key(symbol), *(_encode(row) for row in rows[-feed.TRADES_KEPT :]))
            pipe.ltrim(feed.trades_key(symbol), 0, feed.TRADES_KEPT - 1)
            pipe.publish(feed.CHANNEL, _encode({"type": "trades", "symbol": symbol, "trades": rows}))

    @staticmethod
    def _add_tickers(pipe: Any, moved: Iterable[TickerEvent], standing: Iterable[TickerEvent]) -> None:
        now_ms = time.time_ns() // 1_000_000
        tickers = {event.s: ticker_of(event, now_ms) for event in moved}
        known = {event.s: ticker_of(event, now_ms) for event in standing} | tickers
        if known:
            pipe.hset(feed.TICKERS, mapping={symbol: _encode(ticker) for symbol, ticker in known.items()})
        if tickers:
            pipe.publish(feed.CHANNEL, _encode({"type": "tickers", "tickers": tickers}))
