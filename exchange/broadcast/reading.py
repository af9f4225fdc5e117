"""The feed as the hub hears it, what has piled up together, and what was said before it listened."""

import time
from dataclasses import dataclass

import msgspec
import redis.asyncio as redis
from redis.asyncio.client import PubSub

from exchange.broadcast.frames import Body
from exchange.broadcast.names import ALIVE, book_key, group_channel, trades_key

WAIT_SECONDS = 5
# So many messages are looked at together at most.
MOST_AT_ONCE = 500
# When the markets process gave no sign of life for so long, nothing is live any more; it gives ten a second.
AWAY_SECONDS = 3.0
TAPE = 50


@dataclass(frozen=True)
class Said:
    """What was last said of a market: its newest trades, oldest first, and a book unless none is true now."""

    trades: list[Body]
    book: Body | None


async def said(client: redis.Redis, symbol: str, step: str) -> Said:
    """As Redis has it; a book whose writer is gone is stale, one summed by `step` counts only at the newest u."""
    names = [ALIVE, book_key(symbol), *([group_channel(symbol, step)] if step else [])]
    alive, *books = [msgspec.json.decode(raw) if raw else None for raw in await client.mget(names)]
    rows = await client.lrange(trades_key(symbol), 0, TAPE - 1)  # type: ignore[misc]
    trades = [msgspec.json.decode(row) for row in reversed(rows)]
    whole, book = books[0], books[-1]
    if book is None or whole is None or any(book[name] != whole[name] for name in ("epoch", "u", "state")):
        return Said(trades, None)
    is_current = alive is not None and _is_current(alive, book)
    return Said(trades, book if is_current else {**book, "state": "STALE"})


def _is_current(alive: Body, book: Body) -> bool:
    """True while the writer of the book is the one that gives signs of life, and just gave one."""
    age_ms = time.time_ns() // 1_000_000 - alive["at"]
    return bool(alive["epoch"] == book["epoch"]) and age_ms <= AWAY_SECONDS * 1000


def is_news(book: Body, known: Body) -> bool:
    """True unless it is the known book as it is, or an older one."""
    was, now = ([body[name] for name in ("epoch", "published_ms", "u")] for body in (known, book))
    return was <= now and book != known


async def heard(channel: PubSub) -> list[Body]:
    """The next message, or none for a while, and all that have piled up behind it, without books that are told anew."""
    found: list[Body] = []
    message = await channel.get_message(timeout=WAIT_SECONDS)
    while message is not None:
        found.append(msgspec.json.decode(message["data"]))
        if len(found) == MOST_AT_ONCE:
            break
        message = await channel.get_message(timeout=0)
    return newest(found)


def newest(bodies: list[Body]) -> list[Body]:
    """The messages in their order, each book only as it is told last."""
    last = {_book_of(body): number for number, body in enumerate(bodies) if body["type"] == "book"}
    return [
        body for number, body in enumerate(bodies) if body["type"] != "book" or last[_book_of(body)] == number
    ]


def _book_of(body: Body) -> tuple[str, str]:
    return body["symbol"], body.get("step", "")
