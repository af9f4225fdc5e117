"""The exits of withdrawals that got stuck: an empty answer of the venue pays nobody twice."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from exchange.errors import DomainError, Unavailable
from exchange.office.models import Approval
from ledger import services as ledger
from ledger.errors import HistoryOver, HistoryTooLong, VenueKnowsIt, VenueTookIt
from ledger.models import Account, Withdrawal
from tests.factories import balance, held_by_the_house
from tests.ledger.money import APPLY, SENT, approved, sent_record, staff, status_of
from tests.ledger.test_paying_out import granted, overdue, silent
from tests.venue import Venue, error

Answer = Callable[[dict[str, str]], Any]


def sent_days_ago(withdrawal: Withdrawal, days: int) -> None:
    then = timezone.now() - timedelta(days=days)
    Withdrawal.objects.filter(pk=withdrawal.pk).update(sending_at=then, moved_at=then)


def ask(withdrawal: Withdrawal) -> Approval:
    return ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it")


def answered(user: User, venue: Venue) -> Withdrawal:
    """Sent, and the venue gave it an id."""
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(user)
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
    return withdrawal


def test_what_the_venue_gave_an_id_is_not_refunded_however_empty_its_history(
    rich: User, venue: Venue
) -> None:
    withdrawal = answered(rich, venue)
    sent_days_ago(withdrawal, 8)
    venue.on("GET", SENT, (200, []))
    with pytest.raises(VenueTookIt):
        ask(withdrawal)
    assert balance(rich, "USDT") == (900, 100)


def test_a_refund_granted_after_the_venue_gave_an_id_is_not_carried_out(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    asked = ask(withdrawal)
    Withdrawal.objects.filter(pk=withdrawal.pk).update(venue_id="w1")
    granted(asked)
    asked.refresh_from_db()
    assert (asked.status, status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", "SENDING", (900, 100))


DAY_MS = 86_400_000


def answers_within_times(withdrawal: Withdrawal, at: datetime, *, bears_our_id: bool) -> Answer:
    """The venue's rule (binance.md 15): what was sent at that time is told to who asks for a span around it.

    With an order id a span is of seven days at most, else of less than ninety; without one it is the last of them.
    """

    def answer(asked: dict[str, str]) -> Any:
        is_by_id, now_ms = "withdrawOrderId" in asked, int(time.time() * 1000)
        most = 7 * DAY_MS if is_by_id else 90 * DAY_MS - 1
        end = int(asked.get("endTime", now_ms))
        start = int(asked.get("startTime", end - most))
        if end - start > most:
            return error(-1127, "More than allowed between startTime and endTime.")
        is_told = start <= at.timestamp() * 1000 <= end and (bears_our_id or not is_by_id)
        found = sent_record(withdrawal, 6, withdrawOrderId=withdrawal.client_id if bears_our_id else "")
        return 200, [found] if is_told else []

    return answer


@pytest.mark.parametrize("bears_our_id", [True, False])
@pytest.mark.parametrize("days", [1, 8, 88])
def test_one_of_long_ago_is_looked_for_in_the_time_it_was_sent(
    rich: User, venue: Venue, days: int, bears_our_id: bool
) -> None:
    withdrawal = silent(rich, venue)
    sent_days_ago(withdrawal, days)
    status_of(withdrawal)
    assert withdrawal.sending_at is not None
    venue.on("GET", SENT, answers_within_times(withdrawal, withdrawal.sending_at, bears_our_id=bears_our_id))
    with pytest.raises(VenueKnowsIt):
        ask(withdrawal)
    other_time = withdrawal.sending_at + timedelta(days=2)
    venue.on("GET", SENT, answers_within_times(withdrawal, other_time, bears_our_id=bears_our_id))
    assert ask(withdrawal).status == Approval.Status.ASKED


def test_the_time_it_was_sent_is_read_page_by_page(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    rows = [sent_record(withdrawal, 6, id=f"x{n}", withdrawOrderId=f"x{n}") for n in range(1200)]
    rows.append(sent_record(withdrawal, 6))

    def page(asked: dict[str, str]) -> tuple[int, Any]:
        start = int(asked["offset"])
        return 200, [] if "withdrawOrderId" in asked else rows[start : start + int(asked["limit"])]

    venue.on("GET", SENT, page)
    with pytest.raises(VenueKnowsIt):
        ask(withdrawal)


def test_a_record_without_our_id_that_pays_the_same_address_may_be_ours(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 4, withdrawOrderId="")]))
    with pytest.raises(VenueKnowsIt):
        ask(withdrawal)


def test_silence_of_a_venue_that_no_longer_answers_for_that_time_proves_nothing(
    rich: User, venue: Venue
) -> None:
    withdrawal = silent(rich, venue)
    sent_days_ago(withdrawal, 90)
    with pytest.raises(HistoryOver):
        ask(withdrawal)


def test_a_history_that_is_not_read_to_its_end_proves_nothing(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    others = [sent_record(withdrawal, 6, withdrawOrderId=f"x{n}") for n in range(1000)]
    venue.on("GET", SENT, lambda asked: (200, [] if "withdrawOrderId" in asked else others))
    with pytest.raises(HistoryTooLong):
        ask(withdrawal)
    assert not Approval.objects.exists()


def test_the_venue_is_asked_again_before_a_granted_refund_is_carried_out(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    asked = ask(withdrawal)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 4)]))
    granted(asked)
    asked.refresh_from_db()
    assert (asked.status, status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", "SENDING", (900, 100))
    assert "history shows this withdrawal" in asked.outcome
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
    ledger.poll_withdrawals()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("COMPLETED", (900, 0))


def test_a_granted_refund_waits_for_a_venue_that_does_not_answer(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    asked = ask(withdrawal)
    venue.on("GET", SENT, (503, ""))
    granted(asked)
    asked.refresh_from_db()
    assert (asked.status, status_of(withdrawal)) == ("GRANTED", "SENDING")
    venue.on("GET", SENT, (200, []))
    ledger.carry_out_approvals()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", (1000, 0))


# ------------------------------------------------------------------ settled by hand
def pay(withdrawal: Withdrawal, sent: str, fee: str) -> Approval:
    return ledger.ask_paid(
        withdrawal_id=withdrawal.pk,
        tx_id="abc12345",
        sent=Decimal(sent),
        fee=Decimal(fee),
        by=staff(),
        reason="seen",
    )


@pytest.mark.parametrize(
    ("sent", "fee", "field"),
    [("100", "100", "fee"), ("100", "0.000001", "fee"), ("50", "-20", "fee"), ("-1", "1", "sent"), ("0", "1", "sent")],
)  # fmt: skip
def test_what_was_seen_is_no_more_than_was_held(
    rich: User, venue: Venue, sent: str, fee: str, field: str
) -> None:
    withdrawal = silent(rich, venue)
    with pytest.raises(DomainError) as refusal:
        pay(withdrawal, sent, fee)
    assert refusal.value.field == field
    assert not Approval.objects.exists()


def test_more_than_was_held_is_settled_when_the_venue_reported_it(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6, transactionFee="7")]))
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "SENDING"
    with pytest.raises(DomainError):
        pay(withdrawal, "99", "6")
    granted(pay(withdrawal, "99", "7"))
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("COMPLETED", (900, 0))
    assert held_by_the_house(Account.Type.NETWORK_FEES, "USDT") == Decimal(-6)


def test_more_than_was_held_waits_for_a_venue_that_does_not_answer(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    venue.on("GET", SENT, (503, ""))
    with pytest.raises(Unavailable):
        pay(withdrawal, "99", "7")
