"""What all processes know together, in Redis: one script a question, and no question asked twice."""

import time
from functools import cache as once
from hashlib import sha1
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

log = structlog.get_logger()
FOLDER = Path(__file__).parent / "lua"
# Who calls the venue does not wait for Redis longer than this, and does not try again at once.
PATIENCE_SECONDS = 0.5
REST_SECONDS = 0.5
_rests_until = 0.0
_connections = 0


class Away(Exception):
    """Redis cannot be asked."""


def connections() -> int:
    """How many connections this process has made: what Redis remembered may be another's after each."""
    return _connections


def key(name: str) -> str:
    return f"{settings.REDIS_PREFIX}:gate:{name}"


def run(script: str, keys: list[str], *arguments: object) -> Any:
    """What the script of this name gives; raises Away."""
    text, digest = _script(script)
    try:
        return _asked("EVALSHA", digest, len(keys), *keys, *arguments)
    except NoScriptError:
        return _asked("EVAL", text, len(keys), *keys, *arguments)


def read(name: str) -> dict[str, str]:
    """Every field of the key; raises Away."""
    found = _asked("HGETALL", key(name))
    return {field.decode(): value.decode() for field, value in found.items()}


def write(name: str, fields: dict[str, object]) -> None:
    """Raises Away."""
    _asked("HSET", key(name), *(word for pair in fields.items() for word in pair))


def forget() -> None:
    """This process has no connection, and nothing was in vain."""
    global _rests_until
    _rests_until = 0.0
    _client.cache_clear()


def _asked(*command: Any) -> Any:
    global _rests_until
    if time.monotonic() < _rests_until:
        raise Away
    try:
        return _client().execute_command(*command)  # type: ignore[no-untyped-call]
    except NoScriptError:
        raise
    except (OSError, RedisError) as error:
        _rests_until = time.monotonic() + REST_SECONDS
        log.warning("gate.redis_away", error=type(error).__name__)
        raise Away from error


@once
def _script(name: str) -> tuple[str, str]:
    text = "\n".join((FOLDER / f"{part}.lua").read_text() for part in ("common", name))
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()


@once
def _client() -> Redis:
    client: Redis = Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=_connected,
    )
    return client


def _connected(connection: Any) -> None:
    global _connections
    _connections += 1
    connection.on_connect()
