"""Django's cache in Redis, with one client and one pool of connections a process.

Django keeps a cache for each context of a request, and with it a pool: under ASGI each request would connect anew.
"""

from functools import cache as once
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import Redis


class _Client(RedisCacheClient):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._made: dict[int, Redis] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        pool = self._get_connection_pool(write)  # type: ignore[attr-defined]
        if id(pool) not in self._made:  # pools live as long as this
            self._made[id(pool)] = super().get_client(key, write=write)
        return self._made[id(pool)]


@once
def _client(servers: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> _Client:
    return _Client(list(servers), **dict(options))


class Cache(RedisCache):
    @property
    def _cache(self) -> _Client:
        return _client(tuple(self._servers), tuple(self._options.items()))  # type: ignore[attr-defined]

    def redis(self) -> Redis:
        """The client itself, for what takes more than one command; keys are those that `make_key` gives."""
        return self._cache.get_client(write=True)
