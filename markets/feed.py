"""What the `markets` process publishes and everybody else reads: keys and one channel in Redis, all of it JSON.

`{prefix}:book:{SYMBOL}` the published book; `{prefix}:trades:{SYMBOL}` the newest trades; `{prefix}:tickers` a hash;
`{prefix}:feed` the channel on which the web processes hear of changes.
"""

import json
from functools import cache
from typing import Any

import redis
from django.conf import settings

from exchange.broadcast import CHANNEL, book_key, trades_key

__all__ = ["CHANNEL", "TICKERS", "TRADES_KEPT", "book_key", "client", "load", "trades_key"]

TICKERS = f"{settings.REDIS_PREFIX}:tickers"
TRADES_KEPT = 100


@cache
def client() -> redis.Redis:
    """This process's connections to Redis."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def load(raw: bytes | None) -> Any:
    """The published JSON, None when there is none."""
    return None if raw is None else json.loads(raw)
