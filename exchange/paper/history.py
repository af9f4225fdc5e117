"""The seeded past of a market: what its candles were before the venue's first start. Simulated, and the same each time.

A day is split into hours, an hour into quarters, a quarter into minutes, a minute into seconds; the parts of a span
open and close on one path and their extremes, volumes and counts add up to the span's exactly. So candles of every
interval agree with each other, and only what is asked for is made.
"""

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, pairwise

DAY = 86_400
PARTS = {DAY: 24, 3600: 4, 900: 15, 60: 60}  # a span's length in seconds: how many parts it is split into
BEGINS = 1_640_995_200  # 2022-01-01; older candles do not exist
# Waves of the daily path: period in days, and how far a wave moves the price as a part of it.
WAVES = ((2, 0.014), (9, 0.03), (40, 0.07), (170, 0.16))
QUOTE_UNIT = Decimal("0.00000001")


@dataclass(frozen=True)
class Span:
    """Prices as the path has them; volumes as whole numbers of steps and of 1e-8 of the quote asset."""

    open: float
    high: float
    low: float
    close: float
    volume: int
    quote: int
    trades: int
    taker: int
    taker_quote: int


@dataclass(frozen=True)
class Bar:
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote: Decimal
    trades: int
    taker: Decimal
    taker_quote: Decimal


class Past:
    """One symbol's past, up to the second `anchor`, at which its price was `price`."""

    def __init__(
        self, symbol: str, anchor: int, price: Decimal, *, tick: Decimal, step: Decimal, daily_quote: int
    ) -> None:
        self._symbol, self.anchor, self._tick, self._step = symbol, anchor, tick, step
        self._daily_quote = daily_quote
        self._scale = 1.0
        self._parts = lru_cache(maxsize=256)(self._split)
        self._days = lru_cache(maxsize=64)(self._day)
        self._scale = float(price) / self._price_at(anchor)
        self._parts.cache_clear()
        self._days.cache_clear()

    def bar(self, start: int, end: int) -> Bar | None:
        """The candle of this span, as far as it lies before the anchor; None when nothing was before it."""
        spans = list(self._cover(max(start, BEGINS), min(end, self.anchor)))
        if not spans:
            return None
        return Bar(
            self._price(spans[0].open),
            self._price(max(span.high for span in spans)),
            self._price(min(span.low for span in spans)),
            self._price(spans[-1].close),
            self._step * sum(span.volume for span in spans),
            QUOTE_UNIT * sum(span.quote for span in spans),
            sum(span.trades for span in spans),
            self._step * sum(span.taker for span in spans),
            QUOTE_UNIT * sum(span.taker_quote for span in spans),
        )

    def _price(self, price: float) -> Decimal:
        """To the tick; the same for equal prices and never turning an order round, so extremes stay extremes."""
        return max(1, round(price / float(self._tick))) * self._tick

    # ------------------------------------------------------------------ the tree
    def _cover(self, start: int, end: int) -> Iterator[Span]:
        """The fewest spans that fill this time."""
        for day in range(start // DAY * DAY, end, DAY):
            yield from self._inside(day, DAY, self._days(day), start, end)

    def _inside(self, opened: int, length: int, span: Span, start: int, end: int) -> Iterator[Span]:
        if start <= opened and opened + length <= end:
            yield span
            return
        part = length // PARTS[length]
        children = zip(range(opened, opened + length, part), self._parts(opened, length, span), strict=True)
        for at, child in children:
            if at < end and start < at + part:
                yield from self._inside(at, part, child, start, end)

    def _price_at(self, second: int) -> float:
        return next(iter(self._cover(second, second + 1))).open

    def _day(self, day: int) -> Span:
        dice = self._dice(day, DAY)
        opening, closing = self._scale * self._height(day), self._scale * self._height(day + DAY)
        high = max(opening, closing) * (1 + dice.uniform(0.002, 0.018))
        low = min(opening, closing) * (1 - dice.uniform(0.002, 0.018))
        middle = (opening + closing) / 2
        volume = max(1, int(self._daily_quote * dice.uniform(0.5, 1.8) / middle / float(self._step)))
        quote = int(volume * float(self._step) * middle * 1e8)
        trades = min(volume, int(dice.uniform(40_000, 90_000)))
        return Span(opening, high, low, closing, volume, quote, trades, volume // 2, quote // 2)

    def _height(self, second: int) -> float:
        total = 0.0
        for number, (days, size) in enumerate(WAVES):
            step, part = divmod(second / DAY / days, 1)
            smooth = part * part * (3 - 2 * part)
            left, right = (self._noise(number, int(step) + more) for more in (0, 1))
            total += size * (left + (right - left) * smooth)
        return math.exp(total)

    def _noise(self, wave: int, step: int) -> float:
        """The same number between -1 and 1 each time it is asked for."""
        digest = hashlib.blake2b(f"{self._symbol}:{wave}:{step}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**63 - 1

    def _dice(self, opened: int, length: int) -> random.Random:
        return random.Random(f"{self._symbol}:{opened}:{length}")

    def _split(self, opened: int, length: int, span: Span) -> list[Span]:
        dice, count = self._dice(opened, length), PARTS[length]
        prices = _bridge(dice, span, count)
        highs, lows = _extremes(dice, span, prices)
        middles = [(prices[i] + prices[i + 1]) / 2 for i in range(count)]
        volumes = _shares(span.volume, [dice.expovariate(1) + 0.05 for _part in range(count)])
        takers = _shares(span.taker, [volume * dice.uniform(0.95, 1.05) for volume in volumes])
        quotes = _shares(span.quote, [v * middle for v, middle in zip(volumes, middles, strict=True)])
        taker_quotes = _shares(
            span.taker_quote, [v * middle for v, middle in zip(takers, middles, strict=True)]
        )
        trades = _shares(span.trades, [float(volume) for volume in volumes])
        columns = (prices[:-1], highs, lows, prices[1:], volumes, quotes, trades, takers, taker_quotes)
        return [Span(*row) for row in zip(*columns, strict=True)]


def _bridge(dice: random.Random, span: Span, count: int) -> list[float]:
    """A random path from the open to the close that stays between low and high."""
    walk = [0.0, *accumulate(dice.gauss(0, 1) for _part in range(count))]
    size = (span.high - span.low) * 0.6 / math.sqrt(count)
    inner = [
        span.open + (span.close - span.open) * i / count + (walk[i] - walk[count] * i / count) * size
        for i in range(1, count)
    ]
    return [span.open, *(min(max(price, span.low), span.high) for price in inner), span.close]


def _extremes(dice: random.Random, span: Span, prices: list[float]) -> tuple[list[float], list[float]]:
    """Each part's high and low; one part reaches the whole's high, one its low."""
    wick = (span.high - span.low) * 0.5 / math.sqrt(len(prices))
    pairs = list(pairwise(prices))
    highs = [min(max(pair) + wick * dice.random(), span.high) for pair in pairs]
    lows = [max(min(pair) - wick * dice.random(), span.low) for pair in pairs]
    highs[highs.index(max(highs))] = span.high
    lows[lows.index(min(lows))] = span.low
    return highs, lows


def _shares(total: int, weights: list[float]) -> list[int]:
    """Whole numbers in these proportions whose sum is the total."""
    whole = math.fsum(weights)
    if not whole:
        return [total] + [0] * (len(weights) - 1)
    reached = [int(total * part / whole) for part in accumulate(weights)]
    reached[-1] = total
    return [later - earlier for earlier, later in zip([0, *reached], reached, strict=False)]
