"""The only writer of markets: the catalogue as the venue lists it, candles as it made them."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from exchange.binance.errors import VenueError
from exchange.binance.models import ExchangeInfo, Kline, SymbolInfo
from exchange.gate import services as gate
from exchange.office import services as office
from markets import queries, rules
from markets.models import GONE, Asset, Candle, Market

log = structlog.get_logger()
LIST_ALL_UP_TO = 50
MOST_CANDLES = 500
FETCHES_A_MINUTE = 240
NEWEST_SECONDS, HISTORY_SECONDS = 10, 600
# The stream brings a new candle with its first trade or second, and it is stored some seconds later.
GRACE = timedelta(seconds=15)
_guard = threading.Lock()
_locks: dict[tuple[str, str], threading.Lock] = {}


def synchronise_catalogue() -> int:
    """Asks the venue for its markets and keeps what it says; gives how many it has."""
    info = gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info())
    if not any(symbol.is_spot for symbol in info.symbols):
        log.warning(
            "catalogue.empty"
        )  # a venue that lists nothing has a bad moment: nothing is closed for it
        return 0
    return store_catalogue(info)


@transaction.atomic(durable=True)
def store_catalogue(info: ExchangeInfo) -> int:
    """Assets and markets are as the venue lists them; a market that is gone is closed, its history stays.

    What changed of a market that customers see is on record for staff.
    """
    _one_at_a_time()
    symbols = [symbol for symbol in info.symbols if symbol.is_spot]
    _store_assets(symbols)
    known = Market.objects.in_bulk()
    fresh = [symbol for symbol in symbols if symbol.symbol not in known]
    Market.objects.bulk_create([_market(symbol) for symbol in fresh])
    for symbol in symbols:
        if symbol.symbol in known:
            _update(known[symbol.symbol], symbol)
    names = {symbol.symbol for symbol in symbols}
    Market.objects.filter(symbol__in=set(known) - names).exclude(status=GONE).update(status=GONE)
    Market.objects.filter(symbol__in=names).update(seen_at=timezone.now())
    _list_fresh(symbols, fresh, is_first_time=not known)
    return len(symbols)


def _one_at_a_time() -> None:
    """Several processes read the catalogue when the site starts; the lock goes with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('markets.catalogue'))")


def _store_assets(symbols: Iterable[SymbolInfo]) -> None:
    """Every asset has a row whose scale holds the finest amount its markets can make; a scale never shrinks."""
    needed: dict[str, int] = {}
    for symbol in symbols:
        base, quote = rules.scales(symbol.filters, symbol.base_precision, symbol.quote_precision)
        needed[symbol.base] = max(needed.get(symbol.base, 0), base)
        needed[symbol.quote] = max(needed.get(symbol.quote, 0), quote)
    known = dict(Asset.objects.values_list("code", "scale"))
    Asset.objects.bulk_create(
        [Asset(code=code, scale=needed[code]) for code in sorted(set(needed) - set(known))]
    )
    for code in sorted(set(needed) & set(known)):
        if needed[code] > known[code]:
            Asset.objects.filter(code=code).update(scale=needed[code])


def _market(symbol: SymbolInfo) -> Market:
    return Market(symbol=symbol.symbol, base_id=symbol.base, quote_id=symbol.quote, **_fields(symbol))


def _fields(symbol: SymbolInfo) -> dict[str, object]:
    return {
        "status": symbol.status,
        "filters": list(symbol.filters),
        "order_types": list(symbol.order_types),
        "base_precision": symbol.base_precision,
        "quote_precision": symbol.quote_precision,
        "allows_quote_quantity": symbol.allows_quote_quantity,
    }


def _update(market: Market, symbol: SymbolInfo) -> None:
    fields = _fields(symbol)
    changed = {
        name: getattr(market, name) for name, value in fields.items() if getattr(market, name) != value
    }
    if not changed:
        return
    for name, value in fields.items():
        setattr(market, name, value)
    market.save(update_fields=list(fields))
    log.info("market.changed", symbol=market.symbol, fields=sorted(changed))
    if market.is_listed:
        after = {name: fields[name] for name in changed}
        office.record(None, "market.changed", "market", market.symbol, before=changed, after=after)


def _list_fresh(symbols: Sequence[SymbolInfo], fresh: Sequence[SymbolInfo], *, is_first_time: bool) -> None:
    """What is offered before staff have decided anything: every market of a small venue, of others the named ones."""
    trading = [symbol.symbol for symbol in symbols if symbol.status == "TRADING"]
    if len(trading) <= LIST_ALL_UP_TO:
        wanted = [symbol.symbol for symbol in fresh if symbol.status == "TRADING"]
    elif is_first_time:
        named = set(trading) & set(settings.FIRST_MARKETS)
        wanted = sorted(named) or sorted(trading)[: len(settings.FIRST_MARKETS)]
    else:
        wanted = []
    listed_already = Market.objects.filter(is_listed=True).count()
    for rank, symbol in enumerate(_by_preference(wanted), start=listed_already):
        Market.objects.filter(symbol=symbol).update(is_listed=True, rank=rank)


def _by_preference(symbols: Iterable[str]) -> list[str]:
    order = {symbol: rank for rank, symbol in enumerate(settings.FIRST_MARKETS)}
    return sorted(symbols, key=lambda symbol: (order.get(symbol, len(order)), symbol))


@transaction.atomic
def decide_listing(symbol: str, *, is_listed: bool, rank: int, by: Any) -> None:
    """Customers see the market or not, at this place of the list; on record with who decided it."""
    market = Market.objects.select_for_update().get(pk=symbol)
    before: dict[str, object] = {"is_listed": market.is_listed, "rank": market.rank}
    market.is_listed, market.rank = is_listed, rank
    market.save(update_fields=["is_listed", "rank"])
    after: dict[str, object] = {"is_listed": is_listed, "rank": rank}
    if after != before:
        office.record(by, "market.listed", "market", symbol, before=before, after=after)


def ensure_asset(code: str) -> None:
    """The asset has a row, for instance one that only commissions are paid in."""
    Asset.objects.get_or_create(code=code)


# ------------------------------------------------------------------ candles
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
