"""The busy book: ten events a second go through the product's own following, publisher and writer into the feed.

For the textbook's site the same book is told by group_send, as the difference that the product's pages get.
"""

import json
import random
import select
import sys
import time
from typing import Any

import django

django.setup()

from asgiref.sync import async_to_sync  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from django.conf import settings  # noqa: E402

from exchange.binance.models import DepthSnapshot  # noqa: E402
from exchange.broadcast.frames import Top  # noqa: E402
from markets import feed, interest  # noqa: E402
from markets.stream import Following, Publisher  # noqa: E402
from markets.writer import Writer  # noqa: E402
from tests.bench.fanout.peer import GROUP  # noqa: E402

SYMBOL, STREAM = "BTCUSDT", "btcusdt@depth@100ms"
TICK_SECONDS, TICKS_A_FRAME, TICKS_A_LOOK = 0.025, 4, 20
LEVELS, MIDDLE, SHOWN = 200, 3_990_000, 20
# So many of the forty shown levels change with each event: about 500 bytes a frame.
CHANGES = 12


class Book:
    """A book that never rests: the truth behind the events, and the events."""

    def __init__(self) -> None:
        self._dice = random.Random(11)
        self._last = 1
        self._prices = {
            "b": [self._price(MIDDLE - n) for n in range(LEVELS)],
            "a": [self._price(MIDDLE + 1 + n) for n in range(LEVELS)],
        }

    @staticmethod
    def _price(ticks: int) -> str:
        return f"{ticks // 100}.{ticks % 100:02}000000"

    def _quantity(self) -> str:
        return f"{self._dice.randrange(9)}.{self._dice.randrange(10**5, 10**8):08}"

    def snapshot(self, symbol: str, limit: int) -> DepthSnapshot:
        sides = {
            name: [[price, self._quantity()] for price in self._prices[side][:limit]]
            for name, side in (("bids", "b"), ("asks", "a"))
        }
        return DepthSnapshot.from_wire(symbol, {"lastUpdateId": self._last, **sides})

    def event(self) -> bytes:
        """The next message of the combined stream."""
        self._last += 1
        sides = {
            side: [[price, self._quantity()] for price in self._dice.sample(prices[:SHOWN], CHANGES // 2)]
            for side, prices in self._prices.items()
        }
        head = {"e": "depthUpdate", "E": time.time_ns() // 1_000_000, "s": SYMBOL}
        return json.dumps(
            {"stream": STREAM, "data": {**head, "U": self._last, "u": self._last, **sides}}
        ).encode()


class Market:
    """What a markets process does for one market, and what the textbook does instead."""

    def __init__(self) -> None:
        self._book = Book()
        self._following = Following(fetch_snapshot=self._book.snapshot)
        self._writer = Writer(settings.REDIS_URL)
        while not self._writer.take():
            time.sleep(TICK_SECONDS)
        self._publisher = Publisher(self._following, self._writer)
        self._following.follow([SYMBOL])
        self._following.on_up([STREAM])
        self._following.on_frame(self._book.event())
        self._following.fetch_one()
        self._following.take_fetched()
        self._layer = get_channel_layer()
        self._tick = 0
        self._seq = 0
        self._before: Top | None = None

    def tick(self, audience: str) -> None:
        """A fortieth of a second of the product's work; every fourth time the book has moved."""
        self._tick += 1
        if self._tick % TICKS_A_LOOK == 1:
            self._publisher.serve(interest.watched())
        if audience and self._tick % TICKS_A_FRAME == 0:
            self._following.on_frame(self._book.event())
        self._publisher.publish()
        if audience == "group" and self._tick % TICKS_A_FRAME == 0:
            self._tell_group()

    def _tell_group(self) -> None:
        body = feed.load(feed.client().get(feed.book_key(SYMBOL)))  # type: ignore[arg-type]
        self._seq += 1
        before, self._before = self._before, Top(self._seq, body)
        if before is not None:
            frame = json.loads(self._before.since(before)["text"])
            async_to_sync(self._layer.group_send)(GROUP, {"type": "book.frame", "frame": frame})


def main() -> None:
    market = Market()
    audience, due = "", time.monotonic()
    while True:
        due += TICK_SECONDS
        ready, _w, _x = select.select([sys.stdin], [], [], max(0, due - time.monotonic()))
        if ready:
            line = sys.stdin.readline()
            if not line:
                return
            audience = answer(json.loads(line))
            time.sleep(max(0, due - time.monotonic()))
        market.tick(audience)


def answer(asked: dict[str, Any]) -> str:
    """Who is told from now on: "feed", "group", or nobody."""
    print(json.dumps("told"), flush=True)
    return str(asked["audience"])


if __name__ == "__main__":
    main()
