"""Market streams: who listens to what, and what they are sent every tenth of a second."""

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from exchange.paper.accounts import text
from exchange.paper.candles import INTERVALS
from exchange.paper.market import Market, now_ms

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Event = dict[str, Any]
MOST_STREAMS = 1024
QUEUE = 5000


class Listener:
    """One socket: the streams it follows, and what waits to be written to it."""

    def __init__(self, *, wrapped: bool) -> None:
        self.wrapped = wrapped
        self.streams: set[str] = set()
        self.queue: asyncio.Queue[str] = asyncio.Queue(maxsize=QUEUE)
        self.is_lost = False

    def send(self, stream: str, payload: str) -> None:
        try:
            self.queue.put_nowait(f'{{"stream":"{stream}","data":{payload}}}' if self.wrapped else payload)
        except asyncio.QueueFull:
            self.is_lost = True


class Feed:
    """Events by stream name; each is encoded once."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.listeners: set[Listener] = set()
        self._trades: list[tuple[str, Event]] = []
        self._best: dict[str, tuple[Any, ...]] = {}
        self.silent_until = 0

    def is_known(self, stream: str) -> bool:
        name, _, kind = stream.partition("@")
        if stream.startswith("!miniTicker@arr"):
            return True
        plain = kind.removesuffix("@100ms")
        known = {
            "trade",
            "aggTrade",
            "depth",
            "depth5",
            "depth10",
            "depth20",
            "miniTicker",
            "ticker",
            "bookTicker",
        }
        if plain.startswith("kline_"):
            return name.upper() in self._venue.markets and plain.removeprefix("kline_") in INTERVALS
        return name.upper() in self._venue.markets and plain in known

    def _wanted(self) -> set[str]:
        return {stream for listener in self.listeners for stream in listener.streams}

    def publish(self, stream: str, event: Any) -> None:
        payload = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))
        for listener in self.listeners:
            if stream in listener.streams:
                listener.send(stream, payload)

    def trade(self, symbol: str, row: Event) -> None:
        """A trade goes out with the next tick."""
        self._trades.append((symbol, row))

    def tick(self, *, each_second: bool) -> None:
        """A tenth of a second is over: changed levels, trades; each second also candles and tickers."""
        wanted = self._wanted()
        is_silent = now_ms() < self.silent_until
        trades, self._trades = self._trades, []
        for market in self._venue.markets.values():
            changes = market.book.take_changes()
            if not is_silent:
                self._depth(market, changes, wanted)
        if is_silent:
            return
        for symbol, row in trades:
            self._publish_trade(symbol, row, wanted)
        if each_second:
            for market in self._venue.markets.values():
                self._each_second(market, wanted)
            if "!miniTicker@arr" in wanted:
                self.publish(
                    "!miniTicker@arr", [mini_ticker(m.ticker()) for m in self._venue.markets.values()]
                )

    def _depth(self, market: Market, changes: list[tuple[Any, ...]], wanted: set[str]) -> None:
        name = market.symbol.lower()
        if not changes:
            return
        first, last = market.sent_update_id + 1, market.book.update_id
        market.sent_update_id = last
        event = {
            "e": "depthUpdate",
            "E": now_ms(),
            "s": market.symbol,
            "U": first,
            "u": last,
            "b": [[text(price), text(total)] for side, price, total in changes if side == "BUY"],
            "a": [[text(price), text(total)] for side, price, total in changes if side == "SELL"],
        }
        for stream in (f"{name}@depth@100ms", f"{name}@depth"):
            if stream in wanted:
                self.publish(stream, event)
        for count in (5, 10, 20):
            for stream in (f"{name}@depth{count}", f"{name}@depth{count}@100ms"):
                if stream in wanted:
                    self.publish(stream, market.depth(count))
        self._book_ticker(market, wanted)

    def _book_ticker(self, market: Market, wanted: set[str]) -> None:
        stream = f"{market.symbol.lower()}@bookTicker"
        if stream not in wanted:
            return
        bid, ask = market.book.depth("BUY", 1), market.book.depth("SELL", 1)
        if not bid or not ask or self._best.get(market.symbol) == (*bid, *ask):
            return
        self._best[market.symbol] = (*bid, *ask)
        (b, bq), (a, aq) = bid[0], ask[0]
        body = {
            "u": market.book.update_id,
            "s": market.symbol,
            "b": text(b),
            "B": text(bq),
            "a": text(a),
            "A": text(aq),
        }
        self.publish(stream, body)

    def _publish_trade(self, symbol: str, row: Event, wanted: set[str]) -> None:
        common = {
            "E": now_ms(),
            "s": symbol,
            "p": row["price"],
            "q": row["qty"],
            "T": row["time"],
            "m": row["isBuyerMaker"],
        }
        name = symbol.lower()
        if f"{name}@trade" in wanted:
            self.publish(f"{name}@trade", {"e": "trade", "t": row["id"], "M": True, **common})
        if f"{name}@aggTrade" in wanted:
            ids = {"a": row["id"], "f": row["id"], "l": row["id"]}
            self.publish(f"{name}@aggTrade", {"e": "aggTrade", "M": True, **ids, **common})

    def _each_second(self, market: Market, wanted: set[str]) -> None:
        name, at = market.symbol.lower(), now_ms()
        closed = list(market.candles.closed)
        market.candles.roll(at)
        for interval, candle in [*market.candles.closed[len(closed) :], *market.candles.open.items()]:
            stream = f"{name}@kline_{interval}"
            if stream in wanted:
                self.publish(stream, candle.event(market.symbol, interval, at))
        if f"{name}@miniTicker" in wanted or f"{name}@ticker" in wanted:
            ticker = market.ticker()
            self.publish(f"{name}@miniTicker", mini_ticker(ticker))
            self.publish(f"{name}@ticker", full_ticker(ticker))


def mini_ticker(row: Event) -> Event:
    return {
        "e": "24hrMiniTicker",
        "E": row["closeTime"],
        "s": row["symbol"],
        "c": row["lastPrice"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
    }


def full_ticker(row: Event) -> Event:
    names = {
        "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice", "c": "lastPrice",
        "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty", "o": "openPrice",
        "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume", "O": "openTime", "C": "closeTime",
        "F": "firstId", "L": "lastId", "n": "count",
    }  # fmt: skip
    return {
        "e": "24hrTicker",
        "E": row["closeTime"],
        "s": row["symbol"],
        **{key: row[name] for key, name in names.items()},
    }


def split(raw: str) -> Iterable[str]:
    return (name for name in raw.split("/") if name)
