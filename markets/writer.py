"""One process writes the feed: a lease in Redis says which, and a fencing epoch keeps a late one from writing.

The lease ends some seconds after its holder does. Whoever takes it gets an epoch greater than all before; every write
names its epoch and is refused when that is not the last one given, so that a process that slept through its lease
changes nothing (Kleppmann, "How to do distributed locking").
"""

import time
import uuid
from collections.abc import Sequence

import redis
import structlog
from django.conf import settings

log = structlog.get_logger()

LEASE, EPOCH = f"{settings.REDIS_PREFIX}:writer", f"{settings.REDIS_PREFIX}:epoch"
# The last write that was carried out: whose, and its number.
WRITTEN = f"{settings.REDIS_PREFIX}:written"
LEASE_MS = 4000
RENEW_SECONDS = 1
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local epoch = math.max(tonumber(ARGV[3]), tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
redis.call('SET', KEYS[2], string.format('%d', epoch))
return epoch
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
# What follows: the epoch, the writer, the number of this write, and commands, each as the number of its words and the
# words. One that waits for `after` is left out when a write of that number or a later one was carried out, unheard;
# and so is everything when a later write was carried out before.
_WRITE = f"""
if redis.call('GET', '{EPOCH}') ~= ARGV[1] then return 0 end
local done = redis.call('HMGET', '{WRITTEN}', 'writer', 'number')
local last = done[1] == ARGV[2] and tonumber(done[2]) or 0
if tonumber(ARGV[3]) <= last then return 1 end
redis.call('HSET', '{WRITTEN}', 'writer', ARGV[2], 'number', ARGV[3])
local at, is_left_out = 4, false
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  if count == 0 then
    is_left_out = tonumber(ARGV[at + 1]) <= last
    at = at + 2
  else
    if not is_left_out then redis.call(unpack(ARGV, at + 1, at + count)) end
    at = at + count + 1
  end
end
return 1
"""
Command = Sequence[bytes]
# Commands that must not be carried out twice, with the number of the write in which they were first.
Once = tuple[int, Sequence[Command]]


class Lost(Exception):
    """Another process writes now."""


class Writer:
    """The right to write the feed, held or not; all its calls belong to one thread."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=1, socket_connect_timeout=1, max_connections=1
        )
        self._token = uuid.uuid4().hex.encode()
        self._take = self._client.register_script(_TAKE)
        self._renew = self._client.register_script(_RENEW)
        self._release = self._client.register_script(_RELEASE)
        self._sha = b""
        self._renewed_at: float = 0
        self.epoch = 0
        self.number = 0

    def take(self) -> bool:
        """True when this process is the writer now, under a new epoch."""
        found = self._take(keys=[LEASE, EPOCH], args=[self._token, LEASE_MS, time.time_ns() // 1_000_000])
        self.epoch = int(found)
        self._renewed_at = time.monotonic()
        if self.epoch:
            self._sha = str(self._client.script_load(_WRITE)).encode()
            log.info("writer.taken", epoch=self.epoch)
        return bool(self.epoch)

    def keep(self) -> None:
        """The lease is renewed when that is due; raises Lost when it is another's."""
        now = time.monotonic()
        if now - self._renewed_at < RENEW_SECONDS:
            return
        if not self._renew(keys=[LEASE], args=[self._token, LEASE_MS]):
            self._again()
        self._renewed_at = now

    def write(self, commands: Sequence[Command], *, once: Sequence[Once] = ()) -> bool:
        """All of these, in one step and one round trip; raises Lost when another may write.

        False when nothing was written because the epoch was new: everything has to be said again under it. After an
        error nobody knows whether it was; what is told `once`, with the `number` that this write was to have, may be
        given again.
        """
        self.number += 1
        words: list[bytes] = [
            b"EVALSHA",
            self._sha,
            b"0",
            b"%d" % self.epoch,
            self._token,
            b"%d" % self.number,
        ]
        _add(words, commands)
        for number, told in once:
            words += (b"0", b"%d" % number)
            _add(words, told)
        if self._answer(words) == 1:
            return True
        self._again()
        return False

    def release(self) -> None:
        """Another may begin at once."""
        if self.epoch:
            self._release(keys=[LEASE], args=[self._token])
        self.epoch = 0

    def _answer(self, words: Sequence[bytes]) -> object:
        """Sent packed by hand: the library's packing of thousands of words costs more than all books do."""
        pool = self._client.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_packed_command([packed(words)])  # type: ignore[no-untyped-call]
            return connection.read_response()  # type: ignore[no-untyped-call]
        except redis.exceptions.NoScriptError:
            self.epoch = 0  # Redis began anew
            return 0
        finally:
            pool.release(connection)

    def _again(self) -> None:
        """The lease or the epoch is not ours any more: Redis began anew, or another process did."""
        if not self.take():
            raise Lost


def _add(words: list[bytes], commands: Sequence[Command]) -> None:
    for command in commands:
        words.append(b"%d" % len(command))
        words.extend(command)


def packed(words: Sequence[bytes]) -> bytes:
    """The words as one command of the Redis protocol."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)
