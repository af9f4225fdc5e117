"""What all processes know together, in Redis: one script a question, and no question asked twice."""

import itertools
import os
import threading
import time
from contextlib import suppress
from functools import cache as once
from hashlib import sha1
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionInterface
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

log = structlog.get_logger()
FOLDER = Path(__file__).parent / "lua"
# Who calls the venue does not wait for Redis longer than this, and does not try again at once.
PATIENCE_SECONDS = 0.5
REST_SECONDS = 0.5
_rests_until = 0.0
_numbers = itertools.count(1)


class _Thread(threading.local):
    """A thread's own connection: what an order asks is sent by hand, at a third of the cost of the client's ways."""

    connection: ConnectionInterface | None = None
    process = number = 0


_thread = _Thread()


class Away(Exception):
    """Redis cannot be asked."""


def connection_number() -> int:
    """Of this thread's connection: what Redis says by a new one may be less than it knew before."""
    return _thread.number


def key(name: str) -> str:
    return f"{settings.REDIS_PREFIX}:gate:{name}"


def run(script: str, keys: list[str], *arguments: object) -> Any:
    """What the script of this name gives; raises Away. Words of arguments hold no bar: they are sent as one."""
    text, digest = _script(script)
    words = (str(len(keys)), *keys, "|".join(map(str, arguments)))
    try:
        return _asked("EVALSHA", digest, *words)
    except NoScriptError:
        return _asked("EVAL", text, *words)


def read(name: str) -> dict[str, str]:
    """Every field of the key; raises Away."""
    found = [word.decode() for word in _asked("HGETALL", key(name))]
    return dict(zip(found[::2], found[1::2], strict=True))


def write(name: str, fields: dict[str, object]) -> None:
    """Raises Away."""
    _asked("HSET", key(name), *(str(word) for pair in fields.items() for word in pair))


def count(name: str, **amounts: int) -> None:
    """Adds to figures of the key that are for eyes; a dot of a field is written as two underscores."""
    words = (word for field, amount in amounts.items() for word in (field.replace("__", "."), amount))
    with suppress(Away):
        run("count", [key(name)], *words)


def forget() -> None:
    """This thread has no connection, and nothing was in vain."""
    global _rests_until
    _rests_until = 0.0
    _client.cache_clear()
    _let_go()


def _asked(*words: str) -> Any:
    """Once more when the line is broken, for a server that was restarted; not when it is slow."""
    global _rests_until
    if time.monotonic() < _rests_until:
        raise Away
    packed = _packed(words)
    for is_last in (False, True):
        try:
            return _answer(packed)
        except NoScriptError:
            raise
        except (OSError, RedisError) as error:
            _let_go()
            if is_last or isinstance(error, NoAnswer):
                _rests_until = time.monotonic() + REST_SECONDS
                log.warning("gate.redis_away", error=type(error).__name__)
                raise Away from error
    raise AssertionError("it was answered or not")


def _answer(packed: bytes) -> Any:
    connection = _thread.connection
    if connection is None or _thread.process != os.getpid():
        connection = _client().connection_pool.make_connection()
        connection.connect()  # type: ignore[no-untyped-call]
        _thread.connection, _thread.process, _thread.number = connection, os.getpid(), next(_numbers)
    connection.send_packed_command([packed], check_health=False)  # type: ignore[no-untyped-call]
    return connection.read_response()  # type: ignore[no-untyped-call]


def _let_go() -> None:
    connection, _thread.connection = _thread.connection, None
    if connection is not None and _thread.process == os.getpid():
        connection.disconnect()  # type: ignore[no-untyped-call]


def _packed(words: tuple[str, ...]) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        text = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(text), text))
    return b"".join(parts)


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
    )
    return client
