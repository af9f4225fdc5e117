"""A process that reads too slowly says so: its books were right a while ago."""

import pytest

from markets.stream.lateness import LATE_MS, OTHER_CLOCK_MS, Lateness

MINUTE, HOUR = 60_000, 3_600_000


def test_what_comes_later_than_it_did_is_late_until_it_has_caught_up() -> None:
    lateness = Lateness()
    seen = []
    for now, age in (
        (-100, 50),
        (0, 50),
        (100, 900),
        (200, 50 + LATE_MS),
        (300, 51 + LATE_MS),
        (400, 9_000),
        (500, 700),
    ):
        lateness.note(now - age, now)
        seen.append(lateness.is_late)
    assert seen == [False, False, False, False, True, True, False]


@pytest.mark.parametrize("offset", [-HOUR, -700, 0, 5_000, 100_000 * HOUR])
def test_clocks_need_not_agree(offset: int) -> None:
    """Nor does a replay of years ago count as late."""
    lateness = Lateness()
    for now in range(0, 3 * MINUTE, 100):
        lateness.note(now - offset, now)
        assert not lateness.is_late


def test_what_stays_late_is_late_for_as_long_as_it_lasts() -> None:
    lateness = Lateness()
    for now in (0, 100):
        lateness.note(now - 50, now)
    for now in range(1000, 3 * HOUR, 1000):
        lateness.note(now - 30_000, now)
        assert lateness.is_late
    lateness.note(3 * HOUR - 60, 3 * HOUR)
    assert not lateness.is_late


def test_who_falls_behind_slowly_is_late_too() -> None:
    """By 1.2 seconds a minute: after three minutes that is more than is allowed."""
    lateness, seen = Lateness(), []
    for now in range(0, HOUR, 500):
        lateness.note(now - 50 - now // 50, now)
        seen.append(lateness.is_late)
    assert seen.index(True) * 500 < 3 * MINUTE
    assert all(seen[3 * MINUTE // 500 :])


def test_clocks_that_run_apart_a_little_are_not_late() -> None:
    lateness = Lateness()
    for now in range(0, 48 * HOUR, MINUTE):
        lateness.note(now - 50 - now // 20_000, now)
        assert not lateness.is_late


def test_who_begins_late_is_late_by_the_clock_of_the_venue() -> None:
    """A replay of some time ago is told by another clock."""
    seen = []
    for age in (1_000, LATE_MS + 1, 30_000, OTHER_CLOCK_MS + 1, -30_000):
        lateness = Lateness()
        for now in range(0, MINUTE, 1000):
            lateness.note(HOUR + now - age, now, HOUR + now)
        seen.append(lateness.is_late)
    assert seen == [False, True, True, False, False]


def test_one_event_of_a_time_to_come_makes_nothing_late() -> None:
    lateness = Lateness()
    for now in range(0, MINUTE, 1000):
        lateness.note(now + (10 * MINUTE if now == 5000 else -50), now)
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
