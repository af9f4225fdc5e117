"""alice with money on a market with a book, and the venue at its wire."""

from typing import Any

import pytest

from accounts.models import User
from orders.models import Order
from tests.orders.conftest import alice, market
from tests.orders.test_placing import place
from tests.venue import Venue, order_body

__all__ = ["alice", "market"]
CANCEL = ("DELETE", "/api/v3/order")


def canceled(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, order_body(asked, status="CANCELED")


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """One of alice's that rests, and a venue that cancels."""
    venue.places()
    venue.on(*CANCEL, canceled)
    return place(alice)
