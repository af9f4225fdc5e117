"""Candles: seeded and plausible before the venue's first start, made of its own trades from then on."""

import calendar
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exchange.paper.accounts import down, text
from exchange.paper.history import BEGINS, Bar, Past
from exchange.paper.store import Store

INTERVALS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800, "1M": 0,
}  # fmt: skip
MONDAY = 4 * 86400


def open_second(interval: str, second: int, east: int = 0) -> int:
    """When the candle that holds this second opened, on clocks so many seconds east of UTC."""
    if east:
        return open_second(interval, second + east) - east
    if interval == "1M":
        at = datetime.fromtimestamp(second, UTC)
        return int(datetime(at.year, at.month, 1, tzinfo=UTC).timestamp())
    if interval == "1w":
        return (second - MONDAY) // 604800 * 604800 + MONDAY
    length = INTERVALS[interval]
    return second // length * length


def next_open(interval: str, opened: int, east: int = 0) -> int:
    if east:
        return next_open(interval, opened + east) - east
    if interval == "1M":
        at = datetime.fromtimestamp(opened, UTC)
        return opened + calendar.monthrange(at.year, at.month)[1] * 86400
    return opened + INTERVALS[interval]


@dataclass
class Candle:
    open_ms: int
    close_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    trades: int = 0
    taker: Decimal = Decimal(0)
    taker_quote: Decimal = Decimal(0)
    first_id: int = -1
    last_id: int = -1

    def add(self, price: Decimal, quantity: Decimal, trade_id: int, *, buyer_takes: bool) -> None:
        if not self.trades:
            self.open = self.high = self.low = price
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += quantity
        self.quote += price * quantity
        self.trades += 1
        if buyer_takes:
            self.taker += quantity
            self.taker_quote += price * quantity
        self.first_id = trade_id if self.first_id < 0 else self.first_id
        self.last_id = trade_id

    def row(self) -> list[Any]:
        """As REST klines give it."""
        return [
            self.open_ms, text(self.open), text(self.high), text(self.low), text(self.close), text(self.volume),
            self.close_ms, text(down(self.quote)), self.trades, text(self.taker), text(down(self.taker_quote)), "0",
        ]  # fmt: skip

    def event(self, symbol: str, interval: str, now_ms: int) -> dict[str, Any]:
        k = {
            "t": self.open_ms, "T": self.close_ms, "s": symbol, "i": interval, "f": self.first_id, "L": self.last_id,
            "o": text(self.open), "c": text(self.close), "h": text(self.high), "l": text(self.low),
            "v": text(self.volume), "n": self.trades, "x": now_ms > self.close_ms, "q": text(down(self.quote)),
            "V": text(self.taker), "Q": text(down(self.taker_quote)), "B": "0",
        }  # fmt: skip
        return {"e": "kline", "E": now_ms, "s": symbol, "k": k}


class Candles:
    """One symbol's candles of every interval."""

    def __init__(self, symbol: str, past: Past, store: Store, last: Decimal) -> None:
        self.symbol, self._past, self._store = symbol, past, store
        self.last = last
        self.open: dict[str, Candle] = {}
        self._closed: list[tuple[str, Candle]] = []
        self._unannounced: list[tuple[str, Candle]] = []
        self._day: tuple[int, list[list[Any]]] = (0, [])
        now = int(time.time())
        for interval in INTERVALS:
            self.open[interval] = self._resumed(interval, now)

    def _resumed(self, interval: str, now: int) -> Candle:
        opened = open_second(interval, now)
        known = self._store.candles(self.symbol, interval, opened * 1000, opened * 1000).get(opened * 1000)
        if known:
            return _from_row(known)
        return self._seeded(interval, opened) or self._fresh(interval, opened)

    def _fresh(self, interval: str, opened: int) -> Candle:
        return _flat(interval, opened, self.last)

    def trade(
        self, price: Decimal, quantity: Decimal, trade_id: int, at_ms: int, *, buyer_takes: bool
    ) -> None:
        self.roll(at_ms)
        self.last = price
        for candle in self.open.values():
            candle.add(price, quantity, trade_id, buyer_takes=buyer_takes)

    def roll(self, at_ms: int) -> None:
        """Candles whose time is over are closed and new ones are open."""
        for interval, candle in self.open.items():
            if at_ms > candle.close_ms:
                if interval != "1s":
                    self._closed.append((interval, candle))
                self._unannounced.append((interval, candle))
                self.open[interval] = self._fresh(interval, open_second(interval, at_ms // 1000))

    def take_closed(self) -> list[tuple[str, Candle]]:
        """Candles that closed since the last call."""
        closed, self._unannounced = self._unannounced, []
        return closed

    def rows_to_store(self) -> list[tuple[str, str, int, list[Any]]]:
        closed, self._closed = self._closed, []
        lasting = [
            *closed,
            *((interval, candle) for interval, candle in self.open.items() if interval != "1s"),
        ]
        return [(self.symbol, interval, candle.open_ms, candle.row()) for interval, candle in lasting]

    def rows(
        self, interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[list[Any]]:
        """Candles oldest first; from the start when one is given, else the newest up to the end."""
        opens = self._opens(interval, start_ms, end_ms, limit, east)
        if not opens:
            return []
        if open_second(interval, opens[0]) != opens[0]:
            return [self._shifted(opened, next_open(interval, opened, east)).row() for opened in opens]
        known = self._store.candles(self.symbol, interval, opens[0] * 1000, opens[-1] * 1000)
        known |= {candle.open_ms: candle.row() for name, candle in self._closed if name == interval}
        current = self.open[interval]
        known[current.open_ms] = current.row()
        found: list[list[Any]] = []
        for opened in opens:
            found.append(known.get(opened * 1000) or self._made(interval, opened, found))
        return found

    def _shifted(self, opened: int, closes: int) -> Candle:
        """A candle of another time zone: of the past, or of finer ones where the venue's own trades are in."""
        finer, length, most = ("1m", 60, 45_000) if opened % 900 else ("15m", 900, 3000)
        cut = max(opened, min(closes, self._past.anchor // length * length))
        bar = self._past.bar(opened, cut)
        parts = [] if bar is None else [_from_bar(opened, cut, bar)]
        if cut < closes:
            parts += [_from_row(row) for row in self.rows(finer, cut * 1000, closes * 1000 - 1, most)]
        return _joined(opened, closes, parts)

    @staticmethod
    def _opens(
        interval: str, start_ms: int | None, end_ms: int | None, limit: int, east: int = 0
    ) -> list[int]:
        now = int(time.time())
        last = open_second(interval, min(end_ms // 1000, now) if end_ms is not None else now, east)
        if start_ms is None:
            return _backward(interval, last, limit, east)
        first = open_second(interval, max(-(-start_ms // 1000), BEGINS), east)
        first = first if first * 1000 >= start_ms else next_open(interval, first, east)
        return _forward(interval, first, last, limit, east)

    def _made(self, interval: str, opened: int, before: list[list[Any]]) -> list[Any]:
        seeded = self._seeded(interval, opened)
        if seeded:
            return seeded.row()
        close = Decimal(before[-1][4]) if before else self.last  # the venue was down: nothing traded
        return _flat(interval, opened, close).row()

    def _seeded(self, interval: str, opened: int) -> Candle | None:
        """The candle as far as it lies before the venue's first start."""
        closes = next_open(interval, opened)
        bar = self._past.bar(opened, closes)
        return None if bar is None else _from_bar(opened, closes, bar)

    def day(self, now_ms: int) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, int]:
        """Open, high, low, base volume, quote volume and count of the last 24 hours."""
        minute = now_ms // 60_000
        if self._day[0] != minute:
            start = (minute - 1440) * 60_000
            self._day = (minute, self.rows("5m", start, now_ms, 300)[:-1])
        rows = [*self._day[1], self.open["5m"].row()]
        return (
            Decimal(rows[0][1]),
            max(Decimal(row[2]) for row in rows),
            min(Decimal(row[3]) for row in rows),
            sum((Decimal(row[5]) for row in rows), Decimal(0)),
            sum((Decimal(row[7]) for row in rows), Decimal(0)),
            sum(row[8] for row in rows),
        )


def _forward(interval: str, first: int, last: int, limit: int, east: int) -> list[int]:
    opens: list[int] = []
    while first <= last and len(opens) < limit:
        opens.append(first)
        first = next_open(interval, first, east)
    return opens


def _backward(interval: str, last: int, limit: int, east: int) -> list[int]:
    opens: list[int] = []
    while last >= BEGINS and len(opens) < limit:
        opens.append(last)
        last = open_second(interval, last - 1, east)
    return opens[::-1]


def _flat(interval: str, opened: int, price: Decimal) -> Candle:
    return Candle(opened * 1000, next_open(interval, opened) * 1000 - 1, price, price, price, price)


def _from_bar(opened: int, closes: int, bar: Bar) -> Candle:
    return Candle(
        opened * 1000, closes * 1000 - 1, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote, bar.trades,
        bar.taker, bar.taker_quote,
    )  # fmt: skip


def _joined(opened: int, closes: int, parts: list[Candle]) -> Candle:
    """What the parts are together; those without a trade only say where the price stood."""
    traded = [part for part in parts if part.trades] or parts
    first, last = traded[0], traded[-1]
    found = Candle(opened * 1000, closes * 1000 - 1, first.open, first.high, first.low, last.close)
    for part in traded:
        found.high, found.low = max(found.high, part.high), min(found.low, part.low)
        found.volume += part.volume
        found.quote += part.quote
        found.trades += part.trades
        found.taker += part.taker
        found.taker_quote += part.taker_quote
    return found


def _from_row(row: list[Any]) -> Candle:
    amounts = [Decimal(row[index]) for index in (1, 2, 3, 4, 5, 7)]
    opening, high, low, close, volume, quote = amounts
    return Candle(
        row[0], row[6], opening, high, low, close, volume, quote, row[8], Decimal(row[9]), Decimal(row[10])
    )
