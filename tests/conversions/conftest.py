"""alice with money, three markets with books, and the venue at its wire, which fills what covers."""

from typing import Any

import pytest

from accounts.models import User
from tests.conversions.desk import ETH_BOOKS, Desk
from tests.factories import fund, make_market, make_user, publish_book, venue_account
from tests.venue import Venue


def equip() -> User:
    """alice, her money, and the markets."""
    venue_account()
    make_market("BTC", own_fee_bps=10)
    make_market("ETH", own_fee_bps=10)
    make_market("ETH", "BTC", own_fee_bps=10, filters=ETH_BOOKS)
    publish_book("BTCUSDT")
    publish_book("ETHUSDT", bids=[("2000.00", "50")], asks=[("2001.00", "50")])
    publish_book("ETHBTC", bids=[("0.04990", "50")], asks=[("0.05010", "50")])
    user = make_user()
    fund(user, "USDT", "100000")
    fund(user, "BTC", "2")
    return user


@pytest.fixture
def alice(db: None, venue: Venue) -> User:
    return equip()


@pytest.fixture
def desk(venue: Venue) -> Desk:
    """The venue fills at the limit what it is sent, unless a test says otherwise."""
    return Desk(venue)


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.SWEEP_SECONDS = 0
    settings.CONVERT_QUOTE_SECONDS = 8
    settings.BREAKER_FAILURES = 10_000  # the breaker would have to be waited for
