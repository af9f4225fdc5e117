"""A fill after the release and a fill of nobody's order are booked, put before staff, and freeze who could not pay."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from structlog.testing import capture_logs

from accounts.errors import AccountFrozen
from accounts.models import User
from exchange.binance.models import Report
from exchange.office.models import AuditRecord, Notice
from ledger.models import Account, LedgerException
from orders import services
from orders.models import Fill, Order
from tests.factories import balance, fund, held_by_the_house
from tests.ledger.custodian import make_staff
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell, traded
from tests.venue import Venue

D = Decimal
# What half a bitcoin at 39000 takes, and what it gives after our fee of a thousandth.
TAKEN = {"BUY": ("USDT", D(19500)), "SELL": ("BTC", D("0.5"))}
GIVEN = {"BUY": ("BTC", D("0.4995")), "SELL": ("USDT", D("19480.5"))}
OWNED = {"USDT": D(100000), "BTC": D(2)}


@pytest.fixture
def carol(db: None) -> User:
    return make_staff("carol")


def released(user: User, venue: Venue, side: str) -> Order:
    """An order of 1 BTC at 39000 that was canceled, its hold released."""
    venue.places()
    order = services.place_order(user=user, ticket=ticket(side=side))
    tell(event(order, "CANCELED", "CANCELED", c="x", C=order.venue_orders.get().client_order_id))
    order.refresh_from_db()
    assert order.finished_at is not None
    return order


@pytest.mark.parametrize("share", [D(1), D("0.25"), D(0)], ids=["all", "a part", "nothing"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_fill_after_the_release_takes_what_is_available_and_the_house_pays_the_rest(
    alice: User, venue: Venue, carol: User, side: str, share: Decimal
) -> None:
    order = released(alice, venue, side)
    (paid, cost), (got, received) = TAKEN[side], GIVEN[side]
    fund(alice, paid, f"{cost * share - OWNED[paid]:f}")  # so much of it is left
    late = traded(order, 7, "0.5", "0.5")
    tell(late)
    tell(late)
    alice.refresh_from_db()
    order.refresh_from_db()
    assert balance(alice, paid) == (0, 0)
    assert balance(alice, got) == (OWNED[got] + received, 0)
    assert held_by_the_house(Account.Type.SLIPPAGE, paid) == -cost * (1 - share)
    assert (order.status, order.cumulative_quantity) == ("CANCELED", D("0.5"))
    assert (Fill.objects.count(), alice.is_frozen) == (1, True)
    found = LedgerException.objects.get()
    assert (found.source, found.asset_id, found.owner) == ("uncovered fill", paid, carol)


def test_staff_are_alarmed_by_a_fill_after_the_release_and_see_why_the_customer_is_frozen(
    alice: User, venue: Venue, carol: User, client: Client
) -> None:
    order = released(alice, venue, "BUY")
    tell(traded(order, 7, "0.5", "0.5"))
    alice.refresh_from_db()
    assert f"order {order.pk}" in alice.frozen_reason
    assert AuditRecord.objects.get(action="user.frozen").subject_id == str(alice.pk)
    assert f"order {order.pk}" in Notice.objects.get(user=carol, kind="ledger.difference").body
    client.force_login(carol)
    assert "uncovered fill" in client.get("/admin/").content.decode()
    with pytest.raises(AccountFrozen):
        services.place_order(user=alice, ticket=ticket(nonce="n2"))


def test_a_fill_that_was_given_up_as_never_arrived_is_booked_all_the_same(
    alice: User, venue: Venue, carol: User
) -> None:
    """The venue was asked until it was certain, and was wrong."""
    venue.on("POST", "/api/v3/order", (400, {"code": -1021, "msg": "Timestamp for this request is outside."}))
    order = services.place_order(user=alice, ticket=ticket())
    assert order.status == "REJECTED"
    tell(traded(order, 7, "1", "1", "FILLED"))
    order.refresh_from_db()
    assert (order.status, order.cumulative_quantity) == ("FILLED", D(1))
    assert balance(alice, "USDT") == (61000, 0)
    assert balance(alice, "BTC") == (D("2.999"), 0)
    assert LedgerException.objects.get().source == "uncovered fill"


# ------------------------------------------------------------------ of an order nobody here knows
def stranger(order: Order, **changes: Any) -> Report:
    """A trade of half a bitcoin at 39000 with a commission, of an order with an id of somebody else."""
    told = traded(order, 9, "0.5", "0.5")
    fill = replace(told.fills[0], commission=D("0.01"), commission_asset="BNB")
    return replace(told, client_order_id="web_123", venue_order_id=815, fills=(fill,), **changes)


@pytest.mark.parametrize(("side", "sign"), [("BUY", 1), ("SELL", -1)])
def test_a_fill_of_an_unknown_order_goes_to_suspense_and_before_staff_once(
    alice: User, venue: Venue, carol: User, side: str, sign: int
) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    at_venue = {asset: held_by_the_house(Account.Type.VENUE, asset) for asset in OWNED}
    for _time in range(2):
        tell(stranger(order, side=side))
    moved = {
        asset: held_by_the_house(Account.Type.VENUE, asset) - before for asset, before in at_venue.items()
    }
    assert moved == {"BTC": D("-0.5") * sign, "USDT": D(19500) * sign}
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == D("0.5") * sign
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == D(-19500) * sign
    assert held_by_the_house(Account.Type.COMMISSION, "BNB") == D("-0.01")
    assert (balance(alice, "BTC"), balance(alice, "USDT")) == ((2, 0), (61000, 39000))
    found = LedgerException.objects.get()
    assert (found.source, found.owner) == ("fill of an unknown order", carol)
    assert found.detail == {"client_order_id": "web_123", "venue_order_id": 815}
    assert Notice.objects.filter(user=carol, kind="ledger.difference").count() == 1


def test_an_unknown_order_in_a_market_that_nobody_here_knows_is_said_and_books_nothing(
    alice: User, venue: Venue
) -> None:
    venue.places()
    order = services.place_order(user=alice, ticket=ticket())
    with capture_logs() as said:
        tell(stranger(order, symbol="NEWUSDT"))
    assert not LedgerException.objects.exists()
    assert [line["event"] for line in said] == ["order.not_ours", "order.not_bookable"]
