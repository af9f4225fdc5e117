"""What the page of an order says that was to trade with another customer's: no word of a list it has no part in."""

from decimal import Decimal
from typing import Any

from django.test import Client

from accounts.models import User
from tests.orders.test_lifeline import told
from tests.orders.test_routes_crossing import (
    AMEND,
    amended,
    bob,
    buy,
    fills_buyers,
    gives_back,
    of,
    tell_book,
)
from tests.venue import Body, Venue

__all__ = ["bob"]
FIRST = "First with another customer of ours; what is left of it goes to the venue"


def test_both_pages_of_a_crossed_trade_name_the_wish_alone(
    client: Client, alice: User, bob: User, venue: Venue
) -> None:
    gives_back(venue)
    order = buy(alice)
    client.force_login(alice)
    steps = told(client, order)
    assert steps[0] == "You asked to buy 0.4 BTC at the market's price."
    assert any(step.startswith(FIRST) for step in steps)
    assert "Sent to the venue" not in steps
    client.force_login(bob)
    assert told(client, of(bob))[0] == "You asked to sell 1 BTC at 40,005 USDT or more."


def test_a_trade_with_another_customer_that_did_not_come_about_is_told(
    client: Client, alice: User, bob: User, venue: Venue
) -> None:
    def amends_late(asked: Body) -> Any:
        tell_book("40001.00")
        return amended(asked)

    gives_back(venue)
    venue.on("PUT", AMEND, amends_late)
    fills_buyers(venue, "0.4", "16000.4", "40001.00")
    order = buy(alice)
    assert order.cumulative_quote == Decimal("16000.4")
    client.force_login(alice)
    steps = told(client, order)
    assert any(step.startswith(FIRST) for step in steps)
    failed = steps.index("Not traded with another customer: the venue's price was better")
    assert failed < steps.index("Sent to the venue")
    assert not any("with another customer of ours, without the venue" in step.lower() for step in steps)
