"""All customers have one account at the venue: its limits are shared, and nobody is blamed for another's orders."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from exchange.errors import DomainError
from exchange.money import plain
from ledger import queries as books
from markets.models import Market, VenueLimits
from orders.models import Order
from orders.services import house
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.orders.lists import place_oco
from tests.orders.test_placing import place
from tests.venue import Venue, leg_body, list_body, order_body

D = Decimal
FOUR = {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 4}
STOP: dict[str, Any] = {"type": "STOP_LOSS_LIMIT", "price": D(41500), "stop_price": D(41000)}
PAIR = (
    {"side": "SELL", "type": "LIMIT_MAKER", "price": "42000", "quantity": "0.01"},
    {"side": "SELL", "type": "STOP_LOSS", "stop_price": "38000", "quantity": "0.01"},
)


@pytest.fixture(autouse=True)
def _numbers(alice: User, market: Market, venue: Venue, settings: Settings) -> None:
    settings.OPEN_ORDERS_SHARE_PERCENT = 50
    numbers = iter(range(1, 100))
    venue.on("POST", "/api/v3/order", lambda asked: (200, order_body(asked, orderId=next(numbers))))


def allows(market: Market, *rules: dict[str, Any]) -> None:
    """The venue says so, as far as anybody here has heard."""
    Market.objects.update(filters=[*market.filters, *rules], abilities=["OCO"])
    house.forget()


def allows_everywhere(*rules: dict[str, Any]) -> None:
    VenueLimits.objects.update_or_create(pk=1, defaults={"filters": list(rules)})
    house.forget()


def customer(name: str) -> User:
    user = make_user(name)
    fund(user, "USDT", "100000")
    return user


def one(user: User, nonce: str, **wanted: Any) -> Order:
    return place(user, nonce=nonce, **{"quantity": D("0.1"), **wanted})


def refused(user: User, nonce: str = "refused", **wanted: Any) -> tuple[str, str]:
    with pytest.raises(DomainError) as caught:
        one(user, nonce, **wanted)
    return caught.value.code, str(caught.value)


def test_what_all_have_open_together_is_busy_and_not_the_fault_of_who_comes_last(
    alice: User, market: Market, venue: Venue
) -> None:
    allows(market, FOUR)
    bob, eve = customer("bob"), customer("eve")
    for number in range(2):
        for user in (alice, bob):
            one(user, f"n{number}")
    assert refused(alice)[0] == "too_many_open"
    code, sentence = refused(eve)
    assert (code, "busy" in sentence) == ("busy", True)
    assert venue.count("POST", "/api/v3/order") == 4
    assert balance(eve, "USDT") == (100000, 0)
    Order.objects.filter(user=bob).update(status="CANCELED")
    assert one(eve, "hers").status == "OPEN"


def test_the_venue_may_count_all_markets_together(alice: User, market: Market) -> None:
    allows_everywhere({"filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 4})
    make_market("ETH")
    publish_book("ETHUSDT", bids=[("39000.00", "5")], asks=[("39010.00", "5")])
    one(alice, "a")
    one(alice, "b", symbol="ETHUSDT", price=D(39000))
    code, sentence = refused(alice, symbol="ETHUSDT", price=D(39000))
    assert (code, "in all markets together" in sentence) == ("too_many_open", True)
    bob, eve = customer("bob"), customer("eve")
    for number in range(2):
        one(bob, f"n{number}")
    assert refused(eve)[0] == "busy"


def test_stops_are_counted_for_themselves(alice: User, market: Market) -> None:
    allows(market, {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 2})
    one(alice, "a", **STOP)
    assert refused(alice, **STOP)[0] == "too_many_open"
    one(customer("bob"), "b", **STOP)
    eve = customer("eve")
    assert refused(eve, **STOP)[0] == "busy"
    assert one(eve, "plain").status == "OPEN"


def test_pairs_are_counted_as_lists(alice: User, market: Market, venue: Venue) -> None:
    allows(market, {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 2})
    venue.places_pairs()
    bob, eve = customer("bob"), customer("eve")
    for user in (alice, bob, eve):
        fund(user, "BTC", "1")
    place_oco(alice, *PAIR, nonce="a")
    with pytest.raises(DomainError) as own:
        place_oco(alice, *PAIR, nonce="again")
    other_numbers(venue)
    place_oco(bob, *PAIR, nonce="b")
    with pytest.raises(DomainError) as whole:
        place_oco(eve, *PAIR, nonce="c")
    assert (own.value.code, whole.value.code) == ("too_many_open", "busy")


def other_numbers(venue: Venue) -> None:
    """The venue numbers the orders of the next list otherwise."""

    def answer(asked: Any) -> Any:
        legs = [leg_body(asked, *leg) for leg in (("above", 4713), ("below", 4714))]
        return 200, list_body(asked, legs)

    venue.on("POST", "/api/v3/orderList/oco", answer)


def test_what_is_held_and_being_bought_stays_within_the_venues_position(
    alice: User, market: Market, venue: Venue
) -> None:
    """Alice has brought what is held already; of two more each may have half of all."""
    held = books.venue_position(venue_account().pk).get("BTC", D(0))
    allows(market, {"filterType": "MAX_POSITION", "maxPosition": f"{held + 2:f}"})
    share = (held + 2) / 2
    anna, bob, eve = (customer(name) for name in ("anna", "bob", "eve"))
    one(anna, "a", quantity=share - D("0.1"))
    code, sentence = refused(anna, quantity=D("0.2"))
    assert (code, f"{plain(share)} BTC" in sentence) == ("too_much_of_an_asset", True)
    left = 2 - share + D("0.1")
    assert refused(bob, quantity=left + D("0.1"))[0] == "busy"
    assert one(bob, "b", quantity=left).status == "OPEN"
    assert refused(eve, quantity=D("0.1"))[0] == "busy"
    fund(eve, "BTC", "1")
    assert one(eve, "sells", side="SELL", price=D(41000), quantity=D("0.3")).status == "OPEN"


def test_while_there_is_room_enough_nothing_is_counted_anew(
    alice: User, market: Market, django_assert_num_queries: Any
) -> None:
    allows(market, {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200})
    house.require_room(market, Counter(every=1))
    with django_assert_num_queries(0):
        house.require_room(market, Counter(every=1))
