"""The feed as the hub hears it: what has piled up is looked at together."""

import msgspec
from redis.asyncio.client import PubSub

from exchange.broadcast.frames import Body

WAIT_SECONDS = 5
# So many messages are looked at together at most.
MOST_AT_ONCE = 500


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
