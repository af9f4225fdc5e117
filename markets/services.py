"""The only writer of markets: the catalogue as the venue lists it, candles as it made them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from exchange.binance.errors import VenueError
from exchange.binance.models import ExchangeInfo, Kline, SymbolInfo
from exchange.gate import services as gate
from exchange.office import services as office
from markets import queries, rules
from markets.models import Asset, Candle, Market

log = structlog.get_logger()
LIST_ALL_UP_TO = 50


def synchronise_catalogue() -> int:
    """Asks the venue for its markets and keeps what it says; gives how many it has."""
    info = gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info())
    return store_catalogue(info)


@transaction.atomic
def store_catalogue(info: ExchangeInfo) -> int:
    """Assets and markets are as listed; a market gone from the list is closed, its history stays. Changes are logged
    and on record for staff."""
    symbols = [symbol for symbol in info.symbols if symbol.is_spot]
    codes = {code for symbol in symbols for code in (symbol.base, symbol.quote)}
    Asset.objects.bulk_create([Asset(code=code) for code in sorted(codes)], ignore_conflicts=True)
    known = Market.objects.in_bulk()
    first_time = not known
    fresh = [_market(symbol) for symbol in symbols if symbol.symbol not in known]
    Market.objects.bulk_create(fresh)
    for symbol in symbols:
        if symbol.symbol in known:
            _update(known[symbol.symbol], symbol)
    gone = set(known) - {symbol.symbol for symbol in symbols}
    Market.objects.filter(symbol__in=gone).exclude(status="GONE").update(status="GONE")
    if first_time:
        _list_first(symbols)
    Market.objects.filter(symbol__in=[s.symbol for s in symbols]).update(seen_at=timezone.now())
    return len(symbols)


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


def _list_first(symbols: Sequence[SymbolInfo]) -> None:
    """What is offered before staff have decided anything: all markets of a small venue, or the named ones."""
    trading = [symbol.symbol for symbol in symbols if symbol.status == "TRADING"]
    wanted = (
        trading
        if len(trading) <= LIST_ALL_UP_TO
        else [s for s in settings.FIRST_MARKETS if s in set(trading)]
    )
    for rank, symbol in enumerate(_by_preference(wanted)):
        Market.objects.filter(symbol=symbol).update(is_listed=True, rank=rank)


def _by_preference(symbols: Iterable[str]) -> list[str]:
    order = {symbol: rank for rank, symbol in enumerate(settings.FIRST_MARKETS)}
    return sorted(symbols, key=lambda symbol: (order.get(symbol, len(order)), symbol))


def ensure_asset(code: str) -> None:
    """The asset has a row, for instance one that only commissions are paid in."""
    Asset.objects.get_or_create(code=code)


# ------------------------------------------------------------------ candles
def candles(symbol: str, interval: str, *, before: datetime | None = None, limit: int = 500) -> list[Candle]:
    """Candles oldest first; what the database lacks is fetched from the venue once and kept.

    When the venue cannot be asked, what is stored is the answer.
    """
    stored = queries.stored_candles(symbol, interval, before=before, limit=limit)
    if _is_whole(stored, interval, before, limit):
        return stored
    end_ms = None if before is None else int(before.timestamp() * 1000) - 1
    try:
        fetched = gate.call(
            None,
            gate.Kind.MARKET_DATA,
            None,
            lambda rest: rest.klines(symbol, interval, end_ms=end_ms, limit=min(limit, 1000)),
        )
    except VenueError as error:
        log.warning("candles.not_fetched", symbol=symbol, interval=interval, reason=str(error)[:100])
        return stored
    store_candles(symbol, interval, fetched)
    return queries.stored_candles(symbol, interval, before=before, limit=limit)


def _is_whole(stored: list[Candle], interval: str, before: datetime | None, limit: int) -> bool:
    """True when nothing is missing: as many as asked, without a hole, up to now or to `before`."""
    if len(stored) < limit:
        return False
    step = timedelta(seconds=rules.INTERVALS[interval])
    newest = before if before is not None else timezone.now()
    if newest - stored[-1].open_at > step * (2 if interval != "1M" else 32):
        return False
    # Markets without a trade still have a candle at the venue: the span tells whether one is missing here.
    return interval == "1M" or stored[-1].open_at - stored[0].open_at == step * (len(stored) - 1)


def store_candles(symbol: str, interval: str, klines: Iterable[Kline]) -> None:
    """The candles are in the database; one that was still open is overwritten by its later self."""
    now_ms = int(timezone.now().timestamp() * 1000)
    rows = [_candle(symbol, interval, kline, now_ms) for kline in klines]
    Candle.objects.bulk_create(
        rows,
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
