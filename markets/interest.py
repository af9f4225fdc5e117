"""What anybody looks at: names with the time at which they were last looked at, in one sorted set of Redis.

A name is a market ("BTCUSDT"), a candle series ("BTCUSDT@kline_5m") or a grouped book ("BTCUSDT#10", ten of the quote
to a row). The web processes say them, the markets process serves who is looked at first and deepest.
"""

import time
from collections.abc import Iterable

import structlog
from redis.exceptions import RedisError

from exchange.broadcast import WATCHED
from markets import feed

log = structlog.get_logger()

WATCHED_SECONDS = 60
# A process says the same name again only after so long.
AGAIN_SECONDS = 5
MOST_NAMES = 5000
_said: dict[str, float] = {}


def watch(*names: str) -> None:
    """These are looked at now; while Redis is away nobody hears it."""
    now = time.monotonic()
    due = [name for name in names if now - _said.get(name, -AGAIN_SECONDS) >= AGAIN_SECONDS]
    if not due:
        return
    if len(_said) > MOST_NAMES:
        _said.clear()
    _said.update(dict.fromkeys(due, now))
    try:
        feed.client().zadd(WATCHED, dict.fromkeys(due, time.time()))
    except (OSError, RedisError) as error:
        log.warning("interest.not_said", error=type(error).__name__)
        forget()


def forget() -> None:
    """Everything is said again when it is next looked at: Redis may have begun anew."""
    _said.clear()


def watched() -> frozenset[str]:
    """What was looked at within the last minute, at most so many, the newest; what was not is forgotten."""
    pipe = feed.client().pipeline(transaction=False)
    pipe.zremrangebyscore(WATCHED, "-inf", time.time() - WATCHED_SECONDS)
    pipe.zrange(WATCHED, 0, MOST_NAMES - 1, desc=True)
    _gone, names = pipe.execute()
    return frozenset(name.decode() for name in names)


def markets_of(names: Iterable[str]) -> frozenset[str]:
    """The markets behind the names."""
    return frozenset(name.partition("@")[0].partition("#")[0] for name in names)
