"""Candles: seeded and plausible before the venue's first start, made of its own trades from then on.

The seeded past is a price path that is a function of time alone, so that every interval opens and closes on the same
path; it joins the live price at the moment the venue first started.
"""

import calendar
import hashlib
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from exchange.paper.accounts import down, text
from exchange.paper.store import Store

INTERVALS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800, "1M": 0,
}  # fmt: skip
KEPT = [name for name in INTERVALS if name != "1s"]
MONDAY = 4 * 86400
# Waves of the path: period in seconds and how far a wave moves the price, as a part of it.
WAVES = (
    (90, 0.0004),
    (600, 0.0012),
    (3600, 0.003),
    (21600, 0.008),
    (172800, 0.02),
    (1209600, 0.05),
    (9676800, 0.16),
)
SAMPLES = 8


def open_second(interval: str, second: int) -> int:
    """When the candle that holds this second opened."""
    if interval == "1M":
        at = datetime.fromtimestamp(second, UTC)
        return int(datetime(at.year, at.month, 1, tzinfo=UTC).timestamp())
    if interval == "1w":
        return (second - MONDAY) // 604800 * 604800 + MONDAY
    length = INTERVALS[interval]
    return second // length * length


def next_open(interval: str, opened: int) -> int:
    if interval == "1M":
        at = datetime.fromtimestamp(opened, UTC)
        return opened + calendar.monthrange(at.year, at.month)[1] * 86400
    return opened + INTERVALS[interval]


@lru_cache(maxsize=200_000)
def _dice(seed: str, wave: int, step: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{wave}:{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**63 - 1


class Path:
    """A symbol's seeded price path; `anchor` is the time at which it has the price `price`."""

    def __init__(self, seed: str, anchor: int, price: Decimal, *, daily_quote: float) -> None:
        self._seed, self.anchor, self._price = seed, anchor, float(price)
        self._daily_quote = daily_quote
        self._zero = self._height(anchor)

    def _height(self, second: float) -> float:
        total = 0.0
        for number, (period, size) in enumerate(WAVES):
            at = second / period
            step = math.floor(at)
            part = at - step
            smooth = part * part * (3 - 2 * part)
            left, right = _dice(self._seed, number, step), _dice(self._seed, number, step + 1)
            total += size * (left + (right - left) * smooth)
        return total

    def price(self, second: float) -> float:
        return self._price * math.exp(self._height(second) - self._zero)

    def volume(self, opened: int, length: int) -> float:
        """Plausible base volume of a span."""
        rate = self._daily_quote / 86400 / self._price
        return rate * length * (1.1 + _dice(self._seed + "volume", length, opened // length))


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

    def __init__(self, symbol: str, path: Path, tick: Decimal, store: Store, last: Decimal) -> None:
        self.symbol, self._path, self._tick, self._store = symbol, path, tick, store
        self.last = last
        self.open: dict[str, Candle] = {}
        self.closed: list[tuple[str, Candle]] = []
        self._day: tuple[int, list[list[Any]]] = (0, [])
        now = int(time.time())
        for interval in INTERVALS:
            self.open[interval] = self._resumed(interval, now)

    def _resumed(self, interval: str, now: int) -> Candle:
        opened = open_second(interval, now)
        known = self._store.candles(self.symbol, interval, opened * 1000, opened * 1000).get(opened * 1000)
        if known:
            return _from_row(known)
        if opened < self._path.anchor:
            return _from_row(self._seeded(interval, opened))
        return self._fresh(interval, opened)

    def _fresh(self, interval: str, opened: int) -> Candle:
        last = self.last
        return Candle(opened * 1000, next_open(interval, opened) * 1000 - 1, last, last, last, last)

    def trade(
        self, price: Decimal, quantity: Decimal, trade_id: int, at_ms: int, *, buyer_takes: bool
    ) -> None:
        self.roll(at_ms)
        self.last = price
        for candle in self.open.values():
            if candle.trades == 0 and candle.volume == 0:
                candle.open = candle.high = candle.low = price
            candle.add(price, quantity, trade_id, buyer_takes=buyer_takes)

    def roll(self, at_ms: int) -> None:
        """Candles whose time is over are closed and new ones are open."""
        for interval, candle in self.open.items():
            if at_ms > candle.close_ms:
                self.closed.append((interval, candle))
                self.open[interval] = self._fresh(interval, open_second(interval, at_ms // 1000))

    def rows_to_store(self) -> list[tuple[str, str, int, list[Any]]]:
        closed, self.closed = self.closed, []
        found = [*closed, *self.open.items()]
        return [
            (self.symbol, interval, candle.open_ms, candle.row())
            for interval, candle in found
            if interval != "1s"
        ]

    def rows(self, interval: str, start_ms: int | None, end_ms: int | None, limit: int) -> list[list[Any]]:
        """Candles oldest first; from the start when one is given, else the newest up to the end."""
        now = int(time.time())
        last = open_second(interval, min(end_ms // 1000, now) if end_ms is not None else now)
        if start_ms is not None:
            first = open_second(interval, -(-start_ms // 1000))
            first = first if first * 1000 >= start_ms else next_open(interval, first)
            opens = _forward(interval, first, last, limit)
        else:
            opens = _backward(interval, last, limit)
        if not opens:
            return []
        known = self._store.candles(self.symbol, interval, opens[0] * 1000, opens[-1] * 1000)
        known |= {c.open_ms: c.row() for i, c in self.closed if i == interval}
        known[self.open[interval].open_ms] = self.open[interval].row()
        found: list[list[Any]] = []
        for opened in opens:
            found.append(known.get(opened * 1000) or self._made(interval, opened, found))
        return found

    def _made(self, interval: str, opened: int, before: list[list[Any]]) -> list[Any]:
        if opened < self._path.anchor:
            return self._seeded(interval, opened)
        close = Decimal(before[-1][4]) if before else self.last  # the venue was down: nothing traded
        return Candle(opened * 1000, next_open(interval, opened) * 1000 - 1, close, close, close, close).row()

    def _seeded(self, interval: str, opened: int) -> list[Any]:
        closes = next_open(interval, opened)
        length = closes - opened
        prices = [self._path.price(opened + length * part / SAMPLES) for part in range(SAMPLES + 1)]
        wick = 0.15 * (max(prices) - min(prices)) + 0.0001 * prices[0]
        opening, closing = self._tidy(prices[0]), self._tidy(prices[-1])
        high = max(self._tidy(max(prices) + wick), opening, closing)
        low = min(self._tidy(min(prices) - wick), opening, closing)
        volume = down(Decimal(repr(self._path.volume(opened, length))))
        quote = down(volume * (opening + closing) / 2)
        trades = max(1, length // 2)
        return Candle(
            opened * 1000, closes * 1000 - 1, opening, high, low, closing, volume, quote, trades, down(volume / 2),
            down(quote / 2),
        ).row()  # fmt: skip

    def _tidy(self, price: float) -> Decimal:
        return max(Decimal(repr(price)) // self._tick * self._tick, self._tick)

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


def _forward(interval: str, first: int, last: int, limit: int) -> list[int]:
    opens: list[int] = []
    while first <= last and len(opens) < limit:
        opens.append(first)
        first = next_open(interval, first)
    return opens


def _backward(interval: str, last: int, limit: int) -> list[int]:
    opens = [last]
    while len(opens) < limit:
        opens.append(open_second(interval, opens[-1] - 1))
    return opens[::-1]


def _from_row(row: list[Any]) -> Candle:
    amounts = [Decimal(row[index]) for index in (1, 2, 3, 4, 5, 7)]
    opening, high, low, close, volume, quote = amounts
    return Candle(
        row[0], row[6], opening, high, low, close, volume, quote, row[8], Decimal(row[9]), Decimal(row[10])
    )
