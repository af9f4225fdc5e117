"""What one writer of the feed has used of the venue's limits counts for the next one."""

import time
from collections.abc import Callable

import pytest

from exchange.binance.market_streams import Attempts
from exchange.gate import services as gate
from markets import feed
from markets.attempts import Memory
from markets.stream import Snapshots
from markets.stream.snapshots import MOST_A_MINUTE, WEIGHTS
from tests.markets.test_following import Clock
from tests.venue import Venue


class Meter:
    """What the venue counts: by whole minutes, whoever asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.minutes = clock, dict[int, int]()

    def used(self) -> int:
        return self.minutes.get(int(self._clock.now // 60), 0)

    def count(self, weight: int) -> None:
        self.minutes[int(self._clock.now // 60)] = self.used() + weight


@pytest.mark.parametrize("starts", [[0], [10], [0, 10], [5, 20, 35, 50], [50, 70, 90]])
def test_processes_that_follow_one_another_stay_within_one_share_of_the_venues_minute(
    starts: list[int], figure: Callable[[str], None]
) -> None:
    """Each begins with four hundred books that want a small snapshot, and then a deep one."""
    clock = Clock()
    clock.now = 1200.0
    meter, snapshots = Meter(clock), Snapshots(clock=clock)
    for tenth in range(3000):
        if tenth / 10 in starts:
            snapshots = Snapshots(clock=clock, used_weight=meter.used)
            for n in range(400):
                snapshots.ask(f"P{n}", 100, generation=1)
        while want := snapshots.take():
            meter.count(WEIGHTS[want.limit])
            snapshots.done(want, is_lost=False)
            if not want.is_luxury:
                snapshots.ask(want.symbol, 1000, generation=1, is_luxury=True)
        clock.now += 0.1
    figure(f"processes that begin at {starts} s: at most {max(meter.minutes.values())} of 6,000 in a minute")
    assert 2000 <= max(meter.minutes.values()) <= MOST_A_MINUTE
    assert sum(meter.minutes.values()) > 400 * WEIGHTS[100], "and books are deepened all the same"


def test_what_is_under_way_counts_before_the_venue_has_said_so() -> None:
    snapshots = Snapshots(clock=Clock(), used_weight=lambda: MOST_A_MINUTE - 2 * WEIGHTS[100])
    for symbol in ("A", "B", "C"):
        snapshots.ask(symbol, 100, generation=1)
    assert len(list(iter(snapshots.take, None))) == 2


def test_the_used_weight_is_what_the_venue_said_last_in_its_minute(venue: Venue) -> None:
    assert gate.used_weight() == 0
    venue.on("GET", "/api/v3/time", (200, {"serverTime": 1}, {"X-MBX-USED-WEIGHT-1M": "37"}))
    gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())
    assert gate.used_weight() == 37


def test_connections_that_one_process_began_count_for_the_next() -> None:
    first, second = Attempts(3, 300), Attempts(3, 300)
    before, after = Memory(first), Memory(second)
    before.recall()
    assert first.take(time.monotonic()) and first.take(time.monotonic())
    before.keep()
    after.recall()
    assert second.take(time.monotonic()) and not second.take(time.monotonic())
    assert 0 < feed.client().ttl(feed.ATTEMPTS) <= 301  # type: ignore[operator]


def test_connections_of_long_ago_count_no_more() -> None:
    first, second = Attempts(1, 300), Attempts(1, 300)
    assert first.take(time.monotonic() - 299)
    Memory(first).keep()
    Memory(second).recall()
    assert not second.take(time.monotonic())
    assert second.take(time.monotonic() + 2)
