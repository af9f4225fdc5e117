"""Other order books at the same work: a raw frame in, the best levels out, each by its own public handling.

What their sockets, tasks and queues cost is left out in their favour. The start rule is not timed; the rule of each
event is, where the peer has one, and is added where it has none.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import islice
from typing import Any

import orjson
from sortedcontainers import SortedDict

from exchange.binance.models import DepthSnapshot
from markets.book import State
from markets.stream import Following, streams_of
from tests.bench.depth_stream import DEPTH, SYMBOL

TOP = 20
Top = tuple[Any, Any]


class Book(ABC):
    """A book that stands at a snapshot when it is made."""

    @abstractmethod
    def __init__(self, snapshot: Any) -> None: ...

    @abstractmethod
    def take(self, raw: bytes) -> None:
        """One frame of the combined stream."""

    @abstractmethod
    def top(self) -> Top:
        """The best levels of bids and asks, best first."""

    def is_sound(self) -> bool:
        """True unless the book itself says that something went wrong."""
        return True


class Lost(Exception):
    """The rule says that events were lost, which never happens in a bench."""


class Causeway(Book):
    """What the markets process does with a frame, and how it reads a book."""

    def __init__(self, snapshot: Any) -> None:
        wire = DepthSnapshot.from_wire(SYMBOL, snapshot)
        following = Following(fetch_snapshot=lambda symbol, limit: wire, depth=len(wire.bids))
        following.follow([SYMBOL])
        following.on_up(streams_of([SYMBOL]))
        following.fetch_one()
        following.take_fetched()
        self.book = following.books[SYMBOL]
        self.following = following

    def take(self, raw: bytes) -> None:
        self.following.on_frame(raw)

    def top(self) -> Top:
        book = self.book
        return book.bids.top(TOP), book.asks.top(TOP)

    def is_sound(self) -> bool:
        """LIVE since the snapshot, and every price and quantity a text of the venue."""
        texts = {type(text) for side in self.top() for level in side for text in level}
        return self.book.state == State.LIVE and not self.book.resyncs and texts == {str}


class Plain(Book):
    """The book that anybody would write: json, and a SortedDict of Decimals for each side."""

    def __init__(self, snapshot: Any) -> None:
        self.last = snapshot["lastUpdateId"]
        self.bids, self.asks = (
            SortedDict({Decimal(price): Decimal(quantity) for price, quantity in snapshot[side]})
            for side in ("bids", "asks")
        )

    def take(self, raw: bytes) -> None:
        event = json.loads(raw)["data"]
        if event["u"] <= self.last:
            return
        if event["U"] > self.last + 1:
            raise Lost
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in levels:
                amount = Decimal(quantity)
                if amount:
                    side[Decimal(price)] = amount
                else:
                    side.pop(Decimal(price), None)
        self.last = event["u"]

    def top(self) -> Top:
        bids, asks = self.bids, self.asks
        return [(price, bids[price]) for price in islice(reversed(bids), TOP)], list(
            islice(asks.items(), TOP)
        )


class OrderBookOf(Book):
    """The C extension order-book with orjson; `number` makes floats or Decimals of texts."""

    number: Callable[[str], Any]

    def __init__(self, snapshot: Any) -> None:
        from order_book import OrderBook

        number = self.number
        self.last = snapshot["lastUpdateId"]
        self.book = OrderBook()
        for side in ("bids", "asks"):
            setattr(self.book, side, {number(price): number(quantity) for price, quantity in snapshot[side]})

    def take(self, raw: bytes) -> None:
        event = orjson.loads(raw)["data"]
        if event["u"] <= self.last:
            return
        if event["U"] > self.last + 1:
            raise Lost
        number = self.number
        for side, levels in ((self.book.bids, event["b"]), (self.book.asks, event["a"])):
            for price, quantity in levels:
                amount = number(quantity)
                if amount:
                    side[number(price)] = amount
                elif (key := number(price)) in side:
                    del side[key]
        self.last = event["u"]

    def top(self) -> Top:
        bids, asks = self.book.bids, self.book.asks
        return [bids.index(at) for at in range(TOP)], [asks.index(at) for at in range(TOP)]


class OrderBookFloats(OrderBookOf):
    number = float


class OrderBookDecimals(OrderBookOf):
    number = Decimal


class PythonBinance(Book):
    """DepthCacheManager as its socket's reader feeds it, with its default of floats."""

    def __init__(self, snapshot: Any) -> None:
        from binance.ws.depthcache import DepthCacheManager

        class Client:
            async def get_order_book(self, **asked: Any) -> Any:
                return snapshot

        self.manager = DepthCacheManager(Client(), SYMBOL, loop=object(), bm=object(), limit=DEPTH)
        done(self.manager._init_cache())

    def take(self, raw: bytes) -> None:
        done(self.manager._depth_event(orjson.loads(raw)["data"]))

    def top(self) -> Top:
        cache = self.manager.get_depth_cache()
        return cache.get_bids()[:TOP], cache.get_asks()[:TOP]


class Cryptofeed(Book):
    """The Binance feed's message handler, Decimals on order-book."""

    def __init__(self, snapshot: Any) -> None:
        from cryptofeed.defines import BINANCE, L2_BOOK
        from cryptofeed.exchanges import Binance
        from cryptofeed.symbols import Symbols

        class Connection:
            async def read(self, address: str) -> str:
                return json.dumps(snapshot)

        pair = "BTC-USDT"
        Symbols.set(BINANCE, {pair: SYMBOL}, {})
        self.feed = Binance(symbols=[pair], channels=[L2_BOOK], callbacks={L2_BOOK: self._see})
        self.feed.http_conn = Connection()
        done(self.feed._snapshot(SYMBOL))

    async def _see(self, book: Any, received: float) -> None:
        self.book = book.book

    def take(self, raw: bytes) -> None:
        done(self.feed.message_handler(raw, None, 0.0))

    def top(self) -> Top:
        bids, asks = self.book.bids, self.book.asks
        return [bids.index(at) for at in range(TOP)], [asks.index(at) for at in range(TOP)]


class CcxtPro(Book):
    """The client's handling of a text message down to handle_order_book, floats."""

    def __init__(self, snapshot: Any) -> None:
        import ccxt.pro
        from ccxt.async_support.base.ws.client import Client

        exchange = ccxt.pro.binance()
        market = {
            "id": SYMBOL,
            "symbol": "BTC/USDT",
            "base": "BTC",
            "quote": "USDT",
            "spot": True,
            "type": "spot",
        }
        exchange.set_markets([market])
        self.book = exchange.order_book({}, DEPTH)
        self.book.reset(exchange.parse_order_book(snapshot, "BTC/USDT") | {"nonce": snapshot["lastUpdateId"]})
        exchange.orderbooks["BTC/USDT"] = self.book
        # A client without a connection: it makes futures of a running loop when it is built.
        self.client = Client.__new__(Client)
        self.client.url = "wss://stream.binance.com:9443/stream"
        self.client.futures, self.client.subscriptions, self.client.rejections = {}, {}, {}
        self.client.on_message_callback = exchange.handle_message

    def take(self, raw: bytes) -> None:
        self.client.handle_text_or_binary_message(raw)

    def top(self) -> Top:
        return self.book["bids"][:TOP], self.book["asks"][:TOP]


def done(work: Coroutine[Any, Any, Any]) -> None:
    """Runs a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("it waits for something")
