"""A list gets nobody round what they may have: all its orders count when it is given, those that wait too."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import User
from exchange.errors import DomainError
from markets.models import Market
from orders import services
from orders.models import Order
from tests.factories import publish_ticker
from tests.orders.lists import (
    BUY,
    PROFIT,
    STOP,
    event,
    leg,
    place_oco,
    statuses,
    tell,
    ticket,
    traded,
)
from tests.orders.test_placing import place
from tests.venue import Venue

D = Decimal
OTO: dict[str, Any] = {"kind": "OTO", "working": BUY, "pending": STOP}
OTOCO: dict[str, Any] = {"kind": "OTOCO", "working": BUY, "above": PROFIT, "below": STOP}
SMALL_BUY = {**BUY, "quantity": "0.1"}


@pytest.fixture(autouse=True)
def room_for_three(alice: User, market: Market, venue: Venue) -> None:
    """Of twelve orders that the house may have open a customer may have three, and of four stops one."""
    counts = [
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 12},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 4},
    ]
    Market.objects.update(filters=[*market.filters, *counts], abilities=["OCO", "TRAILING_STOP"])
    publish_ticker("BTCUSDT", "40000")
    venue.places_pairs()
    venue.places(orderId=4713)


def give(user: User, *, nonce: str = "list", **wanted: Any) -> Any:
    return services.place_order_list(user=user, ticket=ticket(nonce=nonce, **wanted))


def refused(user: User, **wanted: Any) -> tuple[str, str]:
    """Code and field; of a list that is refused nothing is left."""
    before = Order.objects.count()
    with pytest.raises(DomainError) as caught:
        give(user, **wanted)
    assert Order.objects.count() == before
    return caught.value.code, caught.value.field or ""


def test_both_orders_of_a_pair_need_room(alice: User) -> None:
    for nonce in ("a", "b"):
        place(alice, nonce=nonce, quantity=D("0.1"))
    assert refused(alice, above=PROFIT, below=STOP) == ("too_many_open", "")
    Order.objects.filter(nonce="a").update(status="CANCELED")
    assert statuses(place_oco(alice)) == ["OPEN", "OPEN"]


def test_an_order_that_waits_takes_room_from_the_start(alice: User) -> None:
    give(alice, **OTO)
    place(alice, nonce="third", quantity=D("0.1"))
    with pytest.raises(DomainError) as caught:
        place(alice, nonce="fourth", quantity=D("0.1"))
    assert caught.value.code == "too_many_open"


def test_orders_that_wait_are_counted_by_their_kind(alice: User) -> None:
    give(alice, **{**OTO, "working": SMALL_BUY, "pending": {**STOP, "quantity": "0.1"}})
    assert refused(alice, **OTO, nonce="second") == ("too_many_open", "")
    selling = {"side": "SELL", "type": "LIMIT_MAKER", "price": "45000", "quantity": "0.1"}
    assert refused(alice, kind="OTO", working=SMALL_BUY, pending=selling, nonce="b") == ("too_many_open", "")


def test_a_list_of_three_needs_room_for_three(alice: User) -> None:
    place(alice, nonce="a", quantity=D("0.1"))
    assert refused(alice, **OTOCO) == ("too_many_open", "")


def test_pairs_are_counted_by_themselves(alice: User, market: Market) -> None:
    lists = {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 2}
    Market.objects.update(filters=[*market.filters, lists])
    place_oco(alice)
    with pytest.raises(DomainError, match="1 open pairs"):
        give(alice, **OTOCO)
    assert statuses(give(alice, **OTO, nonce="alone")) == ["OPEN", "WAITING"]


def test_what_took_its_room_when_it_was_given_begins_when_there_is_none_left(
    alice: User, market: Market
) -> None:
    found = give(alice, **OTO)
    place(alice, nonce="third", quantity=D("0.1"))
    with override_settings(OPEN_ORDERS_SHARE_PERCENT=1, ORDER_VALUE_LIMITS=[D(0), D(1)]):
        tell(traded(leg(found, "WORKING"), 1, "1", "39000"))
        services.follow_lists()
    assert leg(found, "PENDING").status == "OPEN"


def test_what_ended_while_it_waited_takes_no_room(alice: User) -> None:
    found = give(alice, **OTO)
    tell(event(leg(found, "WORKING"), "CANCELED", "CANCELED"))
    services.follow_lists()
    assert statuses(found) == ["CANCELED", "CANCELED"]
    assert statuses(give(alice, **OTOCO, nonce="next")) == ["OPEN", "WAITING", "WAITING"]


def test_a_stop_rests_at_the_venue_whatever_its_time_in_force(alice: User) -> None:
    waits = {"type": "STOP_LOSS_LIMIT", "side": "SELL", "price": D(37900), "stop_price": D(38000)}
    place(alice, nonce="a", quantity=D("0.1"), time_in_force="IOC", **waits)
    with pytest.raises(DomainError) as caught:
        place(alice, nonce="b", quantity=D("0.1"), time_in_force="IOC", **waits)
    assert caught.value.code == "too_many_open"


# ------------------------------------------------------------------ what it may be worth
SMALL_SALE = {**SMALL_BUY, "side": "SELL", "price": "41000"}


@pytest.mark.parametrize(
    ("working", "pending"),
    [
        (SMALL_BUY, {**BUY, "price": "30000"}),
        (SMALL_BUY, {"side": "BUY", "type": "MARKET", "quantity": "1"}),
        (SMALL_SALE, {"side": "SELL", "type": "TAKE_PROFIT", "trailing_delta": 200, "quantity": "1"}),
    ],
)
def test_an_order_that_waits_may_be_worth_no_more_than_any_other(
    alice: User, working: dict[str, Any], pending: dict[str, Any]
) -> None:
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(10000)]):
        asked = {"kind": "OTO", "working": working, "pending": pending}
        assert refused(alice, **asked) == ("order_too_large", "pending.quantity")


def test_each_of_a_pair_that_waits_is_looked_at(alice: User) -> None:
    with override_settings(ORDER_VALUE_LIMITS=[D(0), D(10000)]):
        asked = {"kind": "OTOCO", "working": SMALL_SALE, "above": PROFIT, "below": STOP}
        assert refused(alice, **asked) == ("order_too_large", "above.quantity")


def test_one_whose_worth_nobody_knows_is_not_taken(alice: User) -> None:
    publish_ticker("BTCUSDT", "40000", age_s=61)
    wanted = {"side": "BUY", "type": "MARKET", "quantity": "1"}
    assert refused(alice, kind="OTO", working=SMALL_BUY, pending=wanted)[0] == "prices_delayed"
