"""How often somebody may ask: counted in Redis, in one step.

Two windows of fixed length stand for one that slides: the last one counts for the part of it that is not yet a window
ago. DRF's own throttle reads and writes a list of all the moments, and of two requests at once it forgets one.
"""

import time
from functools import cache as once
from typing import Any

from django.core.cache import cache
from redis.commands.core import Script
from rest_framework.throttling import SimpleRateThrottle

# Counts one more unless so many are reached; gives whether it may pass.
_TAKE = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
    + math.floor(tonumber(redis.call('GET', KEYS[2]) or '0') * tonumber(ARGV[2]) / tonumber(ARGV[3]))
if used >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[3]))
return 1
"""


@once
def _take() -> Script:
    return Script(cache.redis(), _TAKE)  # type: ignore[attr-defined]


class CountingThrottle(SimpleRateThrottle):
    """A refused request does not count."""

    num_requests: int | None
    duration: int | None

    def allow_request(self, request: Any, view: Any) -> bool:
        key = self.get_cache_key(request, view) if self.rate is not None else None
        if key is None:
            return True
        most, length = int(self.num_requests or 0), int(self.duration or 1) * 1000
        window, passed = divmod(time.time_ns() // 1_000_000, length)
        keys = [cache.make_key(f"{key}:{number}") for number in (window, window - 1)]
        self._left = length - passed
        may_pass = _take()(keys, [most, self._left, length], client=cache.redis())  # type: ignore[attr-defined]
        return bool(may_pass)

    def wait(self) -> int:
        """Seconds until one more passes, about."""
        return -(-self._left // 1000)
