"""Books with several prices to a row, as a page shows them from farther away: cheap, and never dearer than a bound."""

import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, localcontext
from typing import Any

from exchange.errors import BadNumber
from exchange.money import ceil_to_step, floor_to_step, parse, plain
from markets.book import MOST_DIGITS, Level

ROWS = 20
GROUPS_SECONDS = 0.1
# Anybody may look at any market in any of its steps: all of it together costs so much of a core, and a tick so long.
SHARE, LONGEST_SECONDS = 0.1, 0.005
# The sum of a thousand amounts of any digits that a book takes.
_SUMS = Context(prec=3 * MOST_DIGITS, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was made, the levels that it was made of, and its price."""

    levels: Sequence[Level]
    bound: Decimal
    nearly: float
    told: Level


class Grouping:
    """One market by one step. A row whose levels are the same ones as last time is not made again."""

    def __init__(self, step: str) -> None:
        self._step, self._width = step, Decimal(step)
        self._rows: dict[str, dict[str, Row]] = {"bids": {}, "asks": {}}

    def of(self, body: dict[str, Any]) -> dict[str, Any]:
        """The published book with its levels summed by the step: bids down to a multiple of it, asks up to one.

        A last row that may lack levels which are not known is left out; `best` has the venue's own best prices.
        """
        with localcontext(_SUMS):
            sides = {name: self._side(name, body[name], body["known"]) for name in self._rows}
        best = {name: body[name][0][0] for name in self._rows if body[name]}
        return {**body, "step": self._step, "best": best, **sides}

    def _side(self, name: str, levels: Sequence[Level], known: int | None) -> list[Level]:
        before, rows = self._rows[name], dict[str, Row]()
        end = len(levels) if known is None else min(known, len(levels))
        at = 0
        while at < end and len(rows) < ROWS:
            best = levels[at][0]
            row = before.get(best)
            if row is None or not _is_still(row, name, levels, at, end):
                row = self._row(name, levels, at, end)
            rows[best] = row
            at += len(row.levels)
        self._rows[name] = rows
        told = [row.told for row in rows.values() if row.bound]
        return told[:-1] if known is not None and at == end else told

    def _row(self, name: str, levels: Sequence[Level], at: int, end: int) -> Row:
        """The row that begins at this level, exactly."""
        best = Decimal(levels[at][0])
        if name == "bids":
            bound = floor_to_step(best, self._width)
            after = bisect_left(levels, True, at + 1, end, key=lambda level: Decimal(level[0]) < bound)
        else:
            bound = ceil_to_step(best, self._width)
            after = bisect_left(levels, True, at + 1, end, key=lambda level: Decimal(level[0]) > bound)
        found = levels[at:after]
        total = sum(Decimal(quantity) for _price, quantity in found)
        return Row(found, bound, float(bound), (plain(bound), plain(Decimal(total))))


def _is_still(row: Row, name: str, levels: Sequence[Level], at: int, end: int) -> bool:
    """True when the same levels begin here and the next is surely of another row."""
    after = at + len(row.levels)
    if after > end or levels[at:after] != row.levels:
        return False
    if after == end:
        return True
    price = float(levels[after][0])
    return price < row.nearly if name == "bids" else price > row.nearly


def _is_step(text: str) -> bool:
    try:
        return parse(text) > 0
    except BadNumber:
        return False


class Groups:
    """Which grouped books are told in a tick: those that moved, the one that has waited longest first."""

    def __init__(self, *, spent: Callable[[], float] = time.thread_time) -> None:
        self._spent = spent
        self._served: dict[str, dict[str, Grouping]] = {}
        self._moved: set[str] = set()
        self._waiting: dict[tuple[str, str], None] = {}
        self._left, self._filled_at, self._gathered_at = LONGEST_SECONDS, 0.0, 0.0

    def serve(self, names: Collection[str]) -> None:
        """These markets by these steps, "BTCUSDT#10", and no others."""
        before, self._served = self._served, {}
        for name in names:
            symbol, is_group, step = name.partition("#")
            if is_group and _is_step(step):
                known = before.get(symbol, {}).get(step)
                self._served.setdefault(symbol, {})[step] = known or Grouping(step)

    def of(self, symbol: str) -> dict[str, Grouping]:
        """By the steps in which the market is looked at."""
        return self._served.get(symbol, {})

    def move(self, symbol: str) -> None:
        """The market's book is another one."""
        if symbol in self._served:
            self._moved.add(symbol)

    def turns(self, now: float) -> Iterator[tuple[str, str, Grouping]]:
        """Those whose turn it is, until what may be spent is: the others are told later, as they are then."""
        self._left = min(LONGEST_SECONDS, self._left + (now - self._filled_at) * SHARE)
        self._filled_at = now
        self._gather(now)
        while self._waiting and self._left > 0:
            symbol, step = next(iter(self._waiting))
            del self._waiting[symbol, step]
            began = self._spent()
            if grouping := self.of(symbol).get(step):
                yield symbol, step, grouping
            self._left -= self._spent() - began

    def _gather(self, now: float) -> None:
        if now - self._gathered_at < GROUPS_SECONDS:
            return
        self._gathered_at = now
        moved, self._moved = self._moved, set()
        for symbol in moved:
            self._waiting |= dict.fromkeys((symbol, step) for step in self.of(symbol))
