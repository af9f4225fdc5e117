"""The panic button: everything that can end ends, nobody acts any more, and only the right person unlocks it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.errors import AccountLocked, UnlockedByStaff
from accounts.models import ApiToken, User
from exchange.office.models import AuditRecord, Notice
from exchange.safety import services
from exchange.safety.models import Panic
from ledger import services as ledger
from ledger.models import Withdrawal
from orders import services as orders
from orders.models import Order
from tests.factories import balance, make_market, make_user, publish_book
from tests.ledger.conftest import SENDER, enrich, open_network
from tests.ledger.money import APPLY, approved, confirmed, request, unused_code
from tests.orders.test_placing import no_hold_is_left, place
from tests.safety.conftest import CANCEL, canceled
from tests.venue import Venue


@pytest.fixture
def rich(db: None, venue: Venue) -> Any:
    """alice with a second factor, an open order, and a venue that cancels."""
    open_network(venue)
    make_market()
    publish_book()
    venue.places()
    venue.on(*CANCEL, canceled)
    user = enrich(make_user(), "100000")
    Authenticator.objects.update(created_at=timezone.now() - timedelta(days=1))
    with override_settings(**SENDER):
        yield user


def press(user: User) -> Panic:
    return services.press(user=user, channel="SITE", address="192.0.2.1")


def afterwards(user: User) -> User:
    return User.objects.get(pk=user.pk)


def let_it_settle() -> None:
    Panic.objects.update(pressed_at=timezone.now() - timedelta(minutes=1))


# ------------------------------------------------------------------ what ends
def test_one_press_ends_everything(rich: User) -> None:
    place(rich)
    waiting = [request(rich, nonce="a"), confirmed(rich, nonce="b"), approved(rich, nonce="c")]
    accounts.issue_token(rich, name="bot", can_trade=True)
    browser = Client()
    browser.force_login(rich)
    assert browser.get("/wallet/").status_code == 200
    done = press(rich)
    assert (done.orders, done.withdrawals, done.tokens, done.sessions) == (1, 3, 1, 1)
    assert Order.objects.get().status == "CANCELED"
    assert {Withdrawal.objects.get(pk=one.pk).status for one in waiting} == {"CANCELED"}
    assert (balance(rich, "USDT"), no_hold_is_left()) == ((100_000, 0), True)
    assert browser.get("/wallet/").status_code == 302
    assert not ApiToken.objects.filter(revoked_at__isnull=True).exists()
    assert {one.channel for one in Notice.objects.filter(kind="user.locked")} == {"SITE", "MAIL"}
    record = AuditRecord.objects.get(action="user.locked")
    assert (record.actor, record.address) == (rich, "192.0.2.1")


def test_nobody_trades_or_withdraws_until_it_is_unlocked(rich: User, venue: Venue) -> None:
    press(rich)
    locked = afterwards(rich)
    for act in (lambda: place(locked), lambda: request(locked)):
        with pytest.raises(AccountLocked):
            act()
    accounts.unlock_self(locked, unused_code(locked))
    again = afterwards(rich)
    assert place(again).status == "OPEN"
    assert request(again).status == "AWAITING"


def test_what_is_confirmed_after_the_unlocking_waits_as_after_every_change_of_security(rich: User) -> None:
    press(rich)
    accounts.unlock_self(afterwards(rich), unused_code(rich))
    held = confirmed(afterwards(rich)).not_before
    assert held is not None and held > timezone.now() + timedelta(hours=23)


def test_a_withdrawal_that_is_being_sent_goes_its_way(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, requests.exceptions.ReadTimeout())
    sent = approved(rich)
    ledger.send_next_withdrawal()
    assert press(rich).withdrawals == 0
    assert Withdrawal.objects.get(pk=sent.pk).status == "SENDING"


def test_while_the_venue_is_away_the_account_is_locked_and_the_orders_end_later(
    rich: User, venue: Venue, settings: Any
) -> None:
    settings.SWEEP_SECONDS = 0
    place(rich)
    venue.on(*CANCEL, requests.ConnectionError("away"))
    venue.on("GET", "/api/v3/order", requests.ConnectionError("away"))
    assert press(rich).orders == 1
    assert afterwards(rich).is_locked
    assert Order.objects.get().status == "OPEN"
    venue.on(*CANCEL, canceled)
    venue.knows(status="NEW")
    orders.resolve_pending()
    assert (Order.objects.get().status, no_hold_is_left()) == ("CANCELED", True)


def test_an_order_that_was_under_way_when_it_was_pressed_ends_too(rich: User) -> None:
    """It was past the question who may trade, and was on record only afterwards."""
    press(rich)
    User.objects.update(locked_at=None)
    place(rich)
    User.objects.update(locked_at=timezone.now())
    assert services.finish_panics() == 0  # a moment is left to whatever is under way
    let_it_settle()
    assert services.finish_panics() == 1
    assert Order.objects.get().status == "CANCELED"
    assert Panic.objects.get().finished_at is not None
    assert services.finish_panics() == 0


def test_a_withdrawal_that_did_not_leave_after_all_is_taken_back_later(rich: User, venue: Venue) -> None:
    """It was being sent when the button was pressed, and the venue was never reached."""
    asked = approved(rich)
    Withdrawal.objects.filter(pk=asked.pk).update(status="SENDING")
    press(rich)
    Withdrawal.objects.filter(pk=asked.pk).update(status="APPROVED")
    let_it_settle()
    services.finish_panics()
    assert Withdrawal.objects.get(pk=asked.pk).status == "CANCELED"
    assert Panic.objects.get().withdrawals == 1


def test_pressing_twice_is_as_good_as_once(rich: User) -> None:
    place(rich)
    first = press(rich)
    since = afterwards(rich).locked_at
    second = press(rich)
    assert (first.orders, second.orders, afterwards(rich).locked_at) == (1, 0, since)


# ------------------------------------------------------------------ who unlocks it
def test_an_app_that_was_set_up_after_the_lock_unlocks_nothing(rich: User) -> None:
    press(rich)
    Authenticator.objects.all().delete()
    TOTP.activate(rich, generate_totp_secret())
    with pytest.raises(UnlockedByStaff):
        accounts.unlock_self(afterwards(rich), "123456")
    assert afterwards(rich).is_locked


def test_without_an_app_staff_unlock_it_with_a_reason(db: None, client: Client) -> None:
    alice = make_user()
    press(alice)
    with pytest.raises(UnlockedByStaff):
        accounts.unlock_self(afterwards(alice), "123456")
    carol = make_user("carol", is_staff=True, is_superuser=True)
    client.force_login(carol)
    page = client.get(f"/admin/accounts/user/{alice.pk}/change/").content.decode()
    assert "locked by the panic button" in page
    address = f"/admin/accounts/user/{alice.pk}/unlock/"
    assert client.post(address, {"reason": ""}).status_code == 200
    assert afterwards(alice).is_locked
    client.post(address, {"reason": "seen the passport"})
    assert not afterwards(alice).is_locked
    assert AuditRecord.objects.get(action="user.unlocked").reason == "seen the passport"
    assert f"?q={alice.email.replace('@', '%40')}" in page
    assert client.get("/admin/safety/panic/").status_code == 200
    assert client.get("/admin/safety/countdown/").status_code == 200


# ------------------------------------------------------------------ pages and API
def test_the_page_tells_what_it_does_and_what_it_did(rich: User, client: Client) -> None:
    place(rich)
    client.force_login(rich)
    assert "/security/panic/" in client.get("/security/").content.decode()
    assert "Lock everything" in client.get("/security/panic/").content.decode()
    pressed = client.post("/security/panic/")
    assert "Your account is locked" in pressed.content.decode()
    assert client.get("/security/").status_code == 302
    client.force_login(afterwards(rich))
    for path in ("/security/", "/wallet/", "/wallet/withdraw/", "/orders/", "/convert/"):
        page = client.get(path).content.decode()
        assert page.count("You have locked your account.") == 1 and "/security/unlock/" in page, path
    ticket = client.get("/trade/BTCUSDT/").content.decode()
    assert ticket.count("You have locked your account.") == 1 and "/security/unlock/" in ticket
    assert "Unlock" in client.get("/security/unlock/").content.decode()
    wrong = client.post("/security/unlock/", {"code": "000000"})
    assert (wrong.status_code, "not right" in wrong.content.decode()) == (400, True)
    client.post("/security/unlock/", {"code": unused_code(rich)})
    assert not afterwards(rich).is_locked
    assert client.get("/security/unlock/").status_code == 302


def test_a_program_presses_it_and_is_out(rich: User) -> None:
    place(rich)
    _token, secret = accounts.issue_token(rich, name="bot", can_trade=True)
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    for body in ({}, {"confirm": False}, {"confirm": True, "now": 1}):
        assert program.post("/api/v1/panic/", body, format="json").status_code == 400
    assert not afterwards(rich).is_locked
    answer = program.post("/api/v1/panic/", {"confirm": True}, format="json")
    assert (answer.status_code, answer.json()["orders"], answer.json()["tokens"]) == (200, 1, 1)
    assert program.get("/api/v1/me/").status_code == 401
    app = APIClient()
    app.force_login(afterwards(rich))
    assert app.get("/api/v1/me/").json()["is_locked"] is True
    refused = app.post("/api/v1/panic/unlock/", {"code": "000000"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (400, "wrong_code")
    assert app.post("/api/v1/panic/unlock/", {"code": unused_code(rich)}, format="json").status_code == 200
    assert not afterwards(rich).is_locked


def test_a_token_that_only_reads_locks_nothing(rich: User) -> None:
    _token, secret = accounts.issue_token(rich, name="reader")
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert program.post("/api/v1/panic/", {"confirm": True}, format="json").status_code == 403
    assert place(rich).quantity == Decimal(1)
