"""Money out, with the venue at its wire: sent once, settled or refunded."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from django.utils import timezone

from accounts import services as accounts
from accounts.errors import SecondFactorMissing, TierTooLow
from accounts.models import User
from exchange.errors import DomainError
from exchange.gate import services as gate
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import InsufficientFunds, KeyReused, StillLocked, WithdrawalDecided
from ledger.models import Account, Hold, LedgerException, Withdrawal
from tests.factories import balance, fund, held_by_the_house, make_user
from tests.ledger.money import (
    APPLY,
    OWN_WALLET,
    SENT,
    approved,
    poll,
    record,
    request,
    sent_record,
    status_of,
    unused_code,
    with_address,
)
from tests.venue import Venue, error


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
    venue.on("POST", APPLY, error(-4007, "The withdrawal address is not valid."))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "FAILED"
    assert balance(rich, "USDT") == (1000, 0)


@pytest.mark.parametrize("code", [-1021, -2015, -4026])
def test_what_is_the_houses_to_mend_waits_and_is_put_before_staff(
    rich: User, venue: Venue, code: int
) -> None:
    venue.on("POST", APPLY, error(code, "No."))
    withdrawal = approved(rich)
    assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("APPROVED", (900, 100))
    assert LedgerException.objects.get().source == "withdrawal waits for the house"
    assert not ledger.send_next_withdrawal()
    assert venue.count("POST", APPLY) == 1
    Withdrawal.objects.update(not_before=timezone.now())
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    assert ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"


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
    Withdrawal.objects.update(moved_at=timezone.now() - timedelta(hours=1))
    ledger.poll_withdrawals()
    ledger.note_overdue_withdrawals()
    assert status_of(withdrawal) == "SENDING"
    assert LedgerException.objects.get().source == "withdrawal overdue"


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


def test_the_customer_takes_it_back_until_it_is_being_sent(rich: User, venue: Venue) -> None:
    first = request(rich)
    ledger.cancel_withdrawal(withdrawal_id=first.pk, user=rich)
    assert balance(rich, "USDT") == (1000, 0)
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    second = approved(rich, nonce="n2")
    ledger.cancel_withdrawal(withdrawal_id=second.pk, user=rich)
    assert balance(rich, "USDT") == (1000, 0)
    third = approved(rich, nonce="n3")
    ledger.send_next_withdrawal()
    with pytest.raises(WithdrawalDecided):
        ledger.cancel_withdrawal(withdrawal_id=third.pk, user=rich)


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
        request(rich, amount=Decimal(1001), beneficiary=OWN_WALLET)
    assert not Withdrawal.objects.exists()


def test_what_is_not_there_or_may_not_leave_uses_up_no_code(rich: User, venue: Venue) -> None:
    code = unused_code(rich)
    with pytest.raises(InsufficientFunds):
        request(rich, amount=Decimal(1001), beneficiary=OWN_WALLET, code=code)
    with_address(rich)
    poll(venue, record(amount="50", status=6))
    with pytest.raises(StillLocked):
        request(rich, amount=Decimal(1001), beneficiary=OWN_WALLET, code=code)
    assert request(rich, code=code).status == Withdrawal.Status.AWAITING


def test_who_has_no_second_factor_or_no_tier_does_not_withdraw(depositor: User) -> None:
    fund(depositor, "USDT", "100")
    with pytest.raises(SecondFactorMissing):
        request(depositor)
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
