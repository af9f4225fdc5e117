"""What staff decide about a market: its fee counts for later orders, and delisting ends nothing that is there."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.models import User
from markets import services as catalogue
from markets.errors import UnknownMarket
from markets.models import Market
from orders import services
from orders.errors import MarketGone
from orders.models import Order
from tests.factories import make_market, make_user
from tests.orders.test_placing import place, ticket
from tests.venue import Venue, order_body

MARKETS = "/api/v1/markets/"


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol", is_staff=True, is_superuser=True)


def decide(by: User, *, own_fee_bps: int | None = None, is_listed: bool = True) -> None:
    catalogue.decide_listing("BTCUSDT", is_listed=is_listed, rank=0, own_fee_bps=own_fee_bps, by=by)


def test_a_fee_counts_for_the_orders_after_it(alice: User, carol: User, venue: Venue) -> None:
    venue.places()
    rates = [place(alice, nonce="before").fee_bps]
    for number, fee in enumerate((25, 0, None)):
        decide(carol, own_fee_bps=fee)
        rates.append(place(alice, quantity=Decimal("0.1"), nonce=str(number)).fee_bps)
    assert rates == [10, 25, 0, 10]
    assert list(Order.objects.order_by("id").values_list("fee_bps", flat=True)) == rates


def test_a_preview_counts_the_markets_fee(alice: User, carol: User) -> None:
    decide(carol, own_fee_bps=50)
    assert services.preview(ticket()).fee == Decimal("0.005")


def test_the_fee_is_shown_wherever_it_matters(client: Client, market: Market, carol: User) -> None:
    make_market("ETH")
    decide(carol, own_fee_bps=25)
    rows = {row["symbol"]: row["fee_bps"] for row in client.get(MARKETS).json()["results"]}
    assert rows == {"BTCUSDT": 25, "ETHUSDT": 10}
    assert "0.1% to 0.25% a trade" in client.get("/").text
    assert "0.25%" in client.get("/fees/").text
    assert '"feeBps": 25' in client.get("/trade/BTCUSDT/").text


def test_one_fee_for_all_is_said_as_one(client: Client, market: Market) -> None:
    assert "0.1% a trade" in client.get("/").text
    assert "fee of their own" not in client.get("/fees/").text


@pytest.mark.parametrize(("given", "kept"), [("25", 25), ("", None), ("0", 0), ("1001", None), ("-1", None)])
def test_staff_set_the_fee_in_the_admin(
    client: Client, market: Market, carol: User, given: str, kept: int | None
) -> None:
    client.force_login(carol)
    client.post("/admin/markets/market/BTCUSDT/change/", {"rank": 1, "is_listed": "on", "own_fee_bps": given})
    market.refresh_from_db()
    assert market.own_fee_bps == kept


def test_no_fee_is_more_than_a_tenth(market: Market) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Market.objects.update(own_fee_bps=1001)


def test_orders_of_a_delisted_market_stay_and_can_be_canceled(
    client: Client, alice: User, carol: User, venue: Venue
) -> None:
    venue.places()
    order = place(alice)
    decide(carol, is_listed=False)
    client.force_login(alice)
    for path in ("/orders/", f"/orders/{order.pk}/", f"/api/v1/orders/{order.pk}/"):
        page = client.get(path)
        assert (page.status_code, "BTC" in page.text) == (200, True), path
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"


def test_a_delisted_market_takes_no_new_order(alice: User, carol: User, venue: Venue) -> None:
    decide(carol, is_listed=False)
    for act in (lambda: place(alice), lambda: services.preview(ticket())):
        with pytest.raises(UnknownMarket):
            act()
    assert (Order.objects.count(), venue.count("POST", "/api/v3/order")) == (0, 0)


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "SIESTA"])
def test_a_market_that_stands_still_takes_cancels(alice: User, venue: Venue, status: str) -> None:
    venue.places()
    order = place(alice)
    Market.objects.update(status=status)
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED")))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"


def test_a_market_that_is_gone_takes_no_cancel(alice: User, venue: Venue) -> None:
    venue.places()
    order = place(alice)
    Market.objects.update(status="GONE")
    with pytest.raises(MarketGone):
        services.cancel_order(user=alice, order_id=order.pk)
    assert venue.count("DELETE", "/api/v3/order") == 0
