"""What waits for another order: begun once when that is filled, with what came of it, and ended when it is not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange.office.models import Notice
from ledger import services as ledger
from ledger.models import Hold
from markets.models import Market
from orders import services
from orders.models import Order, OrderList, VenueOrder
from tests.factories import balance, make_market, publish_book, publish_ticker
from tests.orders.lists import (
    BUY,
    PROFIT,
    STOP,
    D,
    event,
    everything_holds,
    leg,
    statuses,
    tell,
    ticket,
    traded,
)
from tests.orders.test_placing import no_hold_is_left
from tests.venue import Venue, error, fill_body, order_body

ORDER, OCO = ("POST", "/api/v3/order"), ("POST", "/api/v3/orderList/oco")
SELL = {"side": "SELL", "type": "LIMIT", "time_in_force": "GTC", "price": "41000", "quantity": "1"}


@pytest.fixture
def buyer(alice: User, venue: Venue) -> User:
    """The last price is 40,000; she has 100,000 USDT, and nothing else to sell but what she buys."""
    Market.objects.update(abilities=["OCO"])
    publish_ticker("BTCUSDT", "40000")
    venue.places(orderId=4713)
    venue.places_pairs()
    return alice


def place(user: User, working: dict[str, Any] = BUY, **later: Any) -> OrderList:
    kind = "OTO" if "pending" in later else "OTOCO"
    return services.place_order_list(user=user, ticket=ticket(kind, working=working, **later))


@pytest.fixture
def oto(buyer: User) -> OrderList:
    """Buy 1 BTC at 39,000, and then sell it at 38,000 at the latest."""
    return place(buyer, pending=STOP)


@pytest.fixture
def otoco(buyer: User) -> OrderList:
    return place(buyer, above=PROFIT, below=STOP)


def fill(order_list: OrderList, quantity: str = "1", trade_id: int = 7) -> None:
    tell(traded(leg(order_list, "WORKING"), trade_id, quantity, "39000"))


def sent(venue: Venue, door: tuple[str, str] = ORDER) -> list[dict[str, Any]]:
    return [asked for method, path, asked in venue.asked if (method, path) == door]


# ------------------------------------------------------------------ before
def test_what_waits_is_neither_sent_nor_held_for(oto: OrderList, buyer: User, venue: Venue) -> None:
    assert statuses(oto) == ["OPEN", "WAITING"]
    assert [asked["side"] for asked in sent(venue)] == ["BUY"]
    assert (balance(buyer, "USDT"), balance(buyer, "BTC")) == ((61000, 39000), (2, 0))
    assert not VenueOrder.objects.filter(order__leg="PENDING").exists()
    assert everything_holds()


# ------------------------------------------------------------------ begun
def test_what_waits_begins_with_what_came_less_the_fee(oto: OrderList, buyer: User, venue: Venue) -> None:
    fill(oto)
    pending = leg(oto, "PENDING")
    assert statuses(oto) == ["FILLED", "OPEN"]
    assert sent(venue)[1]["quantity"] == "0.999"
    assert (pending.quantity, pending.reason_code) == (D("0.999"), "reduced")
    assert "0.999 BTC instead of 1" in pending.reason
    assert balance(buyer, "BTC") == (2, D("0.999"))
    assert everything_holds()


def test_what_came_is_floored_to_the_step(buyer: User, venue: Venue) -> None:
    wanted = {"quantity": "0.33333"}
    found = place(buyer, {**BUY, **wanted}, pending={**STOP, **wanted})
    fill(found, "0.33333")
    assert sent(venue)[1]["quantity"] == "0.33299"


def test_less_than_what_came_is_left_as_it_is(buyer: User, venue: Venue) -> None:
    found = place(buyer, pending={**STOP, "quantity": "0.5"})
    fill(found)
    assert (sent(venue)[1]["quantity"], leg(found, "PENDING").reason) == ("0.5", "")


def test_two_that_cancel_each_other_begin_in_one_call_with_one_hold(
    otoco: OrderList, buyer: User, venue: Venue
) -> None:
    fill(otoco)
    assert statuses(otoco) == ["FILLED", "OPEN", "OPEN"]
    asked = sent(venue, OCO)
    assert [(one["quantity"], one["listClientOrderId"]) for one in asked] == [
        ("0.999", otoco.client_order_id)
    ]
    hold = Hold.objects.get(is_open=True)
    assert (hold.cause, hold.cause_id, hold.remaining) == ("LIST", otoco.pk, D("0.999"))
    assert everything_holds()
    tell(traded(leg(otoco, "ABOVE"), 8, "0.999", "42000"))
    tell(event(leg(otoco, "BELOW"), "EXPIRED", "EXPIRED", eR="OCO_TRIGGER"))
    assert (OrderList.objects.get().status, no_hold_is_left()) == ("ALL_DONE", True)
    assert balance(buyer, "BTC") == (2, 0)


def test_a_sale_at_the_market_is_sent_with_a_worst_price(buyer: User, venue: Venue) -> None:
    wanted = {"side": "SELL", "type": "MARKET", "quantity": "1"}
    found = place(buyer, pending=wanted)
    fill(found)
    asked = sent(venue)[1]
    assert (asked["type"], asked["timeInForce"], asked["quantity"]) == ("LIMIT", "IOC", "0.999")
    assert leg(found, "PENDING").protection_price == D(asked["price"])


def test_an_order_filled_by_the_answer_itself_is_followed_at_once(buyer: User, venue: Venue) -> None:
    def answer(asked: dict[str, Any]) -> Any:
        if asked["side"] == "SELL":
            return 200, order_body(asked, orderId=4714)
        fills = [fill_body(7, "39000.00", "1.0")]
        changes = {
            "status": "FILLED",
            "executedQty": "1.0",
            "cummulativeQuoteQty": "39000.00",
            "fills": fills,
        }
        return 200, order_body(asked, orderId=4713, **changes)

    venue.on(*ORDER, answer)
    assert statuses(place(buyer, pending=SELL)) == ["FILLED", "OPEN"]


def test_a_sale_may_be_followed_by_a_purchase(buyer: User, venue: Venue) -> None:
    found = place(buyer, {**SELL, "price": "41000"}, pending={**BUY, "price": "38000"})
    tell(traded(leg(found, "WORKING"), 7, "1", "41000"))
    assert statuses(found) == ["FILLED", "OPEN"]
    assert balance(buyer, "USDT")[1] == 38000


def test_it_begins_once_whatever_tells_of_the_last_trade(oto: OrderList, venue: Venue) -> None:
    working = leg(oto, "WORKING")
    for _time in range(3):
        fill(oto)
        services.follow_lists()
    venue.knows(status="FILLED", orderId=4713, executedQty="1.0", cummulativeQuoteQty="39000.0")
    services.reconcile(venue_order_id=working.venue_orders.get().pk)
    services.follow_lists()
    assert [asked["side"] for asked in sent(venue)] == ["BUY", "SELL"]
    assert VenueOrder.objects.count() == 2


def test_a_part_begins_nothing(oto: OrderList, venue: Venue) -> None:
    tell(traded(leg(oto, "WORKING"), 7, "0.5", "39000", "PARTIALLY_FILLED"))
    services.follow_lists()
    assert (statuses(oto), len(sent(venue))) == (["PARTIALLY_FILLED", "WAITING"], 1)


# ------------------------------------------------------------------ not begun
ENDS = [
    ("CANCELED", "0", "CANCELED"),
    ("EXPIRED", "0", "EXPIRED"),
    ("CANCELED", "0.5", "CANCELED"),
]


@pytest.mark.parametrize(("status", "part", "ended"), ENDS)
def test_what_waits_ends_with_a_first_order_that_was_not_filled(
    otoco: OrderList, buyer: User, venue: Venue, status: str, part: str, ended: str
) -> None:
    working = leg(otoco, "WORKING")
    if D(part):
        tell(traded(working, 7, part, "39000", "PARTIALLY_FILLED"))
    venue.on("GET", "/api/v3/myTrades", (200, []))
    tell(event(working, status, status, z=part, Z=f"{D(part) * 39000}"))
    assert statuses(otoco) == [ended, "CANCELED", "CANCELED"]
    assert leg(otoco, "ABOVE").reason == "The first order ended without being filled completely."
    assert no_hold_is_left() and venue.count(*OCO) == 0


def test_what_waits_ends_with_a_first_order_that_was_refused(buyer: User, venue: Venue) -> None:
    venue.on(*ORDER, error(-1013, "Filter failure: NOTIONAL"))
    found = place(buyer, pending=STOP)
    assert (statuses(found), no_hold_is_left()) == (["REJECTED", "CANCELED"], True)


@pytest.mark.parametrize("name", ["WORKING", "PENDING"])
def test_canceling_either_ends_both(oto: OrderList, buyer: User, venue: Venue, name: str) -> None:
    venue.on(
        "DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED", orderId=4713))
    )
    services.cancel_order(user=buyer, order_id=leg(oto, name).pk)
    assert (statuses(oto), no_hold_is_left()) == (["CANCELED", "CANCELED"], True)
    assert balance(buyer, "USDT") == (100000, 0)


def test_all_orders_are_canceled_with_what_waits_for_them(oto: OrderList, buyer: User, venue: Venue) -> None:
    venue.on(
        "DELETE", "/api/v3/order", lambda asked: (200, order_body(asked, status="CANCELED", orderId=4713))
    )
    assert services.cancel_orders(user=buyer, side="SELL") == 2
    assert statuses(oto) == ["CANCELED", "CANCELED"]


def test_a_first_order_that_fills_while_it_is_canceled_begins_nothing(
    oto: OrderList, buyer: User, venue: Venue
) -> None:
    venue.on("DELETE", "/api/v3/order", error(-2011, "Unknown order sent."))
    trade = {"status": "FILLED", "executedQty": "1.0", "cummulativeQuoteQty": "39000.0", "orderId": 4713}
    venue.knows(**trade)
    venue.on("GET", "/api/v3/myTrades", (503, ""))
    services.cancel_order(user=buyer, order_id=leg(oto, "WORKING").pk)
    fill(oto)
    assert (statuses(oto), leg(oto, "PENDING").reason) == (["FILLED", "CANCELED"], "")
    assert balance(buyer, "BTC") == (D("2.999"), 0)


REFUSED: list[tuple[Callable[[User], object], str]] = [
    (lambda user: publish_ticker("BTCUSDT", "37000"), "would_trigger"),
    (lambda user: Market.objects.update(order_types=["LIMIT"]), "not_offered"),
    (lambda user: accounts.freeze(user.pk, "asked for"), "account_frozen"),
]


@pytest.mark.parametrize(("change", "code"), REFUSED)
def test_what_cannot_begin_is_refused_with_a_sentence_and_a_notice(
    oto: OrderList, buyer: User, venue: Venue, change: Callable[[User], object], code: str
) -> None:
    change(buyer)
    fill(oto)
    pending = leg(oto, "PENDING")
    assert (statuses(oto), pending.reason_code) == (["FILLED", "REJECTED"], code)
    notices = Notice.objects.filter(user=buyer, kind="order.not_begun")
    assert {notice.channel for notice in notices} == {"SITE", "MAIL"}
    assert pending.reason in notices[0].body
    assert no_hold_is_left() and len(sent(venue)) == 1


def test_what_was_spent_before_its_turn_cannot_be_sold(oto: OrderList, buyer: User) -> None:
    Market.objects.update(status="HALT")
    fill(oto)
    ledger.post_dust(key="spent", user_id=buyer.pk, asset="BTC", amount=D("2.001"))
    Market.objects.update(status="TRADING")
    services.follow_lists()
    assert (statuses(oto), leg(oto, "PENDING").reason_code) == (["FILLED", "REJECTED"], "insufficient_funds")
    assert no_hold_is_left()


@pytest.mark.parametrize("answer", [error(-2010, "Stop price would trigger immediately."), error(-1111, "x")])
def test_what_the_venue_refuses_is_told_once_for_a_pair(
    otoco: OrderList, buyer: User, venue: Venue, answer: Any
) -> None:
    venue.on(*OCO, answer)
    fill(otoco)
    assert statuses(otoco) == ["FILLED", "REJECTED", "REJECTED"]
    assert Notice.objects.filter(user=buyer, kind="order.not_begun", channel="SITE").count() == 1
    assert no_hold_is_left() and balance(buyer, "BTC") == (D("2.999"), 0)


def test_a_market_that_stands_still_is_waited_for(oto: OrderList, venue: Venue) -> None:
    Market.objects.update(status="HALT")
    fill(oto)
    assert statuses(oto) == ["FILLED", "WAITING"]
    Market.objects.update(status="TRADING")
    services.follow_lists()
    assert statuses(oto) == ["FILLED", "OPEN"]


def test_a_market_that_stands_still_keeps_no_other_from_its_turn(
    oto: OrderList, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.following, "BATCH", 1)
    Market.objects.update(status="HALT")
    fill(oto)
    make_market("ETH", abilities=["OCO"])
    publish_book("ETHUSDT")
    wanted = services.ListTicket(
        kind="OTO",
        symbol="ETHUSDT",
        nonce="other",
        legs={
            name: replace(one, symbol="ETHUSDT")
            for name, one in ticket("OTO", working=BUY, pending=STOP).legs.items()
        },
    )
    other = services.place_order_list(user=buyer, ticket=wanted)
    Order.objects.filter(order_list=other, leg="WORKING").update(status="EXPIRED", finished_at=timezone.now())
    ledger.release(cause=ledger.Cause.ORDER, cause_id=leg(other, "WORKING").pk)
    for _sweep in range(100):
        services.follow_lists()
    assert statuses(other) == ["EXPIRED", "CANCELED"]


# ------------------------------------------------------------------ the venue away, senders gone
def pass_time() -> None:
    VenueOrder.objects.filter(sent_at__isnull=True).update(send_by=timezone.now())


AWAY = [
    requests.exceptions.ConnectTimeout(),
    error(-1021, "Timestamp for this request is outside of the recvWindow."),
]


@pytest.mark.parametrize("away", AWAY, ids=["no line", "late"])
@pytest.mark.parametrize("later", [{"pending": STOP}, {"above": PROFIT, "below": STOP}])
def test_what_never_left_is_sent_anew_under_another_name(
    buyer: User, venue: Venue, later: dict[str, Any], away: Any
) -> None:
    found = place(buyer, **later)
    door = ORDER if "pending" in later else OCO
    venue.on(*door, away)
    fill(found)
    assert set(statuses(found)[1:]) == {"PENDING"}
    services.follow_lists()
    first = len(sent(venue, door))
    venue.places(orderId=4714) if "pending" in later else venue.places_pairs()
    pass_time()
    services.follow_lists()
    assert set(statuses(found)[1:]) == {"OPEN"}
    assert len(sent(venue, door)) == first + 1
    assert balance(buyer, "BTC") == (2, D("0.999"))
    assert everything_holds()


def test_what_never_left_and_is_not_wanted_any_more_ends(oto: OrderList, buyer: User, venue: Venue) -> None:
    venue.on(*ORDER, requests.exceptions.ConnectTimeout())
    fill(oto)
    services.cancel_order(user=buyer, order_id=leg(oto, "PENDING").pk)
    assert (statuses(oto), no_hold_is_left()) == (["FILLED", "CANCELED"], True)
    services.follow_lists()
    assert (len(sent(venue)), venue.count("DELETE", "/api/v3/order")) == (2, 0)


def test_a_silent_venue_is_asked_and_not_told_again(oto: OrderList, buyer: User, venue: Venue) -> None:
    venue.on(*ORDER, (503, "<html>"))
    fill(oto)
    pass_time()
    services.follow_lists()
    assert (statuses(oto), len(sent(venue))) == (["FILLED", "PENDING"], 2)
    venue.knows(orderId=4714)
    services.reconcile(venue_order_id=leg(oto, "PENDING").venue_orders.get().pk)
    assert statuses(oto) == ["FILLED", "OPEN"]
