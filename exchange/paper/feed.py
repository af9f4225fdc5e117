"""Market streams: who listens to what, and what they are sent every tenth of a second."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from exchange.paper import windows
from exchange.paper.accounts import text
from exchange.paper.disturbances import Disturbances
from exchange.paper.market import Market, now_ms

Event = dict[str, Any]
Changes = dict[tuple[str, Any], Any]
MOST_STREAMS = 1024
QUEUE = 5000
SHUTDOWN = "!serverShutdown"
ALL_TICKERS = "!miniTicker@arr"
WINDOWS = ("1h", "4h", "1d")


class Listener:
    """One socket: the streams it follows, and what waits to be written to it."""

    def __init__(self, *, wrapped: bool, cut: Callable[[], object] = lambda: None) -> None:
        """`cut` ends the connection without a word."""
        self.wrapped, self.cut = wrapped, cut
        self.streams: set[str] = set()
        self.queue: asyncio.Queue[str] = asyncio.Queue(maxsize=QUEUE)
        self.is_lost = False
        self.muted_until = 0

    def send(self, frame: str) -> None:
        """A frame of a stream; a muted socket stays open and gets none."""
        if not self.muted_until or now_ms() >= self.muted_until:
            self.put(frame)

    def private(self, name: str) -> Callable[[Event], None]:
        """How it is told what happens to an account, in a stream of that name."""
        return lambda event: self.send(
            json.dumps({"stream": name, "data": event} if self.wrapped else event, separators=(",", ":"))
        )

    def put(self, frame: str) -> None:
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.is_lost = True

    def follows(self, symbol: str) -> bool:
        """True when one of its streams is the market's; each follows the market without a name."""
        return not symbol or any(stream.startswith(f"{symbol.lower()}@") for stream in self.streams)


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

    def __init__(
        self, markets: Mapping[str, Market], more_tickers: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """`more_tickers`: mini tickers of markets that are not ours, encoded, for the stream of all."""
        self._markets, self._more_tickers = markets, more_tickers
        self.listeners: set[Listener] = set()
        self.followed: dict[str, set[Listener]] = {}
        self.disturbances = Disturbances()
        self._trades: list[tuple[str, Event]] = []
        self._best: dict[str, dict[str, str]] = {}
        self._fast = {symbol: Depth(market.book.update_id) for symbol, market in markets.items()}
        self._slow = {symbol: Depth(market.book.update_id) for symbol, market in markets.items()}
        self.silent_until = 0

    # ------------------------------------------------------------------ who listens
    def follow(self, listener: Listener, streams: Iterable[str]) -> None:
        for stream in streams:
            listener.streams.add(stream)
            self.followed.setdefault(stream, set()).add(listener)

    def leave(self, listener: Listener, streams: Iterable[str]) -> None:
        for stream in list(streams):
            listener.streams.discard(stream)
            if followers := self.followed.get(stream):
                followers.discard(listener)
                if not followers:
                    del self.followed[stream]

    @property
    def is_silent(self) -> bool:
        return now_ms() < self.silent_until

    @property
    def is_behind(self) -> bool:
        """True while somebody has not yet been sent half of what can wait."""
        return any(listener.queue.qsize() > QUEUE // 2 for listener in self.listeners)

    # ------------------------------------------------------------------ what they are sent
    def publish(self, stream: str, event: Any) -> None:
        if stream in self.followed:
            self.send(stream, json.dumps(event, separators=(",", ":")))

    def send(self, stream: str, payload: str) -> None:
        """An encoded event to all who follow the stream; what is set against the stream strikes here."""
        for text_sent in self.disturbances.struck(stream, payload):
            wrapped = f'{{"stream":"{stream}","data":{text_sent}}}'
            for listener in self.followed.get(stream, ()):
                listener.send(wrapped if listener.wrapped else text_sent)

    def announce_shutdown(self) -> None:
        """Everybody is told to connect anew."""
        payload = json.dumps({"e": "serverShutdown", "E": now_ms()}, separators=(",", ":"))
        for listener in self.listeners:
            listener.put(f'{{"stream":"{SHUTDOWN}","data":{payload}}}' if listener.wrapped else payload)

    def trade(self, symbol: str, row: Event) -> None:
        """A trade goes out with the next tick."""
        self._trades.append((symbol, row))

    def tick(self, *, each_second: bool) -> None:
        """A tenth of a second is over: changed levels, trades; each second also slow books, candles and tickers."""
        is_silent = self.is_silent
        trades, self._trades = self._trades, []
        for market in self._markets.values():
            self._books(market, each_second=each_second, is_silent=is_silent)
            if not is_silent:
                self._aggregates(market)
                if each_second:
                    self._candles_and_tickers(market)
        if is_silent:
            return
        for symbol, row in trades:
            if (stream := f"{symbol.lower()}@trade") in self.followed:
                self.publish(stream, trade_event(symbol, row))
        if each_second and ALL_TICKERS in self.followed:
            rows = [
                json.dumps(mini_ticker(m.ticker()), separators=(",", ":")) for m in self._markets.values()
            ]
            self.send(ALL_TICKERS, f"[{','.join([*rows, *self._more_tickers()])}]")
        if each_second:
            self._windows()

    def _windows(self) -> None:
        for window in WINDOWS:
            if (together := f"!ticker_{window}@arr") in self.followed:
                self.publish(together, [windows.event(market, window) for market in self._markets.values()])
            for name, market in self._markets.items():
                if (stream := f"{name.lower()}@ticker_{window}") in self.followed:
                    self.publish(stream, windows.event(market, window))

    def _books(self, market: Market, *, each_second: bool, is_silent: bool) -> None:
        name, changes = market.symbol.lower(), market.book.take_changes()
        for depth, suffix in ((self._fast, "@100ms"), (self._slow, "")):
            depth[market.symbol].add(changes)
            if is_silent or (not suffix and not each_second):
                continue
            event = depth[market.symbol].take(market)
            if event is None:
                continue
            self.publish(f"{name}@depth{suffix}", event)
            for count in (5, 10, 20):
                if (stream := f"{name}@depth{count}{suffix}") in self.followed:
                    self.publish(stream, market.depth(count))
        if changes and not is_silent:
            self._book_ticker(market)

    def _book_ticker(self, market: Market) -> None:
        stream, best = f"{market.symbol.lower()}@bookTicker", market.best()
        if stream not in self.followed or self._best.get(market.symbol) == best:
            return
        self._best[market.symbol] = best
        self.publish(stream, book_ticker(market.symbol, market.book.update_id, best))

    def _aggregates(self, market: Market) -> None:
        stream = f"{market.symbol.lower()}@aggTrade"
        untold = []
        for aggregate in reversed(market.aggregates):
            if aggregate.is_told:
                break
            aggregate.is_told = True
            untold.append(aggregate)
        if stream in self.followed:
            for aggregate in reversed(untold):
                self.publish(stream, {"e": "aggTrade", "E": now_ms(), "s": market.symbol, **aggregate.row()})

    def _candles_and_tickers(self, market: Market) -> None:
        name, at = market.symbol.lower(), now_ms()
        market.candles.roll(at)
        for interval, candle in [*market.candles.take_closed(), *market.candles.open.items()]:
            if (stream := f"{name}@kline_{interval}") in self.followed:
                self.publish(stream, candle.event(market.symbol, interval, at))
        if f"{name}@miniTicker" in self.followed or f"{name}@ticker" in self.followed:
            ticker = market.ticker()
            self.publish(f"{name}@miniTicker", mini_ticker(ticker))
            self.publish(f"{name}@ticker", full_ticker(ticker))
        if (stream := f"{name}@avgPrice") in self.followed:
            average = {"i": "5m", "w": text(market.average()), "T": at}
            self.publish(stream, {"e": "avgPrice", "E": at, "s": market.symbol, **average})


def trade_event(symbol: str, row: Event) -> Event:
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


def book_ticker(symbol: str, update_id: int, best: dict[str, str]) -> Event:
    names = {"b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
    return {"u": update_id, "s": symbol, **{key: best[name] for key, name in names.items()}}


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
