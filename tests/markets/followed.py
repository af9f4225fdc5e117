"""A session that follows a venue over real sockets, and every book that it tells on the way."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from exchange.binance.market_streams import Pace
from exchange.binance.rest import Rest
from markets import feed
from markets.stream.auditing import Audit
from markets.stream.session import Session, Wanted
from markets.writer import Writer

Told = dict[str, Any]


class Followed:
    """The session, and what is told of the books by it: every state that anybody who looks is shown."""

    def __init__(self, url: str, symbols: Sequence[str], pace: Pace | None, audit: Audit | None) -> None:
        writer = Writer(settings.REDIS_URL)
        assert writer.take()
        self.session = Session(
            writer,
            stream_url=url.replace("http", "ws"),
            wanted=lambda: Wanted(tuple(symbols), frozenset(symbols)),
            fetch_snapshot=Rest(base_url=url).depth,
            store=lambda _series: None,
            pace=pace,
            audit=audit,
        )
        self.told: list[Told] = []
        self._is_over = threading.Event()
        self._listens = threading.Event()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._listen, self.session.run)
        ]

    def start(self) -> None:
        listener, worker = self._threads
        listener.start()
        assert self._listens.wait(5)
        worker.start()

    def stop(self) -> None:
        self.session.stop()
        self._is_over.set()
        for thread in self._threads:
            thread.join(5)

    @property
    def is_running(self) -> bool:
        return self._threads[-1].is_alive()

    def _listen(self) -> None:
        with feed.client().pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.psubscribe(feed.book_key("*"))
            channel.get_message(timeout=1)
            self._listens.set()
            while not self._is_over.is_set():
                if message := channel.get_message(timeout=0.1):
                    self.told.append(json.loads(message["data"]) | {"heard_at": time.monotonic()})

    def of(self, symbol: str) -> list[Told]:
        return [told for told in list(self.told) if told["symbol"] == symbol]

    def now(self, symbol: str) -> Told:
        """What was told of the market last."""
        return next((told for told in reversed(self.told) if told["symbol"] == symbol), {"state": "", "u": 0})

    def first_live(self, symbol: str) -> Told:
        return next(told for told in self.of(symbol) if told["state"] == "LIVE")

    @property
    def live(self) -> list[Told]:
        return [told for told in list(self.told) if told["state"] == "LIVE"]


@contextmanager
def followed(
    url: str, symbols: Sequence[str], pace: Pace | None = None, audit: Audit | None = None
) -> Iterator[Followed]:
    """Until the end of the block a session follows these markets, all of them looked at, at this venue."""
    found = Followed(url, symbols, pace, audit)
    found.start()
    try:
        yield found
    finally:
        found.stop()
