"""A process that reads too slowly says so: its books were right a while ago."""

import pytest

from markets.stream.lateness import LATE_MS, WINDOW_MS, Lateness

HOUR = 3_600_000


def test_what_comes_later_than_it_did_is_late_until_it_has_caught_up() -> None:
    lateness = Lateness()
    seen = []
    for now, age in ((0, 50), (100, 900), (200, 50 + LATE_MS), (300, 51 + LATE_MS), (400, 9_000), (500, 700)):
        lateness.note(now - age, now)
        seen.append(lateness.is_late)
    assert seen == [False, False, False, True, True, False]


@pytest.mark.parametrize("offset", [-HOUR, -700, 0, 5_000, 100_000 * HOUR])
def test_clocks_need_not_agree(offset: int) -> None:
    """Nor does a replay of years ago count as late."""
    lateness = Lateness()
    for now in range(0, 3 * WINDOW_MS, 100):
        lateness.note(now - offset, now)
        assert not lateness.is_late


def test_a_clock_that_was_set_right_is_believed_after_a_while() -> None:
    lateness = Lateness()
    lateness.note(0, 50)
    for now in range(10_000, 10_000 + 2 * WINDOW_MS + 1, 1000):
        lateness.note(now - 10_000, now)
    assert not lateness.is_late
