"""`manage.py markets`: follows the venue's market streams and publishes what they say."""

import signal
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from redis.exceptions import RedisError

from exchange.binance.errors import VenueError
from exchange.binance.models import DayTicker, DepthSnapshot, Kline, Wire
from exchange.gate import services as gate
from markets import interest, queries, services
from markets.stream.following import Series
from markets.stream.recorder import Recorder
from markets.stream.session import Books, Session, Wanted
from markets.stream.snapshots import Snapshots
from markets.writer import Writer

log = structlog.get_logger()
CATALOGUE_SECONDS, LISTED_SECONDS, WAIT_SECONDS = 300, 5, 1
# An answer with the venue's time that took longer is not exact enough.
ANSWER_MS = 1000


class Command(BaseCommand):
    help = "Keep the local order books of all listed markets and publish them; a second process waits for the first."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        self.stopped = threading.Event()
        self.session: Session | None = None
        self.writer = Writer(settings.REDIS_URL)
        self.symbols: tuple[str, ...] = ()
        self.listed_at: float = 0
        self.venue_ahead_ms: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        threading.Thread(target=self.keep_catalogue, name="catalogue", daemon=True).start()
        is_waiting = False
        while not self.stopped.is_set():
            if self.may_write():
                self.write()
            elif not is_waiting:
                log.info("writer.waits")
            is_waiting = not self.stopped.wait(WAIT_SECONDS)

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped.set()
        if self.session is not None:
            self.session.stop()

    def may_write(self) -> bool:
        """Asked again each second while another process writes, or Redis is away."""
        try:
            return self.writer.take()
        except (OSError, RedisError) as error:
            log.warning("writer.not_asked", error=type(error).__name__)
            return False

    def write(self) -> None:
        """As the one writer, until the end or until another is."""
        self.session = Session(
            self.writer,
            stream_url=settings.BINANCE_STREAM_URL,
            wanted=self.wanted,
            fetch_snapshot=self.snapshot,
            fetch_tickers=self.day_tickers,
            fetch_catalogue=self.catalogue,
            venue_ms=self.venue_ms,
            snapshots=Snapshots(used_weight=gate.used_weight, most_a_minute=gate.weight_for_books),
            store=self.store,
            recorder=self.recorder if settings.RECORD_DIR else None,
        )
        if not self.stopped.is_set():
            self.session.run()
        self.session = None
        try:
            self.writer.release()
        except (OSError, RedisError) as error:
            log.warning("writer.not_released", error=type(error).__name__)

    @staticmethod
    def recorder(books: Books) -> Recorder:
        return Recorder(
            Path(settings.RECORD_DIR),
            books=books,
            rotate_bytes=settings.RECORD_ROTATE_MB * 2**20,
            rotate_seconds=settings.RECORD_ROTATE_MINUTES * 60,
            keep=settings.RECORD_KEEP,
        )

    def wanted(self) -> Wanted:
        """What staff list, read every few seconds, and what anybody looks at."""
        now = time.monotonic()
        if not self.symbols or now - self.listed_at >= LISTED_SECONDS:
            close_old_connections()
            self.listed_at = now
            self.symbols = tuple(queries.followed().values_list("symbol", flat=True))
        return Wanted(self.symbols, interest.watched())

    def keep_catalogue(self) -> None:
        """What the venue lists anew or halts is known here within minutes, also without the sweeps."""
        while True:
            close_old_connections()
            try:
                services.synchronise_catalogue()
                self.measure_clock()
            except VenueError as error:
                log.warning("catalogue.not_read", reason=str(error)[:120])
            except Exception as error:  # the outermost loop: the database may be away for a while
                log.warning("catalogue.not_kept", error=type(error).__name__)
            if self.stopped.wait(CATALOGUE_SECONDS if self.symbols else WAIT_SECONDS):
                return

    def measure_clock(self) -> None:
        """How far the venue's clock is ahead of this process's, which nobody sets; a slow answer says nothing."""
        before = milliseconds()
        told = gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())
        after = milliseconds()
        if after - before <= ANSWER_MS:
            self.venue_ahead_ms = told - (before + after) // 2

    def venue_ms(self) -> int | None:
        """The time by the venue's clock, None until it has been asked for."""
        return None if self.venue_ahead_ms is None else milliseconds() + self.venue_ahead_ms

    @staticmethod
    def snapshot(symbol: str, limit: int) -> DepthSnapshot:
        return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.depth(symbol, limit))

    @staticmethod
    def day_tickers(symbols: Collection[str]) -> list[DayTicker]:
        return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.day_tickers(symbols))

    @staticmethod
    def catalogue() -> Wire:
        return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())

    @staticmethod
    def store(series: Mapping[Series, Iterable[Kline]]) -> None:
        close_old_connections()
        services.store_candles(series)


def milliseconds() -> int:
    """By a clock that is never set."""
    return time.monotonic_ns() // 1_000_000
