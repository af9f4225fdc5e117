"""Looks at published books as anybody may, and holds them against the venue's own at the same update id."""

import contextlib
import json
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from exchange.paper.limits import MINUTE_LIMIT
from markets import feed, interest
from tests.exchange.paper.people import Caller

OURS, ANOTHER = "127.0.0.1", "127.0.0.2"
SHOWN = 20
LOOK_SECONDS, COMPARE_SECONDS = 0.02, 0.15
# Looked at more often than it is published, a book that is down for one tick is seen; so Redis does the reading.
_NOT_LIVE = """
local found = {}
for at, book in ipairs(redis.call('MGET', unpack(KEYS))) do
  if not book or not string.find(book, '"state":"LIVE"', 1, true) then found[#found + 1] = at end
end
return found
"""
REMEMBERED = 200  # states of each watched market: some seconds
Book = dict[str, Any]


class ElsewhereAdapter(HTTPAdapter):
    """Requests from another address of this machine, whose weight is counted apart."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(ANOTHER, 0))


class Watching:
    """`symbols` are all markets, `watched` those that somebody looks at."""

    def __init__(self, at: str, symbols: Sequence[str], watched: Sequence[str]) -> None:
        self.symbols, self.watched = symbols, watched
        self.caller = Caller(at)
        self.compared = self.wrong = 0
        self._at, self._over = at, threading.Event()
        self._keys = [feed.book_key(symbol) for symbol in symbols]
        self._not_live = feed.client().register_script(_NOT_LIVE)
        self._down: frozenset[str] = frozenset(symbols)
        self._down_at: dict[str, float] = {}
        self._told: dict[str, deque[Book]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._http = requests.Session()
        self._http.mount("http://", ElsewhereAdapter())
        self._used: deque[tuple[float, int]] = deque()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Looks, listens and compares until the end of the block."""
        works = (self._look, self._listen, self._compare)
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(5)

    # ------------------------------------------------------------------ what was seen
    def live(self, symbols: Collection[str]) -> int:
        return sum(symbol not in self._down for symbol in symbols)

    def last_down(self, symbols: Collection[str]) -> float:
        """When one of them was last seen not LIVE; in seconds of the monotonic clock."""
        return max(self._down_at.get(symbol, 0.0) for symbol in symbols)

    def down_since(self, began: float) -> int:
        """How many markets were seen not LIVE since then."""
        return sum(at >= began for at in list(self._down_at.values()))

    def left_to_strike(self) -> int:
        """Of how many markets the venue has yet to lose the event that it was told to."""
        left = self.caller.door_get("state")["disturbances"]
        return sum(f"{symbol.lower()}@depth@100ms" in left for symbol in self.symbols)

    def depths(self, symbols: Collection[str] = ()) -> list[int]:
        """What the LIVE books say how many levels they know; of one that knows all, that many."""
        raws: Any = feed.client().mget([feed.book_key(symbol) for symbol in symbols or self.symbols])
        found = [book for raw in raws if (book := feed.load(raw))]
        return [
            len(book["bids"]) if book["known"] is None else book["known"]
            for book in found
            if book["state"] == "LIVE"
        ]

    def figures(self) -> dict[str, Any]:
        """At the end: each book once more, the weight, and how deep the books are by now."""
        all_compared = sum(any(self._compare_now(symbol) for _try in range(3)) for symbol in self.symbols)
        minutes = self.caller.door_get("state")["weight"][OURS].values()
        deep = sum(known >= 500 for known in self.depths())
        return {
            "compared": self.compared, "all_compared": all_compared, "wrong": self.wrong,
            "most_weight_of_a_minute": round(max(minutes) / MINUTE_LIMIT, 3),
            "most_weight_of_60_seconds": round(self._most_within(60) / MINUTE_LIMIT, 3),
            "watched_known_at_least": min(self.depths(self.watched), default=0), "deepened": deep,
        }  # fmt: skip

    def _most_within(self, seconds: float) -> int:
        """The most that was used within so many seconds, wherever a minute begins."""
        used = list(self._used)
        return max(
            (total - next(before for since, before in used if since >= at - seconds) for at, total in used),
            default=0,
        )

    # ------------------------------------------------------------------ threads
    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            interest.watch(*self.watched)
            self.look(at=time.monotonic())

    def look(self, *, at: float) -> None:
        """Which books are not LIVE at this moment."""
        self._down = frozenset(self.symbols[place - 1] for place in self._not_live(keys=self._keys))
        self._down_at |= dict.fromkeys(self._down, at)

    def _listen(self) -> None:
        with feed.client().pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
            channel.psubscribe(feed.book_key("*"))
            while not self._over.is_set():
                if message := channel.get_message(timeout=0.2):
                    book = json.loads(message["data"])
                    self._told[book["symbol"]].append(book)

    def _compare(self) -> None:
        """The venue's book of a random watched market, and a while later what was told of it at that id."""
        dice, waiting = random.Random(4), deque[tuple[float, str, Book]]()
        while not self._over.wait(COMPARE_SECONDS):
            symbol = dice.choice(self.watched)
            with contextlib.suppress(requests.RequestException):
                waiting.append((time.monotonic(), symbol, self._venues(symbol)))
                total = sum(self.caller.door_get("state")["weight"].get(OURS, {}).values())
                self._used.append((time.monotonic(), total))
            while waiting and time.monotonic() - waiting[0][0] > 1:
                _at, symbol, truth = waiting.popleft()
                told = [book for book in list(self._told[symbol]) if book["u"] == truth["lastUpdateId"]]
                self._judge(truth, [book for book in told if book["state"] == "LIVE"])

    def _venues(self, symbol: str) -> Book:
        url = f"{self._at}/api/v3/depth?symbol={symbol}&limit={SHOWN}"
        found: Book = self._http.get(url, timeout=5).json()
        return found

    def _judge(self, truth: Book, told: list[Book]) -> None:
        self.compared += bool(told)
        self.wrong += sum(any(book[side] != truth[side] for side in ("bids", "asks")) for book in told)

    def _compare_now(self, symbol: str) -> bool:
        """Whether its book was found LIVE at an update id of the venue's; a wrong one is counted."""
        truth, book = self._venues(symbol), Book()
        until = time.monotonic() + 0.3
        while book.get("u", 0) < truth["lastUpdateId"] and time.monotonic() < until:
            book = feed.load(feed.client().get(feed.book_key(symbol))) or {}  # type: ignore[arg-type]
        if book.get("u") != truth["lastUpdateId"] or book["state"] != "LIVE":
            return False
        self._judge(truth, [book])
        return True
