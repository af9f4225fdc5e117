"""All listed markets' books, and what happened since it was last published. One writer for all symbols.

The receiving thread applies frames, a snapshot thread fetches what books ask for, a publisher takes the changes away.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from exchange.binance.models import DepthSnapshot, Kline
from markets.book import Diff, LocalBook, State
from markets.stream.events import (
    TickerEvent,
    TradeEvent,
    depth_event,
    kline_event,
    ticker_event,
    trade_event,
)
from markets.stream.snapshots import Snapshots, Want

log = structlog.get_logger()

# Of many markets each is live after a small snapshot, and deepened afterwards if they are not too many for that.
SHALLOW, DEEP = 100, 1000
DEEP_AT_ONCE, DEEP_LATER = 20, 60
# A book that knows fewer levels than are shown wants a fresh snapshot.
LEAST_KNOWN = 50
SILENT_SECONDS = 8.0
IDLE_SECONDS = 0.05
Series = tuple[str, str]


@dataclass
class Changes:
    """What is new since it was last taken."""

    books: set[str] = field(default_factory=set)
    trades: list[TradeEvent] = field(default_factory=list)
    tickers: dict[str, TickerEvent] = field(default_factory=dict)
    candles: dict[tuple[str, str, int], dict[str, str | int | bool]] = field(default_factory=dict)


class Following:
    """The markets that are followed: fed with frames, asked for books and changes."""

    def __init__(
        self,
        *,
        fetch_snapshot: Callable[[str, int], DepthSnapshot],
        snapshots: Snapshots | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.books: dict[str, LocalBook] = {}
        self.lock = threading.RLock()
        self._fetch, self._clock = fetch_snapshot, clock
        self._snapshots = snapshots or Snapshots(clock=clock)
        self._deeper: dict[str, LocalBook] = {}
        self._changes = Changes()
        self._unstored: dict[tuple[str, str, int], Kline] = {}
        self._heard_at = clock()

    # ------------------------------------------------------------------ the connection
    def follow(self, symbols: Sequence[str]) -> None:
        """Books exist for these markets and for no others."""
        with self.lock:
            for symbol in symbols:
                self.books.setdefault(symbol, LocalBook(symbol))
            for symbol in set(self.books) - set(symbols):
                del self.books[symbol]
                self._snapshots.drop(symbol)

    def opened(self) -> None:
        """A new connection: every book starts over."""
        with self.lock:
            self._heard_at = self._clock()
            self._snapshots.clear()
            self._deeper.clear()
            epoch = time.time_ns() // 1_000_000
            for book in self.books.values():
                book.restart(epoch)
                self._snapshots.ask(book.symbol, self._first)
            self._changes.books.update(self.books)

    def down(self, reason: str) -> None:
        """No connection: every book says so."""
        with self.lock:
            self._snapshots.clear()
            for book in self.books.values():
                book.mark_stale()
            self._changes.books.update(self.books)

    @property
    def _first(self) -> int:
        """How deep a book's first snapshot is."""
        return DEEP if len(self.books) <= DEEP_AT_ONCE else SHALLOW

    @property
    def is_silent(self) -> bool:
        """A line that is open but says nothing at all is as good as down."""
        return self._clock() - self._heard_at > SILENT_SECONDS

    # ------------------------------------------------------------------ the receiving thread
    def frame(self, stream: str, payload: msgspec.Raw) -> None:
        """One event of the combined stream; one that cannot be read harms its own market alone."""
        name, _at, kind = stream.partition("@")
        with self.lock:
            self._heard_at = self._clock()
            try:
                self._event(kind, payload)
            except (msgspec.MsgspecError, ValueError, ArithmeticError, KeyError) as error:
                log.warning("feed.unreadable", stream=stream, error=type(error).__name__)
                if kind.startswith("depth") and (book := self.books.get(name.upper())):
                    book.start_over()
                    self._start_over(book)

    def _event(self, kind: str, payload: msgspec.Raw) -> None:
        if kind.startswith("depth"):
            event = depth_event(payload)
            self._on_diff(event.s, Diff(event.U, event.u, event.E, event.b, event.a))
        elif kind == "trade":
            self._changes.trades.append(trade_event(payload))
        elif kind == "miniTicker":
            ticker = ticker_event(payload)
            self._changes.tickers[ticker.s] = ticker
        elif kind.startswith("kline_"):
            k = kline_event(payload).k
            kline = Kline.from_event(k)
            key = (str(k["s"]), str(k["i"]), kline.open_ms)
            self._unstored[key], self._changes.candles[key] = kline, k

    def _on_diff(self, symbol: str, diff: Diff) -> None:
        book, deeper = self.books.get(symbol), self._deeper.get(symbol)
        if book is None:
            return
        self._changes.books.add(symbol)
        if deeper is not None:
            deeper.on_diff(diff)
        if book.on_diff(diff):
            self._start_over(book)
        elif book.state == State.LIVE and not book.knows(LEAST_KNOWN):
            self._deepen(symbol)

    def _start_over(self, book: LocalBook) -> None:
        log.warning("book.gap", symbol=book.symbol, resyncs=book.resyncs)
        self._deeper.pop(book.symbol, None)
        self._changes.books.add(book.symbol)
        self._snapshots.ask(book.symbol, self._first)

    def _deepen(self, symbol: str) -> None:
        if symbol not in self._deeper:
            self._deeper[symbol] = LocalBook(symbol)
            self._snapshots.ask(symbol, DEEP, is_luxury=True)

    # ------------------------------------------------------------------ the snapshot thread
    def fetch_for_ever(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            if not self.fetch_one():
                stopped.wait(IDLE_SECONDS)

    def fetch_one(self) -> bool:
        """Fetches the next snapshot that a book asks for; False when none does."""
        with self.lock:
            want = self._snapshots.take()
            book = self._wanting(want) if want is not None else None
        if want is None:
            return False
        if book is not None:
            self._fetch_for(book, book.epoch, want)
        return True

    def _wanting(self, want: Want) -> LocalBook | None:
        """The book that a snapshot of this depth is for, None when it needs it no more."""
        book = (self._deeper if want.is_luxury else self.books).get(want.symbol)
        return book if book is not None and book.state == State.SYNCING else None

    def _fetch_for(self, book: LocalBook, epoch: int, want: Want) -> None:
        snapshot: DepthSnapshot | None = None
        try:
            snapshot = self._fetch(want.symbol, want.limit)
        except Exception as error:  # whatever the road outside says: the book stays SYNCING and asks again
            log.warning("book.no_snapshot", symbol=want.symbol, reason=str(error)[:120])
        with self.lock:
            if self._wanting(want) is not book or book.epoch != epoch:
                return
            self._changes.books.add(want.symbol)
            if snapshot is None or not self._is_live(book, snapshot, want):
                self._snapshots.ask(want.symbol, want.limit, is_luxury=want.is_luxury)

    def _is_live(self, book: LocalBook, snapshot: DepthSnapshot, want: Want) -> bool:
        met = book.on_snapshot(snapshot.last_update_id, snapshot.bids, snapshot.asks, limit=want.limit)
        if want.is_luxury:
            return met and self._adopt(want.symbol, book)
        if met and want.limit < DEEP and len(self.books) <= DEEP_LATER and not book.knows(want.limit + 1):
            self._deepen(want.symbol)
        return met

    def _adopt(self, symbol: str, deeper: LocalBook) -> bool:
        """The shown book goes on as the deeper one, which saw the same events."""
        del self._deeper[symbol]
        book = self.books.get(symbol)
        if book is None or book.state != State.LIVE or book.adopt(deeper):
            return True
        self._deeper[symbol] = LocalBook(symbol)
        return False

    # ------------------------------------------------------------------ what others take
    def changes(self) -> Changes:
        """What happened since the last call."""
        with self.lock:
            taken, self._changes = self._changes, Changes()
            return taken

    def unstored(self) -> dict[Series, list[Kline]]:
        """Every candle that moved since the last call, by market and interval."""
        with self.lock:
            moved, self._unstored = self._unstored, {}
        series: dict[Series, list[Kline]] = {}
        for (symbol, interval, _open_ms), kline in moved.items():
            series.setdefault((symbol, interval), []).append(kline)
        return series

    def not_stored(self, symbol: str, interval: str, klines: Sequence[Kline]) -> None:
        """The database was away: these come with the next batch, unless a newer state of them has come by then."""
        with self.lock:
            for kline in klines:
                self._unstored.setdefault((symbol, interval, kline.open_ms), kline)
