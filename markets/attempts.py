"""Connections to the venue's streams that were begun lately, as who writes the feed next has to know them."""

import json
import time

import structlog
from redis.exceptions import RedisError

from exchange.binance.market_streams import Attempts
from markets import feed

log = structlog.get_logger()


class Memory:
    """Kept in Redis; while that is away each process counts for itself."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._kept: tuple[float, ...] = ()

    def recall(self) -> None:
        """Those of the writer before this one count as made here."""
        try:
            times = feed.load(feed.client().get(feed.ATTEMPTS)) or []  # type: ignore[arg-type]
        except (OSError, RedisError) as error:
            log.warning("attempts.not_recalled", error=type(error).__name__)
            return
        behind = time.monotonic() - time.time()
        self._attempts.made = tuple(sorted(at + behind for at in times))
        self._kept = self._attempts.made

    def keep(self) -> None:
        """What was begun since the last call is known to the next writer."""
        made = self._attempts.made
        if made == self._kept:
            return
        ahead = time.time() - time.monotonic()
        times = json.dumps([round(at + ahead, 3) for at in made])
        feed.client().set(feed.ATTEMPTS, times, ex=int(self._attempts.within) + 1)
        self._kept = made
