"""What the `markets` process writes and everybody else reads: keys and channels in Redis, all of it JSON.

| key | what | channel of the same name |
|---|---|---|
| `{prefix}:alive` | the writer's epoch and its last sign of life | yes |
| `{prefix}:book:{SYMBOL}` | the best levels, on every change | while somebody looks at the market |
| `{prefix}:whole:{SYMBOL}` | all kept levels, four times a second while somebody looks; gone soon after | no |
| `{prefix}:book:{SYMBOL}#{STEP}` | the book grouped by `STEP`, as last told | ten times a second while looked at |
| `{prefix}:trades:{SYMBOL}` | a list, newest first | while somebody looks |
| `{prefix}:candle:{SYMBOL}:{INTERVAL}` | no key | each change of a streamed candle |
| `{prefix}:tickers` | a hash by symbol | those that moved, once a second |
"""

import json
from functools import cache
from typing import Any

import redis
from django.conf import settings

from exchange.broadcast import ALIVE, TICKERS, book_key, candle_channel, group_channel, trades_key

__all__ = [
    "ALIVE",
    "ATTEMPTS",
    "TICKERS",
    "TRADES_KEPT",
    "book_key",
    "candle_channel",
    "client",
    "group_channel",
    "load",
    "trades_key",
    "whole_key",
]

TRADES_KEPT = 100
# Not for readers: the writer's connections to the venue of the last minutes.
ATTEMPTS = f"{settings.REDIS_PREFIX}:attempts"


def whole_key(symbol: str) -> str:
    return f"{settings.REDIS_PREFIX}:whole:{symbol}"


@cache
def client() -> redis.Redis:
    """This process's connections to Redis."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def load(raw: bytes | None) -> Any:
    """The published JSON, None when there is none."""
    return None if raw is None else json.loads(raw)
