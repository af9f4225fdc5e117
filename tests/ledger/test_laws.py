"""What the database itself refuses, whoever asks: here, somebody with the application's role and a will."""

import hashlib
import json
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from exchange.database import sqlstate_of
from ledger.models import Entry, Transfer
from tests.factories import fund, make_user, venue_account


@pytest.fixture
def alice(db: None) -> User:
    user = make_user()
    fund(user, "USDT", "100")
    return user


def attempt(sql: str, *values: Any) -> str:
    """The SQLSTATE with which the statement is refused; empty when it is not."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values)
    except DatabaseError as error:
        return sqlstate_of(error)
    return ""


DENIED = "42501"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_entry SET amount = amount * 2",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "UPDATE ledger_transfer SET reference = 'other'",
        "DELETE FROM ledger_transfer",
        "UPDATE ledger_balance SET available = available + 1",
        "UPDATE ledger_balance SET available = 'NaN'",
        "UPDATE ledger_balance SET available = -1",
        "DELETE FROM ledger_balance",
        "UPDATE ledger_hold SET remaining = 0",
        "DELETE FROM ledger_hold",
        "UPDATE office_auditrecord SET action = 'nothing'",
        "DELETE FROM office_auditrecord",
        "INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)"
        " SELECT transfer_id, account_id, asset_id, bucket, 1 FROM ledger_entry LIMIT 1",
        "INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, created_at)"
        " VALUES ('x', 'x', '', 'DEPOSIT', '', now())",
        "SELECT ledger_open_account('USER:1:USDT')",
        "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_entry_balanced ON ledger_entry",
    ],
)
def test_the_application_cannot_write_the_books_by_hand(alice: User, sql: str) -> None:
    assert attempt(sql) == DENIED


Columns = tuple[list[str], list[str], list[str]]


def lines_of(alice: User, *pairs: tuple[str, str, str]) -> Columns:
    """Columns of lines by (owner, bucket, amount); owner "alice" or a type of the house's accounts."""
    codes = [f"USER:{alice.pk}:USDT" if owner == "alice" else house_code(owner) for owner, _b, _a in pairs]
    return codes, [bucket for _o, bucket, _a in pairs], [amount for _o, _b, amount in pairs]


def house_code(kind: str) -> str:
    return f"VENUE:{venue_account().pk}:USDT" if kind == "VENUE" else f"{kind}::USDT"


POST = (
    "SELECT * FROM ledger_post('attack', %s, %s, %s, '', %s::text[], %s::text[], %s::numeric[],"
    " '{}', '{}', '{}', '{}', '{}', %s, NULL, false)"
)


def post_raw(lines: Columns, *, kind: str = "DEPOSIT", key: str = "k", approval: int | None = None) -> str:
    digest = hashlib.sha256(json.dumps(lines).encode()).hexdigest()
    return attempt(POST, key, digest, kind, *lines, approval)


CHECK, BAD_LINES, NOT_APPROVED, KEY_REUSED = "23514", "CW002", "CW003", "CW001"


@pytest.mark.parametrize(
    ("pairs", "state"),
    [
        ([("alice", "A", "5"), ("FEES", "S", "-4")], CHECK),
        ([("alice", "A", "5")], BAD_LINES),
        ([], BAD_LINES),
        ([("alice", "A", "NaN"), ("FEES", "S", "NaN")], BAD_LINES),
        ([("alice", "A", "0"), ("FEES", "S", "0")], BAD_LINES),
        ([("alice", "A", "0.000000001"), ("FEES", "S", "-0.000000001")], BAD_LINES),
        ([("alice", "A", "1e16"), ("FEES", "S", "-1e16")], BAD_LINES),
        ([("alice", "S", "5"), ("FEES", "S", "-5")], BAD_LINES),
        ([("alice", "A", "-5"), ("FEES", "A", "5")], BAD_LINES),
        ([("alice", "A", "-101"), ("FEES", "S", "101")], CHECK),
        ([("alice", "A", "-5"), ("alice", "H", "5")], BAD_LINES),
        ([("alice", "X", "-5"), ("FEES", "S", "5")], BAD_LINES),
        ([("alice", "A", "-5"), ("NOTHING", "S", "5")], CHECK),
    ],
    ids=[
        "unbalanced", "one line", "no lines", "NaN", "zero", "finer than the scale", "above the maximum",
        "house bucket on a customer", "customer bucket on the house",
        "overdraft", "held without a hold", "no such bucket", "no such account",
    ],
)  # fmt: skip
def test_lines_that_break_a_law_are_refused_and_leave_nothing(
    alice: User, pairs: list[tuple[str, str, str]], state: str
) -> None:
    before = Transfer.objects.count()
    assert post_raw(lines_of(alice, *pairs)) == state
    assert Transfer.objects.count() == before


def test_an_account_of_another_asset_cannot_take_part_in_a_balance(alice: User) -> None:
    fund(alice, "BTC", "1")
    assert post_raw(([f"USER:{alice.pk}:BTC", "FEES::USDT"], ["A", "S"], ["5", "-5"])) == CHECK


def test_the_books_know_no_asset_by_hearsay(alice: User) -> None:
    assert post_raw(([f"USER:{alice.pk}:XYZ", "FEES::XYZ"], ["A", "S"], ["5", "-5"])) == BAD_LINES


def test_a_key_is_used_once_and_a_repeat_changes_nothing(alice: User) -> None:
    lines = lines_of(alice, ("alice", "A", "-5"), ("FEES", "S", "5"))
    assert [post_raw(lines), post_raw(lines)] == ["", ""]
    other = lines_of(alice, ("alice", "A", "-6"), ("FEES", "S", "6"))
    assert post_raw(other) == KEY_REUSED
    assert Entry.objects.filter(transfer__scope="attack").count() == 2


@pytest.mark.parametrize(("kind", "state"), [("ADJUSTMENT", "CW003"), ("REVERSAL", "CW002")])
def test_a_correction_needs_a_granted_approval(alice: User, kind: str, state: str) -> None:
    lines = lines_of(alice, ("alice", "A", "5"), ("EQUITY", "S", "-5"))
    assert post_raw(lines, kind=kind) == state


def test_an_approval_is_for_exactly_its_lines_and_for_once(alice: User) -> None:
    from exchange.office import services as office

    carol, dave = make_user("carol", is_staff=True), make_user("dave", is_staff=True)
    lines = lines_of(alice, ("alice", "A", "5"), ("EQUITY", "S", "-5"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lines_hash(%s::text[], %s::text[], %s::numeric[])", lines)
        digest = cursor.fetchone()[0]
    asked = office.ask_approval("adjustment", {}, "goodwill", carol, payload_hash=digest)
    office.grant(asked.pk, by=dave)
    other = lines_of(alice, ("alice", "A", "50"), ("EQUITY", "S", "-50"))
    assert post_raw(other, kind="ADJUSTMENT", key="1", approval=asked.pk) == NOT_APPROVED
    assert post_raw(lines, kind="ADJUSTMENT", key="2", approval=asked.pk) == ""
    assert post_raw(lines, kind="ADJUSTMENT", key="3", approval=asked.pk) == "23505"


def test_a_transfer_is_closed_once_it_is_committed(committed_db: str, owner: Any) -> None:
    user = make_user()
    fund(user, "USDT", "1")
    transfer = Transfer.objects.get()
    entries = list(transfer.entries.order_by("id"))
    with pytest.raises(Exception, match="closed"):
        owner.execute(
            "INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)"
            " VALUES (%s, %s, 'USDT', 'S', 1), (%s, %s, 'USDT', 'S', -1)",
            [transfer.pk, entries[0].account_id, transfer.pk, entries[0].account_id],
        )


@pytest.mark.parametrize(
    "sql", ["UPDATE ledger_entry SET amount = 1", "DELETE FROM ledger_entry", "TRUNCATE ledger_entry"]
)
def test_not_even_the_owner_changes_an_entry(committed_db: str, owner: Any, sql: str) -> None:
    fund(make_user(), "USDT", "1")
    with pytest.raises(Exception, match="append-only"):
        owner.execute(sql)
