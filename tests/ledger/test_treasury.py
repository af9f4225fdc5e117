"""Money in and money out, with the venue at its wire: credited once, sent once, refunded or settled."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import override_settings
from django.utils import timezone

from accounts import services as accounts
from accounts.errors import SecondFactorMissing, TierTooLow
from accounts.models import User
from exchange.errors import DomainError
from exchange.gate import services as gate
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import InsufficientFunds, KeyReused, NoOwnAddress, WithdrawalDecided
from ledger.models import Account, Deposit, Hold, LedgerException, Network, Withdrawal
from markets.models import Asset
from tests.factories import balance, fund, held_by_the_house, make_user, venue_account
from tests.venue import Venue, error

ADDRESS = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"
CONFIG = [
    {
        "coin": "USDT",
        "name": "TetherUS",
        "networkList": [
            {
                "network": "TRX", "name": "Tron (TRC20)", "isDefault": True, "depositEnable": True,
                "withdrawEnable": True,
                "addressRegex": "^T[1-9A-HJ-NP-Za-km-z]{33}$", "memoRegex": "", "withdrawFee": "1", "withdrawMin": "10",
                "withdrawMax": "9999999", "withdrawIntegerMultiple": "0.000001", "minConfirm": 1, "unLockConfirm": 0,
            }
        ],
    },
    {"coin": "NOTLISTED", "networkList": []},
]  # fmt: skip
HISTORY, SUB_HISTORY = "/sapi/v1/capital/deposit/hisrec", "/sapi/v1/capital/deposit/subHisrec"
APPLY, SENT = "/sapi/v1/capital/withdraw/apply", "/sapi/v1/capital/withdraw/history"
TRANSFER = "/sapi/v1/sub-account/universalTransfer"


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A final deposit of 100 USDT to alice's address."""
    return {
        "id": str(number), "amount": "100", "coin": "USDT", "network": "TRX", "status": 1, "address": "T-alice",
        "addressTag": "", "txId": f"tx{number}", "insertTime": 1_700_000_000_000, "confirmTimes": "1/1", **changes,
    }  # fmt: skip


@pytest.fixture
def network(db: None, venue: Venue) -> Network:
    Asset.objects.create(code="USDT")
    venue_account()
    venue.on("GET", "/sapi/v1/capital/config/getall", (200, CONFIG))
    venue.on("GET", HISTORY, (200, []))
    venue.on("GET", TRANSFER, (200, {"result": [], "totalCount": 0}))
    venue.on("POST", TRANSFER, (200, {"tranId": 1, "clientTranId": "x"}))
    assert ledger.synchronise_networks() == 1
    return Network.objects.get()


@pytest.fixture
def alice(network: Network, venue: Venue) -> User:
    venue.on("POST", "/sapi/v1/sub-account/virtualSubAccount", (200, {"email": "alice@sub.example"}))
    address = {"coin": "USDT", "address": "T-alice", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/subAddress", (200, address))
    return make_user()


def poll(venue: Venue, *records: dict[str, Any]) -> None:
    venue.on("GET", SUB_HISTORY, (200, list(records)))
    ledger.poll_deposits()


def with_address(user: User) -> User:
    ledger.deposit_address(user=user, asset="USDT", network="TRX")
    return user


# ------------------------------------------------------------------ deposits
def test_a_final_deposit_is_credited_once_however_often_it_is_seen(alice: User, venue: Venue) -> None:
    with_address(alice)
    for _time in range(5):
        poll(venue, record())
    assert balance(alice, "USDT") == (100, 0)
    assert Deposit.objects.get().status == "CREDITED"


def test_it_is_swept_to_the_trading_account_once(alice: User, venue: Venue) -> None:
    with_address(alice)
    for _time in range(3):
        poll(venue, record())
    assert venue.count("POST", TRANSFER) == 1
    assert held_by_the_house(Account.Type.VENUE, "USDT") == -100
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0


def test_a_sweep_without_an_answer_is_looked_up_and_not_repeated(alice: User, venue: Venue) -> None:
    with_address(alice)
    venue.on("POST", TRANSFER, (504, ""))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == -100
    venue.on("GET", TRANSFER, (200, {"result": [{"status": "SUCCESS", "tranId": 1}], "totalCount": 1}))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0
    assert venue.count("POST", TRANSFER) == 1


@pytest.mark.parametrize("status", [0, 6, 8, 2, 7])
def test_a_deposit_that_is_not_final_is_shown_and_not_credited(
    alice: User, venue: Venue, status: int
) -> None:
    with_address(alice)
    poll(venue, record(status=status, confirmTimes="0/1"))
    assert balance(alice, "USDT") == (0, 0)
    assert Deposit.objects.get().status == ("REJECTED" if status in (2, 7) else "SEEN")


def test_confirmations_grow_until_the_credit(alice: User, venue: Venue) -> None:
    with_address(alice)
    seen = []
    for confirmations, status in (("0/2", 0), ("1/2", 0), ("2/2", 1)):
        poll(venue, record(status=status, confirmTimes=confirmations))
        seen.append((Deposit.objects.get().confirmations, Deposit.objects.get().status))
    assert seen == [("0/2", "SEEN"), ("1/2", "SEEN"), ("2/2", "CREDITED")]


def test_two_outputs_of_one_transaction_are_two_deposits(alice: User, venue: Venue) -> None:
    with_address(alice)
    poll(venue, record(1, txId="same"), record(2, txId="same"))
    assert balance(alice, "USDT") == (200, 0)


def test_money_at_an_address_of_nobody_goes_to_suspense(alice: User, venue: Venue) -> None:
    venue.on("GET", HISTORY, (200, [record(address="T-nobody")]))
    ledger.poll_deposits()
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 100
    assert LedgerException.objects.get().source == "unattributed deposit"
    assert Deposit.objects.get().status == "UNATTRIBUTED"


def test_a_credited_deposit_the_venue_takes_back_is_an_alarm_and_no_silent_change(
    alice: User, venue: Venue
) -> None:
    with_address(alice)
    poll(venue, record())
    poll(venue, record(status=7))
    alice.refresh_from_db()
    assert alice.is_frozen
    assert balance(alice, "USDT") == (100, 0)
    assert LedgerException.objects.get().source == "deposit reversed by the venue"


def test_what_is_finer_than_the_books_stays_at_the_venue(alice: User, venue: Venue) -> None:
    with_address(alice)
    poll(venue, record(amount="1.123456789"))
    assert balance(alice, "USDT") == (Decimal("1.12345678"), 0)


def test_without_sub_accounts_the_pooled_address_belongs_to_one_customer_alone(
    alice: User, venue: Venue
) -> None:
    pooled = {"coin": "USDT", "address": "T-pooled", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/address", (200, pooled))
    with override_settings(DEPOSIT_SUB_ACCOUNTS=False):
        assert ledger.deposit_address(user=alice, asset="USDT", network="TRX").address == "T-pooled"
        with pytest.raises(NoOwnAddress):
            ledger.deposit_address(user=make_user("bob"), asset="USDT", network="TRX")
    venue.on("GET", HISTORY, (200, [record(address="T-pooled")]))
    ledger.poll_deposits()
    assert balance(alice, "USDT") == (100, 0)


@pytest.mark.parametrize("answer", [(404, ""), error(-1, "Not Found", 404), error(-9000, "No.")], ids=str)
def test_a_venue_that_knows_no_sub_accounts_gives_the_pooled_address(
    alice: User, venue: Venue, answer: Any
) -> None:
    venue.on("POST", "/sapi/v1/sub-account/virtualSubAccount", answer)
    pooled = {"coin": "USDT", "address": "T-pooled", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/address", (200, pooled))
    assert ledger.deposit_address(user=alice, asset="USDT", network="TRX").address == "T-pooled"


# ------------------------------------------------------------------ withdrawals
@pytest.fixture
def rich(alice: User, venue: Venue) -> Iterator[User]:
    """alice with 1,000 USDT and a second factor, in the process that may send."""
    fund(alice, "USDT", "1000")
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)
    with override_settings(BINANCE_WITHDRAW_API_KEY="withdraw", BINANCE_WITHDRAW_API_SECRET="secret"):
        yield alice


def unused_code(user: User) -> str:
    """A recovery code; each opens once."""
    return RecoveryCodes(Authenticator.objects.get(user=user, type="recovery_codes")).get_unused_codes()[0]


def request(user: User, **changes: Any) -> Withdrawal:
    wanted: dict[str, Any] = {
        "asset": "USDT", "network": "TRX", "address": ADDRESS, "tag": "", "amount": Decimal(100), "code": "-",
        "nonce": "n1",
    }  # fmt: skip
    if Authenticator.objects.filter(user=user).exists():
        wanted["code"] = unused_code(user)
    return ledger.request_withdrawal(user=user, **{**wanted, **changes})


def approved(user: User) -> Withdrawal:
    carol = User.objects.filter(is_staff=True).first() or make_user("carol", is_staff=True)
    return ledger.approve_withdrawal(withdrawal_id=request(user).pk, by=carol)


def sent_record(withdrawal: Withdrawal, status: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": "w1", "amount": "99", "transactionFee": "1", "coin": "USDT", "status": status, "address": ADDRESS,
        "txId": "tx" if status == 6 else "", "network": "TRX", "withdrawOrderId": withdrawal.client_id, **changes,
    }  # fmt: skip


def status_of(withdrawal: Withdrawal) -> str:
    withdrawal.refresh_from_db()
    return withdrawal.status


def test_a_withdrawal_goes_from_the_hold_to_the_settlement(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(rich)
    assert balance(rich, "USDT") == (900, 100)
    assert ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "COMPLETED"
    assert (withdrawal.tx_id, balance(rich, "USDT")) == ("tx", (900, 0))
    assert held_by_the_house(Account.Type.VENUE, "USDT") == -900


def test_it_is_sent_once_even_when_nobody_answers(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, requests.exceptions.ReadTimeout())
    withdrawal = approved(rich)
    for _time in range(3):
        ledger.send_next_withdrawal()
    assert venue.count("POST", APPLY) == 1
    assert status_of(withdrawal) == "SENDING"
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 4)]))
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "SENT"


def test_a_definite_refusal_gives_the_money_back(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, error(-4026, "Insufficient balance."))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "FAILED"
    assert balance(rich, "USDT") == (1000, 0)


def test_one_that_never_left_is_sent_later(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, error(-1003, "Too much request weight used.", 429))
    withdrawal = approved(rich)
    assert not ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "APPROVED"


def test_a_venue_whose_time_nobody_knows_is_sent_nothing(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    venue.on("GET", "/api/v3/time", (503, ""))
    gate.clock().forget()
    assert not ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "APPROVED"
    assert venue.count("POST", APPLY) == 0


@pytest.mark.parametrize("status", [1, 3, 5])
def test_a_failure_told_later_gives_the_money_back_once(rich: User, venue: Venue, status: int) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    venue.on("GET", SENT, (200, [sent_record(withdrawal, status)]))
    for _time in range(2):
        ledger.poll_withdrawals()
    assert status_of(withdrawal) == "FAILED"
    assert balance(rich, "USDT") == (1000, 0)


def test_one_the_history_does_not_show_is_for_staff_and_never_sent_again(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (504, ""))
    venue.on("GET", SENT, (200, []))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    Withdrawal.objects.update(sending_at=timezone.now() - timedelta(hours=1))
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "SENDING"
    assert LedgerException.objects.get().source == "withdrawal the venue does not show"


def test_a_customer_frozen_after_the_approval_is_not_paid(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    accounts.freeze(rich.pk, "test")
    ledger.send_next_withdrawal()
    assert venue.count("POST", APPLY) == 0
    assert status_of(withdrawal) == "REQUESTED"


def test_a_repeat_is_harmless_and_another_request_under_its_name_is_refused(rich: User) -> None:
    assert request(rich).pk == request(rich).pk
    with pytest.raises(KeyReused):
        request(rich, amount=Decimal(200))
    assert balance(rich, "USDT") == (900, 100)


def test_the_customer_takes_it_back_until_staff_have_decided(rich: User) -> None:
    first = request(rich)
    ledger.cancel_withdrawal(withdrawal_id=first.pk, user=rich)
    assert balance(rich, "USDT") == (1000, 0)
    carol = make_user("carol", is_staff=True)
    second = ledger.approve_withdrawal(withdrawal_id=request(rich, nonce="n2").pk, by=carol)
    with pytest.raises(WithdrawalDecided):
        ledger.cancel_withdrawal(withdrawal_id=second.pk, user=rich)


def test_staff_refuse_with_a_reason_and_nobody_decides_their_own(rich: User) -> None:
    withdrawal = request(rich)
    rich.is_staff = True
    rich.save()
    with pytest.raises(DomainError):
        ledger.approve_withdrawal(withdrawal_id=withdrawal.pk, by=rich)
    carol = make_user("carol", is_staff=True)
    with pytest.raises(DomainError):
        ledger.refuse_withdrawal(withdrawal_id=withdrawal.pk, by=carol, reason=" ")
    ledger.refuse_withdrawal(withdrawal_id=withdrawal.pk, by=carol, reason="unusual")
    assert balance(rich, "USDT") == (1000, 0)


BAD = [
    ({"address": "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"}, "address"),
    ({"address": "T" * 300}, "address"),
    ({"amount": Decimal("9.99")}, "amount"),
    ({"amount": Decimal("10000000")}, "amount"),
    ({"amount": Decimal("10.0000001")}, "amount"),
    ({"network": "ETH"}, "network"),
]


@pytest.mark.parametrize(("changes", "field"), BAD, ids=str)
def test_what_the_network_cannot_carry_is_refused_beside_its_field(
    rich: User, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(DomainError) as refusal:
        request(rich, **changes)
    assert refusal.value.field == field
    assert not Hold.objects.exists()


def test_more_than_there_is_leaves_nothing(rich: User) -> None:
    with pytest.raises(InsufficientFunds):
        request(rich, amount=Decimal(1001))
    assert not Withdrawal.objects.exists()


def test_who_has_no_second_factor_or_no_tier_does_not_withdraw(alice: User) -> None:
    fund(alice, "USDT", "100")
    with pytest.raises(SecondFactorMissing):
        request(alice)
    with pytest.raises(TierTooLow):
        request(make_user("bob", tier=0))


def test_the_books_agree_with_themselves_after_all_of_it(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6, amount="98.5", transactionFee="1.2")]))
    ledger.poll_withdrawals()
    assert books.first_broken_row() == ""
    assert held_by_the_house(Account.Type.FEES, "USDT") == Decimal("0.3")
