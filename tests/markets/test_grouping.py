"""Grouped books: summed exactly, only what is known, and bounded in what all of them together cost."""

import random
from decimal import Decimal
from typing import Any

import pytest

from exchange.money import plain
from markets.stream.grouping import GROUPS_SECONDS, LONGEST_SECONDS, ROWS, SHARE, Grouping, Groups

Body = dict[str, Any]


def body_of(bids: dict[int, int], asks: dict[int, int], known: int | None = None, tick: str = "0.01") -> Body:
    """A book whose prices are so many ticks and whose quantities so many steps of 0.001."""
    texts = {
        name: [
            (
                format(Decimal(price) * Decimal(tick), "f") + "000000",
                format(Decimal(side[price]) / 1000, ".8f"),
            )
            for price in sorted(side, reverse=name == "bids")
        ]
        for name, side in (("bids", bids), ("asks", asks))
    }
    return {"known": known, **texts}


def summed(side: dict[int, int], ticks: int, *, is_bid: bool) -> dict[int, int]:
    """By whole numbers alone: quantities by the multiple of so many ticks that they are shown at."""
    rows: dict[int, int] = {}
    for price, quantity in side.items():
        row = price // ticks * ticks if is_bid else -(-price // ticks) * ticks
        rows[row] = rows.get(row, 0) + quantity
    return dict(sorted(rows.items(), reverse=is_bid)[:ROWS])


def shown(rows: dict[int, int]) -> list[tuple[str, str]]:
    return [(plain(Decimal(price) / 100), plain(Decimal(total) / 1000)) for price, total in rows.items()]


@pytest.mark.parametrize("ticks", [1, 7, 10, 100, 1000])
def test_a_book_that_changes_is_summed_as_if_it_were_grouped_for_the_first_time(ticks: int) -> None:
    dice = random.Random(ticks)
    bids = {dice.randrange(9_000, 10_000): dice.randrange(1, 10**9) for _level in range(300)}
    asks = {dice.randrange(10_000, 11_000): dice.randrange(1, 10**9) for _level in range(300)}
    grouping = Grouping(plain(Decimal(ticks) / 100))
    for _turn in range(60):
        found = grouping.of(body_of(bids, asks))
        assert found["bids"] == shown(summed(bids, ticks, is_bid=True))
        assert found["asks"] == shown(summed(asks, ticks, is_bid=False))
        for side, prices in ((bids, range(9_000, 10_000)), (asks, range(10_000, 11_000))):
            for _change in range(dice.randrange(4)):
                side[dice.choice(prices)] = dice.randrange(1, 10**9)
                del side[dice.choice(list(side))]


def test_a_level_between_two_rows_is_not_overlooked_where_the_first_has_not_changed() -> None:
    grouping = Grouping("1")
    assert grouping.of(body_of({1050: 1, 990: 1}, {}))["bids"] == [("10", "0.001"), ("9", "0.001")]
    assert grouping.of(body_of({1050: 1, 1000: 5, 990: 1}, {}))["bids"] == [("10", "0.006"), ("9", "0.001")]
    assert grouping.of(body_of({1050: 1, 999: 5, 990: 1}, {}))["bids"] == [("10", "0.001"), ("9", "0.006")]


def test_prices_that_are_one_as_floats_are_in_the_rows_where_they_belong() -> None:
    just_below = "999999999999999999.99999999"
    asks = [("1000000000000000000", "1"), ("1000000000000000000.00000001", "2")]
    body = {"bids": [("1000000000000000000", "1"), (just_below, "2")], "asks": asks, "known": None}
    grouping = Grouping("100")
    for _again in range(2):
        found = grouping.of(body)
        assert found["bids"] == [("1000000000000000000", "1"), ("999999999999999900", "2")]
        assert found["asks"] == [("1000000000000000000", "1"), ("1000000000000000100", "2")]


def test_a_row_of_which_only_a_part_is_known_is_not_shown_and_neither_is_one_at_no_price() -> None:
    bids, asks = {150: 1, 149: 1}, {250: 1, 301: 1}
    assert Grouping("1").of(body_of(bids, asks, known=2)) | {} == {
        **body_of(bids, asks, known=2), "step": "1", "best": {"bids": "1.50000000", "asks": "2.50000000"},
        "bids": [], "asks": [("3", "0.001")],
    }  # fmt: skip
    assert Grouping("10").of(body_of(bids, asks))["bids"] == []


def told(groups: Groups, now: float, spent: list[float], cost: float) -> list[str]:
    """What is told in this tick, where each costs so much."""
    found = []
    for symbol, step, _grouping in groups.turns(now):
        spent[0] += cost
        found.append(f"{symbol}#{step}")
    return found


def test_groups_cost_a_tenth_of_a_core_however_many_are_looked_at_and_each_has_its_turn() -> None:
    spent = [0.0]
    names = [f"C{n}#{step}" for n in range(100) for step in ("1", "10")]
    groups = Groups(spent=lambda: spent[0])
    groups.serve(names)
    heard: list[str] = []
    for tick in range(400):
        now = 50 + tick / 40
        for n in range(100):
            groups.move(f"C{n}")
        before = spent[0]
        heard += told(groups, now, spent, cost=0.001)
        assert spent[0] - before <= LONGEST_SECONDS + 0.001
    assert spent[0] <= 10 * SHARE + 2 * LONGEST_SECONDS
    counts = [heard.count(name) for name in names]
    assert max(counts) - min(counts) <= 2 and min(counts) >= 4


def test_what_moves_all_the_time_is_told_at_most_ten_times_a_second() -> None:
    spent, count = [0.0], 0
    groups = Groups(spent=lambda: spent[0])
    groups.serve(["BTCUSDT#10", "BTCUSDT"])
    for tick in range(200):
        groups.move("BTCUSDT")
        count += len(told(groups, 50 + tick / 40, spent, cost=0.0001))
    assert 40 <= count <= 5 / GROUPS_SECONDS + 1


def test_what_nobody_looks_at_any_more_is_not_told() -> None:
    spent = [0.0]
    groups = Groups(spent=lambda: spent[0])
    groups.serve(["A#1", "B#1", "B#", "B#0", "B#x", "B#-1", "B#NaN"])
    groups.move("A")
    groups.move("B")
    groups.serve(["B#1", "B#0", "B#x"])
    assert told(groups, 50, spent, cost=0) == ["B#1"]
