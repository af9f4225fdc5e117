"""The venue's markets become ours: what it says of each is kept, what changed is on record, and staff hear of it."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from exchange.binance.models import ExchangeInfo, SymbolInfo
from exchange.gate import services as gate
from exchange.office import services as office
from markets import catalogue, rules
from markets.catalogue import readable
from markets.limits import Narrower, Word, narrowed, narrowed_rates, unknown_words
from markets.models import Asset, Market, VenueLimits
from markets.services.telling import Change, tell_of_unreadable, tell_staff

log = structlog.get_logger()
LIST_ALL_UP_TO = 50


def synchronise_catalogue() -> int:
    """Asks the venue for its markets and keeps what it says; gives how many it has."""
    info = gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info())
    gate.learn_limits(info.rate_limits)
    info = readable(info)
    count = 0
    if any(symbol.is_spot for symbol in info.symbols):
        count = store_catalogue(info)
    else:
        log.warning(
            "catalogue.empty"
        )  # a venue that lists nothing has a bad moment: nothing is closed for it
    for row in info.unreadable:
        log.warning("catalogue.unreadable", symbol=row.symbol[:20], reason=row.reason)
    tell_of_unreadable(info.unreadable)
    return count


@transaction.atomic(durable=True)
def store_catalogue(info: ExchangeInfo) -> int:
    """Assets and markets are as the venue lists them; a market that is gone is closed, its history stays.

    What changed of a market that customers see is on record, of the others in one record together. Staff are told of
    what narrows, stops, comes back, vanishes or is new, and of words that nobody here knows, once. Of a market whose
    row cannot be read all stays as it was but its state.
    """
    info = readable(info)
    _one_at_a_time()
    symbols = [symbol for symbol in info.symbols if symbol.is_spot]
    _store_assets(symbols)
    known = Market.objects.in_bulk()
    words_before = _words(known.values())
    fresh = [symbol for symbol in symbols if symbol.symbol not in known]
    new = [_market(symbol) for symbol in fresh]
    named = {symbol.symbol: _fields(symbol) for symbol in symbols}
    changes = [
        change
        for name, fields in named.items()
        if name in known and (change := _changed(known[name], fields))
    ]
    doubted = {row.symbol: catalogue.status_of(row) for row in info.unreadable if row.symbol not in named}
    changes += [
        change
        for name, status in doubted.items()
        if name in known and (change := _changed(known[name], {"status": status}))
    ]
    _store([*new, *(known[change.symbol] for change in changes)])
    missing = sorted(set(known) - set(named) - set(doubted))
    gone = [change for name in missing if (change := _changed(known[name], {"status": rules.GONE}))]
    Market.objects.filter(symbol__in=[change.symbol for change in gone]).update(status=rules.GONE)
    Market.objects.filter(symbol__in=named).update(seen_at=timezone.now())
    if not known:
        _list_first(symbols)
    _record([*changes, *gone], known, [] if not known else sorted(symbol.symbol for symbol in fresh))
    limits, new_words = _take_limits(info)
    tell_staff(
        [*changes, *gone],
        (_words([*known.values(), *new]) - words_before) | new_words,
        added=(f"{symbol.symbol}: {symbol.status}" for symbol in fresh if known),
        of_the_venue=limits,
    )
    return len(symbols)


def _record(changes: Sequence[Change], known: dict[str, Market], added: Sequence[str]) -> None:
    """What changed is on record: each listed market's by itself, of the others what happened to which."""
    hidden = [change for change in changes if not known[change.symbol].is_listed]
    for change in changes:
        log.info("market.changed", symbol=change.symbol, fields=sorted(change.before))
        if known[change.symbol].is_listed:
            office.record(
                None, "market.changed", "market", change.symbol, before=change.before, after=change.after
            )
    if hidden or added:
        before: dict[str, object] = {change.symbol: _brief(change.before) for change in hidden}
        after: dict[str, object] = {change.symbol: _brief(change.after) for change in hidden}
        office.record(
            None,
            "catalogue.changed",
            "catalogue",
            "",
            before=before,
            after=after | dict.fromkeys(added, "new"),
        )


def _brief(fields: dict[str, Any]) -> dict[str, object]:
    """Texts as they are, of what is long its name: all of a large venue's markets may change at once."""
    return {name: value if isinstance(value, str) else "…" for name, value in fields.items()}


def _take_limits(info: ExchangeInfo) -> tuple[list[Narrower], set[Word]]:
    """The venue's own limits are kept; gives those that are narrower than before, and words nobody here knows."""
    kept, is_first = VenueLimits.objects.get_or_create(pk=1)
    before, rates = kept.filters, kept.rate_limits
    kept.filters, kept.rate_limits = list(info.filters), list(info.rate_limits)
    if (before, rates) == (kept.filters, kept.rate_limits):
        return [], set()
    kept.save()
    words = set(unknown_words("TRADING", kept.filters, (), ())) - set(
        unknown_words("TRADING", before, (), ())
    )
    if is_first:
        return [], words
    return [*narrowed_rates(rates, kept.rate_limits), *narrowed(before, kept.filters)], words


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


def _fields(symbol: SymbolInfo) -> dict[str, Any]:
    return {
        "status": symbol.status,
        "filters": list(symbol.filters),
        "order_types": list(symbol.order_types),
        "base_precision": symbol.base_precision,
        "quote_precision": symbol.quote_precision,
        "allows_quote_quantity": symbol.allows_quote_quantity,
        "abilities": list(symbol.abilities),
        "permission_sets": [list(names) for names in symbol.permission_sets],
        "stp_modes": list(symbol.stp_modes),
        "default_stp_mode": symbol.default_stp_mode,
    }


def _words(markets: Iterable[Market]) -> set[Word]:
    """The venue's words about these markets that nobody here knows."""
    return {
        word
        for market in markets
        for word in unknown_words(market.status, market.filters, market.order_types, market.stp_modes)
    }


def _changed(market: Market, fields: dict[str, Any]) -> Change | None:
    """Takes over what the venue says now; gives what of it is new."""
    before = {name: getattr(market, name) for name, value in fields.items() if getattr(market, name) != value}
    if not before:
        return None
    for name in before:
        setattr(market, name, fields[name])
    return Change(market.symbol, before, {name: fields[name] for name in before})


def _store(markets: list[Market]) -> None:
    """What the venue says of these is in the database; what staff decided of them stays."""
    Market.objects.bulk_create(
        markets,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["symbol"],
        update_fields=[
            "status", "filters", "order_types", "base_precision", "quote_precision", "allows_quote_quantity",
            "abilities", "permission_sets", "stp_modes", "default_stp_mode",
        ],
    )  # fmt: skip


def _list_first(symbols: Sequence[SymbolInfo]) -> None:
    """What is offered before staff have decided anything: every market of a small venue, of others the named ones.

    Only the first catalogue ever is listed so; what the venue adds later is staff's to list.
    """
    trading = [symbol.symbol for symbol in symbols if symbol.status == "TRADING"]
    wanted = trading
    if len(trading) > LIST_ALL_UP_TO:
        named = set(trading) & set(settings.FIRST_MARKETS)
        wanted = sorted(named) or sorted(trading)[: len(settings.FIRST_MARKETS)]
    for rank, symbol in enumerate(_by_preference(wanted)):
        Market.objects.filter(symbol=symbol).update(is_listed=True, rank=rank)


def _by_preference(symbols: Iterable[str]) -> list[str]:
    order = {symbol: rank for rank, symbol in enumerate(settings.FIRST_MARKETS)}
    return sorted(symbols, key=lambda symbol: (order.get(symbol, len(order)), symbol))


@transaction.atomic
def decide_listing(
    symbol: str, *, is_listed: bool, rank: int, own_fee_bps: int | None, own_stp_mode: str = "", by: Any
) -> None:
    """Customers see the market or not, at this place of the list, and from the next order on pay this fee, and are kept
    apart at the venue in this way.

    Without a fee of its own the market has the platform's. On record with who decided it. Raises ValueError for a way
    that the market does not allow.
    """
    market = Market.objects.select_for_update().get(pk=symbol)
    if own_stp_mode and own_stp_mode not in market.stp_modes:
        raise ValueError(f"{symbol} allows no {own_stp_mode}")
    after: dict[str, object] = {
        "is_listed": is_listed, "rank": rank, "own_fee_bps": own_fee_bps, "own_stp_mode": own_stp_mode,
    }  # fmt: skip
    before: dict[str, object] = {name: getattr(market, name) for name in after}
    for name, value in after.items():
        setattr(market, name, value)
    market.save(update_fields=list(after))
    if after != before:
        office.record(by, "market.listed", "market", symbol, before=before, after=after)


def ensure_asset(code: str) -> None:
    """The asset has a row, for instance one that only commissions are paid in."""
    Asset.objects.get_or_create(code=code)
