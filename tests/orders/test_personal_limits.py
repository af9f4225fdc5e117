"""One customer may have a share of what the house may have open, and no order above what their tier allows."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import User
from exchange.errors import DomainError
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import fund, make_market, make_user, publish_book, publish_ticker
from tests.orders.test_placing import market_ticket, place, ticket
from tests.venue import Venue, order_body

D = Decimal
STOP: dict[str, Any] = {"type": "STOP_LOSS_LIMIT", "price": D(41500), "stop_price": D(41000)}


@pytest.fixture(autouse=True)
def eight_for_the_house(alice: User, market: Market, venue: Venue) -> None:
    """Of which a customer may have two, and of five stops also two."""
    counts = [
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 8},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": 1},
    ]
    Market.objects.update(filters=[*market.filters, *counts], abilities=["ICEBERG", "CANCEL_REPLACE"])
    numbers = iter(range(1, 100))
    venue.on("POST", "/api/v3/order", lambda asked: (200, order_body(asked, orderId=next(numbers))))


def one(user: User, nonce: str, **wanted: Any) -> Order:
    return place(user, nonce=nonce, **{"quantity": D("0.1"), **wanted})


def refused(user: User, nonce: str = "refused", **wanted: Any) -> DomainError:
    with pytest.raises(DomainError) as caught:
        one(user, nonce, **wanted)
    return caught.value


def test_one_customers_open_orders_leave_room_for_the_others(alice: User, venue: Venue) -> None:
    for nonce in ("a", "b"):
        one(alice, nonce)
    assert (refused(alice).code, "2 open orders" in str(refused(alice))) == ("too_many_open", True)
    assert venue.count("POST", "/api/v3/order") == 2
    bob = make_user("bob")
    fund(bob, "USDT", "10000")
    assert one(bob, "his").status == "OPEN"


def test_each_market_and_each_kind_counts_for_itself(alice: User, venue: Venue) -> None:
    make_market("ETH")
    publish_book("ETHUSDT", bids=[("39000.00", "5")], asks=[("39010.00", "5")])
    with override_settings(OPEN_ORDERS_SHARE_PERCENT=50):
        one(alice, "a", iceberg_quantity=D("0.05"))
        assert "hide a part" in str(refused(alice, iceberg_quantity=D("0.05")))
        for nonce in ("b", "c", "d"):
            one(alice, nonce, **STOP)
        assert refused(alice).code == "too_many_open"
    assert "open stops" in str(refused(alice, **STOP)) or refused(alice, **STOP).code == "too_many_open"
    assert one(alice, "e", symbol="ETHUSDT", price=D(100)).status == "OPEN"


def test_what_never_rests_and_what_takes_anothers_place_needs_no_room(alice: User, venue: Venue) -> None:
    first = one(alice, "a")
    one(alice, "b")
    assert one(alice, "ioc", time_in_force="IOC").status == "OPEN"
    assert (
        services.place_order(
            user=alice,
            ticket=services.Ticket(symbol="BTCUSDT", side="BUY", type="MARKET", nonce="m", quantity=D("0.1")),
        ).status
        == "OPEN"
    )
    venue.on("POST", "/api/v3/order/cancelReplace", (504, ""))
    changed = services.replace_order(user=alice, order_id=first.pk, nonce="new", price=D(38000))
    assert changed.status == "PENDING"


# ------------------------------------------------------------------ what an order may be worth
@pytest.mark.parametrize(
    ("asked", "field", "nearest"),
    [
        (ticket(quantity=D("0.5")), "quantity", "0.25641"),
        (market_ticket("BUY", quote_quantity=D(10001)), "quote_quantity", "10000"),
        (market_ticket("SELL", quantity=D("0.5")), "quantity", "0.26315"),
        (
            ticket(side="SELL", type="STOP_LOSS", time_in_force="", price=None, stop_price=D(39000)),
            "quantity",
            "0.25641",
        ),
    ],
)
def test_an_order_above_what_the_tier_allows_is_refused_with_the_most_it_may_be(
    alice: User, venue: Venue, asked: services.Ticket, field: str, nearest: str
) -> None:
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(10000)]):
        with pytest.raises(DomainError) as caught:
            services.place_order(user=alice, ticket=asked)
        error = caught.value
    assert (error.code, error.field, getattr(error, "nearest", "")) == ("order_too_large", field, nearest)
    assert "10000 USDT" in str(error)
    assert not Order.objects.exists()


def test_each_tier_has_its_own_limit_and_the_last_is_for_all_above(alice: User) -> None:
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(3900), D(7800)]):
        assert one(alice, "a").status == "OPEN"
        assert refused(alice, quantity=D("0.11")).code == "order_too_large"
        alice.tier = 5
        alice.save()
        assert one(alice, "b", quantity=D("0.2")).status == "OPEN"


def test_worth_is_counted_in_one_asset_and_unknown_worth_is_refused(alice: User, venue: Venue) -> None:
    make_market("ETH", "BTC", filters=[])
    publish_book("ETHBTC", bids=[("0.05", "500")], asks=[("0.06", "500")])
    wanted: dict[str, Any] = {"symbol": "ETHBTC", "price": D("0.05"), "quantity": D(8)}
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(10000)]):
        publish_ticker("BTCUSDT", "40000")
        assert refused(alice, **wanted).code == "order_too_large"
        publish_ticker("BTCUSDT", "40000", age_s=61)
        assert refused(alice, **wanted).code == "prices_delayed"


def test_a_change_counts_like_a_new_order(alice: User, venue: Venue) -> None:
    order = one(alice, "a")
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(5000)]), pytest.raises(DomainError, match="5000 USDT"):
        services.replace_order(user=alice, order_id=order.pk, nonce="new", quantity=D("0.2"))
