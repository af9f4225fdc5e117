"""Public market data by REST."""

import re
from collections.abc import Callable
from typing import Any

from exchange.paper import errors
from exchange.paper.accounts import text
from exchange.paper.candles import INTERVALS
from exchange.paper.errors import ApiError, mandatory
from exchange.paper.market import Listed, now_ms
from exchange.paper.routes import (
    Params,
    market_of,
    markets_of,
    moment,
    newest_or_from,
    number,
    route,
    span,
)
from exchange.paper.venue import Venue

_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")


@route("GET", "/api/v3/ping")
def ping(venue: Venue, params: Params) -> Any:
    return {}


@route("GET", "/api/v3/time")
def server_time(venue: Venue, params: Params) -> Any:
    return {"serverTime": venue.clock.now_ms()}


@route("GET", "/api/v3/exchangeInfo")
def exchange_info(venue: Venue, params: Params) -> Any:
    rows = [market.info for market in markets_of(venue, params)]
    wanted = params.get("symbolStatus")
    if wanted and params.get("symbol") and rows[0]["status"] != wanted:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")
    return {
        "timezone": "UTC",
        "serverTime": venue.clock.now_ms(),
        "rateLimits": venue.info["rateLimits"],
        "exchangeFilters": [],
        "symbols": [row for row in rows if not wanted or row["status"] == wanted],
        **({"sors": venue.sors} if venue.sors else {}),
    }


@route("GET", "/api/v3/executionRules")
def execution_rules(venue: Venue, params: Params) -> Any:
    rules = [venue.ranges.told(market.symbol) for market in markets_of(venue, params)]
    return {"symbolRules": [rule for rule in rules if rule["rules"]]}


@route("GET", "/api/v3/referencePrice")
def reference_price(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    price = venue.ranges.reference(market)
    if price is None:
        raise ApiError(-2043, "This symbol doesn't have a reference price.")
    return {"symbol": market.symbol, "referencePrice": price, "timestamp": now_ms()}


@route("GET", "/api/v3/depth")
def depth(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    return market.depth(max(1, number(params, "limit", 100, 5000)))


@route("GET", "/api/v3/trades")
@route("GET", "/api/v3/historicalTrades")
def trades(venue: Venue, params: Params) -> Any:
    rows = list(market_of(venue, params).tape)
    first = number(params, "fromId", 0)
    return newest_or_from([row for row in rows if row["id"] >= first], params, "fromId")


@route("GET", "/api/v3/aggTrades")
def agg_trades(venue: Venue, params: Params) -> Any:
    start, end = span(params)
    first = number(params, "fromId", 0)
    rows = [agg.row() for agg in market_of(venue, params).aggregates]
    rows = [row for row in rows if start <= row["T"] <= end and row["a"] >= first]
    return newest_or_from(rows, params, "fromId")


@route("GET", "/api/v3/klines")
@route("GET", "/api/v3/uiKlines")
def klines(venue: Venue, params: Params) -> Any:
    market = market_of(venue, params)
    interval = params.get("interval")
    if not interval:
        raise mandatory("interval")
    if interval not in INTERVALS:
        raise errors.BAD_INTERVAL
    span(params)
    limit = max(1, number(params, "limit", 500, 1000))
    start, end = moment(params, "startTime"), moment(params, "endTime")
    return market.klines(interval, start, end, limit, time_zone(params))


def time_zone(params: Params) -> int:
    """`timeZone` as seconds east of UTC: "0", "8", "-1:00", "05:45"."""
    found = _ZONE.fullmatch(params.get("timeZone") or "0")
    hours, minutes = (int(part or 0) for part in found.group(2, 3)) if found else (99, 0)
    east = (hours * 60 + minutes) * (-60 if found and found[1] == "-" else 60)
    if not -12 * 3600 <= east <= 14 * 3600:
        raise errors.illegal("timeZone", "-12:00 to +14:00")
    return east


@route("GET", "/api/v3/avgPrice")
def avg_price(venue: Venue, params: Params) -> Any:
    return {"mins": 5, "price": text(market_of(venue, params).average()), "closeTime": now_ms()}


def _one_or_all(venue: Venue, params: Params, row: Callable[[Listed], Any]) -> Any:
    rows = [row(market) for market in markets_of(venue, params)]
    return rows[0] if params.get("symbol") else rows


SHORT = (
    "symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime",
    "firstId", "lastId", "count",
)  # fmt: skip


def ticker_type(params: Params) -> str:
    kind = params.get("type") or "FULL"
    if kind not in ("FULL", "MINI"):
        raise ApiError(-1139, "Invalid ticker type.")
    return kind


@route("GET", "/api/v3/ticker/24hr")
def ticker_day(venue: Venue, params: Params) -> Any:
    kind = ticker_type(params)
    rows = _one_or_all(venue, params, lambda market: market.ticker())
    if kind == "FULL":
        return rows
    short = [{name: row[name] for name in SHORT} for row in (rows if isinstance(rows, list) else [rows])]
    return short if isinstance(rows, list) else short[0]


@route("GET", "/api/v3/ticker/price")
def ticker_price(venue: Venue, params: Params) -> Any:
    return _one_or_all(venue, params, lambda market: {"symbol": market.symbol, "price": text(market.last)})


@route("GET", "/api/v3/ticker/bookTicker")
def book_ticker(venue: Venue, params: Params) -> Any:
    return _one_or_all(venue, params, lambda market: {"symbol": market.symbol, **market.best()})
