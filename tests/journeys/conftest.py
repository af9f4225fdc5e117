"""Journeys share one running product and one worker of a parallel run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.site import Site, running_site


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = str(Path(__file__).parent) + os.sep
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.xdist_group("site"))


@pytest.fixture(scope="package")  # not the session: its processes would run beside all other tests
def site() -> Iterator[Site]:
    """The product with its demo world, shared by all journeys; tests make customers of their own."""
    with running_site(WITHDRAWAL_HOLD_MINUTES="0", POLL_SECONDS="3") as running:
        yield running
