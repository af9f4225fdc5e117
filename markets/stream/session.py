"""The one writer at work: lines to the venue, books, what is published, and the threads that serve them."""

import gc
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import msgspec
import structlog

from exchange.binance.market_streams import MarketStreams, Pace
from exchange.binance.models import DayTicker, DepthSnapshot, Wire
from markets.attempts import Memory
from markets.book import State
from markets.interest import markets_of
from markets.stream.auditing import Audit
from markets.stream.events import depth_stream, streams_of
from markets.stream.following import Following
from markets.stream.keeping import CandleKeeper, Store
from markets.stream.publishing import Publisher
from markets.stream.recorder import Recorder, Shown
from markets.stream.snapshots import Snapshots
from markets.writer import Lost, Writer

log = structlog.get_logger()

LOOK_SECONDS, STORE_SECONDS, HAND_OVER_SECONDS = 0.5, 5.0, 5.0
# More than markets that are doubted may keep waiting (snapshots.DOUBTED_AT_ONCE).
FETCHERS = 5
# Until a catalogue that could not be had for a recording is asked for again; the first minute of a file counts.
CATALOGUE_SECONDS = 15.0
# Between two questions for the last 24 hours of markets that nothing is known of.
TICKERS_SECONDS = 15.0
# Books are millions of texts without cycles: looking through them as often as usual takes a fifth of all time.
SELDOM = (100_000, 50, 100)
Books = Callable[[], Iterable[Shown]]


@dataclass(frozen=True)
class Wanted:
    """The markets to follow in the order of their rank, and the names that are looked at."""

    symbols: tuple[str, ...] = ()
    watched: frozenset[str] = frozenset()


class Session:
    """From the moment this process may write until it ends or another process does."""

    def __init__(
        self,
        writer: Writer,
        *,
        stream_url: str,
        wanted: Callable[[], Wanted],
        fetch_snapshot: Callable[[str, int], DepthSnapshot],
        store: Store,
        fetch_tickers: Callable[[Collection[str]], list[DayTicker]] | None = None,
        fetch_catalogue: Callable[[], Wire] | None = None,
        recorder: Callable[[Books], Recorder] | None = None,
        venue_ms: Callable[[], int | None] = lambda: None,
        pace: Pace | None = None,
        snapshots: Snapshots | None = None,
        audit: Audit | None = None,
        streams: Callable[[Iterable[str], Iterable[str]], list[str]] = streams_of,
    ) -> None:
        """`fetch_tickers` gives the last 24 hours of markets that stand still, `fetch_catalogue` the venue's
        exchangeInfo for a recording, `venue_ms` the time by the venue's clock when that is known.

        `snapshots` says how much of the venue's weight books may use, `streams` what of a market is read.
        """
        self.following = Following(fetch_snapshot=self._fetch, snapshots=snapshots, venue_ms=venue_ms)
        self._url, self._fetch_snapshot = stream_url, fetch_snapshot
        self._recorder = recorder(self._shown) if recorder else None
        self._fetch_catalogue, self._catalogued = fetch_catalogue, frozenset[str]()
        self._catalogue_at = 0.0
        self._fetch_tickers, self._tickers_at = fetch_tickers, 0.0
        self._audit = audit or Audit()
        self._publisher = Publisher(self.following, writer)
        self._keeper = CandleKeeper(store)
        self._ask, self._streams_of = wanted, streams
        self._looked, self._served = Wanted(), Wanted()
        self._handed_at = time.monotonic()
        self._over = threading.Event()
        self._streams = MarketStreams(
            base_url=stream_url,
            on_frame=self._frame if self._recorder else self.following.on_frame,
            on_up=self.following.on_up,
            on_down=self.following.on_down,
            on_tick=self._tick,
            on_quiet=self.following.on_quiet,
            pace=pace,
        )
        self._attempts = Memory(self._streams.attempts)

    def run(self) -> None:
        """Until `stop`, or until another process writes."""
        self._attempts.recall()
        works = [(self._look, LOOK_SECONDS), (self._keeper.store, STORE_SECONDS)]
        works += [(self._record_catalogue, LOOK_SECONDS), (self._ask_tickers, LOOK_SECONDS)]
        works += [(self._ask_for_quiet, self._audit.every_seconds), (self._attempts.keep, LOOK_SECONDS)]
        threads = [threading.Thread(target=self._repeat, args=work, daemon=True) for work in works]
        fetch, over = self.following.fetch_for_ever, self._over
        threads += [threading.Thread(target=fetch, args=(over,), daemon=True) for _ in range(FETCHERS)]
        for thread in threads:
            thread.start()
        if self._recorder is not None:
            self._recorder.connected(f"{self._url}/stream")
        usual = gc.get_threshold()
        gc.set_threshold(*SELDOM)
        try:
            self._streams.run()
        finally:
            gc.set_threshold(*usual)
            self._over.set()
            if self._recorder is not None:
                self._recorder.stop()

    def stop(self) -> None:
        self._streams.stop()

    # ------------------------------------------------------------------ the streams' thread
    def _tick(self) -> None:
        wanted = self._looked
        if wanted is not self._served:
            self._served = wanted
            self.following.follow(wanted.symbols, markets_of(wanted.watched))
            self._publisher.serve(wanted.watched)
            self._streams.want(self._streams_of(wanted.symbols, wanted.watched))
        self.following.take_fetched()
        try:
            self._publisher.publish()
        except Lost:
            log.warning("writer.lost")
            self.stop()
        self._renew_deaf()
        now = time.monotonic()
        if now - self._handed_at >= HAND_OVER_SECONDS:
            self._handed_at = now
            self._keeper.hand_over(self.following.unstored())

    def _renew_deaf(self) -> None:
        deaf = self._audit.deaf(self.following.books)
        for symbol in deaf:
            log.warning("book.deaf", symbol=symbol)
        if deaf:
            self._streams.renew([depth_stream(symbol) for symbol in deaf])

    def _frame(self, raw: bytes) -> None:
        if self._recorder is not None:
            self._recorder.received(raw)
        self.following.on_frame(raw)

    def _shown(self) -> list[Shown]:
        """The live books as they are this moment."""
        live = [book for book in self.following.books.values() if book.state == State.LIVE]
        return [
            Shown(book.symbol, book.last_update_id, book.bids.top(), book.asks.top(), book.known)
            for book in live
        ]

    # ------------------------------------------------------------------ threads of their own
    def _fetch(self, symbol: str, limit: int) -> DepthSnapshot:
        found = self._fetch_snapshot(symbol, limit)
        if self._recorder is not None:
            body = {"lastUpdateId": found.last_update_id, "bids": found.bids, "asks": found.asks}
            self._recorder.answered(f"/api/v3/depth?symbol={symbol}&limit={limit}", msgspec.json.encode(body))
        return found

    def _look(self) -> None:
        wanted = self._ask()
        if wanted != self._looked:
            self._looked = wanted

    def _ask_tickers(self) -> None:
        """A market that does not move is told of by no stream: it has a price all the same."""
        missing, now = self.following.tickers.missing(self._looked.symbols), time.monotonic()
        if self._fetch_tickers is None or not missing or now < self._tickers_at:
            return
        self._tickers_at = now + TICKERS_SECONDS
        self.following.tickers.put(self._fetch_tickers(missing))

    def _ask_for_quiet(self) -> None:
        books, watched = list(self.following.books.values()), markets_of(self._looked.watched)
        self._audit.ask(books, self._fetch_snapshot, watched=watched)

    def _record_catalogue(self) -> None:
        """A recording has the filters of all markets that are followed: a replay may know none of them."""
        symbols = frozenset(self._looked.symbols)
        if self._recorder is None or self._fetch_catalogue is None or symbols <= self._catalogued:
            return
        if time.monotonic() < self._catalogue_at:
            return
        self._catalogue_at = time.monotonic() + CATALOGUE_SECONDS
        told = self._fetch_catalogue()
        rows = [row for row in told["symbols"] if row["symbol"] in symbols]
        self._recorder.answered("/api/v3/exchangeInfo", msgspec.json.encode({**told, "symbols": rows}))
        self._catalogued, self._catalogue_at = symbols, 0.0

    def _repeat(self, work: Callable[[], None], seconds: float) -> None:
        while not self._over.is_set():
            try:
                work()
            except Exception as error:  # the outermost loop: the database or Redis may be away for a while
                log.warning("markets.not_kept_up", work=work.__name__, error=type(error).__name__)
            self._over.wait(seconds)
