"""What lies in our accounts and how long it lasts: judged for each, shown to staff, told before it is used up."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from exchange.binance.models import VenueBalance
from exchange.binance.positions import AccountPosition
from exchange.gate import accounts, inventory
from exchange.gate.models import Runway, RunwayBar, VenueAccount
from exchange.office.models import AuditRecord, Notice
from ledger import services as ledger
from ledger.models import Account, Transfer
from ledger.services.posting import system
from markets.models import Asset
from orders import services
from orders.models import Order, OrderList, VenueOrder
from tests.factories import make_market, make_user, venue_account

D = Decimal


@pytest.fixture
def carol(db: None) -> User:
    return User.objects.create_superuser("carol@example.com", "a long password")


@pytest.fixture
def first(db: None) -> VenueAccount:
    Asset.objects.get_or_create(code="USDT")
    return venue_account()


@pytest.fixture
def second(first: VenueAccount) -> VenueAccount:
    account = accounts.add_account("second", reason="more room")
    accounts.enable_account(account.pk, reason="it is funded")
    return account


def lies(account: VenueAccount, **amounts: str) -> None:
    rows = tuple(VenueBalance(asset, D(amount), D(0)) for asset, amount in amounts.items())
    inventory.note_position(account, AccountPosition(rows, 1))


def leaves(account: VenueAccount, amount: str, asset: str = "USDT") -> None:
    """So much left the account just now, in the books."""
    lines = [
        system(Account.Type.VENUE, asset, D(amount), account.pk),
        system(Account.Type.SUSPENSE, asset, -D(amount)),
    ]
    ledger.post(scope="test", key=uuid4().hex, kind=Transfer.Kind.DEPOSIT, lines=lines)


def runway(account: VenueAccount, asset: str = "USDT") -> Runway:
    services.watch_prefunding()
    return Runway.objects.get(venue_account=account, asset=asset)


def test_it_lasts_as_long_as_the_last_hour_says(first: VenueAccount) -> None:
    lies(first, USDT="1000")
    leaves(first, "80")
    found = runway(first)
    assert (found.free, found.hourly, found.hours, found.is_low) == (D(1000), D(80), D("12.5"), False)


def test_what_only_comes_lasts_for_ever(first: VenueAccount) -> None:
    lies(first, USDT="1000")
    leaves(first, "-80")
    found = runway(first)
    assert (found.hourly, found.hours, found.is_low) == (D(-80), None, False)


def test_staff_hear_once_of_what_will_not_last_and_where_there_is_more(
    first: VenueAccount, second: VenueAccount, carol: User
) -> None:
    lies(first, USDT="300")
    lies(second, USDT="50000")
    leaves(first, "100")
    for _sweep in range(2):
        assert runway(first).is_low
    body = Notice.objects.get(user=carol).body
    assert "primary has 300 USDT free" in body and "lasts 3 hours" in body and "second 50000" in body
    assert not runway(second).is_low


def test_staff_set_when_they_are_told_with_a_reason_on_record(
    first: VenueAccount, carol: User, client: Client
) -> None:
    lies(first, USDT="1000")
    row = runway(first)
    client.force_login(carol)
    address = f"/admin/gate/runway/{row.pk}/bar/"
    assert client.post(address, {"hours": "2", "least": "-1", "reason": "x"}).status_code == 200
    assert client.post(address, {"hours": "2", "least": "1500", "reason": ""}).status_code == 200
    assert not RunwayBar.objects.exists()
    client.post(address, {"hours": "2", "least": "1500", "reason": "weekends are busy"})
    assert runway(first).is_low
    record = AuditRecord.objects.latest("id")
    assert (record.actor, record.action, record.after) == (
        carol,
        "gate.runway_bar_set",
        {"hours": 2, "least": "1500"},
    )


def waiting(account: VenueAccount, status: str, price: str, quantity: str) -> None:
    market = make_market() if not Order.objects.exists() else Order.objects.earliest("id").market
    alice = Order.objects.earliest("id").user if Order.objects.exists() else make_user()
    terms: dict[str, Any] = {"side": "BUY", "type": "LIMIT", "price": D(price), "quantity": D(quantity)}
    fields: dict[str, Any] = {"fee_bps": 10, "maker_fee_bps": 10, "request_hash": "x", "nonce": uuid4().hex}
    if status == "WAITING":
        of = {"user": alice, "market": market, "nonce": uuid4().hex, "request_hash": "x", "kind": "OTO"}
        fields |= {"order_list": OrderList.objects.create(**of), "leg": "PENDING"}
    order = Order.objects.create(user=alice, market=market, status=status, **terms, **fields)
    if status == "PENDING":
        sent = {"type": "LIMIT", "price": D(price), "quantity": D(quantity), "client_order_id": uuid4().hex}
        VenueOrder.objects.create(
            order=order,
            venue_account=account,
            timestamp_ms=1,
            recv_window_ms=1,
            send_by=order.created_at,
            **sent,
        )


def test_orders_under_way_and_those_that_wait_for_another_need_it(
    first: VenueAccount, second: VenueAccount
) -> None:
    lies(first, USDT="300")
    lies(second, USDT="300")
    waiting(first, "WAITING", "100", "2.5")
    waiting(second, "PENDING", "100", "3.5")
    assert (runway(first).needed, runway(second).needed) == (D(250), D(350))
    assert (runway(first).is_low, runway(second).is_low) == (False, True)


def test_an_account_that_takes_no_orders_is_nobodys_worry(first: VenueAccount, second: VenueAccount) -> None:
    lies(second, USDT="1")
    leaves(second, "100")
    assert runway(second).is_low
    accounts.disable_account(second.pk, reason="it is being emptied")
    services.watch_prefunding()
    assert not Runway.objects.filter(venue_account=second).exists()


def test_staff_and_the_figures_show_what_lies_where(first: VenueAccount, carol: User, client: Client) -> None:
    lies(first, USDT="300.5")
    leaves(first, "100")
    runway(first)
    client.force_login(carol)
    assert "USDT in primary · running low" in client.get("/admin/").text
    page = client.get(f"/admin/gate/venueaccount/{first.pk}/change/").text
    assert "300.5" in page and "low" in page
    assert "300.5" in client.get("/admin/gate/runway/").text
    figures = client.get("/metrics").text
    assert 'causeway_venue_free{account="primary",asset="USDT"} 300.5' in figures
    assert 'causeway_venue_runway_hours{account="primary",asset="USDT"} 3.0' in figures
    assert 'causeway_venue_low{account="primary",asset="USDT"} 1.0' in figures
