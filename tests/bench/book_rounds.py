"""Rounds of races: a book and the plain one take the same frames in turns, and end in the same levels.

A ratio is of the two times of one race, so that what else the machine does slows both; the figure is the median over
the rounds. Books are new for every race and load their snapshot outside of it. Times are the thread's own, and nobody
collects garbage within a turn.
"""

import gc
import json
import re
import statistics
import sys
import time
from collections import defaultdict
from decimal import Decimal

from tests.bench import book_peers as peers
from tests.bench.depth_stream import BUSY, CALM, DEPTH, Levels, stream_of

PLAIN, OURS = "json + SortedDict of Decimals", "Causeway"
# Each book, and of how many frames a race has one when it is read after each: what sorts at every read takes its time.
BOOKS: dict[str, tuple[type[peers.Book], int]] = {
    OURS: (peers.Causeway, 1),
    "order-book (C), floats": (peers.OrderBookFloats, 4),
    "order-book (C), Decimals": (peers.OrderBookDecimals, 10),
    "python-binance, floats": (peers.PythonBinance, 100),
    "cryptofeed, Decimals": (peers.Cryptofeed, 10),
    "ccxt.pro, floats": (peers.CcxtPro, 1),
}
APPLY, READ = "apply", "apply + top 20"
TURN = 200  # frames
# The bar of the issue: ours against the plain book on the busy stream.
BAR = 3.2


class Bench:
    """`frames` a stream of each shape, on a book of `depth` levels a side."""

    def __init__(
        self,
        *,
        rounds: int,
        frames: int,
        seed: int,
        depth: int = DEPTH,
        names: tuple[str, ...] = tuple(BOOKS),
    ) -> None:
        self._rounds, self._names = rounds, names
        self._streams = {
            shape.name: stream_of(shape, frames, seed=seed, depth=depth) for shape in (CALM, BUSY)
        }
        self._us: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self._ratios: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self._tops: dict[tuple[str, int], tuple[Levels, Levels]] = {}
        self.wrong: set[str] = set()

    def play(self) -> None:
        """All rounds; the tables are printed."""
        for number in range(1, self._rounds + 1):
            self.round()
            print(f"round {number} of {self._rounds}", file=sys.stderr, flush=True)
        self._print()

    def run(self) -> int:
        """The exit status; tables and the line with the figures are printed."""
        self.play()
        figures = self.figures()
        is_fast = all(
            value >= BAR if name in ("apply", "apply_top") else value > 1 for name, value in figures.items()
        )
        is_ok = is_fast and not self.wrong
        told = {**figures, "wrong_books": sorted(self.wrong)} if self.wrong else figures
        print(json.dumps({"bench": "books", "rounds": self._rounds, **told, "ok": is_ok}))
        return 0 if is_ok else 1

    def round(self) -> None:
        """Every book once at every work, each against the plain one."""
        for shape in self._streams:
            for act in (APPLY, READ):
                for name in self._names:
                    self._race(shape, act, name)

    def _race(self, shape: str, act: str, name: str) -> None:
        kind, part = BOOKS[name]
        stream = self._streams[shape]
        frames = stream.frames[: len(stream.frames) // part if act == READ else None]
        books = {PLAIN: peers.Plain(stream.snapshot), name: kind(stream.snapshot)}
        seconds = dict.fromkeys(books, 0.0)
        for begin in range(0, len(frames), TURN):
            for one, book in books.items():
                seconds[one] += timed(book, frames[begin : begin + TURN], is_read=act == READ)
        self._ratios[shape, act, name].append(seconds[PLAIN] / seconds[name])
        for one, book in books.items():
            self._us[shape, act, one].append(seconds[one] / len(frames) * 1e6)
            if not is_exact(book, self._top_after(shape, len(frames))):
                self.wrong.add(f"{one}: {shape} {act}")

    def _top_after(self, shape: str, count: int) -> tuple[Levels, Levels]:
        if (shape, count) not in self._tops:
            self._tops[shape, count] = self._streams[shape].top_after(count, peers.TOP)
        return self._tops[shape, count]

    def figures(self) -> dict[str, float]:
        """On the busy stream: our ratios to the plain book, and to each other one when it is read."""
        median = {key: statistics.median(values) for key, values in self._ratios.items()}
        ours = median[BUSY.name, READ, OURS]
        found = {"apply": median[BUSY.name, APPLY, OURS], "apply_top": ours}
        for name in self._names:
            if name != OURS:
                found["top_vs_" + re.sub(r"\W+", "_", name.lower())] = ours / median[BUSY.name, READ, name]
        return {name: round(value, 2) for name, value in found.items()}

    def _print(self) -> None:
        columns = [(shape, act) for shape in self._streams for act in (APPLY, READ)]
        print("| messages a second (ratio) |", *(f" {shape}: {act} |" for shape, act in columns), sep="")
        print("|---|" + "---|" * len(columns))
        for name in (PLAIN, *self._names):
            cells = []
            for column in columns:
                rate = 1e6 / statistics.median(self._us[*column, name])
                ratio = statistics.median(self._ratios.get((*column, name), [1.0]))
                cells.append(f" {rate:,.0f} ({ratio:.2f}) |")
            print(f"| {name} |", *cells, sep="")
        print("\n| ours : plain | median | lowest | highest | bar |\n|---|---|---|---|---|")
        for shape, act in columns:
            values = self._ratios[shape, act, OURS]
            low, middle, high = min(values), statistics.median(values), max(values)
            print(
                f"| {shape}: {act} | {middle:.2f} | {low:.2f} | {high:.2f} | {BAR if shape == BUSY.name else ''} |"
            )
        for name in sorted(self.wrong):
            print(f"not the exact book: {name}")


def timed(book: peers.Book, frames: list[bytes], *, is_read: bool) -> float:
    """Seconds of this thread's time."""
    take, top = book.take, book.top
    gc.disable()
    begun = time.thread_time()
    if is_read:
        for frame in frames:
            take(frame)
            top()
    else:
        for frame in frames:
            take(frame)
    spent = time.thread_time() - begun
    gc.enable()
    return spent


def is_exact(book: peers.Book, exact: tuple[Levels, Levels]) -> bool:
    """True when the best levels are the exact ones to the last digit; of a float, the shortest number that means it."""
    found = tuple(
        [(Decimal(str(price)), Decimal(str(quantity))) for price, quantity in side] for side in book.top()
    )
    return found == exact and book.is_sound()
