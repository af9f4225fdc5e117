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


@pytest.mark.parametrize("pause", [0, 2_000, 10_000])
def test_a_replay_whose_times_are_microseconds_is_not_late(pause: int) -> None:
    """Nor after a while without an event."""
    lateness, now = Lateness(), 1_800_000_000_000
    for number in range(1, 400):
        now += pause if number % 100 == 0 else 100
        lateness.note(now * 1000, now)
        assert not lateness.is_late


@pytest.mark.parametrize("strange", [10**15, 0, -(10**15), 2**70])
@pytest.mark.parametrize("at", [0, 5])
def test_one_event_of_a_strange_time_changes_nothing(strange: int, at: int) -> None:
    """Also when it is the first of all; what comes late later is late."""
    lateness, now, seen = Lateness(), 1_800_000_000_000, []
    for number in range(20):
        now += 100
        age = 5_000 if number > 15 else 50
        lateness.note(strange if number == at else now - age, now)
        seen.append(lateness.is_late)
    assert seen == [False] * 16 + [True] * 4
