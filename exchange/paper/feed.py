"""Market streams: who listens to what, and what they are sent every tenth of a second."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from exchange.paper.accounts import text
from exchange.paper.market import Market, now_ms

Event = dict[str, Any]
Changes = dict[tuple[str, Any], Any]
MOST_STREAMS = 1024
QUEUE = 5000
SHUTDOWN = "!serverShutdown"


class Listener:
    """One socket: the streams it follows, and what waits to be written to it."""

    def __init__(self, *, wrapped: bool) -> None:
        self.wrapped = wrapped
        self.streams: set[str] = set()
        self.queue: asyncio.Queue[str] = asyncio.Queue(maxsize=QUEUE)
        self.is_lost = False

    def send(self, stream: str, payload: str) -> None:
        self.put(f'{{"stream":"{stream}","data":{payload}}}' if self.wrapped else payload)

    def put(self, frame: str) -> None:
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.is_lost = True


class Depth:
    """What changed in one market since its diff stream was last sent, at one of the two speeds."""

    def __init__(self, update_id: int) -> None:
        self._sent = update_id
        self._changes: Changes = {}

    def add(self, changes: Iterable[tuple[Any, ...]]) -> None:
        self._changes.update({(side, price): total for side, price, total in changes})

    def take(self, market: Market) -> Event | None:
        """A depthUpdate whose `U` follows the last one's `u`; None when nothing changed."""
        first, last = self._sent + 1, market.book.update_id
        if last < first:
            return None
        rows = [(side, [text(price), text(total)]) for (side, price), total in self._changes.items()]
        self._sent, self._changes = last, {}
        return {
            "e": "depthUpdate",
            "E": now_ms(),
            "s": market.symbol,
            "U": first,
            "u": last,
            "b": [row for side, row in rows if side == "BUY"],
            "a": [row for side, row in rows if side == "SELL"],
        }


class Feed:
    """Events by stream name; each is encoded once."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = markets
        self.listeners: set[Listener] = set()
        self._trades: list[tuple[str, Event]] = []
        self._best: dict[str, dict[str, str]] = {}
        self._fast = {symbol: Depth(market.book.update_id) for symbol, market in markets.items()}
        self._slow = {symbol: Depth(market.book.update_id) for symbol, market in markets.items()}
        self.silent_until = 0
        self.gaps: set[str] = set()

    def is_wanted(self, streams: set[str]) -> bool:
        return any(not listener.streams.isdisjoint(streams) for listener in self.listeners)

    def publish(self, stream: str, event: Any) -> None:
        listeners = [listener for listener in self.listeners if stream in listener.streams]
        if listeners:
            payload = json.dumps(event, separators=(",", ":"))
            for listener in listeners:
                listener.send(stream, payload)

    def publish_frame(self, stream: str, frame: str) -> None:
        """A recorded frame of a combined stream: sent as it was, or what is in it on a raw stream."""
        raw = frame[frame.index('"data":') + len('"data":') : -1]
        for listener in self.listeners:
            if stream in listener.streams:
                listener.put(frame if listener.wrapped else raw)

    def announce_shutdown(self) -> None:
        """Everybody is told to connect anew."""
        payload = json.dumps({"e": "serverShutdown", "E": now_ms()}, separators=(",", ":"))
        for listener in self.listeners:
            listener.send(SHUTDOWN, payload)

    def trade(self, symbol: str, row: Event) -> None:
        """A trade goes out with the next tick."""
        self._trades.append((symbol, row))

    def tick(self, *, each_second: bool) -> None:
        """A tenth of a second is over: changed levels, trades; each second also slow books, candles and tickers."""
        wanted = {stream for listener in self.listeners for stream in listener.streams}
        is_silent = now_ms() < self.silent_until
        trades, self._trades = self._trades, []
        for market in self._markets.values():
            self._books(market, wanted, each_second=each_second, is_silent=is_silent)
            if not is_silent:
                self._aggregates(market, wanted)
                if each_second:
                    self._candles_and_tickers(market, wanted)
        if is_silent:
            return
        for symbol, row in trades:
            if (stream := f"{symbol.lower()}@trade") in wanted:
                self.publish(stream, _trade(symbol, row))
        if each_second and "!miniTicker@arr" in wanted:
            self.publish("!miniTicker@arr", [mini_ticker(m.ticker()) for m in self._markets.values()])

    def _books(self, market: Market, wanted: set[str], *, each_second: bool, is_silent: bool) -> None:
        name, changes = market.symbol.lower(), market.book.take_changes()
        for depth, suffix in ((self._fast, "@100ms"), (self._slow, "")):
            depth[market.symbol].add(changes)
            if is_silent or (not suffix and not each_second):
                continue
            event = depth[market.symbol].take(market)
            if event is None or self._skips(market.symbol, suffix):
                continue
            self.publish(f"{name}@depth{suffix}", event)
            for count in (5, 10, 20):
                if (stream := f"{name}@depth{count}{suffix}") in wanted:
                    self.publish(stream, market.depth(count))
        if changes and not is_silent:
            self._book_ticker(market, wanted)

    def _skips(self, symbol: str, suffix: str) -> bool:
        """A fault: one depth event of the fast stream is lost."""
        if suffix and symbol in self.gaps:
            self.gaps.discard(symbol)
            return True
        return False

    def _book_ticker(self, market: Market, wanted: set[str]) -> None:
        stream, best = f"{market.symbol.lower()}@bookTicker", market.best()
        if stream not in wanted or self._best.get(market.symbol) == best:
            return
        self._best[market.symbol] = best
        names = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
        body = {key: best[name] for key, name in names.items()}
        self.publish(stream, {"u": market.book.update_id, "s": market.symbol, **body})

    def _aggregates(self, market: Market, wanted: set[str]) -> None:
        stream = f"{market.symbol.lower()}@aggTrade"
        untold = []
        for aggregate in reversed(market.aggregates):
            if aggregate.is_told:
                break
            aggregate.is_told = True
            untold.append(aggregate)
        if stream in wanted:
            for aggregate in reversed(untold):
                self.publish(stream, {"e": "aggTrade", "E": now_ms(), "s": market.symbol, **aggregate.row()})

    def _candles_and_tickers(self, market: Market, wanted: set[str]) -> None:
        name, at = market.symbol.lower(), now_ms()
        market.candles.roll(at)
        for interval, candle in [*market.candles.take_closed(), *market.candles.open.items()]:
            if (stream := f"{name}@kline_{interval}") in wanted:
                self.publish(stream, candle.event(market.symbol, interval, at))
        if f"{name}@miniTicker" in wanted or f"{name}@ticker" in wanted:
            ticker = market.ticker()
            self.publish(f"{name}@miniTicker", mini_ticker(ticker))
            self.publish(f"{name}@ticker", full_ticker(ticker))
        if (stream := f"{name}@avgPrice") in wanted:
            average = {"i": "5m", "w": text(market.average()), "T": at}
            self.publish(stream, {"e": "avgPrice", "E": at, "s": market.symbol, **average})


def _trade(symbol: str, row: Event) -> Event:
    return {
        "e": "trade",
        "E": now_ms(),
        "s": symbol,
        "t": row["id"],
        "p": row["price"],
        "q": row["qty"],
        "T": row["time"],
        "m": row["isBuyerMaker"],
        "M": True,
    }


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
