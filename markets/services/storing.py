"""Candles become rows: what the stream said of them, and what the venue answered when it was asked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from django.db import DataError
from django.utils import timezone

from exchange.binance.models import Kline
from markets import queries, rules
from markets.models import Candle

# A candle is over when it was so by our clock when we asked: the venue's may be a little behind.
SETTLED = timedelta(seconds=2)
# The end of the year 9999 in milliseconds; the columns have 20 digits before the point.
LAST_MS, MOST = 253_402_300_799_999, Decimal(10) ** 20
# What an answer leads to that holds no candles, or some that cannot be.
ODD = (LookupError, TypeError, ValueError, ArithmeticError, DataError)
_KEY = ["market", "interval", "zone", "open_at"]
_FIGURES = [
    "open", "high", "low", "close", "volume", "quote_volume", "trades", "is_closed", "seen_at",
]  # fmt: skip


class Series(NamedTuple):
    symbol: str
    interval: str
    zone: int = 0

    def next(self, candle: Candle) -> datetime:
        return rules.next_open(self.interval, candle.open_at, self.zone)


def store_candles(series: Mapping[tuple[str, str], Iterable[Kline]], *, zone: int = 0) -> None:
    """The streamed candles, by market and interval, are in the database, each over its earlier self.

    Raises ValueError for one that cannot be.
    """
    now = timezone.now()
    _store(
        [
            _candle(Series(*name, zone), kline, seen_at=now, over_by=now)
            for name, klines in series.items()
            for kline in klines
        ]
    )


def store_answer(
    series: Series, klines: Sequence[Kline], *, asked_at: datetime, is_from_first: bool = False
) -> None:
    """What the venue answered is in the database, with its holes; raises ValueError when some of it cannot be.

    `asked_at`, by the venue's clock: one that was not over then is open, and takes the place of none that was told
    later or is over.
    """
    rows = [_candle(series, kline, seen_at=asked_at, over_by=asked_at - SETTLED) for kline in klines]
    if any(older.open_at >= newer.open_at for older, newer in pairwise(rows)):
        raise ValueError("candles that are not in their order")
    _store([row for row in rows if row.is_closed])
    for row in rows:
        if not row.is_closed:
            _store_open(row, asked_at)
    _note_holes(series, rows)
    if is_from_first:
        queries.series(*series).filter(open_at=rows[0].open_at).update(is_first=True)


def _store(rows: list[Candle]) -> None:
    Candle.objects.bulk_create(
        rows, batch_size=1000, update_conflicts=True, unique_fields=_KEY, update_fields=_FIGURES
    )


def _store_open(row: Candle, asked_at: datetime) -> None:
    """In one statement each, so that what the stream stores meanwhile stays."""
    Candle.objects.bulk_create([row], ignore_conflicts=True)
    known = queries.series(row.market_id, row.interval, row.zone).filter(open_at=row.open_at)
    known = known.filter(is_closed=False).exclude(seen_at__gt=asked_at)
    known.update(**{name: getattr(row, name) for name in _FIGURES})


def _note_holes(series: Series, rows: Sequence[Candle]) -> None:
    for older, newer in pairwise(rows):
        if series.next(older) < newer.open_at:
            queries.series(*series).filter(open_at=newer.open_at).update(follows_at=older.open_at)


def _candle(series: Series, kline: Kline, *, seen_at: datetime, over_by: datetime) -> Candle:
    _require_possible(kline)
    symbol, interval, zone = series
    return Candle(
        market_id=symbol,
        interval=interval,
        zone=zone,
        open_at=_at(kline.open_ms),
        open=kline.open,
        high=kline.high,
        low=kline.low,
        close=kline.close,
        volume=kline.volume,
        quote_volume=kline.quote_volume,
        trades=kline.trades,
        is_closed=kline.is_closed and kline.close_ms <= int(over_by.timestamp() * 1000),
        seen_at=seen_at,
    )


def _require_possible(kline: Kline) -> None:
    """Raises ValueError or ArithmeticError for prices, amounts or times that cannot be."""
    prices = (kline.open, kline.high, kline.low, kline.close)
    if not all(0 <= amount < MOST for amount in (*prices, kline.volume, kline.quote_volume)):
        raise ValueError("an amount that cannot be")
    if kline.low != min(prices) or kline.high != max(prices):
        raise ValueError("a price outside the lowest and the highest")
    if not 0 <= kline.open_ms < kline.close_ms <= LAST_MS or not 0 <= kline.trades < 2**63:
        raise ValueError("a time or number of trades that cannot be")


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds // 1000, tz=UTC)
