"""Money out against a venue that works, lies and forgets: paid once, and an exit for what gets stuck."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from exchange.errors import DomainError
from exchange.gate import keys
from exchange.gate.models import VenueAccount
from exchange.office import services as office
from exchange.office.models import Approval, AuditRecord
from exchange.paper.venue import Venue as PaperVenue
from exchange.paper.wallet import Row
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import TooEarly, VenueKnowsIt, WithdrawalDecided
from ledger.models import Account, LedgerException, Withdrawal
from markets.models import Asset
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import KEYS, TRADE, WITHDRAW, Caller, serving, wait_for
from tests.factories import balance, held_by_the_house, make_user, venue_account
from tests.ledger.conftest import enrich
from tests.ledger.money import APPLY, SENT, approved, confirmed, sent_record, staff, status_of
from tests.venue import Venue, error


@pytest.fixture
def paper_venue(tmp_path: Path) -> PaperVenue:
    return PaperVenue(tmp_path, KEYS, pace=0.05, levels=60, deepest=400)


@pytest.fixture
def paper(paper_venue: PaperVenue, db: None) -> Iterator[Caller]:
    """A whole venue on a port, with money of ours and our keys."""
    with serving(paper_venue) as url:
        keys = {
            "BINANCE_API_KEY": TRADE["key"],
            "BINANCE_API_SECRET": TRADE["secret"],
            "BINANCE_WITHDRAW_API_KEY": WITHDRAW["key"],
            "BINANCE_WITHDRAW_API_SECRET": WITHDRAW["secret"],
            "BINANCE_REST_URL": url,
            "BINANCE_SAPI_URL": url,
        }
        with override_settings(**keys):
            forget_the_venue()
            trader = Caller(url)
            trader.deposit("USDT", "1000", network="TRX")
            yield trader
    forget_the_venue()


@pytest.fixture
def alice(paper: Caller) -> User:
    """alice with 1,000 USDT at that venue."""
    Asset.objects.create(code="USDT")
    venue_account()
    ledger.synchronise_networks()
    return enrich(make_user())


def paid_out(venue: PaperVenue) -> Row:
    """The one withdrawal the venue has; looked at from inside, because asking is dear."""
    (row,) = venue.wallet.withdrawals.values()
    return row


def completed_there(venue: PaperVenue, withdrawal: Withdrawal) -> None:
    wait_for(lambda: paid_out(venue)["status"] == 6)
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "COMPLETED"


def test_an_answer_that_was_lost_and_a_late_history_pay_once(
    paper: Caller, paper_venue: PaperVenue, alice: User
) -> None:
    """The venue takes it and answers 504, and its history shows it ten minutes later."""
    paper.door("fault", on="withdraw", do="504 after")
    paper.door("fault", do="delay", ms=600_000)
    withdrawal = approved(alice)
    for _time in range(3):
        ledger.send_next_withdrawal()
        ledger.poll_withdrawals()
    assert (status_of(withdrawal), balance(alice, "USDT")) == ("SENDING", (900, 100))
    paper.door("fault", do="delay", ms=0)  # the ten minutes are over
    completed_there(paper_venue, withdrawal)
    ledger.send_next_withdrawal()
    row = paid_out(paper_venue)
    assert (row["withdrawOrderId"], row["txId"]) == (withdrawal.client_id, withdrawal.tx_id)
    assert balance(alice, "USDT") == (900, 0)
    assert paper.free("USDT") == 900
    assert books.first_broken_row() == ""


@pytest.mark.parametrize("fault", ["reset after", "garbage after", "-1007 after"])
def test_whatever_the_answer_looks_like_it_is_paid_once(
    paper: Caller, paper_venue: PaperVenue, alice: User, fault: str
) -> None:
    paper.door("fault", on="withdraw", do=fault)
    withdrawal = approved(alice)
    for _time in range(3):
        ledger.send_next_withdrawal()
    completed_there(paper_venue, withdrawal)
    assert paper.free("USDT") == 900


def test_one_that_fails_on_its_way_is_refunded_once(
    paper: Caller, paper_venue: PaperVenue, alice: User
) -> None:
    withdrawal = approved(alice)
    ledger.send_next_withdrawal()
    paper.door("fault", do="fail", id=paid_out(paper_venue)["id"], info="The address is blacklisted.")
    for _time in range(2):
        ledger.poll_withdrawals()
    assert (status_of(withdrawal), balance(alice, "USDT")) == ("FAILED", (1000, 0))
    record = AuditRecord.objects.get(action="withdrawal.failed")
    assert record.after["info"] == "The address is blacklisted."


def test_another_transaction_is_noted_and_nothing_is_paid_again(
    paper: Caller, paper_venue: PaperVenue, alice: User
) -> None:
    withdrawal = approved(alice)
    ledger.send_next_withdrawal()
    venue_id = paid_out(paper_venue)["id"]
    paper.door("fault", do="replace", id=venue_id)
    completed_there(paper_venue, withdrawal)
    first = withdrawal.tx_id
    paper.door("fault", do="replace", id=venue_id)
    ledger.revisit_withdrawals()
    assert status_of(withdrawal) == "COMPLETED"
    assert withdrawal.tx_id == paid_out(paper_venue)["txId"] != first
    assert AuditRecord.objects.filter(action="withdrawal.tx_replaced").latest("id").before == {"tx_id": first}
    assert balance(alice, "USDT") == (900, 0)
    assert paper.free("USDT") == 900


def test_the_fee_is_booked_as_the_venue_took_it(paper: Caller, paper_venue: PaperVenue, alice: User) -> None:
    withdrawal = approved(alice)
    ledger.send_next_withdrawal()
    paper.door("fault", do="charge", id=paid_out(paper_venue)["id"], fee="1.7")
    completed_there(paper_venue, withdrawal)
    assert held_by_the_house(Account.Type.NETWORK_FEES, "USDT") == Decimal("-0.7")
    assert paper.free("USDT") == Decimal("899.3")
    assert books.venue_position(venue_account().pk)["USDT"] == Decimal("899.3")


# ------------------------------------------------------------------ what the venue says later
def test_a_completed_one_that_the_venue_undoes_is_told_and_nothing_is_booked(
    rich: User, venue: Venue
) -> None:
    withdrawal = completed(rich, venue)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 5)]))
    ledger.revisit_withdrawals()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("COMPLETED", (900, 0))
    assert LedgerException.objects.get().source == "withdrawal undone by the venue"


def test_one_that_was_refunded_and_is_sent_after_all_is_told(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, error(-4007, "The withdrawal address is not valid."))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
    for _time in range(2):
        ledger.revisit_withdrawals()
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", (1000, 0))
    assert LedgerException.objects.get().source == "withdrawal sent though it was refunded"


def completed(user: User, venue: Venue) -> Withdrawal:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(user)
    ledger.send_next_withdrawal()
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
    ledger.poll_withdrawals()
    return withdrawal


def test_a_history_of_many_pages_is_read_to_its_end(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    withdrawal = approved(rich)
    ledger.send_next_withdrawal()
    rows = [sent_record(withdrawal, 6, id=f"x{n}", withdrawOrderId=f"x{n}") for n in range(1200)]
    rows.append(sent_record(withdrawal, 6))

    def page(asked: dict[str, str]) -> tuple[int, Any]:
        start = int(asked["offset"])
        return 200, rows[start : start + int(asked["limit"])]

    venue.on("GET", SENT, page)
    ledger.poll_withdrawals()
    assert status_of(withdrawal) == "COMPLETED"


def test_one_call_of_the_heavy_history_is_for_all(rich: User, venue: Venue) -> None:
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    venue.on("GET", SENT, (200, []))
    ledger.poll_withdrawals()
    assert venue.count("GET", SENT) == 0
    for number in range(3):
        approved(rich, nonce=f"n{number}")
        ledger.send_next_withdrawal()
    assert (ledger.poll_withdrawals(), venue.count("GET", SENT)) == (3, 1)


def test_what_another_account_sent_is_looked_for_in_its_own_history(
    rich: User, venue: Venue, settings: Settings
) -> None:
    settings.VENUE_KEYS_SECRET = "0123456789-a-secret-of-the-tests-0123456789"
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    venue.on("GET", SENT, (200, []))
    other = VenueAccount.objects.create(name="other", venue="paper")
    keys.set_key(other.pk, api_key="other" * 8, secret="secret-of-the-other", reason="new")
    for number in range(3):
        withdrawal = approved(rich, nonce=f"n{number}")
        ledger.send_next_withdrawal()
    Withdrawal.objects.filter(pk=withdrawal.pk).update(venue_account=other)
    assert (ledger.poll_withdrawals(), venue.count("GET", SENT)) == (3, 2)


# ------------------------------------------------------------------ too long in a state
STATES: dict[str, Callable[[User, Venue], Withdrawal]] = {
    "REQUESTED": lambda rich, venue: confirmed(rich),
    "APPROVED": lambda rich, venue: approved(rich),
    "SENDING": lambda rich, venue: silent(rich, venue),
}


def silent(user: User, venue: Venue) -> Withdrawal:
    """Sent, and the venue says nothing of it."""
    venue.on("POST", APPLY, (504, ""))
    venue.on("GET", SENT, (200, []))
    withdrawal = approved(user)
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENDING"
    return withdrawal


def overdue(withdrawal: Withdrawal) -> None:
    Withdrawal.objects.filter(pk=withdrawal.pk).update(moved_at=timezone.now() - timedelta(days=3))


@pytest.mark.parametrize("status", STATES)
def test_who_stays_too_long_is_before_staff_once_and_off_when_it_moves(
    rich: User, venue: Venue, status: str
) -> None:
    withdrawal = STATES[status](rich, venue)
    assert ledger.note_overdue_withdrawals() == 0
    overdue(withdrawal)
    assert [ledger.note_overdue_withdrawals() for _time in range(2)] == [1, 1]
    assert LedgerException.objects.get().detail["status"] == status == status_of(withdrawal)
    Withdrawal.objects.update(moved_at=timezone.now())
    if status == "SENDING":
        venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
        ledger.poll_withdrawals()
    else:
        ledger.refuse_withdrawal(withdrawal_id=withdrawal.pk, by=staff(), reason="too long")
    assert ledger.note_overdue_withdrawals() == 0
    assert LedgerException.objects.get().gone_at is not None


def test_many_that_wait_for_a_holds_end_hide_nobody_who_is_late(rich: User) -> None:
    approved(rich)
    long_ago, later = timezone.now() - timedelta(days=3), timezone.now() + timedelta(hours=1)
    like = {**Withdrawal.objects.values().get(), "id": None, "moved_at": long_ago}
    names = [{"nonce": f"w{number}", "client_id": f"w{number}"} for number in range(201)]
    rows = [Withdrawal(**{**like, **name, "not_before": later}) for name in names[:200]]
    Withdrawal.objects.bulk_create([*rows, Withdrawal(**{**like, **names[200]})])
    assert ledger.note_overdue_withdrawals() == 1


def granted(asked: Approval) -> None:
    office.grant(asked.pk, by=staff("dave"))
    ledger.carry_out_approvals()


def test_one_the_venue_never_had_is_refunded_by_four_eyes(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    with pytest.raises(TooEarly):
        ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it")
    overdue(withdrawal)
    asked = ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it")
    assert status_of(withdrawal) == "SENDING"
    granted(asked)
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", (1000, 0))
    assert venue.count("POST", APPLY) == 1


def test_one_the_venue_shows_is_not_refunded(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 2)]))
    with pytest.raises(VenueKnowsIt):
        ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it")


def test_a_refund_asked_for_comes_too_late_when_the_venue_has_told_meanwhile(
    rich: User, venue: Venue
) -> None:
    withdrawal = silent(rich, venue)
    overdue(withdrawal)
    asked = ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="never had it")
    venue.on("GET", SENT, (200, [sent_record(withdrawal, 6)]))
    ledger.poll_withdrawals()
    granted(asked)
    asked.refresh_from_db()
    assert (asked.status, status_of(withdrawal), balance(rich, "USDT")) == ("FAILED", "COMPLETED", (900, 0))


def test_one_that_was_paid_is_settled_by_four_eyes_with_what_was_seen(rich: User, venue: Venue) -> None:
    withdrawal = silent(rich, venue)
    asked = ledger.ask_paid(
        withdrawal_id=withdrawal.pk,
        tx_id=" tx9 ",
        sent=Decimal(98),
        fee=Decimal("1.5"),
        by=staff(),
        reason="seen",
    )
    granted(asked)
    assert (status_of(withdrawal), withdrawal.tx_id, balance(rich, "USDT")) == ("COMPLETED", "tx9", (900, 0))
    assert held_by_the_house(Account.Type.FEES, "USDT") == Decimal("0.5")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"tx_id": " "}, "tx_id"),
        ({"tx_id": "a\nb"}, "tx_id"),
        ({"sent": Decimal(0)}, "sent"),
        ({"sent": Decimal(101)}, "sent"),
    ],
    ids=str,
)  # fmt: skip
def test_what_was_seen_must_be_possible(rich: User, venue: Venue, said: dict[str, Any], field: str) -> None:
    withdrawal = silent(rich, venue)
    seen: dict[str, Any] = {"tx_id": "tx9", "sent": Decimal(99), "fee": Decimal(1), **said}
    with pytest.raises(DomainError) as refusal:
        ledger.ask_paid(withdrawal_id=withdrawal.pk, by=staff(), reason="seen", **seen)
    assert refusal.value.field == field


def test_what_is_not_stuck_has_no_exit(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    with pytest.raises(WithdrawalDecided):
        ledger.ask_refund(withdrawal_id=withdrawal.pk, by=staff(), reason="x")
    with pytest.raises(DomainError):
        ledger.ask_paid(
            withdrawal_id=withdrawal.pk, tx_id="x", sent=Decimal(1), fee=Decimal(0), by=staff(), reason="x"
        )


# ------------------------------------------------------------------ staff's pages
def test_staff_read_why_they_are_asked_and_press_two_buttons(rich: User, client: Client) -> None:
    withdrawal = confirmed(rich)
    carol = staff()
    carol.is_superuser = True
    carol.save()
    client.force_login(carol)
    page = client.get(f"/admin/ledger/withdrawal/{withdrawal.pk}/change/").text
    assert "Nothing of theirs was ever sent to this address." in page
    assert withdrawal.seal not in page
    decision = f"/admin/ledger/withdrawal/{withdrawal.pk}/approve/"
    assert "left of the limits" in client.get(decision).text
    client.post(decision, {"reason": "known"})
    assert status_of(withdrawal) == "APPROVED"


def test_the_page_of_what_was_paid_asks_for_the_transaction(rich: User, venue: Venue, client: Client) -> None:
    withdrawal = silent(rich, venue)
    carol = staff()
    carol.is_superuser = True
    carol.save()
    client.force_login(carol)
    page = f"/admin/ledger/withdrawal/{withdrawal.pk}/paid/"
    refused = client.post(page, {"reason": "seen", "tx_id": "tx9", "sent": "1000", "fee": "1"})
    assert "at most the amount" in refused.text
    client.post(page, {"reason": "seen", "tx_id": "tx9", "sent": "99", "fee": "1"})
    assert Approval.objects.get().payload["detail"]["tx_id"] == "tx9"
