"""An order that the venue had and does not know any more: checked in every way before anything is given back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts.models import User
from exchange.binance.models import Report
from exchange.office.models import Notice
from ledger.models import LedgerException
from markets.models import Market
from orders import services
from orders.models import Fill, Order, OrderList, VenueOrder
from tests.factories import balance
from tests.ledger.custodian import make_staff
from tests.orders.lists import place_oco, statuses
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue, order_body, trade_body

D = Decimal
OPEN, ALL, LISTS, TRADES = (
    f"/api/v3/{name}" for name in ("openOrders", "allOrders", "allOrderList", "myTrades")
)
LAST = settings.ORDER_LOST_ASKS


@pytest.fixture
def carol(db: None) -> User:
    return make_staff("carol")


@pytest.fixture
def order(alice: User, venue: Venue) -> Order:
    """alice buys 1 BTC at 39,000; the venue took it, and knows nothing of it from then on."""
    venue.places()
    found = services.place_order(user=alice, ticket=ticket())
    assert found.status == "OPEN"
    knows_nothing(venue)
    return found


def knows_nothing(venue: Venue, *trades: dict[str, Any]) -> None:
    """The venue has no order at all, but these trades."""
    venue.knows_none()
    venue.on("GET", LISTS, (200, []))
    venue.on("GET", TRADES, (200, list(trades)))


def asked(times: int = 1) -> None:
    """The sweeps ask so often, each time an interval later."""
    interval = timedelta(seconds=settings.ORDER_LOST_INTERVAL_SECONDS)
    for _time in range(times):
        VenueOrder.objects.update(
            checked_at=timezone.now() - interval, created_at=F("created_at") - timedelta(minutes=1),
            missing_at=F("missing_at") - interval,
        )  # fmt: skip
        services.resolve_pending()
        services.reconcile_open()


def now(order: Order) -> tuple[str, str]:
    order.refresh_from_db()
    return order.status, order.reason_code


def told(order: Order, **changes: Any) -> dict[str, Any]:
    sent = order.venue_orders.get()
    return order_body({"symbol": order.market_id, "newClientOrderId": sent.client_order_id}, **changes)


# ------------------------------------------------------------------ while it is not certain
def test_one_answer_that_an_order_is_not_known_gives_nothing_back_and_is_seen_by_the_customer(
    alice: User, order: Order, carol: User, client: Client
) -> None:
    asked()
    assert now(order) == ("OPEN", "checking")
    assert balance(alice, "USDT") == (61000, 39000)
    assert not LedgerException.objects.exists(), "it may be an answer that lags"
    client.force_login(alice)
    assert "It is being checked" in client.get(f"/orders/{order.pk}/").content.decode()
    assert client.get(f"/api/v1/orders/{order.pk}/").json()["reason_code"] == "checking"


def test_staff_hear_of_it_once_with_all_that_is_known_and_what_is_held(
    alice: User, order: Order, carol: User
) -> None:
    asked(4)
    found = LedgerException.objects.get()
    assert (found.source, found.owner, found.asset_id) == ("order the venue does not know", carol, "USDT")
    assert found.amount == 39000
    sent = order.venue_orders.get()
    assert found.detail["client_order_id"] == sent.client_order_id
    assert (found.detail["order"], found.detail["venue_order_id"]) == (order.pk, 4711)
    assert f"order {order.pk}" in Notice.objects.get(user=carol, kind="ledger.difference").body
    assert balance(alice, "USDT") == (61000, 39000)


def test_many_answers_of_one_moment_are_one(alice: User, order: Order, venue: Venue) -> None:
    for _time in range(3 * LAST):
        services.reconcile(venue_order_id=order.venue_orders.get().pk)
    assert now(order)[0] == "OPEN"
    assert not LedgerException.objects.exists()
    assert venue.count("GET", ALL) == 0


@pytest.mark.parametrize("path", [OPEN, ALL])
def test_an_order_that_any_list_has_is_not_gone(alice: User, order: Order, venue: Venue, path: str) -> None:
    venue.on("GET", path, (200, [told(order)]))
    asked(2 * LAST)
    assert now(order)[0] == "OPEN"
    assert balance(alice, "USDT") == (61000, 39000)


def test_one_that_a_list_shows_as_canceled_has_ended_so(alice: User, order: Order, venue: Venue) -> None:
    venue.on("GET", ALL, (200, [told(order, status="CANCELED")]))
    asked(LAST)
    assert now(order) == ("CANCELED", "")
    assert balance(alice, "USDT") == (100000, 0)


def test_an_order_of_which_the_venue_does_not_show_every_trade_keeps_its_hold(
    alice: User, order: Order, venue: Venue, carol: User
) -> None:
    """0.5 traded, of which 0.2 were told and are booked."""
    tell(traded(order, 7, "0.2", "0.2"))
    half = {"status": "PARTIALLY_FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "19500.0"}
    tell(Report.from_answer(told(order, **half)))
    for rows in ([], [trade_body(4711, 7, "39000.00", "0.2", "7800.0")]):
        venue.on("GET", TRADES, (200, rows))
        asked(2 * LAST)
        assert now(order)[0] == "PARTIALLY_FILLED"
        assert balance(alice, "USDT") == (61000, 31200)
    assert LedgerException.objects.get().source == "order the venue does not know"


def test_a_question_that_is_not_answered_gives_nothing_back(alice: User, order: Order, venue: Venue) -> None:
    venue.on("GET", TRADES, (503, ""))
    asked(LAST + 1)
    assert now(order)[0] == "OPEN"
    assert balance(alice, "USDT") == (61000, 39000)


def test_one_that_is_known_again_is_as_before_and_counted_anew(
    alice: User, order: Order, venue: Venue
) -> None:
    asked(LAST - 1)
    venue.knows()
    asked()
    assert now(order) == ("OPEN", "")
    knows_nothing(venue)
    asked(LAST - 1)
    assert now(order)[0] == "OPEN"
    assert balance(alice, "USDT") == (61000, 39000)


def test_one_that_is_heard_of_while_its_last_trades_are_read_goes_on(
    alice: User, order: Order, venue: Venue
) -> None:
    def answer(_asked: dict[str, Any]) -> Any:
        tell(traded(order, 9, "0.5", "0.5"))
        return 200, []

    venue.on("GET", TRADES, answer)
    asked(LAST)
    assert now(order) == ("PARTIALLY_FILLED", "")
    assert balance(alice, "USDT") == (61000, 19500)


# ------------------------------------------------------------------ once it is
def test_an_order_that_is_certainly_gone_ends_and_what_it_held_is_back(
    alice: User, order: Order, carol: User
) -> None:
    asked(LAST - 1)
    assert now(order)[0] == "OPEN"
    asked(3)
    assert now(order) == ("EXPIRED", "lost_at_venue")
    assert balance(alice, "USDT") == (100000, 0)
    assert order.finished_at is not None


def test_what_it_traded_unheard_is_booked_before_the_rest_is_given_back(
    alice: User, order: Order, venue: Venue
) -> None:
    knows_nothing(venue, trade_body(4711, 7, "39000.00", "0.4", "15600.0"))
    asked(LAST)
    assert now(order) == ("EXPIRED", "lost_at_venue")
    assert (order.cumulative_quantity, Fill.objects.count()) == (D("0.4"), 1)
    assert balance(alice, "USDT") == (84400, 0)
    assert balance(alice, "BTC") == (D("2.3996"), 0)


@pytest.mark.parametrize("shown", [[], [8], [7, 8]])
def test_one_whose_trades_are_booked_ends_also_when_the_venue_shows_them_no_more(
    alice: User, order: Order, venue: Venue, shown: list[int]
) -> None:
    """0.3 and 0.2 traded and are booked."""
    tell(traded(order, 7, "0.3", "0.3"))
    tell(traded(order, 8, "0.2", "0.5"))
    both = {7: ("0.3", "11700.0"), 8: ("0.2", "7800.0")}
    knows_nothing(venue, *(trade_body(4711, number, "39000.00", *both[number]) for number in shown))
    asked(LAST)
    assert now(order) == ("EXPIRED", "lost_at_venue")
    assert (order.cumulative_quantity, Fill.objects.count()) == (D("0.5"), 2)
    assert balance(alice, "USDT") == (80500, 0)


def test_of_one_of_whose_trades_the_venue_shows_only_a_later_one_all_count(
    alice: User, order: Order, venue: Venue
) -> None:
    tell(traded(order, 7, "0.3", "0.3"))
    knows_nothing(venue, trade_body(4711, 8, "39000.00", "0.7", "27300.0"))
    asked(LAST)
    assert now(order)[0] == "FILLED"
    assert balance(alice, "USDT") == (61000, 0)


def test_one_that_traded_completely_unheard_is_filled(alice: User, order: Order, venue: Venue) -> None:
    knows_nothing(venue, trade_body(4711, 7, "39000.00", "1.0", "39000.0"))
    asked(LAST)
    assert now(order)[0] == "FILLED"
    assert balance(alice, "USDT") == (61000, 0)


def test_one_that_ended_with_a_trade_untold_is_not_held_for_for_ever(
    alice: User, order: Order, venue: Venue
) -> None:
    venue.on("GET", TRADES, (503, ""))
    tell(
        event(
            order,
            "CANCELED",
            "CANCELED",
            z="0.5",
            Z="19500",
            c="x",
            C=order.venue_orders.get().client_order_id,
        )
    )
    assert now(order)[0] != "CANCELED"
    knows_nothing(venue, trade_body(4711, 7, "39000.00", "0.5", "19500.0"))
    asked(LAST)
    assert now(order)[0] == "CANCELED"
    assert balance(alice, "USDT") == (80500, 0)


def test_of_two_that_cancel_each_other_the_list_is_asked_for_too(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    venue.places_pairs()
    pair: OrderList = place_oco(alice)
    knows_nothing(venue)
    venue.on("GET", LISTS, (200, [{"orderListId": 77, "orders": [{"orderId": 4711}, {"orderId": 4712}]}]))
    asked(2 * LAST)
    assert (statuses(pair), balance(alice, "BTC")) == (["OPEN", "OPEN"], (1, 1))
    venue.on("GET", LISTS, (200, []))
    asked()
    assert (statuses(pair), balance(alice, "BTC")) == (["EXPIRED", "EXPIRED"], (2, 0))


def test_its_list_may_be_on_a_later_page_of_all_lists(alice: User, venue: Venue) -> None:
    Market.objects.update(abilities=["OCO"])
    venue.places_pairs()
    pair: OrderList = place_oco(alice)
    knows_nothing(venue)
    first = [{"orderListId": number, "orders": []} for number in range(1, 1001)]
    later = [{"orderListId": 1001, "orders": [{"orderId": 4711}, {"orderId": 4712}]}]
    venue.on("GET", LISTS, lambda wanted: (200, later if wanted.get("fromId") == "1001" else first))
    asked(2 * LAST)
    assert (statuses(pair), balance(alice, "BTC")) == (["OPEN", "OPEN"], (1, 1))
