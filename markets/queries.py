"""What is known of markets: the catalogue from the database, books and tickers as they were last published."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q, QuerySet
from django.utils import timezone
from redis.exceptions import RedisError

from exchange.binance.models import SOR
from exchange.errors import OUTAGES
from exchange.facts import for_a_moment
from exchange.money import MAX_DECIMALS
from exchange.prepared import Given, Prepared
from markets import feed, interest, rules
from markets.errors import UnknownInterval, UnknownMarket
from markets.models import Candle, Market, VenueLimits
from markets.walks import Level, Walk, walk

log = structlog.get_logger()
WHOLE_WAIT_MS, WHOLE_POLL_MS = 800, 50
# By so much the whole book may be older than the best levels: a little more than what lies between two writings.
WHOLE_BEHIND_MS = 1000
ZERO = Decimal(0)


# ------------------------------------------------------------------ catalogue
def listed() -> QuerySet[Market]:
    """Markets shown to customers, in their order."""
    return Market.objects.filter(is_listed=True).select_related("base", "quote").order_by("rank", "symbol")


_seen: list[Market] = []


def shown() -> list[Market]:
    """The listed markets; while the database is away, as this process saw them last."""
    global _seen
    try:
        _seen = list(listed())
    except OUTAGES:
        if not _seen:
            raise
        log.warning("markets.from_memory")
    return _seen


def followed() -> QuerySet[Market]:
    """Markets whose streams are followed: the listed ones that the venue still has."""
    return listed().exclude(status=rules.GONE)


def market(symbol: str) -> Market:
    """A listed market as it was a moment ago, while the database is away as last seen; raises UnknownMarket."""
    try:
        found = None if "\0" in symbol else _listed_now(symbol)
    except OUTAGES:
        found = next((market for market in _seen if market.symbol == symbol), None)
        if found is None:
            raise
    if found is None:
        raise UnknownMarket(field="symbol")
    return found


@for_a_moment
def _listed_now(symbol: str) -> Market | None:
    return _LISTED.first(symbol=symbol)


_LISTED = Prepared(lambda: listed().filter(symbol=Given("symbol")))


@for_a_moment
def stp_mode_to_name(symbol: str) -> str:
    """The mode of self-trade prevention that an order in the market has to name now; empty where it needs none."""
    told = Market.objects.only("default_stp_mode", "stp_modes", "own_stp_mode")
    return told.get(pk=symbol).stp_mode_to_name


def filters_of_the_venue() -> list[rules.Filter]:
    """What the venue limits in all markets together, as it said last."""
    kept = VenueLimits.objects.first()
    return list(kept.filters) if kept else []


def market_row(symbol: str) -> Market:
    """The market whether listed or not."""
    return Market.objects.select_related("base", "quote").get(symbol=symbol)


def market_row_or_none(symbol: str) -> Market | None:
    return Market.objects.select_related("base", "quote").filter(symbol=symbol).first()


def sor_group(base: str) -> QuerySet[Market]:
    """The markets of an asset among which the venue routes one order to the best price."""
    return Market.objects.filter(base_id=base, abilities__contains=[SOR]).order_by("rank", "symbol")


def smallest_step(asset: str) -> Decimal:
    """The smallest amount of the asset that any of its markets trades; zero when none does."""
    found = (rules.step_size(market.filters) for market in Market.objects.filter(base_id=asset))
    return min((step for step in found if step), default=ZERO)


def has_market(*, base: str, quote: str) -> bool:
    """True when the one is traded in the other."""
    return Market.objects.filter(base_id=base, quote_id=quote).exists()


def market_between(one: str, other: str) -> Market | None:
    """The listed market in which one of the two assets is traded for the other."""
    return _BETWEEN.first(one=one, other=other)


_BETWEEN = Prepared(
    lambda: listed().filter(
        Q(base=Given("one"), quote=Given("other")) | Q(base=Given("other"), quote=Given("one"))
    )
)


# ------------------------------------------------------------------ books
@dataclass(frozen=True)
class PublishedBook:
    """A local book as it was last published; prices and quantities are the venue's exact texts.

    `published_ms` is when the markets process last said that it still is so. `known` is how many of the best levels of
    both sides are known without a hole, None when all there are.
    """

    symbol: str
    epoch: int
    u: int
    event_ms: int
    published_ms: int
    state: str
    known: int | None
    bids: Sequence[Level]
    asks: Sequence[Level]

    def facing(self, side: str) -> Sequence[Level]:
        """What an order of this side takes, best first, as far as nothing is missing between."""
        levels = self.asks if side == "BUY" else self.bids
        return levels if self.known is None else levels[: self.known]

    @property
    def age_ms(self) -> int:
        """Since it was published, by a clock that may be a little behind the publisher's."""
        return max(0, time.time_ns() // 1_000_000 - self.published_ms)

    @property
    def best_bid(self) -> Decimal | None:
        return Decimal(self.bids[0][0]) if self.bids else None

    @property
    def best_ask(self) -> Decimal | None:
        return Decimal(self.asks[0][0]) if self.asks else None

    @property
    def middle(self) -> Decimal | None:
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid + ask) / 2

    def is_fresh(self, now_ms: int, max_age_s: int) -> bool:
        """Live, and published a moment ago: the markets process republishes every book each second."""
        return self.state == "LIVE" and now_ms - self.published_ms <= max_age_s * 1000


def published_book(symbol: str) -> PublishedBook | None:
    """The market's best levels, None before the first are published or while Redis is away."""
    interest.watch(symbol)
    return _book(feed.book_key(symbol))


def levels_of(symbol: str, count: int) -> PublishedBook | None:
    """The best so many levels of the market's book, as far as they are published: nobody waits for more.

    `known` is how many they are when there may be more of them. None before the first are published.
    """
    best = published_book(symbol)
    if best is None or count <= max(len(best.bids), len(best.asks)):
        return best
    found = whole_book(symbol, wait_ms=0)
    if found is None or len(found.bids) + len(found.asks) > len(best.bids) + len(best.asks):
        return found
    shown = max(len(found.bids), len(found.asks))
    return replace(found, known=shown if found.known is None else min(shown, found.known))


def whole_book(symbol: str, *, wait_ms: int = WHOLE_WAIT_MS) -> PublishedBook | None:
    """All kept levels of the market's book, at most a second behind the best ones.

    They are published while somebody looks: who comes first waits a moment for them, or has the best levels alone.
    """
    interest.watch(symbol)
    give_up = time.monotonic() + wait_ms / 1000
    while True:
        alive, best, whole = _read(feed.ALIVE, feed.book_key(symbol), feed.whole_key(symbol))
        if whole is not None and (best is None or _is_as_new(whole, best)):
            return _as_of_now(whole, alive)
        if time.monotonic() >= give_up:
            return None if best is None else _as_of_now(best, alive)
        time.sleep(WHOLE_POLL_MS / 1000)


def _is_as_new(whole: dict[str, Any], best: dict[str, Any]) -> bool:
    """Both say the same of the book, and what the whole one lacks happened within a moment after it was written."""
    if any(whole[name] != best[name] for name in ("epoch", "state")):
        return False
    return whole["u"] == best["u"] or best["published_ms"] - whole["published_ms"] <= WHOLE_BEHIND_MS


def _book(key: str) -> PublishedBook | None:
    alive, body = _read(feed.ALIVE, key)
    return None if body is None else _as_of_now(body, alive)


def _read(*keys: str) -> list[dict[str, Any] | None]:
    """What these keys hold at one moment; nothing while Redis is away."""
    try:
        found = feed.client().mget(*keys)
    except (OSError, RedisError) as error:
        log.warning("feed.away", error=type(error).__name__)
        return [None] * len(keys)
    return [feed.load(raw) for raw in found]  # type: ignore[union-attr]


def _as_of_now(body: dict[str, Any], alive: dict[str, Any] | None) -> PublishedBook:
    """A quiet book is as old as its writer's last sign of life; what another writer left is stale."""
    body.pop("type", None)
    if alive is None or alive["epoch"] != body["epoch"]:
        body["state"] = "STALE"
    elif body["state"] == "LIVE":
        body["published_ms"] = max(alive["at"], body["published_ms"])
    sides = {side: [(row[0], row[1]) for row in body[side]] for side in ("bids", "asks")}
    return PublishedBook(**{**body, **sides})


def walk_of(
    book: PublishedBook,
    side: str,
    *,
    quantity: Decimal | None = None,
    quote: Decimal | None = None,
    limit: Decimal | None = None,
    step: Decimal = ZERO,
    scale: int = MAX_DECIMALS,
) -> Walk:
    """The walk through this book, or through the whole of the market's when its best levels do not reach."""
    through = partial(walk, side=side, quantity=quantity, quote=quote, limit=limit, step=step, scale=scale)
    found = through(book.facing(side))
    if not found.is_beyond or (whole := whole_book(book.symbol)) is None:
        return found
    return through(whole.facing(side))


# ------------------------------------------------------------------ tickers and trades
@dataclass(frozen=True)
class Ticker:
    """The last 24 hours of a market, plain decimal texts; as they stood at `as_of_ms`, by the clock of Unix."""

    symbol: str
    last: str
    open: str
    high: str
    low: str
    volume: str
    quote_volume: str
    change_percent: str
    as_of_ms: int = 0  # what an older publisher left says no time, and is as old as can be

    def is_fresh(self, now_ms: int, max_age_s: int) -> bool:
        """Still the last price a moment ago: the markets process says so of each while the venue's line speaks."""
        return now_ms - self.as_of_ms <= max_age_s * 1000


def tickers() -> dict[str, Ticker]:
    """Every market's ticker, however old; empty while none is known."""
    try:
        rows = feed.client().hvals(feed.TICKERS)
    except (OSError, RedisError) as error:
        log.warning("feed.away", error=type(error).__name__)
        return {}
    found = (Ticker(**feed.load(row)) for row in rows)  # type: ignore[union-attr]
    return {ticker.symbol: ticker for ticker in found}


def ticker(symbol: str) -> Ticker | None:
    """The market's ticker, however old; None while none is known."""
    try:
        row = feed.load(feed.client().hget(feed.TICKERS, symbol))  # type: ignore[arg-type]
    except (OSError, RedisError) as error:
        log.warning("feed.away", error=type(error).__name__)
        return None
    return None if row is None else Ticker(**row)


@dataclass(frozen=True)
class Trade:
    """A public trade; `maker_side` is the side that rested."""

    id: int
    price: str
    quantity: str
    at: int
    maker_side: str

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at // 1000, tz=UTC)


def recent_trades(symbol: str, limit: int = 50) -> list[Trade]:
    """The newest public trades, newest first."""
    try:
        rows = feed.client().lrange(feed.trades_key(symbol), 0, limit - 1)
    except (OSError, RedisError) as error:
        log.warning("feed.away", error=type(error).__name__)
        return []
    return [Trade(**feed.load(row)) for row in rows]  # type: ignore[union-attr]


# ------------------------------------------------------------------ candles
HOURS = 24
OLDEST_MINUTE = 5


def require_interval(interval: str) -> None:
    """Raises UnknownInterval for one that the venue does not have."""
    if interval not in rules.INTERVALS:
        raise UnknownInterval(field="interval")


def series(symbol: str | Given, interval: str, zone: int = 0) -> QuerySet[Candle]:
    """All that is stored of one kind of candles."""
    return Candle.objects.filter(market_id=symbol, interval=interval, zone=zone)


def stored_candles(
    symbol: str, interval: str, zone: int = 0, *, before: datetime | None = None, limit: int = 500
) -> list[Candle]:
    """Candles of the database, oldest first, the newest up to the limit."""
    found = series(symbol, interval, zone)
    if before is not None:
        found = found.filter(open_at__lt=before)
    return list(found.order_by("-open_at")[:limit])[::-1]


@for_a_moment
def minute_close(symbol: str) -> Decimal | None:
    """What the market stood at when the latest minute that is over ended; None when that is some minutes ago."""
    since = timezone.now() - timedelta(minutes=OLDEST_MINUTE)
    found = _CLOSE.first(symbol=symbol, since=since)
    return found[0] if found else None


_CLOSE = Prepared(
    lambda: (
        series(Given("symbol"), "1m")
        .filter(is_closed=True, open_at__gte=Given("since"))
        .order_by("-open_at")
        .values_list("close")[:1]
    )
)


def candles_from(symbol: str, interval: str, begin: datetime, limit: int) -> list[Candle]:
    """Candles of the database that open at this moment or later, oldest first."""
    return list(series(symbol, interval).filter(open_at__gte=begin).order_by("open_at")[:limit])


def hourly_closes() -> dict[str, list[Decimal]]:
    """Closes of the last 24 hours of every listed market, the running one's last; none while the database is away."""
    since = timezone.now() - timedelta(hours=HOURS)
    found = Candle.objects.filter(market__is_listed=True, interval="1h", zone=0, open_at__gt=since)
    try:
        return dict(found.values_list("market").annotate(closes=ArrayAgg("close", order_by="open_at")))
    except OUTAGES:
        log.warning("markets.no_closes")
        return {}


def status() -> dict[str, dict[str, object]]:
    """State and age in milliseconds of every listed market's book."""
    found: dict[str, dict[str, object]] = {}
    for symbol in listed().values_list("symbol", flat=True):
        book = _book(feed.book_key(symbol))
        found[symbol] = (
            {"state": book.state, "age_ms": book.age_ms, "u": book.u}
            if book
            else {"state": "NONE", "age_ms": None, "u": None}
        )
    return found
