"""What covers a conversion goes by the same rules of routes as customers' orders, but trades with no customer."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from markets.models import Market
from orders import services
from orders.models import Cross, RouteDecision, RouteRule
from orders.routing import choice
from tests.conversions.desk import D, Desk, books_agree, convert, house_orders, is_covered
from tests.conversions.test_covering import is_right
from tests.factories import fund, make_market, make_user, publish_book
from tests.orders.test_placing import ticket
from tests.orders.test_routes import SOR_PATH, allotted, rule
from tests.venue import Body, Venue, error, order_body

SOR = ("POST", SOR_PATH)
EXCHANGE = ("POST", "/api/v3/order")


@pytest.fixture(autouse=True)
def routed(alice: User) -> None:
    """The venue routes bitcoin over two books, of which the other one is better."""
    Market.objects.filter(symbol="BTCUSDT").update(abilities=["SOR"])
    make_market("BTC", "USDC", abilities=["SOR"])
    publish_book("BTCUSDC", bids=[("40000.00", "5")], asks=[("40002.00", "5")])
    rule(make_user("carol", is_staff=True), allows_crossing=True)


def routes(venue: Venue) -> None:
    def answer(asked: Body) -> Any:
        quantity = D(asked["quantity"])
        done = {
            "status": "FILLED",
            "executedQty": f"{quantity:f}",
            "cummulativeQuoteQty": f"{quantity * 40002:f}",
        }
        fills = [allotted(71, "40002.00", asked["quantity"])]
        return 200, order_body(asked, orderId=9900, **done, fills=fills)

    venue.on(*SOR, answer)


def test_it_is_routed_by_the_venue_where_that_is_better(alice: User, desk: Desk, venue: Venue) -> None:
    routes(venue)
    convert(alice)
    (order,) = house_orders()
    assert (order.route, order.status) == ("SOR", "FILLED")
    assert order.cumulative_quote == order.cumulative_quantity * 40002
    assert (venue.count(*SOR), venue.count(*EXCHANGE)) == (1, 0)
    desk.sweep(2)
    assert is_right()
    services.realise_routes()
    assert RouteDecision.objects.get().saved > 0


def test_what_the_venue_will_not_route_is_covered_in_the_market(
    alice: User, desk: Desk, venue: Venue
) -> None:
    venue.on(*SOR, error(-2010, "This symbol is not SOR eligible."))
    convert(alice)
    desk.sweep(2)
    assert (venue.count(*SOR), venue.count(*EXCHANGE)) == (1, 1)
    assert is_right()


def test_it_trades_with_no_customer(alice: User, desk: Desk, venue: Venue) -> None:
    """bob sells at the best price, where customers may trade with each other."""
    bob = make_user("bob")
    fund(bob, "BTC", "2")
    venue.places()
    resting = ticket(side="SELL", price=Decimal(40005), quantity=Decimal(1), nonce="b1")
    services.place_order(user=bob, ticket=resting)
    desk.fills()
    publish_book(asks=[("40005.00", "1"), ("40010.00", "5")])
    convert(alice)
    (order,) = house_orders()
    assert (order.route, Cross.objects.count()) == ("DIRECT", 0)
    assert (venue.count("DELETE", EXCHANGE[1]), venue.count(*SOR)) == (0, 0)
    desk.sweep(2)
    assert is_covered() and books_agree()


def test_without_a_rule_nothing_is_compared(alice: User, desk: Desk) -> None:

    RouteRule.objects.all().delete()
    choice.forget()
    convert(alice)
    assert (house_orders()[0].route, RouteDecision.objects.count()) == ("", 0)
