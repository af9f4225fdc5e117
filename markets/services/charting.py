"""Candles of every interval and time zone: kept in the database, fetched from the venue where it lacks some.

Those of a zone are kept beside those of UTC, for the venue alone knows where its three days and weeks begin, and a
thousand weeks made of hours would be 168,000 rows. The newest ones that nobody streams are made of streamed ones.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial, reduce
from itertools import pairwise

import structlog
from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from exchange.binance.errors import Unreadable, VenueError
from exchange.gate import services as gate
from exchange.money import EXACT
from markets import queries, rules
from markets.models import Candle
from markets.services.storing import ODD, SETTLED, Series, store_answer

log = structlog.get_logger()
# The venue gives so many at once, and so does a page.
MOST_CANDLES = 1000
# History is asked for up to the ends of windows of so many: half of what an answer has.
WINDOW = 500
MOST_PARTS = 3000
FETCHES_A_MINUTE = 240
HOURS_A_SWEEP = 20
# How soon the venue is asked again: for the newest, for history, and for history that it has answered for.
NEWEST_SECONDS, HISTORY_SECONDS, ANSWERED_SECONDS = 5, 600, 86_400
# The stream brings a new candle with its first trade or second, and it is stored some seconds later.
GRACE = timedelta(seconds=15)
# A candle that was told so lately is right; so is an older one of a market whose line speaks, for nothing traded.
LATELY = timedelta(seconds=10)
SPEAKS_SECONDS = 15
# The venue has nothing newer than its newest answer, a halted market's: it is asked again after so long.
ENDED_SECONDS = 300
# So long a hole of the venue's own is believed; its answer may have been a poor one.
HOLE = timedelta(days=1)
_guard = threading.Lock()
_locks: dict[Series, threading.Lock] = {}
_odd: Counter[Series] = Counter()


def candles(
    symbol: str, interval: str, *, before: datetime | None = None, limit: int = 500, zone: int = 0
) -> list[Candle]:
    """Candles oldest first; what the database lacks is fetched from the venue once and kept.

    `zone`: minutes east of UTC in which days, weeks and months begin. When the venue cannot or should not be asked
    again so soon, what is stored is the answer. Raises UnknownInterval.
    """
    queries.require_interval(interval)
    now = timezone.now()
    if before is not None and before >= now:
        before = None
    series = Series(symbol, interval, rules.zone_of(interval, zone))
    found, is_whole = _kept(series, before, limit, now)
    for end in _windows(interval, before, limit, now):
        if is_whole:
            break
        with _fetching(series):
            if _may_ask(series, end):
                _fetch(series, end)
        found, is_whole = _kept(series, before, limit, now)
    return found


def keep_hours() -> None:
    """Listed markets that trade have the hourly candles of the last day, so that lists can draw them."""
    known = queries.hourly_closes()
    lacking = [
        market.symbol
        for market in queries.listed()
        if market.is_trading and len(known.get(market.symbol, ())) < queries.HOURS
    ]
    # By lot: a market whose hours the venue itself lacks keeps no other waiting for ever.
    for symbol in random.sample(lacking, min(len(lacking), HOURS_A_SWEEP)):
        candles(symbol, "1h", limit=queries.HOURS)


# ------------------------------------------------------------------ what is kept
def _kept(series: Series, before: datetime | None, limit: int, now: datetime) -> tuple[list[Candle], bool]:
    """What can be answered without the venue, and whether it is all there is."""
    stored = queries.stored_candles(*series, before=before, limit=limit)
    if before is not None:
        return stored, _is_whole(series, stored, limit, before, now)
    found, is_newest = _up_to_now(series, stored, now)
    if is_newest and _is_whole(series, found, limit, now - GRACE, now):
        return found[-limit:], True
    return found[-limit:], _has_ended(series, stored, limit, now)


def _is_whole(series: Series, found: Sequence[Candle], limit: int, end: datetime, now: datetime) -> bool:
    """True when nothing is missing: as many as asked or all there are, each closed if it is over, no hole, to the end.

    Markets without a trade still have candles at the venue: a hole is one of ours, unless the venue has said so lately.
    """
    if not found or (len(found) < limit and not found[0].is_first):
        return False
    last = found[-1]
    return (
        series.next(last) >= end
        and (last.is_closed or series.next(last) > now - GRACE)
        and all(
            older.is_closed and (series.next(older) >= newer.open_at or _is_theirs(older, newer, now))
            for older, newer in pairwise(found)
        )
    )


def _is_theirs(older: Candle, newer: Candle, now: datetime) -> bool:
    """True for a hole between two candles that the venue has too."""
    is_lately = newer.seen_at is not None and newer.seen_at > now - HOLE
    return is_lately and newer.follows_at == older.open_at


def _has_ended(series: Series, stored: list[Candle], limit: int, now: datetime) -> bool:
    """True when the venue said a while ago that it has no newer ones, and no stream has brought any since."""
    try:
        ended = cache.get(_ended(series))
    except (OSError, RedisError):
        return False
    if not stored or ended is None:
        return ended == 0
    last = stored[-1]
    edge = series.next(last)
    if ended != int(last.open_at.timestamp() * 1000) or edge > now - GRACE:
        return False
    finer = rules.finer(series.interval, series.zone)
    is_quiet = finer is None or not queries.candles_from(series.symbol, finer, edge, 1)
    return is_quiet and _is_whole(series, stored, limit, edge, now)


def _ended(series: Series) -> str:
    return f"candles:ended:{series.symbol}:{series.interval}:{series.zone}"


def _up_to_now(series: Series, stored: list[Candle], now: datetime) -> tuple[list[Candle], bool]:
    """The candles with the newest ones as the stream has them, and whether they are as new as can be."""
    if not stored:
        return stored, False
    if rules.is_live(series.interval, series.zone):
        return stored, _is_right(stored[-1], now)
    name, last = rules.finer(series.interval, series.zone), stored[-1]
    if name is None:
        return stored, False
    begin = series.next(last) if last.is_closed else last.open_at
    if last.is_closed and begin > now - GRACE:
        return stored, True
    parts = queries.candles_from(series.symbol, name, begin, MOST_PARTS)
    if not parts or parts[0].open_at != begin or not _is_right(parts[-1], now):
        return stored, False
    part = Series(series.symbol, name)
    if not _is_whole(part, parts, len(parts), now - GRACE, now):
        return stored, False
    closed = stored if last.is_closed else stored[:-1]
    return [*closed, *_made(series, begin, part, parts)], True


def _is_right(newest: Candle, now: datetime) -> bool:
    if newest.seen_at is not None and newest.seen_at >= now - LATELY:
        return True
    ticker = queries.ticker(newest.market_id)
    return ticker is not None and ticker.is_fresh(int(now.timestamp() * 1000), SPEAKS_SECONDS)


def _made(series: Series, opened: datetime, part: Series, parts: Iterable[Candle]) -> Iterator[Candle]:
    """Whole candles of the series from finer ones without a hole, the first of which opens with it."""
    left = deque(parts)
    while left:
        edge = rules.next_open(series.interval, opened, series.zone)
        inside = []
        while left and left[0].open_at < edge:
            inside.append(left.popleft())
        if inside:  # the venue has none of a time in which it stood still
            is_closed = inside[-1].is_closed and part.next(inside[-1]) >= edge
            yield _merged(series, opened, inside, is_closed=is_closed)
        opened = edge


def _merged(series: Series, opened: datetime, parts: list[Candle], *, is_closed: bool) -> Candle:
    """One candle of several; what stood still while nothing traded has no part in its prices."""
    traded = [part for part in parts if part.trades] or parts
    return Candle(
        market_id=series.symbol,
        interval=series.interval,
        zone=series.zone,
        open_at=opened,
        open=traded[0].open,
        high=max(part.high for part in traded),
        low=min(part.low for part in traded),
        close=traded[-1].close,
        volume=_sum(part.volume for part in parts),
        quote_volume=_sum(part.quote_volume for part in parts),
        trades=sum(part.trades for part in parts),
        is_closed=is_closed,
        seen_at=parts[-1].seen_at,
    )


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return reduce(EXACT.add, amounts)


# ------------------------------------------------------------------ asking the venue
def _windows(interval: str, before: datetime | None, limit: int, now: datetime) -> list[int | None]:
    """Up to which seconds to ask, newest first; None: for the newest.

    History is fetched in windows of fixed places, so that nobody can make us ask again for nearly the same. An answer
    reaches over two of them: half a page needs one, a page two.
    """
    if before is None:
        return [None]
    width = rules.INTERVALS[interval] * WINDOW
    first = (int(before.timestamp()) // width + 1) * width
    ends = [first - number * 2 * width for number in range(-(-limit // WINDOW))]
    settled = (now - SETTLED).timestamp()
    return [None if end > settled else end for end in ends if end > 0]


def _fetching(series: Series) -> threading.Lock:
    """Who asks for the same candles meanwhile waits, and finds them stored."""
    with _guard:
        return _locks.setdefault(series, threading.Lock())


def _asked(series: Series, end: int | None) -> str:
    return f"candles:asked:{series.symbol}:{series.interval}:{series.zone}:{end or 'now'}"


def _may_ask(series: Series, end: int | None) -> bool:
    """False when the venue was asked for these just now, or for very much within the last minute.

    Anybody may ask us for candles; the venue's weight is for customers' orders.
    """
    minute = f"candles:fetched:{int(timezone.now().timestamp()) // 60}"
    seconds = NEWEST_SECONDS if end is None else HISTORY_SECONDS
    try:
        if not cache.add(_asked(series, end), 1, timeout=seconds):
            return False
        cache.add(minute, 0, timeout=120)
        return cache.incr(minute) <= FETCHES_A_MINUTE
    except (OSError, RedisError, ValueError):
        return False  # Redis away: the database alone answers


def _fetch(series: Series, end: int | None) -> None:
    """Nobody waits longer than a moment for the venue; what comes later is stored for who asks next."""
    try:
        gate.candles().carry(partial(_fetch_and_store, series, end))
    except (VenueError, RedisError) as error:
        log.warning("candles.not_fetched", **series._asdict(), reason=str(error)[:100])


def _fetch_and_store(series: Series, end: int | None) -> None:
    """As many as the venue gives; fewer than that begin with the first it has.

    What it has not, between them or after the last, is remembered, so that nobody asks for it again and again. An
    answer with a candle that cannot be is no answer.
    """
    symbol, interval, zone = series
    end_ms = None if end is None else end * 1000 - 1
    asked_at = timezone.now() + timedelta(milliseconds=gate.clock().offset_ms)
    try:
        fetched = gate.call(
            None,
            gate.Kind.MARKET_DATA,
            None,
            lambda rest: rest.klines(symbol, interval, end_ms=end_ms, limit=MOST_CANDLES, zone_minutes=zone),
        )
        store_answer(series, fetched, asked_at=asked_at, is_from_first=0 < len(fetched) < MOST_CANDLES)
    except (*ODD, Unreadable) as error:
        _odd[series] += 1
        log.warning("candles.odd", **series._asdict(), count=_odd[series], reason=repr(error)[:100])
        return
    if end is not None:
        cache.touch(_asked(series, end), ANSWERED_SECONDS)
    else:
        cache.set(_ended(series), fetched[-1].open_ms if fetched else 0, timeout=ENDED_SECONDS)
