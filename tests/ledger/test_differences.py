"""Arithmetic of differences: what explains one, what lasts, what a movement accounts for."""

from decimal import Decimal

import pytest

from ledger.differences import Explanation, counted, meanwhile, persisted

D = Decimal


def offer(amount: int, *, certain: bool) -> Explanation:
    return Explanation("VENUE", "BTC", D(amount), "", "", certain)


@pytest.mark.parametrize(
    ("difference", "offered", "explained"),
    [
        (-100, [(-100, True)], -100),
        (0, [(-100, True)], -100),
        (-100, [(-100, False)], -100),
        (0, [(-100, False)], 0),
        (-99, [(-100, False)], 0),
        (-150, [(-100, False), (-50, False)], -150),
        (-150, [(-100, True), (-100, False)], -100),
        (100, [(-100, False)], 0),
        (-100, [(-30, False), (-100, False)], -100),
        (-100, [(-20, False), (-70, False), (-30, False)], -100),
        (100, [(30, False), (-100, False), (100, False)], 100),
    ],
)
def test_what_may_have_happened_counts_only_as_far_as_the_difference_asks_for_it(
    difference: int, offered: list[tuple[int, bool]], explained: int
) -> None:
    found = counted(D(difference), [offer(amount, certain=certain) for amount, certain in offered])
    assert sum(explanation.amount for explanation in found) == explained


@pytest.mark.parametrize(
    ("left", "moved", "expected"),
    [(-2, 5, -2), (-7, 5, -5), (2, 5, 0), (3, -5, 3), (9, -5, 5), (0, 5, 0), (1, 0, 0)],
)
def test_a_movement_accounts_for_no_more_than_itself(left: int, moved: int, expected: int) -> None:
    assert meanwhile(D(left), moved=D(moved)) == expected


@pytest.mark.parametrize(
    ("runs", "expected"), [([3, 2], 2), ([-3, -4], -3), ([3, -2], 0), ([3, 0], 0), ([], 0), ([5, 4, 6], 4)]
)
def test_what_lasts_is_the_least_of_all_runs(runs: list[int], expected: int) -> None:
    assert persisted([D(run) for run in runs]) == expected
