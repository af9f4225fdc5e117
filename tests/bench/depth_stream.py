"""A market's snapshot and the diffs that follow it, made from a seed and shaped like recorded ones.

The kinds of edits and their distance from the best price are those of the recorded session of ten markets
(2021-04-17): 36 % change a level, 31 % set a new one, more than half of them at a price that was there before, 30 %
remove one and 3 % one that is not there; 92 % lie within the best 20 levels and 99 % within the best 100. A frame
tells each side best first and each price once, as every recorded one does.
"""

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.markets.recording import plain_book

SYMBOL, DEPTH = "BTCUSDT", 5000
TICK, LOT, DIGITS = 10**6, 1000, 8
Row = list[str]
Levels = list[tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Shape:
    """How many levels a message has."""

    name: str
    fewest: int
    most: int


# 2.8 levels and about 220 bytes; 20 levels and about 760 bytes.
CALM, BUSY = Shape("calm", 1, 5), Shape("busy", 10, 30)


@dataclass(frozen=True)
class Stream:
    """The answer of REST depth, and frames of the combined stream that join on to it."""

    snapshot: Any
    frames: list[bytes]

    def top_after(self, count: int, depth: int) -> tuple[Levels, Levels]:
        """The best levels of bids and of asks after so many frames, by two dictionaries of Decimals."""
        diffs = [json.loads(frame)["data"] for frame in self.frames[:count]]
        bids, asks = plain_book(self.snapshot, diffs).best_first()
        return bids[:depth], asks[:depth]


def stream_of(shape: Shape, count: int, *, seed: int, depth: int = DEPTH) -> Stream:
    """So many frames on a book of `depth` levels a side, which it keeps."""
    dice = random.Random(seed)
    bids, asks = Ladder(dice, 8_375_999, -1, depth), Ladder(dice, 8_376_000, 1, depth)
    last = 66_711_751_276
    snapshot = {"lastUpdateId": last, "bids": bids.rows(), "asks": asks.rows()}
    frames = []
    for number in range(count):
        levels = dice.randint(shape.fewest, shape.most)
        on_bids = sum(dice.random() < 0.5 for _ in range(levels))
        first, last = last + 1, last + levels + dice.randrange(20)
        body = {
            "e": "depthUpdate",
            "E": 1_744_588_800_000 + 100 * number,
            "s": SYMBOL,
            "U": first,
            "u": last,
            "b": bids.edits(on_bids),
            "a": asks.edits(levels - on_bids),
        }
        frame = {"stream": f"{SYMBOL.lower()}@depth@100ms", "data": body}
        frames.append(json.dumps(frame, separators=(",", ":")).encode())
    return Stream(snapshot, frames)


class Ladder:
    """One side's prices in ticks, best first; `sign` is -1 for bids, whose worse prices are lower."""

    def __init__(self, dice: random.Random, best: int, sign: int, depth: int) -> None:
        self._dice, self._sign, self._depth = dice, sign, depth
        self._gone: list[int] = []
        self._ticks = [best]
        while len(self._ticks) < depth:
            self._ticks.append(self._ticks[-1] + sign * (1 + int(dice.expovariate(1 / 12))))

    def rows(self) -> list[Row]:
        return [[_text(tick * TICK), self._quantity()] for tick in self._ticks]

    def edits(self, count: int) -> list[Row]:
        """So many changes of different prices, best first."""
        changed: dict[int, Row] = {}
        while len(changed) < count:
            tick, quantity = self._edit()
            if tick not in changed:
                changed[tick] = [_text(tick * TICK), quantity]
                self._settle(tick, is_gone=quantity == _text(0))
        return [changed[tick] for tick in sorted(changed, key=lambda tick: self._sign * tick)]

    def _edit(self) -> tuple[int, str]:
        """A price in ticks, and the quantity it gets; nothing is changed yet."""
        dice, ticks = self._dice, self._ticks
        rank, kind = self._rank(), dice.random()
        if kind < 0.36:
            return ticks[rank], self._quantity()
        if kind < 0.39:
            return self._between(rank), _text(0)
        if len(ticks) >= self._depth:
            return ticks[rank], _text(0)
        if self._gone and dice.random() < 0.58:
            return self._gone[-1 - int(dice.expovariate(1 / 4)) % len(self._gone)], self._quantity()
        return self._between(rank), self._quantity()

    def _rank(self) -> int:
        kind, dice = self._dice.random(), self._dice
        if kind < 0.92:
            return min(int(dice.expovariate(1 / 6)), 19)
        return dice.randrange(20, 100) if kind < 0.99 else dice.randrange(100, self._depth - 1)

    def _between(self, rank: int) -> int:
        """A price between this level's and the next; where there is none, the level's own."""
        here, there = sorted(self._ticks[rank : rank + 2])
        return self._dice.randrange(here + 1, there) if there - here > 1 else self._ticks[rank]

    def _settle(self, tick: int, *, is_gone: bool) -> None:
        at = self._place(tick)
        is_there = at < len(self._ticks) and self._ticks[at] == tick
        if is_gone and is_there:
            del self._ticks[at]
            self._gone.append(tick)
        elif not is_gone and not is_there:
            self._ticks.insert(at, tick)
            if tick in self._gone:
                self._gone.remove(tick)

    def _place(self, tick: int) -> int:
        sign = self._sign
        return next(
            (at for at, known in enumerate(self._ticks) if sign * known >= sign * tick), len(self._ticks)
        )

    def _quantity(self) -> str:
        return _text(LOT * (1 + int(self._dice.expovariate(1 / 20_000))))


def _text(units: int) -> str:
    """A number of units of the eighth decimal as the venue writes it."""
    return f"{units // 10**DIGITS}.{units % 10**DIGITS:0{DIGITS}d}"
