"""All followed markets' books, and what happened since it was last published. One writer for all symbols.

Frames, ticks and finished snapshots are all handled in one thread, so nothing is locked on the way of a frame; a few
threads fetch what books ask for and put it into a queue.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event

import structlog

from exchange.binance.errors import NotSent
from exchange.binance.models import DepthSnapshot, Kline
from exchange.errors import BadNumber
from markets.book import LIVE, Diff, LocalBook, State
from markets.stream.events import (
    TICKERS_STREAM,
    UNREADABLE,
    Candle,
    KlineEvent,
    TickerEvent,
    TradeEvent,
    begins_again,
    depth_stream,
    frame_of,
    require_candle,
    require_plain,
    require_trade,
    stream_of,
)
from markets.stream.lateness import STRANGE_MS, Lateness
from markets.stream.snapshots import Snapshots, Want
from markets.stream.tickers import Tickers

log = structlog.get_logger()

# Of many markets each is live after a small snapshot, and deepened in the background, watched ones first.
SHALLOW, DEEP = 100, 1000
DEEP_AT_ONCE = 20
# A book that knows fewer levels than are shown wants a fresh snapshot.
LEAST_KNOWN, LOOK_SECONDS = 25, 0.25
# A market may have no buyers or no sellers; so many snapshots in a row have to say so.
ONE_SIDED_BELIEVED = 4
IDLE_SECONDS = 0.05
Series = tuple[str, str]
DEPTH = "@depth"


@dataclass
class Changes:
    """What is new since it was last taken."""

    books: set[str] = field(default_factory=set)
    trades: list[TradeEvent] = field(default_factory=list)
    tickers: dict[str, TickerEvent] = field(default_factory=dict)
    candles: dict[tuple[str, str, int], Candle] = field(default_factory=dict)
    # Books that are followed no more, as they stood last.
    gone: dict[str, LocalBook] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetched:
    """What came of a wish: no snapshot when the venue could not be asked."""

    want: Want
    snapshot: DepthSnapshot | None


class Following:
    """The markets that are followed: fed with frames, asked for books and changes."""

    def __init__(
        self,
        *,
        fetch_snapshot: Callable[[str, int], DepthSnapshot],
        snapshots: Snapshots | None = None,
        depth: int = DEEP,
        clock: Callable[[], float] = time.monotonic,
        venue_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`venue_ms` is the time by the venue's clock, in milliseconds, when it is known."""
        self._depth = depth
        self.books: dict[str, LocalBook] = {}
        # Of their lines nothing is heard, though these used to speak: live books are of a while ago.
        self.quiet: frozenset[str] = frozenset()
        # What could not be read or believed, by market and kind of trouble.
        self.unreadable: Counter[str] = Counter()
        self.tickers = Tickers(self._doubt_ticker)
        self._fetch = fetch_snapshot
        self._snapshots = snapshots or Snapshots(clock=clock)
        self._fetched: SimpleQueue[Fetched] = SimpleQueue()
        self._deeper: dict[str, LocalBook] = {}
        self._changes = Changes()
        self._lateness, self._newest_ms = Lateness(), 0
        self._clock, self._looked_at = clock, clock() - LOOK_SECONDS
        self._venue_ms = venue_ms
        self._moved: set[str] = set()
        self._unstored: dict[tuple[str, str, int], Kline] = {}
        # By the names of their streams, in lower case: the venue's symbols may be of any script.
        self._by_stream: dict[str, LocalBook] = {}
        self._symbols: dict[str, str] = {}
        self._one_sided: Counter[str] = Counter()
        # By their streams, as long as there is a line for these.
        self._latest: dict[str, TradeEvent] = {}

    # ------------------------------------------------------------------ which, and whether there is a line
    def follow(self, symbols: Sequence[str], watched: Collection[str] = ()) -> None:
        """Books exist for these markets, given in the order of their rank, and for no others."""
        for symbol in symbols:
            if symbol not in self.books:
                self.books[symbol] = LocalBook(symbol, state=State.STALE, depth=self._depth)
                self._changes.books.add(symbol)
        for symbol in set(self.books) - set(symbols):
            gone = self._changes.gone[symbol] = self.books.pop(symbol)
            gone.mark_stale()
            self._deeper.pop(symbol, None)
            self._snapshots.drop(symbol)
        self._symbols = {symbol.lower(): symbol for symbol in symbols}
        self._by_stream = {depth_stream(symbol): book for symbol, book in self.books.items()}
        self._snapshots.rank(symbols, watched)

    def on_up(self, streams: Iterable[str]) -> None:
        """There is a line for these streams: their books join on to what they know, or start from a snapshot."""
        streams, self._newest_ms = list(streams), 0
        if TICKERS_STREAM in streams:
            self.tickers.on_line(True)
        for name in streams:
            self._latest.pop(name, None)
        for book in self._books_of(streams):
            if book.state == State.STALE:
                book.expect()
                self._snapshots.ask(book.symbol, self._first, generation=book.generation)
                self._changes.books.add(book.symbol)

    def on_down(self, streams: Iterable[str], reason: str) -> None:
        """No line carries these streams any more: their books say so."""
        streams = list(streams)
        if TICKERS_STREAM in streams:
            self.tickers.on_line(False)
        for book in self._books_of(streams):
            book.mark_stale()
            self._deeper.pop(book.symbol, None)
            self._snapshots.drop(book.symbol)
            self._changes.books.add(book.symbol)

    def on_quiet(self, streams: Iterable[str]) -> None:
        """The lines of these streams, and of no others, have stopped to speak; nothing is lost yet."""
        before, self.quiet = self.quiet, frozenset(book.symbol for book in self._books_of(streams))
        self._changes.books |= before ^ self.quiet

    def _books_of(self, streams: Iterable[str]) -> list[LocalBook]:
        names = (name.partition(DEPTH) for name in streams)
        found = (self._symbols.get(name) for name, is_depth, _speed in names if is_depth)
        return [self.books[symbol] for symbol in found if symbol]

    @property
    def _first(self) -> int:
        """How deep a book's first snapshot is."""
        return self._depth if len(self.books) <= DEEP_AT_ONCE else SHALLOW

    # ------------------------------------------------------------------ frames
    def on_frame(self, raw: bytes) -> None:
        """One event of a combined stream; one that cannot be read harms its own market alone."""
        try:
            frame = frame_of(raw)
            data = frame.data
            kind = type(data)
            if kind is Diff:
                require_plain(raw, data)  # type: ignore[arg-type]
                self._on_diff(frame.stream, data)  # type: ignore[arg-type]
            elif kind is TradeEvent:
                self._on_trade(frame.stream, data)  # type: ignore[arg-type]
            elif kind is KlineEvent:
                self._on_kline(frame.stream, data.k)  # type: ignore[union-attr]
            else:
                self._on_tickers(data)  # type: ignore[arg-type]
        except (*UNREADABLE, ArithmeticError, KeyError, TypeError, BadNumber) as error:
            self._on_unreadable(raw, error)

    def _on_diff(self, stream: str, diff: Diff) -> None:
        book = self._by_stream.get(stream)
        if book is None:
            if stream.partition("@")[0] in self._symbols:
                raise ValueError("a stream that nobody asked for")
            return
        symbol = book.symbol
        if diff.symbol != symbol:
            raise ValueError(f"an event of {diff.symbol[:20]!r}")
        if diff.last < diff.first:
            raise ValueError("ids that run backwards")
        if self._deeper and (deeper := self._deeper.get(symbol)) is not None:
            deeper.on_diff(diff)
        was_live = book.state is LIVE
        if book.on_diff(diff):
            self._start_over(book)
        elif not was_live and book.state is LIVE:
            self._snapshots.drop(symbol)
            log.info("book.joined", symbol=symbol)
            if book.is_shallower_than(self._depth // 2):
                self._deepen(symbol, self._depth)
        self._changes.books.add(symbol)

    def _on_trade(self, stream: str, event: TradeEvent) -> None:
        """Two lines that overlap tell every trade twice."""
        symbol = self._symbols.get(stream.partition("@")[0])
        if symbol is None:
            return
        require_trade(event, symbol)
        latest = self._latest.get(stream)
        if latest is not None and event.t <= latest.t:
            if not begins_again(event, latest):
                return
            self._doubt("trades.begin_again", symbol, ValueError(f"{event.t} after {latest.t}"))
        self._latest[stream] = event
        self._changes.trades.append(event)

    def _on_kline(self, stream: str, k: Candle) -> None:
        name, _at, kind = stream.partition("@")
        symbol = self._symbols.get(name)
        if symbol is None:
            return
        require_candle(k, symbol, kind)
        kline = Kline.from_event(k)
        key = (symbol, str(k["i"]), kline.open_ms)
        self._unstored[key], self._changes.candles[key] = kline, k

    def _on_tickers(self, events: list[TickerEvent]) -> None:
        known = self.tickers.believed(event for event in events if event.s in self.books)
        self._changes.tickers |= {event.s: event for event in known}

    def _doubt_ticker(self, symbol: str, error: Exception) -> None:
        known = symbol if symbol in self.books else ""
        self._doubt("feed.unreadable", known, error, stream=TICKERS_STREAM, says=symbol[:20])

    def _on_unreadable(self, raw: bytes, error: Exception) -> None:
        """A book that may lack an event starts over; of tickers each row counts for itself."""
        stream = stream_of(raw)
        if stream == TICKERS_STREAM and (rows := self.tickers.rows(raw)) is not None:
            self._on_tickers(rows)
            return
        name, is_depth, _speed = stream.partition(DEPTH)
        symbol = self._symbols.get(name.partition("@")[0], "")
        self._doubt("feed.unreadable", symbol, error, stream=stream[:80], frame=repr(raw[:120]))
        if is_depth and symbol:
            self.start_over(symbol)

    def _doubt(self, event: str, symbol: str, error: Exception, **more: str) -> None:
        """Counted always; said the first, second, fourth, eighth … time for each market and kind of trouble."""
        name = f"{symbol or 'no market'}: {event}, {type(error).__name__}"
        self.unreadable[name] += 1
        if (count := self.unreadable[name]).bit_count() == 1:
            log.warning(event, symbol=symbol, count=count, error=str(error)[:120], **more)

    def start_over(self, symbol: str) -> None:
        """The market's book may be wrong: only a new snapshot makes it live again."""
        book = self.books[symbol]
        book.start_over()
        self._start_over(book)

    def _start_over(self, book: LocalBook) -> None:
        log.warning("book.gap", symbol=book.symbol, resyncs=book.resyncs)
        self._deeper.pop(book.symbol, None)
        self._changes.books.add(book.symbol)
        self._snapshots.ask(book.symbol, self._first, generation=book.generation)

    def _deepen(self, symbol: str, limit: int) -> None:
        """Another book of the same events is to take over, deeper than this one is by now."""
        if symbol not in self._deeper:
            deeper = self._deeper[symbol] = LocalBook(symbol, depth=self._depth)
            self._snapshots.ask(symbol, limit, generation=deeper.generation, is_luxury=True)
        elif limit < self._depth:
            self._snapshots.hasten(symbol, limit)

    # ------------------------------------------------------------------ snapshots
    def fetch_for_ever(self, stopped: Event) -> None:
        """For a thread of its own; several may do it."""
        while not stopped.is_set():
            if not self.fetch_one():
                stopped.wait(IDLE_SECONDS)

    def fetch_one(self) -> bool:
        """Fetches the next snapshot that a book asks for; False when none does."""
        want = self._snapshots.take()
        if want is None:
            return False
        snapshot, is_lost = None, False
        try:
            snapshot = self._fetch(want.symbol, want.limit)
        except Exception as error:  # whatever the road outside says: the book stays SYNCING and asks again
            if isinstance(error, NotSent):
                self._snapshots.give_back(want)
            else:
                is_lost = True
            log.warning("book.no_snapshot", symbol=want.symbol, reason=repr(error)[:120])
        self._snapshots.done(want, is_lost=is_lost)
        self._fetched.put(Fetched(want, snapshot))
        return True

    def take_fetched(self) -> None:
        """What was fetched since the last call meets the books that wait for it."""
        self._changes.tickers |= {event.s: event for event in self.tickers.fetched()}
        while True:
            try:
                fetched = self._fetched.get_nowait()
            except Empty:
                return
            self._take(fetched.want, fetched.snapshot)

    def _take(self, want: Want, snapshot: DepthSnapshot | None) -> None:
        """An answer to what a book asked before it lost events meets none: the book has asked again since."""
        books, symbol = self._deeper if want.is_luxury else self.books, want.symbol
        book = books.get(symbol)
        if book is None or book.state != State.SYNCING or book.generation != want.generation:
            return
        self._changes.books.add(symbol)
        if snapshot is None or not self._is_live(book, snapshot, want):
            generation = books[symbol].generation
            self._snapshots.ask(symbol, want.limit, generation=generation, is_luxury=want.is_luxury)

    def _is_live(self, book: LocalBook, snapshot: DepthSnapshot, want: Want) -> bool:
        try:
            self._require_sides(snapshot)
            met = book.on_snapshot(snapshot.last_update_id, snapshot.bids, snapshot.asks, limit=want.limit)
        except (ValueError, TypeError) as error:
            self._doubt("book.bad_snapshot", want.symbol, error)
            return False
        if want.is_luxury:
            met = met and self._adopt(want.symbol, book)
        elif met:
            self._snapshots.drop(want.symbol)
        if met and want.limit < self._depth and self.books[want.symbol].is_shallower_than(self._depth // 2):
            self._deepen(want.symbol, self._depth)
        return met

    def _require_sides(self, snapshot: DepthSnapshot) -> None:
        """Raises ValueError for a snapshot without a side, until several in a row have been so."""
        if snapshot.bids and snapshot.asks:
            del self._one_sided[snapshot.symbol]
            return
        self._one_sided[snapshot.symbol] += 1
        if self._one_sided[snapshot.symbol] < ONE_SIDED_BELIEVED:
            raise ValueError("without a side")

    def _adopt(self, symbol: str, deeper: LocalBook) -> bool:
        """The shown book goes on as the deeper one, which saw the same events."""
        del self._deeper[symbol]
        book = self.books.get(symbol)
        if book is None or book.state != State.LIVE or book.adopt(deeper):
            return True
        self._deeper[symbol] = LocalBook(symbol, depth=self._depth)
        return False

    # ------------------------------------------------------------------ what others take
    def changes(self) -> Changes:
        """What happened since the last call; now and then books that have run shallow ask for more."""
        taken, self._changes = self._changes, Changes()
        self._moved |= taken.books
        live = [book for symbol in taken.books if (book := self.books.get(symbol)) and book.state is LIVE]
        self._look_for_lateness(max((book.event_ms for book in live), default=0))
        self._look_for_shallow()
        return taken

    def _look_for_lateness(self, newest_ms: int) -> None:
        """Events older than the newest say nothing; one from so far back says that the newest may be none."""
        if not newest_ms or 0 <= self._newest_ms - newest_ms <= STRANGE_MS:
            return
        if self._lateness.note(newest_ms, int(self._clock() * 1000), self._venue_ms()):
            self._newest_ms = newest_ms

    def _look_for_shallow(self) -> None:
        """Books that moved and by now know less than is shown ask for more."""
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        moved, self._moved = self._moved, set()
        for symbol in moved:
            book = self.books.get(symbol)
            if book is not None and book.state is LIVE and book.is_shallower_than(LEAST_KNOWN):
                self._deepen(symbol, self._first)

    @property
    def is_late(self) -> bool:
        """True while events come much later than they did: live books are of a while ago."""
        return self._lateness.is_late

    def unstored(self) -> dict[Series, list[Kline]]:
        """Every candle that moved since the last call, by market and interval."""
        moved, self._unstored = self._unstored, {}
        series: dict[Series, list[Kline]] = {}
        for (symbol, interval, _open_ms), kline in moved.items():
            series.setdefault((symbol, interval), []).append(kline)
        return series
