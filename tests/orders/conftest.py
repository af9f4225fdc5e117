"""alice with money on a market with a book, and the venue at its wire."""

import pytest

from accounts.models import User
from markets.models import Market
from tests.conftest import begin_with_nothing_used
from tests.factories import fund, make_market, make_user, publish_book, venue_account
from tests.venue import Venue


@pytest.fixture(autouse=True)
def much_room(request: pytest.FixtureRequest) -> None:
    """The venue takes more orders than any test here places; of its limits the gate's own tests tell."""
    if "venue" in request.fixturenames:
        request.getfixturevalue("venue")
        begin_with_nothing_used(1_000_000)


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
