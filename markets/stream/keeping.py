"""Candles on their way from the stream to the database: kept while the database is away, the newest of each."""

from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue

import structlog
from django.db import DataError, IntegrityError

from exchange.binance.models import Kline
from markets.stream.following import Series

log = structlog.get_logger()
Store = Callable[[Mapping[Series, Iterable[Kline]]], None]
MOST_KEPT = 100_000
# What the database, or what turns a candle into a row, says of one that cannot be stored, now or later.
REFUSALS = (DataError, IntegrityError, ValueError, ArithmeticError)


class CandleKeeper:
    """Takes candles from the stream's thread and stores them in the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._handed: SimpleQueue[Mapping[Series, Iterable[Kline]]] = SimpleQueue()
        self._kept: dict[tuple[Series, int], Kline] = {}

    def hand_over(self, series: Mapping[Series, Iterable[Kline]]) -> None:
        if series:
            self._handed.put(series)

    def store(self) -> None:
        """What was handed over is stored; what could not be comes with the next call, unless newer has come by then."""
        while True:
            try:
                series = self._handed.get_nowait()
            except Empty:
                break
            for name, klines in series.items():
                self._kept |= {(name, kline.open_ms): kline for kline in klines}
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        if self._kept:
            found: dict[Series, list[Kline]] = {}
            for (name, _open_ms), kline in self._kept.items():
                found.setdefault(name, []).append(kline)
            try:
                self._store(found)
            except REFUSALS:
                self._store_each(found)
            self._kept = {}

    def _store_each(self, found: Mapping[Series, Iterable[Kline]]) -> None:
        """A series that is refused is given up, so that it holds up no other."""
        for (symbol, interval), klines in found.items():
            try:
                self._store({(symbol, interval): klines})
            except REFUSALS as error:
                log.warning("candles.refused", symbol=symbol, interval=interval, reason=str(error)[:120])
