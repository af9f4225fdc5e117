"""The customer's word: a link that opens one withdrawal, once, for its owner, as it was asked for."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test import Client, override_settings
from django.utils import timezone

from accounts import services as accounts
from accounts.errors import AccountFrozen
from accounts.models import User
from exchange.errors import DomainError
from exchange.office import services as office
from exchange.office.models import Notice
from ledger import services as ledger
from ledger.errors import (
    ApprovedAlready,
    ConfirmationExpired,
    ConfirmationWrong,
    NeverConfirmed,
    UnknownWithdrawal,
    WithdrawalChanged,
    WithdrawalDecided,
)
from ledger.models import LedgerException, Network, Withdrawal
from markets.models import Asset
from tests.factories import balance, fund, make_user
from tests.ledger.money import (
    ADDRESS,
    APPLY,
    approved,
    confirm,
    confirmed,
    mailed_token,
    request,
    staff,
    status_of,
    unused_code,
)
from tests.venue import Venue

OTHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


def test_the_mail_says_everything_that_is_confirmed(rich: User) -> None:
    withdrawal = request(rich)
    mail = Notice.objects.get(kind="withdrawal.confirm")
    for words in (
        ADDRESS,
        "TRX",
        "99 USDT",
        "100 less a fee of 1",
        f"/wallet/withdrawals/{withdrawal.pk}/confirm/",
    ):
        assert words in mail.body
    assert mail.to == rich.email
    assert mailed_token(withdrawal) not in str(Withdrawal.objects.values().get())


def test_staff_read_the_word_only_where_no_mail_leaves(rich: User, client: Client) -> None:
    token = mailed_token(request(rich))
    page = f"/admin/office/notice/{Notice.objects.get(kind='withdrawal.confirm').pk}/change/"
    client.force_login(make_user("carol", is_staff=True, is_superuser=True))
    with override_settings(EMAIL_HOST="mail.example"):
        assert token not in client.get(page).text
    with override_settings(EMAIL_HOST=""):
        assert token in client.get(page).text


def test_nothing_goes_on_without_the_customers_word(rich: User, venue: Venue) -> None:
    withdrawal = request(rich)
    with pytest.raises(WithdrawalDecided):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("AWAITING", 0)
    assert balance(rich, "USDT") == (900, 100)


def another_mans(rich: User) -> str:
    bob = make_user("bob")
    return mailed_token(request_of(bob))


def request_of(user: User) -> Withdrawal:
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    fund(user, "USDT", "500")
    return request(user)


WRONG: dict[str, Callable[[User], str]] = {
    "none": lambda rich: "",
    "spaces": lambda rich: "   ",
    "made up": lambda rich: "x" * 43,
    "of another withdrawal": lambda rich: mailed_token(request(rich, nonce="n2")),
    "of another customer": another_mans,
    "the seal itself": lambda rich: Withdrawal.objects.get(nonce="n1").token_digest,
}


@pytest.mark.parametrize("kind", WRONG)
def test_any_other_word_is_refused(rich: User, kind: str) -> None:
    withdrawal = request(rich)
    with pytest.raises(ConfirmationWrong) as refusal:
        ledger.confirm_withdrawal(withdrawal_id=withdrawal.pk, user=rich, token=WRONG[kind](rich))
    assert (refusal.value.field, status_of(withdrawal)) == ("token", "AWAITING")


def test_the_right_word_from_somebody_else_finds_nothing(rich: User) -> None:
    withdrawal = request(rich)
    with pytest.raises(UnknownWithdrawal):
        ledger.confirm_withdrawal(
            withdrawal_id=withdrawal.pk, user=make_user("bob"), token=mailed_token(withdrawal)
        )


def test_a_word_counts_once(rich: User) -> None:
    withdrawal = request(rich)
    token = mailed_token(withdrawal)
    confirm(withdrawal)
    with pytest.raises(WithdrawalDecided):
        ledger.confirm_withdrawal(withdrawal_id=withdrawal.pk, user=rich, token=token)


def test_an_old_word_is_refused_and_the_sweep_gives_the_money_back(rich: User) -> None:
    withdrawal = request(rich)
    token = mailed_token(withdrawal)
    Withdrawal.objects.update(confirm_by=timezone.now())
    with pytest.raises(ConfirmationExpired):
        ledger.confirm_withdrawal(withdrawal_id=withdrawal.pk, user=rich, token=token)
    assert [ledger.expire_withdrawals() for _time in range(2)] == [1, 0]
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("EXPIRED", (1000, 0))


def test_a_customer_frozen_meanwhile_confirms_nothing(rich: User) -> None:
    withdrawal = request(rich)
    accounts.freeze(rich.pk, "test")
    with pytest.raises(AccountFrozen):
        confirm(withdrawal)


# ------------------------------------------------------------------ the second factor cannot be left out
def others_code(rich: User) -> str:
    bob = make_user("bob")
    TOTP.activate(bob, generate_totp_secret())
    RecoveryCodes.activate(bob)
    return unused_code(bob)


def used_code(rich: User) -> str:
    code = unused_code(rich)
    accounts.require_second_factor(rich, code)
    return code


CODES: dict[str, Callable[[User], Any]] = {
    "none": lambda rich: None,
    "empty": lambda rich: "",
    "spaces": lambda rich: "  ",
    "made up": lambda rich: "000000",
    "a list": lambda rich: ["000000"],
    "used before": used_code,
    "another customer's": others_code,
}


@pytest.mark.parametrize("kind", CODES)
def test_no_request_passes_without_a_code_of_ones_own_that_was_not_used(
    rich: User, client: Client, kind: str
) -> None:
    client.force_login(rich)
    asked = {
        "asset": "USDT", "network": "TRX", "address": ADDRESS, "amount": "100", "fee": "1", "nonce": "n1",
        "code": CODES[kind](rich),
    }  # fmt: skip
    if asked["code"] is None:
        del asked["code"]
    answer = client.post("/api/v1/withdrawals/", asked, content_type="application/json")
    assert (answer.status_code, answer.json()["field"]) == (400, "code")
    assert balance(rich, "USDT") == (1000, 0)


# ------------------------------------------------------------------ the same by HTTP, steps in any order
@pytest.fixture
def phone(rich: User, client: Client) -> Client:
    client.force_login(rich)
    return client


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"token": ""},
        {"token": None},
        {"token": ["x"]},
        {"token": "x" * 101},
        {"code": "123456"},
        {"token": "x", "code": "123456"},
    ],
)
def test_the_endpoint_takes_nothing_but_the_mailed_word(
    phone: Client, rich: User, body: dict[str, Any]
) -> None:
    withdrawal = request(rich)
    answer = phone.post(
        f"/api/v1/withdrawals/{withdrawal.pk}/confirm/", body, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["field"]) == (400, "code" if "code" in body else "token")
    assert status_of(withdrawal) == "AWAITING"


def test_the_endpoint_confirms_once(phone: Client, rich: User) -> None:
    withdrawal = request(rich)
    body, path = {"token": mailed_token(withdrawal)}, f"/api/v1/withdrawals/{withdrawal.pk}/confirm/"
    answers = [phone.post(path, body, content_type="application/json") for _time in range(2)]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[0].json()["status"] == "REQUESTED"


def test_somebody_elses_withdrawal_is_not_there_for_any_step(rich: User, client: Client) -> None:
    withdrawal = request(rich)
    client.force_login(make_user("bob"))
    token = {"token": mailed_token(withdrawal)}
    for step in ("confirm", "cancel"):
        answer = client.post(
            f"/api/v1/withdrawals/{withdrawal.pk}/{step}/", token, content_type="application/json"
        )
        assert answer.status_code == 404
        assert client.post(
            f"/wallet/withdrawals/{withdrawal.pk}/{step}/", token, follow=True
        ).status_code in (
            200,
            404,
        )
    assert client.get(f"/wallet/withdrawals/{withdrawal.pk}/").status_code == 404
    assert status_of(withdrawal) == "AWAITING"


def test_looking_at_the_link_changes_nothing_and_the_button_confirms(phone: Client, rich: User) -> None:
    withdrawal = request(rich)
    mail = Notice.objects.get(kind="withdrawal.confirm").body
    link = re.search(r"http://testserver(\S+)", mail)
    assert link
    page = phone.get(link.group(1)).text
    assert status_of(withdrawal) == "AWAITING"
    hidden = re.search(r'name="token" value="([^"]+)"', page)
    assert hidden and all(end in page for end in (ADDRESS[:6], ADDRESS[-6:]))
    done = phone.post(
        f"/wallet/withdrawals/{withdrawal.pk}/confirm/", {"token": hidden.group(1)}, follow=True
    )
    assert "Waiting for our staff" in done.text


def test_the_link_asks_who_is_there(rich: User, client: Client) -> None:
    withdrawal = request(rich)
    answer = client.get(f"/wallet/withdrawals/{withdrawal.pk}/confirm/?token=x")
    assert answer.headers["Location"].startswith("/accounts/login/")


# ------------------------------------------------------------------ rows changed behind our back
CHANGES = {
    "address": f"address = '{OTHER}'",
    "amount": "amount = amount + 1",
    "tag": "tag = '7'",
    "network": "network_id = (SELECT id FROM ledger_network WHERE code = 'OTHER')",
    "fee": "fee = 0.5",
    "asset": "asset_id = 'BTC'",
    "people": "needs = 0",
    "seal": "seal = ''",
}


def tamper(owner: psycopg.Connection, change: str, withdrawal: Withdrawal) -> None:
    """Somebody rules the database: the laws are switched off and the row is changed."""
    owner.execute("ALTER TABLE ledger_withdrawal DISABLE TRIGGER USER")
    owner.execute(f"UPDATE ledger_withdrawal SET {change} WHERE id = %s", [withdrawal.pk])
    owner.execute("ALTER TABLE ledger_withdrawal ENABLE TRIGGER USER")


def test_what_was_changed_after_the_confirmation_is_not_sent_but_told(
    really_rich: User, venue: Venue, owner: psycopg.Connection
) -> None:
    Asset.objects.create(code="BTC")
    Network.objects.create(asset_id="USDT", code="OTHER", withdraw_enabled=True)
    stopped = []
    for name, change in CHANGES.items():
        withdrawal = approved(really_rich, nonce=name)
        tamper(owner, change, withdrawal)
        ledger.send_next_withdrawal()
        stopped.append(status_of(withdrawal))
    assert set(stopped) == {"STOPPED"}
    assert venue.count("POST", APPLY) == 0
    assert LedgerException.objects.filter(source="withdrawal not as it was confirmed").count() == len(CHANGES)


def test_what_was_changed_before_the_confirmation_cannot_be_confirmed(
    really_rich: User, owner: psycopg.Connection
) -> None:
    withdrawal = request(really_rich)
    tamper(owner, f"address = '{OTHER}'", withdrawal)
    with pytest.raises(ConfirmationWrong):
        confirm(withdrawal)


def test_a_confirmation_cannot_be_skipped_by_changing_the_state(
    really_rich: User, venue: Venue, owner: psycopg.Connection
) -> None:
    withdrawal = request(really_rich)
    tamper(owner, "status = 'APPROVED', confirmed_at = now(), needs = 0", withdrawal)
    ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("STOPPED", 0)


def test_a_negative_balance_anywhere_stops_everything_and_is_told(
    really_rich: User, venue: Venue, owner: psycopg.Connection
) -> None:
    withdrawal = approved(really_rich)
    bob = make_user("bob")
    fund(bob, "USDT", "1")
    owner.execute("ALTER TABLE ledger_balance DROP CONSTRAINT balance_available_not_negative")
    owner.execute(
        "UPDATE ledger_balance SET available = -1 FROM ledger_account a WHERE a.id = account_id AND a.owner_id = %s",
        [bob.pk],
    )
    assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("APPROVED", 0)
    assert LedgerException.objects.get().source == "negative balance"


def test_what_was_stopped_is_given_back_by_four_eyes(
    really_rich: User, venue: Venue, owner: psycopg.Connection
) -> None:
    withdrawal = approved(really_rich)
    tamper(owner, f"address = '{OTHER}'", withdrawal)
    ledger.send_next_withdrawal()
    with pytest.raises(WithdrawalDecided):
        ledger.refuse_withdrawal(withdrawal_id=withdrawal.pk, by=staff(), reason="no")
    asked = ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="tampered with")
    assert status_of(withdrawal) == "STOPPED"
    office.grant(asked.pk, by=staff("dave"))
    ledger.carry_out_approvals()
    assert (status_of(withdrawal), balance(really_rich, "USDT")) == ("REFUSED", (30000, 0))


# ------------------------------------------------------------------ the laws of the table
@pytest.mark.parametrize(
    "change",
    [
        "address = 'x'",
        "amount = 5",
        "fee = 0",
        "status = 'COMPLETED'",
        "status = 'SENDING'",
        "status = 'APPROVED'",
    ],
)
def test_the_database_lets_no_step_be_skipped_and_nothing_be_rewritten(rich: User, change: str) -> None:
    request(rich)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE ledger_withdrawal SET {change}")


def test_the_database_wants_as_many_people_as_it_needs(rich: User) -> None:
    confirmed(rich)
    with pytest.raises(IntegrityError, match="too few"), transaction.atomic():
        Withdrawal.objects.update(status="APPROVED")


@pytest.mark.parametrize("table", ["ledger_withdrawal", "ledger_savedaddress", "ledger_withdrawalterms"])
def test_the_application_deletes_no_withdrawal_and_no_address(rich: User, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(f"DELETE FROM {table}")


# ------------------------------------------------------------------ two people
@override_settings(WITHDRAWAL_TWO_PEOPLE_ABOVE=Decimal(50))
def test_above_the_limit_two_people_decide_and_neither_is_the_customer(rich: User, venue: Venue) -> None:
    withdrawal = confirmed(rich)
    carol, dave = staff(), staff("dave")
    ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=carol)
    assert (withdrawal.needs, status_of(withdrawal)) == (2, "REQUESTED")
    with pytest.raises(ApprovedAlready):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=carol)
    rich.is_staff = True
    rich.save()
    with pytest.raises(DomainError):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=rich)
    ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=dave)
    assert status_of(withdrawal) == "APPROVED"


def test_staff_cannot_approve_what_was_changed(really_rich: User, owner: psycopg.Connection) -> None:
    withdrawal = confirmed(really_rich)
    tamper(owner, f"address = '{OTHER}'", withdrawal)
    with pytest.raises(WithdrawalChanged):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    assert (status_of(withdrawal), withdrawal.approvals.count()) == ("STOPPED", 0)
    assert LedgerException.objects.get().source == "withdrawal not as it was confirmed"


def test_staff_refuse_what_was_asked_for_before_there_were_confirmations(
    really_rich: User, owner: psycopg.Connection
) -> None:
    withdrawal = confirmed(really_rich)
    tamper(owner, "seal = ''", withdrawal)
    with pytest.raises(NeverConfirmed):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=staff())
    ledger.refuse_withdrawal(withdrawal_id=withdrawal.pk, by=staff(), reason="ask anew")
    assert balance(really_rich, "USDT") == (30000, 0)
