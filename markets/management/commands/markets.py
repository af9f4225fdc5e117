"""`manage.py markets`: follows the venue's market streams and publishes what they say."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from exchange.binance.errors import VenueError
from exchange.binance.models import DepthSnapshot
from exchange.binance.streams import MarketStream
from exchange.gate import services as gate
from markets import queries, services
from markets.stream import STREAMS_A_MARKET, Following, Publisher, streams_of

log = structlog.get_logger()
KEEP_UP_SECONDS = 5
CATALOGUE_SECONDS = 300
# The venue allows 1,024 streams on a connection.
MOST_MARKETS = 1024 // STREAMS_A_MARKET


class Command(BaseCommand):
    help = "Keep the local order books of all listed markets and publish them."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        self.stopped = threading.Event()
        self.symbols: list[str] = []
        self.following = Following(fetch_snapshot=self.snapshot)
        self.publisher = Publisher(self.following)
        self.stream = MarketStream(
            base_url=settings.BINANCE_STREAM_URL,
            streams=self.streams,
            on_open=self.following.opened,
            on_frame=self.following.frame,
            on_down=self.following.down,
        )
        for work in (self.publish, self.fetch_snapshots, self.keep_up, self.keep_catalogue):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        self.stream.run()

    def streams(self) -> list[str]:
        """Asked before each connection: the catalogue may be new, or have changed."""
        close_old_connections()
        if not self.symbols:
            self.catalogue()
            self.symbols = self.listed()
        self.following.follow(self.symbols)
        return streams_of(self.symbols)

    @staticmethod
    def catalogue() -> None:
        """As the venue tells it now; when it cannot be asked, what the database knows is good enough to begin."""
        try:
            services.synchronise_catalogue()
        except VenueError as error:
            log.warning("catalogue.not_read", reason=str(error)[:120])

    @staticmethod
    def listed() -> list[str]:
        symbols = list(queries.followed().values_list("symbol", flat=True))
        if len(symbols) > MOST_MARKETS:
            log.warning("markets.too_many", listed=len(symbols), followed=MOST_MARKETS)
        return symbols[:MOST_MARKETS]

    @staticmethod
    def snapshot(symbol: str, limit: int) -> DepthSnapshot:
        return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.depth(symbol, limit))

    def publish(self) -> None:
        self.publisher.run(self.stopped)

    def fetch_snapshots(self) -> None:
        self.following.fetch_for_ever(self.stopped)

    def keep_up(self) -> None:
        """Candles to the database; a market that staff list or delist is followed within seconds."""
        self.for_ever(KEEP_UP_SECONDS, self.store_candles, self.follow_listed)

    def keep_catalogue(self) -> None:
        """What the venue lists anew or halts is known here within minutes, also without the sweeps."""
        self.for_ever(CATALOGUE_SECONDS, self.catalogue)

    def for_ever(self, seconds: int, *works: Callable[[], None]) -> None:
        while not self.stopped.wait(seconds):
            close_old_connections()
            for work in works:
                try:
                    work()
                except Exception as error:  # the outermost loop: the database may be away for a while
                    log.warning("markets.not_kept_up", work=work.__name__, error=type(error).__name__)

    def store_candles(self) -> None:
        series = self.following.unstored()
        try:
            services.store_candles(series)
        except Exception:
            for (symbol, interval), klines in series.items():
                self.following.not_stored(symbol, interval, klines)
            raise

    def follow_listed(self) -> None:
        if self.symbols and (now := self.listed()) != self.symbols:
            self.symbols = now
            self.stream.restart()
