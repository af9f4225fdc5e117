"""A price that cannot be believed, or is not meant, is refused before the venue hears of it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from accounts.models import User
from exchange.errors import DomainError
from markets.models import Candle, Market
from orders import services
from orders.models import Order
from tests.factories import publish_book, publish_ticker
from tests.orders.test_placing import market_ticket, ticket
from tests.venue import Venue

D = Decimal
HUNDREDFOLD: dict[str, Any] = {"bids": [("4000000.00", "5")], "asks": [("4001000.00", "5")]}
HUNDREDTH: dict[str, Any] = {"bids": [("400.00", "5")], "asks": [("400.10", "5")]}


@pytest.fixture(autouse=True)
def at_40000(alice: User, market: Market) -> None:
    """The book is at 40000 and 40010, the last trade and the minute before were at 40000."""
    publish_ticker("BTCUSDT", "40000")
    Market.objects.update(abilities=["TRAILING_STOP"])


def minute(close: str, *, ago: int = 2) -> None:
    """The minute that began so many minutes ago is over, and ended at this price."""
    opened = timezone.now() - timedelta(minutes=ago)
    Candle.objects.create(
        market_id="BTCUSDT", interval="1m", open_at=opened, is_closed=True, trades=1, volume=1, quote_volume=1,
        **dict.fromkeys(("open", "high", "low", "close"), D(close)),
    )  # fmt: skip


def refused(user: User, asked: services.Ticket) -> DomainError:
    with pytest.raises(DomainError) as caught:
        services.place_order(user=user, ticket=asked)
    assert not Order.objects.exists()
    return caught.value


def market_orders(user: User) -> set[str]:
    """What market orders are refused with, by amount and by total, to buy and to sell."""
    asked = [
        market_ticket(side, **{field: D(amount)})
        for side in ("BUY", "SELL")
        for field, amount in (("quantity", "0.1"), ("quote_quantity", "1000"))
    ]
    return {refused(user, each).code for each in asked}


# ------------------------------------------------------------------ prices that cannot be believed
@pytest.mark.parametrize("book", [HUNDREDFOLD, HUNDREDTH])
def test_a_false_book_is_found_out_by_the_last_trade(alice: User, venue: Venue, book: dict[str, Any]) -> None:
    publish_book(**book)
    publish_ticker("BTCUSDT", "40000")
    assert market_orders(alice) == {"prices_unsure"}
    assert venue.count("POST", "/api/v3/order") == 0


@pytest.mark.parametrize("last", ["4000000", "400"])
def test_a_false_last_trade_is_found_out_by_the_book(alice: User, last: str) -> None:
    publish_ticker("BTCUSDT", last)
    assert market_orders(alice) == {"prices_unsure"}


@pytest.mark.parametrize("book", [HUNDREDFOLD, HUNDREDTH])
def test_a_tick_that_falsifies_both_is_found_out_by_the_minute_before(
    alice: User, book: dict[str, Any]
) -> None:
    publish_book(**book)
    minute("40000")
    assert market_orders(alice) == {"prices_unsure"}


def test_without_a_second_source_no_book_is_believed(alice: User, venue: Venue) -> None:
    publish_ticker("BTCUSDT", "40000", age_s=600)
    minute("40000", ago=30)
    assert market_orders(alice) == {"prices_delayed"}
    minute("40000")
    venue.places()
    placed = services.place_order(user=alice, ticket=market_ticket(quantity=D("0.1")))
    assert placed.status == "OPEN"


def test_prices_that_move_as_prices_do_are_believed(alice: User, venue: Venue) -> None:
    venue.places()
    publish_ticker("BTCUSDT", "42000")
    minute("38500")
    placed = services.place_order(user=alice, ticket=market_ticket(quantity=D("0.1")))
    assert placed.status == "OPEN"
    with override_settings(PRICES_UNSURE_BPS=500), pytest.raises(DomainError, match="unsure"):
        services.place_order(user=alice, ticket=replace(market_ticket("SELL", quantity=D("0.1")), nonce="n2"))


# ------------------------------------------------------------------ a price that is not meant
@pytest.mark.parametrize(
    ("side", "price", "nearest"),
    [
        ("BUY", "44000.01", "44000"),
        ("BUY", "400000", "44000"),
        ("SELL", "35999.99", "36000"),
        ("SELL", "4000", "36000"),
    ],
)
def test_a_slip_of_the_finger_is_refused_with_the_nearest_price(
    alice: User, venue: Venue, side: str, price: str, nearest: str
) -> None:
    asked = ticket(side=side, price=D(price), quantity=D("0.1"))
    error = refused(alice, asked)
    assert (error.code, error.field, getattr(error, "nearest", "")) == ("far_from_price", "price", nearest)
    assert nearest in str(error)
    venue.places()
    taken = ticket(side=side, price=D(nearest), quantity=D("0.1"))
    assert services.place_order(user=alice, ticket=taken).status == "OPEN"


@pytest.mark.parametrize(
    ("side", "price"), [("BUY", "44000"), ("BUY", "1000"), ("SELL", "36000"), ("SELL", "200000")]
)
def test_a_price_that_waits_for_the_market_may_be_as_far_as_it_likes(
    alice: User, venue: Venue, side: str, price: str
) -> None:
    venue.places()
    asked = ticket(side=side, price=D(price), quantity=D("0.1"))
    assert services.place_order(user=alice, ticket=asked).status == "OPEN"


def test_where_sources_differ_the_farthest_counts(alice: User) -> None:
    """The book says 100 times what the last trade says: a price near the one is far from the other."""
    publish_book(**HUNDREDFOLD)
    publish_ticker("BTCUSDT", "40000")
    assert refused(alice, ticket(price=D("45000"), quantity=D("0.1"))).code == "far_from_price"
    assert refused(alice, ticket(side="SELL", price=D("41000"), quantity=D("0.1"))).code == "far_from_price"


@pytest.mark.parametrize(
    ("side", "wanted", "passes"),
    [
        ("BUY", {"stop_price": "60000", "price": "66000"}, True),
        ("BUY", {"stop_price": "60000", "price": "66000.01"}, False),
        ("SELL", {"stop_price": "30000", "price": "27000"}, True),
        ("SELL", {"stop_price": "30000", "price": "26999.99"}, False),
        ("BUY", {"trailing_delta": 500, "price": "46000"}, True),
        ("BUY", {"trailing_delta": 500, "price": "46000.01"}, False),
    ],
)
def test_an_order_that_waits_is_measured_by_what_it_waits_for(
    alice: User, venue: Venue, side: str, wanted: dict[str, Any], passes: bool
) -> None:
    venue.places()
    told = {name: D(value) if name.endswith("price") else value for name, value in wanted.items()}
    asked = ticket(side=side, type="STOP_LOSS_LIMIT", quantity=D("0.1"), **{"price": None, **told})
    if passes:
        assert services.place_order(user=alice, ticket=asked).status == "OPEN"
    else:
        assert refused(alice, asked).code == "far_from_price"


def test_while_nothing_is_known_a_limit_is_the_venues_to_judge(alice: User, venue: Venue) -> None:
    """It says itself what it costs at most."""
    publish_book(age_ms=600_000)
    venue.places()
    assert services.place_order(user=alice, ticket=ticket(price=D(90000), quantity=D("0.1"))).status == "OPEN"


def test_the_api_tells_the_nearest_price(client: Client, alice: User) -> None:
    client.force_login(alice)
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": "0.1"}
    for path in ("/api/v1/orders/", "/api/v1/orders/preview/"):
        answer = client.post(path, {**asked, "price": "400000"}, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "far_from_price")
        assert answer.json()["nearest"] == "44000"
