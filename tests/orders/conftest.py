"""alice with money on a market with a book, and the venue at its wire."""

import pytest

from accounts.models import User
from markets.models import Market
from tests.factories import fund, make_market, make_user, publish_book, venue_account
from tests.venue import Venue


@pytest.fixture
def most_orders() -> int:
    """The venue takes more orders in ten seconds than any test here places; of its limits the gate's own tests tell."""
    return 1_000_000


@pytest.fixture
def market(db: None) -> Market:
    return make_market()


@pytest.fixture
def alice(market: Market, venue: Venue) -> User:
    venue_account()
    publish_book()
    user = make_user()
    fund(user, "USDT", "100000")
    fund(user, "BTC", "2")
    return user
