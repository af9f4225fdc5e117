"""Where a running site keeps and says things, searched for what must be in none of them."""

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
import redis
from psycopg import sql

from tests.journeys.people import StaffMember
from tests.journeys.site import Site

STAFF_PAGES = (
    "gate/venueaccount", "gate/runway", "gate/switch", "office/auditrecord", "office/notice", "office/approval",
    "orders/order", "ledger/reconciliation",
)  # fmt: skip
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
PUBLIC_PAGES = ("/", "/status/", "/status.json", "/metrics", "/trade/BTCUSDT/")


def dump_of(database: psycopg.Connection) -> bytes:
    """Every row of every table as PostgreSQL writes it in a dump."""
    found = database.execute(TABLES)
    parts = []
    for (table,) in found.fetchall():
        with database.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows:
            parts += [bytes(row) for row in rows]
    return b"".join(parts)


def redis_dump_of(url: str) -> bytes:
    """Every key of the server with everything under it."""
    with redis.Redis.from_url(url) as client:
        return b"\n".join(
            part for key in client.scan_iter(count=1000) for part in (key, *_under(client, key))
        )


def _under(client: Any, key: bytes) -> Iterable[bytes]:
    kind, found = client.type(key), client
    read: dict[bytes, Any] = {
        b"string": lambda: [found.get(key)],
        b"hash": lambda: [part for pair in found.hgetall(key).items() for part in pair],
        b"list": lambda: found.lrange(key, 0, -1),
        b"set": lambda: found.smembers(key),
        b"zset": lambda: found.zrange(key, 0, -1),
        b"stream": lambda: [repr(row).encode() for row in found.xrange(key)],
    }
    return [part for part in read.get(kind, list)() if part]


def pages_of(site: Site) -> bytes:
    """What staff and everybody can read about accounts, orders and acts."""
    carol = StaffMember(site, "carol")
    addresses = [f"/admin/{section}/" for section in STAFF_PAGES]
    with site.database() as database:
        for table, section in (("gate_venueaccount", "gate/venueaccount"), ("gate_runway", "gate/runway")):
            rows = database.execute(sql.SQL("SELECT id FROM {}").format(sql.Identifier(table))).fetchall()
            addresses += [f"/admin/{section}/{number}/change/" for (number,) in rows]
    texts = [carol.read(address) for address in (*addresses, *PUBLIC_PAGES)]
    return "\n".join(texts).encode()


def places_of(site: Site) -> dict[str, bytes]:
    with site.database() as database:
        dump = dump_of(database)
    return {
        "database": dump,
        "redis": redis_dump_of(site.environment["REDIS_URL"]),
        "logs": site.output.encode(),
        "pages": pages_of(site),
    }


def found_in(places: Mapping[str, bytes], canaries: Iterable[str]) -> list[str]:
    """Each place in which a canary is, and the first letters of it."""
    return [
        f"{name}: {one[:6]}…" for name, text in places.items() for one in canaries if one.encode() in text
    ]
