"""Candles: kept in the database, fetched from the venue where it lacks some."""

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from exchange.binance.errors import VenueError
from exchange.binance.models import Kline
from exchange.gate import services as gate
from markets import queries, rules
from markets.models import Candle

log = structlog.get_logger()
MOST_CANDLES = 500
FETCHES_A_MINUTE = 240
NEWEST_SECONDS, HISTORY_SECONDS = 10, 600
# The stream brings a new candle with its first trade or second, and it is stored some seconds later.
GRACE = timedelta(seconds=15)
_guard = threading.Lock()
_locks: dict[tuple[str, str], threading.Lock] = {}


def candles(symbol: str, interval: str, *, before: datetime | None = None, limit: int = 500) -> list[Candle]:
    """Candles oldest first; what the database lacks is fetched from the venue once and kept.

    When the venue cannot or should not be asked again so soon, what is stored is the answer.
    """
    if before is not None and before >= timezone.now():
        before = None
    stored = queries.stored_candles(symbol, interval, before=before, limit=limit)
    if _is_whole(stored, interval, before, limit):
        return stored
    end = None if before is None else _window_end(interval, before)
    with _fetching(symbol, interval):
        if _may_ask(symbol, interval, end):
            _fetch_candles(symbol, interval, end)
    return queries.stored_candles(symbol, interval, before=before, limit=limit)


def _window_end(interval: str, before: datetime) -> int:
    """History is fetched in windows of fixed places, so that nobody can make us ask again for nearly the same."""
    width = rules.INTERVALS[interval] * MOST_CANDLES
    return (int(before.timestamp()) // width + 1) * width


def _is_whole(stored: list[Candle], interval: str, before: datetime | None, limit: int) -> bool:
    """True when nothing is missing: as many as asked, without a hole, up to now or to `before`."""
    if len(stored) < limit or not all(candle.is_closed for candle in stored[:-1]):
        return False
    if before is None and interval not in rules.LIVE_INTERVALS:
        return False  # nobody keeps the newest candle of these up to date
    step = timedelta(seconds=rules.INTERVALS[interval])
    end = before if before is not None else timezone.now() - GRACE
    if end - stored[-1].open_at > step:
        return False
    # Markets without a trade still have a candle at the venue: the span tells whether one is missing here.
    return interval == "1M" or stored[-1].open_at - stored[0].open_at == step * (len(stored) - 1)


def _fetching(symbol: str, interval: str) -> threading.Lock:
    """Who asks for the same candles meanwhile waits, and finds them stored."""
    with _guard:
        return _locks.setdefault((symbol, interval), threading.Lock())


def _may_ask(symbol: str, interval: str, end: int | None) -> bool:
    """False when the venue was asked for these just now, or for very much within the last minute.

    Anybody may ask us for candles; the venue's weight is for customers' orders.
    """
    asked = f"candles:asked:{symbol}:{interval}:{end or 'now'}"
    minute = f"candles:fetched:{int(timezone.now().timestamp()) // 60}"
    try:
        if not cache.add(asked, 1, timeout=NEWEST_SECONDS if end is None else HISTORY_SECONDS):
            return False
        cache.add(minute, 0, timeout=120)
        return cache.incr(minute) <= FETCHES_A_MINUTE
    except (OSError, RedisError, ValueError):
        return False  # Redis away: the database alone answers


def _fetch_candles(symbol: str, interval: str, end: int | None) -> None:
    """Nobody waits longer than a moment for the venue; what comes later is stored for who asks next."""
    try:
        gate.candles().carry(partial(_fetch_and_store, symbol, interval, end))
    except VenueError as error:
        log.warning("candles.not_fetched", symbol=symbol, interval=interval, reason=str(error)[:100])


def _fetch_and_store(symbol: str, interval: str, end: int | None) -> None:
    """Twice as many as anybody may have at once: enough for every question within the window."""
    end_ms = None if end is None else end * 1000 - 1
    fetched = gate.call(
        None,
        gate.Kind.MARKET_DATA,
        None,
        lambda rest: rest.klines(symbol, interval, end_ms=end_ms, limit=2 * MOST_CANDLES),
    )
    store_candles({(symbol, interval): fetched})


def store_candles(series: Mapping[tuple[str, str], Iterable[Kline]]) -> None:
    """The candles, by market and interval, are in the database; one that was open is overwritten by its later self."""
    now_ms = int(timezone.now().timestamp() * 1000)
    rows = [
        _candle(symbol, interval, kline, now_ms)
        for (symbol, interval), klines in series.items()
        for kline in klines
    ]
    Candle.objects.bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["market", "interval", "open_at"],
        update_fields=["open", "high", "low", "close", "volume", "quote_volume", "trades", "is_closed"],
    )


def _candle(symbol: str, interval: str, kline: Kline, now_ms: int) -> Candle:
    return Candle(
        market_id=symbol,
        interval=interval,
        open_at=datetime.fromtimestamp(kline.open_ms // 1000, tz=UTC),
        open=kline.open,
        high=kline.high,
        low=kline.low,
        close=kline.close,
        volume=kline.volume,
        quote_volume=kline.quote_volume,
        trades=kline.trades,
        is_closed=kline.is_closed and kline.close_ms <= now_ms,
    )
