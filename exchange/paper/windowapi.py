"""Tickers of a rolling window, and of the day of trade of a time zone."""

import time
from typing import Any

from exchange.paper import errors
from exchange.paper.candles import open_second
from exchange.paper.errors import ApiError
from exchange.paper.market import now_ms
from exchange.paper.marketapi import SHORT, ticker_type, time_zone
from exchange.paper.routes import DAY_MS, Params, markets_of, route
from exchange.paper.venue import Venue
from exchange.paper.windows import begins, ticker

MOST_SYMBOLS = 100


@route("GET", "/api/v3/ticker")
def rolling(venue: Venue, params: Params) -> Any:
    at = now_ms()
    return _rows(venue, params, begins(params.get("windowSize") or "1d", at), at)


@route("GET", "/api/v3/ticker/tradingDay")
def trading_day(venue: Venue, params: Params) -> Any:
    start = open_second("1d", int(time.time()), time_zone(params)) * 1000
    return _rows(venue, params, start, start + DAY_MS - 1)


def _rows(venue: Venue, params: Params, start_ms: int, closes_ms: int) -> Any:
    if not params.get("symbol") and not params.get("symbols"):
        raise errors.neither("symbol", "symbols")
    kind, markets = ticker_type(params), markets_of(venue, params)
    if len(markets) > MOST_SYMBOLS:
        raise ApiError(-1101, f"Too many symbols; at most {MOST_SYMBOLS} may be asked for.")
    rows = [ticker(market, start_ms, closes_ms) for market in markets]
    shown = [{name: row[name] for name in SHORT} if kind == "MINI" else row for row in rows]
    return shown[0] if params.get("symbol") else shown
