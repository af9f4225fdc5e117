"""A day of the venue's history against ours: every deposit and withdrawal, record by record."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from exchange.gate.models import VenueAccount
from exchange.office import services as office
from ledger import services as ledger
from ledger.models import Account, Deposit, HistoryCheck, LedgerException, SubAccount, Withdrawal
from ledger.services.history import MOST_DAYS, past_days
from tests.factories import held_by_the_house, make_user, venue_account
from tests.ledger.money import (
    HISTORY,
    SENT,
    SUB_HISTORY,
    approved,
    brought_to,
    page_of,
    poll,
    record,
    sent_record,
    with_address,
)
from tests.ledger.runs import ask_closing
from tests.venue import Venue, error, has_counted

DAY = date(2023, 11, 14)  # of the records' insertTime
NOON = datetime(2023, 11, 14, 12, tzinfo=UTC)
D = Decimal
AGREED = ledger.Comparison()
LATEST = past_days(timezone.now())[-1]


@pytest.fixture(autouse=True)
def quiet(funded: User, venue: Venue) -> None:
    venue.on("GET", SENT, (200, []))
    venue.on("GET", SUB_HISTORY, (200, []))


@pytest.fixture
def credited(funded: User, venue: Venue) -> Deposit:
    with_address(funded)
    poll(venue, record(1))
    Deposit.objects.update(seen_at=NOON)
    SubAccount.objects.update(created_at=NOON)
    return Deposit.objects.get()


@pytest.fixture
def completed(funded: User, venue: Venue) -> Withdrawal:
    row = approved(funded)
    brought_to(row, "SENT", NOON)
    venue.on("GET", SENT, (200, [sent_record(row, 6)]))
    ledger.poll_withdrawals()
    row.refresh_from_db()
    return row


def found() -> list[tuple[str, str | None, Decimal | None]]:
    rows = LedgerException.objects.filter(key__contains="history").order_by("id")
    return [(row.source, row.asset_id, row.amount and row.amount.normalize()) for row in rows]


def test_what_both_have_alike_is_no_finding(credited: Deposit, completed: Withdrawal) -> None:
    assert ledger.compare_history(day=DAY) == AGREED
    checks = {check.part: (check.compared, check.differing) for check in HistoryCheck.objects.all()}
    place = f"deposits:{credited.sub_account_id}"
    assert checks == {"deposits": (0, 0), place: (1, 0), "withdrawals": (1, 0)}


def test_a_deposit_missing_here_and_one_missing_there_are_found(credited: Deposit, venue: Venue) -> None:
    venue.on("GET", SUB_HISTORY, (200, [record(2, amount="7")]))
    assert ledger.compare_history(day=DAY) == ledger.Comparison(2)
    assert found() == [
        ("deposit differs from the venue's", "USDT", D(7)),
        ("deposit the venue does not show", "USDT", D(-100)),
    ]


@pytest.mark.parametrize("was_swept", [True, False])
def test_the_posting_for_a_deposit_missing_there_is_where_the_deposit_lies(
    credited: Deposit, venue: Venue, was_swept: bool
) -> None:
    if not was_swept:
        Deposit.objects.update(swept_at=None)
    venue.on("GET", SUB_HISTORY, (200, []))
    ledger.compare_history(day=DAY)
    place = f"VENUE:{credited.venue_account_id}:USDT" if was_swept else "CUSTODY::USDT"
    assert LedgerException.objects.get().suggestion == [[place, "S", "100"], ["SUSPENSE::USDT", "S", "-100"]]


def test_a_deposit_of_another_amount_is_found(credited: Deposit, venue: Venue) -> None:
    venue.on("GET", SUB_HISTORY, (200, [record(1, amount="99.99999999")]))
    ledger.compare_history(day=DAY)
    assert found() == [("deposit differs from the venue's", "USDT", D("-0.00000001"))]


@pytest.mark.parametrize("status", [0, 2, 7])
def test_a_deposit_the_venue_did_not_credit_needs_no_row_here(venue: Venue, status: int) -> None:
    venue.on("GET", HISTORY, (200, [record(9, status=status)]))
    assert ledger.compare_history(day=DAY) == AGREED


def test_a_withdrawal_nobody_here_asked_for_is_an_alarm(completed: Withdrawal, venue: Venue) -> None:
    stolen = sent_record(completed, 6, id="w2", withdrawOrderId="", amount="499")
    venue.on("GET", SENT, (200, [sent_record(completed, 6), stolen]))
    ledger.compare_history(day=DAY)
    assert found() == [("withdrawal nobody here asked for", "USDT", D(-500))]


def test_a_withdrawal_that_took_more_than_was_booked_is_found_and_can_be_booked(
    carol: User, dave: User, completed: Withdrawal, venue: Venue
) -> None:
    venue.on("GET", SENT, (200, [sent_record(completed, 6, transactionFee="1.5")]))
    ledger.compare_history(day=DAY)
    assert found() == [("withdrawal differs from the venue's", "USDT", D("-0.5"))]
    office.grant(ask_closing(LedgerException.objects.get(), carol), by=dave)
    ledger.carry_out_approvals()
    assert held_by_the_house(Account.Type.VENUE, "USDT") == D("-899.5")
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == D("-0.5")


def test_a_completed_withdrawal_the_venue_does_not_show_is_found(completed: Withdrawal, venue: Venue) -> None:
    venue.on("GET", SENT, (200, []))
    ledger.compare_history(day=DAY)
    assert found() == [("withdrawal the venue does not show", "USDT", D(100))]


def test_a_finding_is_put_before_staff_once(completed: Withdrawal, venue: Venue) -> None:
    venue.on("GET", SENT, (200, []))
    for _time in range(2):
        ledger.compare_history(day=DAY)
    assert len(found()) == 1


def test_every_page_of_the_history_is_read(credited: Deposit, venue: Venue) -> None:
    many = [*(record(number, status=2) for number in range(10, 1010)), record(1)]
    venue.on("GET", SUB_HISTORY, lambda asked: (200, page_of(many, asked)))
    assert ledger.compare_history(day=DAY) == AGREED


def test_withdrawals_of_every_page_are_compared_once(completed: Withdrawal, venue: Venue) -> None:
    failed = [
        sent_record(completed, 5, id=f"f{number}", withdrawOrderId=f"f{number}") for number in range(1000)
    ]
    venue.on("GET", SENT, lambda asked: (200, page_of([*failed, sent_record(completed, 6)], asked)))
    assert ledger.compare_history(day=DAY) == AGREED
    assert HistoryCheck.objects.get(part="withdrawals").compared == 1001


def test_a_sub_account_that_was_compared_is_not_asked_again_because_another_was_not(
    credited: Deposit, venue: Venue
) -> None:
    bobs = {"user": make_user("bob"), "venue_account": venue_account(), "name": "bob"}
    bob = SubAccount.objects.create(**bobs, email="bob@sub.example")
    SubAccount.objects.update(created_at=NOON)
    has_counted(0)
    venue.on("GET", SUB_HISTORY, the_last_before_the_weight_is_used)
    ledger.compare_history()
    parts = HistoryCheck.objects.order_by("id").values_list("part", flat=True)
    assert list(parts) == ["deposits", f"deposits:{credited.sub_account_id}"]
    has_counted(0)
    venue.on("GET", SUB_HISTORY, (200, []))
    asked = venue.count("GET", SUB_HISTORY)
    ledger.compare_history()
    assert HistoryCheck.objects.filter(part=f"deposits:{bob.pk}").count() == 3
    assert venue.count("GET", SUB_HISTORY) == asked + 5


def the_last_before_the_weight_is_used(_asked: object) -> tuple[int, list[object]]:
    has_counted(5000)
    return 200, []


def test_each_past_day_is_compared_once(venue: Venue) -> None:
    ledger.compare_history()
    asked = venue.count("GET", SENT)
    ledger.compare_history()
    assert (asked, venue.count("GET", SENT), HistoryCheck.objects.count()) == (3, 3, 6)


def test_the_past_waits_while_others_need_the_weight(venue: Venue) -> None:
    has_counted(5000)
    ledger.compare_history()
    assert not HistoryCheck.objects.exists()
    has_counted(100)
    ledger.compare_history()
    assert HistoryCheck.objects.count() == 6


def test_a_day_is_compared_when_it_is_over_and_settled() -> None:
    midnight = datetime(2026, 3, 5, tzinfo=UTC)
    assert past_days(midnight + timedelta(minutes=59))[-1] == date(2026, 3, 3)
    assert past_days(midnight + timedelta(minutes=61))[-1] == date(2026, 3, 4)


# ------------------------------------------------------------------ what could not be compared
def test_what_could_not_be_compared_is_no_agreement(completed: Withdrawal, venue: Venue) -> None:
    venue.on("GET", SENT, error(-9000, "not now"))
    assert ledger.compare_history(day=DAY) == ledger.Comparison(0, (f"{DAY} withdrawals",))
    with pytest.raises(CommandError, match=f"not compared:\n{DAY} withdrawals") as refusal:
        call_command("ledger_compare", day=DAY)
    assert refusal.value.returncode == 2


def last_compared(day: date) -> None:
    """The account is old, and nothing after this day was compared."""
    VenueAccount.objects.update(created_at=timezone.now() - timedelta(days=300))
    for part in ("deposits", "withdrawals"):
        HistoryCheck.objects.create(
            venue_account=venue_account(), day=day, part=part, compared=0, differing=0
        )


def test_days_that_passed_while_nobody_compared_are_compared_too(venue: Venue) -> None:
    last_compared(LATEST - timedelta(days=9))
    assert ledger.compare_history() == AGREED
    days = HistoryCheck.objects.filter(part="withdrawals").order_by("day").values_list("day", flat=True)
    assert list(days) == [LATEST - timedelta(days=back) for back in range(9, -1, -1)]


def test_days_the_venue_does_not_answer_for_any_more_are_put_before_staff(venue: Venue) -> None:
    since = LATEST - timedelta(days=MOST_DAYS)
    last_compared(since)
    has_counted(5000)
    ledger.compare_history()
    keys = LedgerException.objects.order_by("id").values_list("source", "detail__since")
    assert list(keys) == [("history not compared", f"{since}:{kind}") for kind in ("deposits", "withdrawals")]


def test_a_day_no_sweep_asks_for_again_is_put_before_staff(venue: Venue) -> None:
    last_compared(LATEST)
    venue.on("GET", SENT, error(-9000, "not now"))
    left_out = ledger.compare_history().left_out
    earliest = LATEST - timedelta(days=2)
    assert left_out == tuple(f"{LATEST - timedelta(days=back)} withdrawals" for back in (2, 1))
    assert list(LedgerException.objects.values_list("detail__since", flat=True)) == [
        f"{earliest}:withdrawals"
    ]


def test_a_venue_that_wants_to_be_left_alone_is_asked_for_the_day_again(venue: Venue) -> None:
    last_compared(LATEST - timedelta(days=9))
    has_counted(5000)
    assert len(ledger.compare_history().left_out) == 18
    assert not LedgerException.objects.exists()


def test_a_silent_venue_is_asked_for_the_days_of_an_outage_again(venue: Venue) -> None:
    last_compared(LATEST - timedelta(days=3))
    venue.on("GET", SENT, (503, {}))
    assert len(ledger.compare_history().left_out) == 3
    assert not LedgerException.objects.exists()
    venue.on("GET", SENT, (200, []))
    assert ledger.compare_history() == AGREED
