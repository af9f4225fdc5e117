"""`manage.py markets`: follows the venue's market streams and publishes what they say."""

import threading
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from exchange.binance.models import DepthSnapshot, Kline
from exchange.binance.streams import MarketStream
from exchange.gate import services as gate
from markets import queries, services
from markets.stream import MarketFeed, streams_of

log = structlog.get_logger()
STORE_SECONDS = 5
DEEP_BOOKS_UP_TO = 60
DEEP, SHALLOW = 1000, 100


class Command(BaseCommand):
    help = "Keep the local order books of all listed markets and publish them."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.remember_venue()
        self.stopped = threading.Event()
        self.symbols: list[str] = []
        self.feed = MarketFeed(fetch_snapshot=self.snapshot, store_candles=self.store)
        self.stream = MarketStream(
            base_url=settings.BINANCE_STREAM_URL,
            streams=self.streams,
            on_open=self.feed.opened,
            on_frame=self.feed.frame,
            on_down=self.feed.down,
        )
        for work in (self.feed.publish_forever, self.feed.snapshots_forever, self.keep_up):
            threading.Thread(target=work, args=(self.stopped,), name=work.__name__, daemon=True).start()
        self.stream.run()

    def streams(self) -> list[str]:
        """Asked before each connection: the catalogue may be new, or have changed."""
        close_old_connections()
        if not self.symbols:
            self.refresh_catalogue()
        self.feed.follow(self.symbols)
        return streams_of(self.symbols)

    def refresh_catalogue(self) -> None:
        services.synchronise_catalogue()
        self.symbols = self.listed()

    @staticmethod
    def listed() -> list[str]:
        return list(queries.listed().exclude(status="GONE").values_list("symbol", flat=True))

    def snapshot(self, symbol: str) -> DepthSnapshot:
        limit = DEEP if len(self.symbols) <= DEEP_BOOKS_UP_TO else SHALLOW
        return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.depth(symbol, limit))

    @staticmethod
    def store(symbol: str, interval: str, klines: list[Kline]) -> None:
        services.store_candles(symbol, interval, klines)

    def keep_up(self, stopped: threading.Event) -> None:
        """Candles to the database; a market that staff list or delist is followed within seconds."""
        while not stopped.wait(STORE_SECONDS):
            try:
                close_old_connections()
                self.feed.store_candles()
                if self.symbols and (now := self.listed()) != self.symbols:
                    self.symbols = now
                    self.stream.restart()
            except Exception:  # the outermost loop: the database may be away for a while
                log.exception("markets.not_kept_up")
