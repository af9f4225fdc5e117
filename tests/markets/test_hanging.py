"""Snapshots that do not come: they cost their own markets a while, and the venue no more weight than is counted."""

import time
from collections.abc import Callable

import pytest
import responses

from exchange.binance.errors import Unknown
from exchange.binance.rest import DEPTH_SECONDS, Rest
from markets.book import State
from markets.stream import Following, Snapshots
from markets.stream.snapshots import DOUBTED_AT_ONCE, WEIGHTS, Want
from tests.exchange.paper.people import wait_for
from tests.markets.remembering import SECONDS_BACK, scene
from tests.markets.test_following import Clock, opened

VENUE = "http://venue.test"


def asking(*symbols: str) -> Snapshots:
    found = Snapshots(clock=Clock())
    for symbol in symbols:
        found.ask(symbol, 100, generation=1)
    return found


def taken(snapshots: Snapshots) -> list[Want]:
    """All that may be under way at once."""
    return list(iter(snapshots.take, None))


def test_a_lost_answer_has_cost_the_weight_that_was_counted_for_it() -> None:
    snapshots = Snapshots(clock=Clock(), weight_at_once=WEIGHTS[100], weight_a_minute=0)
    following = Following(fetch_snapshot=Rest(base_url=VENUE).depth, snapshots=snapshots, clock=Clock())
    following.follow([f"C{n}USDT" for n in range(30)])
    opened(following)
    with responses.RequestsMock() as venue:
        venue.get(f"{VENUE}/api/v3/depth", status=503)
        assert following.fetch_one()
        assert not following.fetch_one()
        assert len(venue.calls) == 1


def test_markets_whose_answers_were_lost_keep_few_waiting_and_others_none() -> None:
    snapshots = asking("A", "B", "C", "D")
    for want in taken(snapshots):
        snapshots.done(want, is_lost=True)
        snapshots.ask(want.symbol, 100, generation=1)
    snapshots.ask("E", 100, generation=1)
    snapshots._clock.now += 60  # type: ignore[attr-defined]
    under_way = taken(snapshots)
    assert len(under_way) == DOUBTED_AT_ONCE + 1 and under_way[-1].symbol == "E"
    for want in under_way:
        snapshots.done(want, is_lost=False)
    assert len(taken(snapshots)) == 4 - DOUBTED_AT_ONCE, "and who waited has its turn"


def test_requests_that_hang_keep_no_other_market_from_being_live(figure: Callable[[str], None]) -> None:
    with scene(5) as found:
        *hanging, other = list(found.markets)
        for symbol in hanging:
            found.fault(on="depth", do="hang before", symbol=symbol, ms=30_000)
            found.fault(do="drop", symbol=symbol)
        wait_for(lambda: all(found.books()[symbol].state != State.LIVE for symbol in hanging), seconds=20)
        resyncs = found.books()[other].resyncs
        found.fault(do="drop", symbol=other)
        wait_for(lambda: found.books()[other].resyncs > resyncs, seconds=20)
        began = time.monotonic()
        wait_for(lambda: found.books()[other].state == State.LIVE, seconds=20)
        seconds = time.monotonic() - began
        assert found.wrong() == []
    figure(f"four snapshots hang: a fifth market is LIVE after {seconds:.2f} s")
    assert seconds < SECONDS_BACK


def test_a_snapshot_is_not_waited_for_as_long_as_others_are() -> None:
    with scene(1) as found:
        found.fault(on="depth", do="hang before", symbol="P001USDT", ms=30_000)
        began = time.monotonic()
        with pytest.raises(Unknown):
            Rest(base_url=found.caller.url).depth("P001USDT")
        assert time.monotonic() - began < DEPTH_SECONDS + 2
