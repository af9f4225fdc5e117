"""What a customer is told before placing: no more than the order would really get."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from orders import services
from orders.services import Ticket
from tests.factories import publish_book

D = Decimal


def preview(side: str, **wanted: Any) -> services.Preview:
    return services.preview(Ticket("BTCUSDT", side, "MARKET", nonce="preview", **wanted))


def test_a_preview_stops_at_the_worst_price_that_is_allowed(alice: User) -> None:
    """A thin book: three of the five lie beyond what a market order may pay."""
    publish_book(asks=[("40000.00", "1"), ("40100.00", "1"), ("48000.00", "3")])
    found = preview("BUY", quantity=D(5))
    assert (found.quantity, found.average, found.worst) == (D(2), D(40050), D(40100))
    assert (found.filled_share, found.is_complete) == (D("0.4"), False)


def test_a_sale_for_a_total_sells_no_more_than_its_worst_price_allows(alice: User) -> None:
    publish_book(bids=[("40000.00", "1"), ("20000.00", "10")])
    found = preview("SELL", quote_quantity=D(60000))
    assert (found.quantity, found.quote) == (D(1), D(40000))


@pytest.mark.parametrize(
    ("side", "wanted", "quantity", "quote"),
    [
        ("BUY", {"quote_quantity": D(1000)}, "0.02499", "999.8499"),
        ("BUY", {"quantity": D("0.5")}, "0.5", "20005"),
        ("SELL", {"quantity": D("0.5")}, "0.5", "20000"),
    ],
)
def test_a_preview_tells_whole_steps_and_what_they_cost(
    alice: User, side: str, wanted: dict[str, Any], quantity: str, quote: str
) -> None:
    found = preview(side, **wanted)
    assert (found.quantity, found.quote) == (D(quantity), D(quote))
    assert (found.filled_share is not None and found.filled_share > D("0.999"), found.is_complete) == (
        True,
        True,
    )
