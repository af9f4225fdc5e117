"""Keys and channels of the market feed in Redis, for who writes and who reads."""

from django.conf import settings

ALIVE, TICKERS = f"{settings.REDIS_PREFIX}:alive", f"{settings.REDIS_PREFIX}:tickers"
WATCHED = f"{settings.REDIS_PREFIX}:watched"


def book_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:book:{symbol}"


def group_channel(symbol: str, step: str) -> str:
    return f"{book_key(symbol)}#{step}"


def candle_channel(symbol: str, interval: str) -> str:
    return f"{settings.REDIS_PREFIX}:candle:{symbol}:{interval}"


def trades_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:trades:{symbol}"
