"""A difference is closed by four eyes and never deleted."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from exchange.office import services as office
from exchange.office.errors import OwnRequest
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import AlreadyClosed, NothingToBook
from ledger.models import Account, LedgerException
from ledger.services.posting import available, system
from tests.factories import balance, fund, held_by_the_house, make_user
from tests.ledger.custodian import make_staff
from tests.ledger.runs import NOW, ask_closing, run, wait_for_waiting
from tests.venue import Venue

D = Decimal


def test_it_is_closed_by_four_eyes_and_its_posting_goes_to_suspense(
    big_difference: LedgerException, carol: User, dave: User, venue: Venue
) -> None:
    asked = ask_closing(big_difference, carol)
    with pytest.raises(OwnRequest):
        office.grant(asked, by=carol)
    ledger.carry_out_approvals()
    assert LedgerException.objects.get().is_open
    office.grant(asked, by=dave)
    ledger.carry_out_approvals()
    big_difference.refresh_from_db()
    assert (big_difference.is_open, big_difference.approval_id, books.stopped_assets()) == (
        False,
        asked,
        set(),
    )
    assert big_difference.transfer is not None
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == D("-0.5")
    assert run(10).is_ok


def test_one_closed_without_a_posting_comes_back_as_a_new_row(
    big_difference: LedgerException, carol: User, dave: User
) -> None:
    office.grant(ask_closing(big_difference, carol, books=False), by=dave)
    ledger.carry_out_approvals()
    assert books.stopped_assets() == set()
    run(10)
    assert LedgerException.objects.filter(resolved_at__isnull=True).count() == 1
    assert LedgerException.objects.count() == 2


def test_it_is_asked_for_once_and_not_after_it_is_closed(
    big_difference: LedgerException, carol: User, dave: User
) -> None:
    asked = ask_closing(big_difference, carol)
    with pytest.raises(AlreadyClosed, match="already asked"):
        ask_closing(big_difference, dave)
    office.refuse(asked, by=dave)
    office.grant(ask_closing(big_difference, dave), by=carol)
    ledger.carry_out_approvals()
    with pytest.raises(AlreadyClosed):
        ask_closing(big_difference, carol)


def test_what_has_no_posting_is_closed_without_one(carol: User) -> None:
    found = ledger.note_exception(source="test", key="1", asset=None, amount=D(1), detail={})
    with pytest.raises(NothingToBook):
        ask_closing(found, carol)


def test_another_member_of_staff_takes_it_over(big_difference: LedgerException, dave: User) -> None:
    assert ledger.take_exception(exception_id=big_difference.pk, by=dave, reason="my shift").owner == dave


def test_nothing_of_it_is_deleted_and_nothing_closed_is_changed(
    big_difference: LedgerException, carol: User, dave: User
) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        big_difference.delete()
    office.grant(ask_closing(big_difference, carol), by=dave)
    ledger.carry_out_approvals()
    with pytest.raises(DatabaseError, match="stays on record"), transaction.atomic():
        LedgerException.objects.update(resolution="nothing was wrong")


def test_one_person_alone_cannot_close_it_even_by_sql(big_difference: LedgerException) -> None:
    with pytest.raises(DatabaseError, match="exception_is_closed_by_an_approval"), transaction.atomic():
        LedgerException.objects.update(resolved_at=NOW)


def test_the_owner_of_the_database_cannot_delete_one_by_accident(
    committed_db: str, owner: psycopg.Connection
) -> None:
    ledger.note_exception(source="test", key="1", asset=None, amount=None, detail={})
    for statement in ("DELETE FROM ledger_ledgerexception", "TRUNCATE ledger_ledgerexception CASCADE"):
        with pytest.raises(psycopg.errors.CheckViolation, match="stays on record"):
            owner.execute(statement)


def test_the_difference_is_locked_before_the_balances_are(
    committed_db: str, owner: psycopg.Connection
) -> None:
    alice, carol, dave = make_user(), make_staff("carol"), make_staff("dave")
    fund(alice, "USDT", "100")
    lines = [available(alice.pk, "USDT", D(-1)), system(Account.Type.SUSPENSE, "USDT", D(1))]
    found = ledger.note_exception(
        source="test", key="1", asset="USDT", amount=D(1), detail={}, suggestion=lines
    )
    office.grant(ask_closing(found, carol), by=dave)
    with ThreadPoolExecutor(1) as thread:
        with owner.transaction(), connection.cursor() as cursor:
            owner.execute("SELECT FROM ledger_ledgerexception FOR UPDATE")
            carried_out = thread.submit(_carry_out)
            wait_for_waiting(owner, 1)
            cursor.execute("SET lock_timeout = '50ms'")
            ledger.hold(user_id=alice.pk, asset="USDT", amount=D(10), cause=ledger.Cause.ORDER, cause_id=1)
        assert carried_out.result() == 1
    assert (balance(alice, "USDT"), LedgerException.objects.get().is_open) == ((89, 10), False)


def _carry_out() -> int:
    try:
        return ledger.carry_out_approvals()
    finally:
        connection.close()


def test_an_adjustment_can_take_the_booking_back(
    big_difference: LedgerException, carol: User, dave: User
) -> None:
    office.grant(ask_closing(big_difference, carol), by=dave)
    ledger.carry_out_approvals()
    big_difference.refresh_from_db()
    asked = ledger.ask_reversal(transfer_id=big_difference.transfer_id or 0, reason="found", by=carol)
    office.grant(asked.pk, by=dave)
    ledger.carry_out_approvals()
    assert held_by_the_house(Account.Type.SUSPENSE, "BTC") == 0
