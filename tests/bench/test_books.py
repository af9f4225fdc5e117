"""What `make bench-books` is made of says what it is said to say."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.bench.book_peers import TOP, Causeway, Plain
from tests.bench.book_rounds import OURS, Bench, is_exact
from tests.bench.depth_stream import BUSY, CALM, Shape, Stream, stream_of
from tests.markets.recording import PlainBook

FRAMES, LEVELS = 400, 500


@pytest.fixture(scope="module")
def busy() -> Stream:
    return stream_of(BUSY, FRAMES, seed=7, depth=LEVELS)


def diffs_of(stream: Stream) -> list[Any]:
    return [json.loads(frame)["data"] for frame in stream.frames]


@pytest.mark.parametrize(("shape", "levels", "size"), [(CALM, 2.8, 220), (BUSY, 20, 760)])
def test_the_frames_are_as_long_as_recorded_ones_and_join_on_to_each_other(
    shape: Shape, levels: float, size: int
) -> None:
    stream = stream_of(shape, FRAMES, seed=3, depth=LEVELS)
    diffs = diffs_of(stream)
    assert sum(len(diff["b"]) + len(diff["a"]) for diff in diffs) / FRAMES == pytest.approx(levels, rel=0.1)
    assert sum(map(len, stream.frames)) / FRAMES == pytest.approx(size, rel=0.1)
    lasts = [stream.snapshot["lastUpdateId"], *[diff["u"] for diff in diffs]]
    assert [diff["U"] for diff in diffs] == [last + 1 for last in lasts[:-1]]


def test_the_edits_are_of_the_recorded_kinds_and_places_and_the_book_keeps_its_depth(busy: Stream) -> None:
    kinds: Counter[str] = Counter()
    book = PlainBook()
    book.put(busy.snapshot["bids"], busy.snapshot["asks"])
    for diff in diffs_of(busy):
        for rows, side, sign in ((diff["b"], book.bids, -1), (diff["a"], book.asks, 1)):
            live = sorted(sign * price for price, quantity in side.items() if quantity)
            prices = [sign * Decimal(price) for price, _quantity in rows]
            assert prices == sorted(set(prices)), "each price once, best first"
            for (price, quantity), key in zip(rows, prices, strict=True):
                is_there = bool(side.get(Decimal(price)))
                kinds[
                    ("change" if is_there else "set") if Decimal(quantity) else "gone" if is_there else "none"
                ] += 1
                kinds["near"] += sum(other < key for other in live[:20]) < 20
        book.put(diff["b"], diff["a"])
        bids, asks = book.best_first()
        assert bids[0][0] < asks[0][0]
        assert abs(len(bids) - LEVELS) < 20 and abs(len(asks) - LEVELS) < 20
    total = sum(kinds.values()) - kinds["near"]
    shares = {kind: round(count / total, 2) for kind, count in kinds.items()}
    assert shares == {
        "change": pytest.approx(0.36, abs=0.06),
        "set": pytest.approx(0.31, abs=0.06),
        "gone": pytest.approx(0.30, abs=0.06),
        "none": pytest.approx(0.03, abs=0.02),
        "near": pytest.approx(0.92, abs=0.05),
    }


def test_every_race_ends_in_the_exact_book_and_has_its_ratio() -> None:
    bench = Bench(rounds=1, frames=FRAMES, seed=7, depth=LEVELS, names=(OURS,))
    bench.round()
    assert bench.wrong == set()
    assert set(bench.figures()) == {"apply", "apply_top"}
    assert all(ratio > 0 for ratio in bench.figures().values())


def test_a_book_that_missed_a_level_or_lost_its_state_is_not_exact(busy: Stream) -> None:
    exact = busy.top_after(FRAMES, TOP)
    ours, plain = Causeway(busy.snapshot), Plain(busy.snapshot)
    for frame in busy.frames:
        ours.take(frame)
        plain.take(frame)
    assert is_exact(ours, exact) and is_exact(plain, exact)
    best, _quantity = plain.top()[0][0]
    plain.bids[best] += Decimal("0.00000001")
    ours.following.start_over("BTCUSDT")
    assert not is_exact(plain, exact) and not is_exact(ours, exact)
