"""A venue in memory (`bench`), one on a port (`paper`), and who asks it (`trader`, `cashier`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.paper.venue import Venue
from tests.exchange.paper.people import KEYS, WITHDRAW, Bench, Caller, serving


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def venue(tmp_path: Path) -> Venue:
    return Venue(tmp_path, KEYS, pace=0.1, levels=60, deepest=400)


@pytest.fixture
def trader(venue: Venue) -> Iterator[Caller]:
    """The trade key of a venue that serves on a port."""
    with serving(venue) as url:
        yield Caller(url)


@pytest.fixture
def cashier(trader: Caller) -> Caller:
    return Caller(trader.url, WITHDRAW)
