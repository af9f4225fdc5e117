"""A socket that stops speaking is noticed long before it is given up, a quiet one is let be."""

import random

import pytest

from exchange.binance.market_streams.pace import Pace
from exchange.binance.market_streams.rhythm import Rhythm

SECONDS = 300


def seconds_until_it_has_stopped(heard: list[float]) -> float:
    """After the last of these moments, told on ticks as the loop does."""
    rhythm, waits = Rhythm(Pace()), list(heard)
    last, now = 0.0, 0.0
    while waits or not rhythm.has_stopped(now):
        now += 0.025
        while waits and waits[0] <= now:
            last = waits.pop(0)
        rhythm.note(last)
        assert not (waits and rhythm.has_stopped(now)), "a usual pause"
        if now > SECONDS + 60:
            return 60
    return now - heard[-1]


@pytest.mark.parametrize(("every", "most"), [(0.05, 2.6), (0.5, 2.6), (1.0, 3.2)])
def test_a_socket_that_speaks_often_has_stopped_after_seconds(every: float, most: float) -> None:
    """The tickers of all markets come each second."""
    heard = [number * every for number in range(1, int(SECONDS / every))]
    assert 2.4 < seconds_until_it_has_stopped(heard) < most


@pytest.mark.parametrize("mean", [1.0, 5.0, 20.0])
def test_a_socket_of_quiet_markets_is_let_be(mean: float) -> None:
    dice, at, heard = random.Random(7), 0.0, []
    while at < SECONDS:
        at += dice.expovariate(1 / mean)
        heard.append(at)
    assert seconds_until_it_has_stopped(heard) > Pace().silence


def test_a_socket_that_has_said_next_to_nothing_is_not_judged() -> None:
    assert seconds_until_it_has_stopped([1.0, 1.1, 1.2]) == 60
