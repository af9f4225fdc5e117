"""An order that was taken back to be traded here, and for which the venue has no room when it is to go there again."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from markets.models import Market
from orders import services
from orders.models import Cross
from orders.services import house
from tests.exchange.gate.test_choosing import first, secret
from tests.factories import balance, fund, make_user, publish_book
from tests.orders.test_placing import market_ticket, ticket
from tests.orders.test_position_by_account import lies
from tests.orders.test_routes import rule
from tests.orders.test_routes_crossing import PLACE, canceled, of, only_wanted_is_held, sent
from tests.venue import Body, Venue, error, order_body

__all__ = ["first", "secret"]
D = Decimal


@pytest.fixture
def bob(alice: User, venue: Venue, market: Market, first: Any, settings: Any) -> User:
    """bob buys 1 bitcoin at 40000, best of the book; the venue lets an account have eleven, and it has two."""
    settings.OPEN_ORDERS_SHARE_PERCENT = 100
    most = {"filterType": "MAX_POSITION", "maxPosition": "11"}
    Market.objects.update(filters=[*market.filters, most], abilities=[])
    house.forget()
    bob = make_user("bob")
    fund(bob, "USDT", "50000")
    rule(make_user("carol", is_staff=True), allows_crossing=True)
    publish_book(bids=[("40000.00", "1"), ("39990.00", "5")])
    venue.places()
    services.place_order(user=bob, ticket=ticket(price=D(40000), quantity=D(1), nonce="b1"))
    return bob


@pytest.fixture
def full(alice: User, bob: User, venue: Venue, first: Any) -> User:
    """alice would sell to bob; as his order is taken back the venue becomes better, and its account is filled up."""

    def cancels_late(asked: Body) -> Any:
        publish_book(bids=[("40002.00", "5")])
        lies(first, "8.5")
        house.forget()
        return canceled(asked, side="BUY", price="40000.00")

    venue.on("DELETE", PLACE, cancels_late)
    sold = {"status": "EXPIRED", "orderId": 4712}
    venue.on(
        "POST",
        PLACE,
        lambda asked: (200, order_body(asked, **(sold if asked["side"] == "SELL" else {"orderId": 4713}))),
    )
    services.place_order(user=alice, ticket=market_ticket(side="SELL", quantity=D("0.4")))
    return bob


def test_it_waits_with_its_money_held_and_its_owner_reads_why(
    alice: User, full: User, venue: Venue, client: Client
) -> None:
    assert Cross.objects.get().reason == "venue_is_better"
    assert (of(alice).status, of(alice).cumulative_quantity) == ("EXPIRED", 0)
    assert [asked["side"] for asked in sent(venue, "POST")] == ["BUY", "SELL"]
    assert (of(full).status, of(full).reason_code) == ("OPEN", "rest_waits")
    assert balance(full, "USDT") == (10000, 40000)
    client.force_login(full)
    told = client.get(f"/api/v1/orders/{of(full).pk}/").json()
    assert told["reason"].startswith("What is left of it waits to go to the venue: The exchange is busy")
    assert "waits to go to the venue" in client.get(f"/orders/{of(full).pk}/").content.decode()
    assert only_wanted_is_held()


def test_it_stands_there_again_as_soon_as_there_is_room(full: User, venue: Venue) -> None:
    for _time in range(3):
        services.follow_crosses()
    assert len(sent(venue, "POST")) == 2, "nothing is sent that the venue would refuse"
    Market.objects.update(
        filters=[
            {**row, "maxPosition": "20"} if "maxPosition" in row else row
            for row in Market.objects.get().filters
        ]
    )
    house.forget()
    for _time in range(3):
        services.follow_crosses()
    (again,) = sent(venue, "POST")[2:]
    assert (again["side"], again["price"], again["quantity"]) == ("BUY", "40000", "1")
    assert (of(full).status, of(full).reason, balance(full, "USDT")) == ("OPEN", "", (10000, 40000))
    assert only_wanted_is_held()


def test_its_owner_ends_it_meanwhile_and_has_the_money_again(
    full: User, venue: Venue, client: Client
) -> None:
    venue.on("DELETE", PLACE, error(-2011, "Unknown order sent."))
    venue.knows(status="CANCELED", origQty="1.0", side="BUY", price="40000.00")
    client.force_login(full)
    assert client.delete(f"/api/v1/orders/{of(full).pk}/").status_code in (200, 202)
    services.follow_crosses()
    assert (of(full).status, balance(full, "USDT")) == ("CANCELED", (50000, 0))
    services.follow_crosses()
    assert len(sent(venue, "POST")) == 2
