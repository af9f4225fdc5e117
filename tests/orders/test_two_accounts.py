"""Two accounts at a paper venue: orders go where the funds are, each is followed and compared by itself, and trading
goes on without one whose key is revoked."""

import io
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from exchange.errors import Unavailable
from exchange.gate import accounts, choosing, inventory, keys, rights
from exchange.gate.models import VenueAccount
from exchange.office.models import Notice
from ledger import queries as books
from ledger import services as ledger
from markets.models import Market
from orders import services
from orders.management.follower import Followers
from orders.models import Fill, Order
from tests.canaries import dump_of, found_in, redis_dump_of
from tests.exchange.paper.people import TRADE, Caller, wait_for
from tests.factories import make_user
from tests.orders.streaming import Scene, scene

D = Decimal


class Two(Scene):
    """The house's BTC lies in the second account, its USDT in both."""

    other: Caller
    second: VenueAccount

    def open_second(self) -> None:
        self.bench.alice.balance("BTC").free = D(1)
        found = self.house.door("account", name="second", funds={"USDT": "50000", "BTC": "20"})
        self.other = Caller(self.url, {"key": found["key"], "secret": found["secret"]})
        account = accounts.add_account("second", reason="more room")
        keys.set_key(account.pk, api_key=found["key"], secret=found["secret"], reason="new")
        accounts.enable_account(account.pk, reason="it is funded")
        self.second = account

    def is_heard(self, account: VenueAccount, since: datetime | None = None) -> bool:
        found = VenueAccount.objects.filter(pk=account.pk, stream_state="SUBSCRIBED")
        return found.filter(stream_changed_at__gt=since).exists() if since else found.exists()

    def ready(self) -> None:
        """Both are heard, and what lies in them is known."""
        wait_for(lambda: self.is_heard(self.account) and self.is_heard(self.second))
        inventory.read_inventories()
        choosing.forget()

    def key(self, **rights: bool) -> None:
        assert "set" in self.house.door("key", key=self.other.key["key"], **rights)

    def differences(self, account: VenueAccount) -> dict[str, Decimal]:
        """What the books say that moved in the account, besides what the venue says."""
        ours, theirs = books.venue_position(account.pk), {}
        caller = self.other if account == self.second else self.house
        for row in caller.signed("GET", "/api/v3/account").json()["balances"]:
            theirs[row["asset"]] = D(row["free"]) + D(row["locked"])
        return {asset: theirs.get(asset, D(0)) - ours.get(asset, D(0)) for asset in ("BTC", "USDT")}


def at(order: Order) -> str:
    return order.venue_orders.get().venue_account.name


@contextmanager
def followed() -> Iterator[None]:
    """The accounts are followed as `manage.py executions` does it."""
    followers, ended = Followers(), threading.Event()

    def run() -> None:
        try:
            while not ended.wait(0.1):
                followers.look()
            followers.end()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The secrets under which keys are sealed, in a file."""
    file = tmp_path / "secrets"
    file.write_text(secrets.token_urlsafe(48))
    return file


@pytest.fixture
def two(committed_db: str, secret: Path, request: pytest.FixtureRequest) -> Iterator[Two]:
    with scene(getattr(request, "param", "ws_api"), VENUE_KEYS_SECRET_FILE=str(secret)) as found, followed():
        found.__class__ = Two
        assert isinstance(found, Two)
        wait_for(lambda: found.is_followed)
        found.open_second()  # while the first is followed
        found.ready()
        yield found


@pytest.mark.parametrize("two", ["ws_api", "listen_key"], indirect=True)
def test_orders_go_where_the_funds_are_and_are_booked_there(two: Two) -> None:
    before = {account: two.differences(account) for account in (two.account, two.second)}
    bought, sold = two.place("BUY", "39000", "0.1"), two.place("SELL", "41000", "5")
    assert (at(bought), at(sold)) == ("primary", "second")
    two.fill(bought)
    two.fill(sold)
    wait_for(lambda: two.is_filled(bought) and two.is_filled(sold))
    assert set(Fill.objects.values_list("order", "venue_account")) == {
        (bought.pk, two.account.pk),
        (sold.pk, two.second.pk),
    }
    assert {account: two.differences(account) for account in before} == before
    assert [run.venue_account for run in ledger.reconcile_all()] == [two.account, two.second]
    assert services.compare_trades().left_out == ()


def test_a_revoked_key_takes_its_account_out_and_trading_goes_on_with_the_other(two: Two) -> None:
    make_user("carol", is_staff=True)
    resting, buys = two.place("SELL", "41000", "5"), 0
    two.key(revoked=True)
    wait_for(lambda: VenueAccount.objects.get(pk=two.second.pk).key_state == "REFUSED")
    assert "second: subscription refused: -2015" in Notice.objects.get(kind="gate.key second").body
    for _order in range(5):
        buys += at(two.place("BUY", "39000", "0.1")) == "primary"
    with pytest.raises(Unavailable, match="cannot be executed at the moment"):
        two.place("SELL", "41000", "4")  # only the other has so much
    canceled = services.cancel_order(user=two.alice, order_id=resting.pk)
    assert (buys, canceled.status, canceled.cancel_requested_at is not None) == (5, "OPEN", True)

    two.key(revoked=False)
    rights.check_due_keys()
    wait_for(lambda: Order.objects.get(pk=resting.pk).status == "CANCELED", 20)  # when it is heard again
    assert at(two.place("SELL", "41000", "4")) == "second"


def test_a_changed_order_stays_in_its_account_and_a_disabled_one_is_let_go_when_it_ended(two: Two) -> None:
    Market.objects.update(abilities=["CANCEL_REPLACE"])
    order = two.place("SELL", "41000", "5")
    accounts.disable_account(two.second.pk, reason="it is being moved")
    changed = services.replace_order(user=two.alice, order_id=order.pk, nonce="changed", price=D(42000))
    assert (at(changed), changed.status) == ("second", "OPEN")
    with pytest.raises(Unavailable):
        two.place("SELL", "41000", "4")
    assert two.is_heard(two.second)
    services.cancel_order(user=two.alice, order_id=changed.pk)
    wait_for(lambda: not two.is_heard(two.second))


def test_another_key_is_followed_without_a_restart(two: Two) -> None:
    new: dict[str, Any] = two.house.door("account", name="third", funds={"BTC": "7"})
    before = timezone.now()
    keys.set_key(two.second.pk, api_key=new["key"], secret=new["secret"], reason="another account there")
    wait_for(lambda: two.is_heard(two.second, since=before))
    inventory.read_inventories()
    choosing.forget()
    order = two.place("SELL", "41000", "6")
    assert at(order) == "second"
    two.fill(order)
    wait_for(lambda: two.is_filled(order))


def test_keys_are_rotated_while_orders_go_on_and_are_nowhere_to_be_read(two: Two, secret: Path) -> None:
    keys.set_key(
        two.account.pk, api_key=TRADE["key"], secret=TRADE["secret"], reason="out of the environment"
    )
    said, canaries = io.StringIO(), [*TRADE.values(), *two.other.key.values()]
    for _turn in range(4):
        canaries.append(secrets.token_urlsafe(48))
        secret.write_text(f"{canaries[-1]}\n{secret.read_text()}")
        call_command("rotate_keys", stdout=said)
        secret.write_text(canaries[-1])
        keys.forget()  # a process that begins knows the newest secret alone
        orders = [two.place("BUY", "39000", "0.1"), two.place("SELL", "41000", "2")]
        assert [(at(order), order.status) for order in orders] == [("primary", "OPEN"), ("second", "OPEN")]
    assert said.getvalue().count("2 sealed anew") == 4
    assert connection.connection is not None
    places = {"database": dump_of(connection.connection), "redis": redis_dump_of(settings.REDIS_URL)}
    assert found_in(places, canaries) == []
    assert (
        found_in(places, [keys.fingerprint_of(two.other.key["key"]).split()[1]]) != []
    )  # it does find what is there
