"""What was traded in other spans than the last 24 hours."""

import re
from decimal import Decimal
from typing import Any

from exchange.paper import errors
from exchange.paper.accounts import down, text
from exchange.paper.market import Listed, now_ms

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
UNITS = {"m": (MINUTE_MS, 59), "h": (HOUR_MS, 23), "d": (DAY_MS, 7)}
_SIZE = re.compile(r"([1-9][0-9]?)([mhd])")
ZERO = Decimal(0)


def begins(size: str, at_ms: int) -> int:
    """When a window of that size began: on a minute, so it is up to 59,999 ms longer than its name says."""
    found = _SIZE.fullmatch(size)
    unit, most = UNITS[found[2]] if found else (0, 0)
    if found is None or int(found[1]) > most:
        raise errors.illegal("windowSize", "1m to 59m, 1h to 23h, 1d to 7d")
    return (at_ms - int(found[1]) * unit) // MINUTE_MS * MINUTE_MS


def ticker(market: Listed, start_ms: int, closes_ms: int) -> dict[str, Any]:
    """What was traded since the start, which is a whole minute."""
    rows = _candles(market, start_ms)
    opening = Decimal(rows[0][1]) if rows else market.last
    high = max([Decimal(row[2]) for row in rows] + [market.last])
    low = min([Decimal(row[3]) for row in rows] + [market.last])
    volume, quote = (sum((Decimal(row[index]) for row in rows), ZERO) for index in (5, 7))
    change, last_id, count = market.last - opening, market.ticker()["lastId"], sum(row[8] for row in rows)
    return {
        "symbol": market.symbol, "priceChange": text(change),
        "priceChangePercent": f"{change * 100 / opening if opening else ZERO:.3f}",
        "weightedAvgPrice": text(down(quote / volume)) if volume else text(market.last),
        "openPrice": text(opening), "highPrice": text(high), "lowPrice": text(low), "lastPrice": text(market.last),
        "volume": text(volume), "quoteVolume": text(down(quote)), "openTime": start_ms, "closeTime": closes_ms,
        "firstId": max(0, last_id - count + 1), "lastId": last_id, "count": count,
    }  # fmt: skip


def _candles(market: Listed, start_ms: int) -> list[list[Any]]:
    """Minutes until the next full hour and hours from there, so that a week is few."""
    hour = -(-start_ms // HOUR_MS) * HOUR_MS
    minutes = market.klines("1m", start_ms, hour - 1, 60) if hour > start_ms else []
    return minutes + market.klines("1h", hour, None, 200)


def event(market: Listed, window: str) -> dict[str, Any]:
    """As the stream of a window tells it."""
    at = now_ms()
    row = ticker(market, begins(window, at), at)
    names = {
        "p": "priceChange", "P": "priceChangePercent", "o": "openPrice", "h": "highPrice", "l": "lowPrice",
        "c": "lastPrice", "w": "weightedAvgPrice", "v": "volume", "q": "quoteVolume", "O": "openTime",
        "C": "closeTime", "F": "firstId", "L": "lastId", "n": "count",
    }  # fmt: skip
    return {
        "e": f"{window}Ticker",
        "E": at,
        "s": market.symbol,
        **{key: row[name] for key, name in names.items()},
    }
