"""`ledger_verify`: what somebody with the owner's rights changed is named, and nothing else is."""

import os
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from exchange.desk import evidence
from exchange.desk import queries as desk
from exchange.desk.management.commands.ledger_verify import Exported
from exchange.local import suite
from exchange.office.models import AuditRecord
from ledger import services as ledger
from ledger.models import Seal, Transfer
from tests.factories import fund, make_user
from tests.ledger.chain import damage, live, remember, restore, seal_everything, wait_for_horizon


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    settings.SEAL_FILE = tmp_path / "seals.txt"
    return tmp_path / "seals.txt"


@pytest.fixture(autouse=True)
def books_balance(committed_db: str) -> None:
    """Here the books are damaged on purpose."""


@pytest.fixture
def sealed(committed_db: str, settings: Settings, file: Path) -> None:
    """Transfers 1, 2, 3 of alice in block 1, transfer 4 of bob in block 2, transfer 5 of carol in block 3; exported."""
    live()
    for name in ("bob", "carol"):
        seal_everything()
        fund(make_user(name), "USDT", "5")
    seal_everything()
    ledger.export_seals()
    wait_for_horizon()
    ledger.snapshot_house()


def verify(**options: Any) -> tuple[int, str]:
    """Exit status and, when something is broken, what was said."""
    try:
        call_command("ledger_verify", **options)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, ""


def test_books_in_order_are_counted_and_nothing_is_named(
    sealed: None, capsys: pytest.CaptureFixture[str], file: Path
) -> None:
    assert verify() == (0, "")
    assert capsys.readouterr().out.splitlines() == [
        "the books balance",
        "  5 transfers",
        "  15 entries",
        "  4 balances",
        "  1 open holds",
        "  4 snapshots",
        "  3 blocks",
        "  5 sealed transfers",
        f"  3 exported blocks in {file}",
    ]


def test_empty_books_are_in_order(committed_db: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify() == (0, "")
    assert "no file of seals" in capsys.readouterr().out


DAMAGES = {
    "an entry of a customer": (
        "UPDATE ledger_entry SET amount = amount + 1 WHERE id = 2",
        "balance after entry 2 of account USER:1:USDT: 50000 is stored, and its entries sum to 50001",
    ),
    "an entry of the house": (
        "UPDATE ledger_entry SET amount = amount - 0.5 WHERE id = 1",
        "unbalanced transfer 1: its entries in USDT sum to -0.5",
    ),
    "an entry removed in the middle": (
        "DELETE FROM ledger_entry WHERE id = 3",
        "gap in the sequence of account USER:1:USDT: entry number 2 is missing",
    ),
    "an entry removed at the end": (
        "DELETE FROM ledger_entry WHERE transfer_id = 5 AND seq IS NOT NULL",
        "unbalanced transfer 5: its entries in USDT sum to -5",
    ),
    "all entries of a transfer removed": (
        "DELETE FROM ledger_entry WHERE transfer_id = 5",
        "transfer 5 has no entries",
    ),
    "an entry moved to another transfer": (
        "UPDATE ledger_entry SET transfer_id = 4 WHERE id = 2",
        "entry 2 is of transaction",
    ),
    "an entry of a transfer that is gone": (
        "DELETE FROM ledger_transfer WHERE id = 4",
        "belongs to transfer 4, which is gone",
    ),
    "an entry of another asset than its account": (
        "UPDATE ledger_entry SET asset_id = 'BTC' WHERE id = 2",
        "entry 2 of BTC in bucket A does not fit account USER:1:USDT",
    ),
    "two entries swapped that still balance": (
        "UPDATE ledger_entry SET amount = CASE amount WHEN 0.0002 THEN -0.0001 ELSE 0.0002 END"
        " WHERE transfer_id = 3 AND seq IS NULL AND amount IN (0.0002, -0.0001)",
        "transfer 3 or its entries are not what block 1 sealed",
    ),
    "two entries of one account changed against each other": (
        "UPDATE ledger_entry SET amount = amount + CASE amount WHEN -0.2 THEN -0.1 ELSE 0.1 END"
        " WHERE transfer_id = 3 AND seq IS NULL AND amount IN (-0.2, 0.0001)",
        "transfer 3 or its entries are not what block 1 sealed",
    ),
    "the key of a transfer": (
        "UPDATE ledger_transfer SET key = key || 'x' WHERE id = 4",
        "transfer 4 or its entries are not what block 2 sealed",
    ),
    "the reference of a transfer": (
        "UPDATE ledger_transfer SET reference = 'ORDER:2' WHERE id = 3",
        "transfer 3 or its entries are not what block 1 sealed",
    ),
    "the moment of a transfer": (
        "UPDATE ledger_transfer SET created_at = created_at - interval '1 microsecond' WHERE id = 1",
        "transfer 1 or its entries are not what block 1 sealed",
    ),
    "a transfer slipped in below the horizon": (
        "INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, created_at, xid)"
        " SELECT 'late', 'x', '', kind, '', created_at, xid FROM ledger_transfer WHERE id = 4;"
        " INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount, xid)"
        " SELECT (SELECT max(id) FROM ledger_transfer), e.account_id, e.asset_id, 'S', v.amount, e.xid"
        " FROM ledger_entry e, (VALUES (1), (-1)) AS v (amount) WHERE e.transfer_id = 4 AND e.seq IS NULL",
        "transfer 6 is older than the end of the chain, and in no block",
    ),
    "a block": (
        "UPDATE ledger_seal SET created_at = created_at + interval '1 microsecond' WHERE number = 2",
        "block 2 was altered",
    ),
    "the hash of a block": (
        "UPDATE ledger_seal SET hash = repeat('a', 64) WHERE number = 2",
        "block 2 was altered",
    ),
    "the leaf of a sealed transfer": (
        "UPDATE ledger_sealedtransfer SET leaf = sha256('x') WHERE transfer_id = 4",
        "transfer 4 or its entries are not what block 2 sealed",
    ),
    "a sealed transfer forgotten": (
        "DELETE FROM ledger_sealedtransfer WHERE transfer_id = 3",
        "block 1 has 2 transfers, and 3 were sealed in it",
    ),
    "a sealed transfer forgotten in the middle": (
        "DELETE FROM ledger_sealedtransfer WHERE transfer_id = 2",
        "place 2 of block 1 is empty",
    ),
    "a block removed in the middle": (
        "DELETE FROM ledger_sealedtransfer WHERE seal_id = 2; DELETE FROM ledger_seal WHERE number = 2",
        "block 2 of the chain is missing",
    ),
    "the tail of the chain cut": (
        "DELETE FROM ledger_sealedtransfer WHERE seal_id = 3; DELETE FROM ledger_seal WHERE number = 3",
        "and the chain has no such block: it ends at block 2",
    ),
    "a balance": (
        "UPDATE ledger_balance SET available = available + 0.000000000000000001 WHERE account_id = 2",
        "balance of account USER:1:USDT: 30000.000000000000000001 available and 12020 held after 4 entries are stored,"
        " and its entries say 30000 and 12020 after 4",
    ),
    "the number of entries of a balance": (
        "UPDATE ledger_balance SET version = version + 1 WHERE account_id = 2",
        "balance of account USER:1:USDT",
    ),
    "a balance removed": (
        "DELETE FROM ledger_balance WHERE account_id = 2",
        "account USER:1:USDT has no balance",
    ),
    "a hold": (
        "UPDATE ledger_hold SET remaining = remaining - 1",
        "holds of account USER:1:USDT: 12020 is held, and its holds sum to 12019",
    ),
    "the amount of a hold": (
        "UPDATE ledger_hold SET amount = amount + 1",
        "hold 1 of account USER:1:USDT: 20001 is stored, and its transfer held 20000",
    ),
    "the cause of a hold": (
        "UPDATE ledger_hold SET cause_id = 99",
        "hold 1 of account USER:1:USDT: 20000 is stored, and its transfer held nothing",
    ),
    "the account of a hold": (
        "UPDATE ledger_hold SET account_id = (SELECT id FROM ledger_account WHERE code = 'USER:1:BTC')",
        "holds of account USER:1:USDT: 12020 is held, and its holds sum to 0",
    ),
    "a snapshot": (
        "UPDATE ledger_snapshot SET amount = amount + 1 WHERE id = 1",
        "snapshot 1 of account",
    ),
}


def test_what_was_altered_is_named(sealed: None, owner: psycopg.Connection) -> None:
    remember(owner)
    missed = {}
    for name, (sql, sentence) in DAMAGES.items():
        damage(owner, *sql.split("; "))
        status, said = verify()
        if status != 1 or sentence not in said:
            missed[name] = said
        restore(owner)
    assert missed == {}
    assert verify() == (0, "")


def test_a_tail_that_was_cut_and_sealed_anew_is_not_the_exported_one(
    sealed: None, owner: psycopg.Connection
) -> None:
    damage(
        owner,
        "DELETE FROM ledger_sealedtransfer WHERE seal_id = 3",
        "DELETE FROM ledger_seal WHERE number = 3",
    )
    seal_everything()
    assert verify()[1].startswith("block 3 was exported as 3 ")


def test_without_a_file_a_cut_tail_is_a_transfer_that_waits_too_long(
    sealed: None, owner: psycopg.Connection, file: Path
) -> None:
    file.unlink()
    cut = ["DELETE FROM ledger_sealedtransfer WHERE seal_id > 1", "DELETE FROM ledger_seal WHERE number > 1"]
    damage(owner, *cut)
    assert verify() == (0, "")
    damage(owner, "UPDATE ledger_transfer SET created_at = created_at - interval '11 minutes' WHERE id = 4")
    assert verify() == (1, "transfer 4 waits to be sealed for 11 minutes")


def test_a_file_that_is_none_or_missing_is_no_verdict(sealed: None, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    assert verify(seals=other)[0] == 2
    other.write_text("something else\n")
    assert verify(seals=other) == (
        2,
        "the books could not be verified: Line 1 is not a seal: "
        "block, hash and moment parted by one space are wanted.",
    )


def test_books_that_cannot_be_reached_are_no_verdict(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.close_all()
    with monkeypatch.context() as away:
        away.setitem(connections.settings["default"], "NAME", "no_such_database")
        assert verify()[0] == 2
        connections.close_all()


def test_the_owner_can_verify_and_so_can_a_role_that_may_only_read(
    sealed: None, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = connection.settings_dict["USER"]
    owner.execute(f"REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM {app}")
    assert verify() == (0, "")
    owner_url = urlsplit(os.environ[suite.OWNER_URL])
    connections.close_all()
    with monkeypatch.context() as role:
        role.setitem(connections.settings["default"], "USER", owner_url.username)
        assert verify() == (0, "")
        connections.close_all()


def test_a_replica_can_be_verified_and_only_the_record_is_missing(
    sealed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connections.close_all()
    with monkeypatch.context() as replica:
        only_reads = {"options": "-c default_transaction_read_only=on"}
        replica.setitem(connections.settings["default"], "OPTIONS", only_reads)
        assert verify(record=True) == (0, "")
        connections.close_all()
    assert "the outcome could not be put on record" in capsys.readouterr().err


def test_blocks_exported_while_the_books_are_verified_are_not_missed(sealed: None, file: Path) -> None:
    """The moment of the verification comes after the file was measured, so what is added later is not asked for."""
    exported = Exported(file)
    with file.open("a") as text:
        text.write(f"4 {'a' * 64} 2026-01-01T00:00:00.000000+00:00\n")
    assert evidence.verdict(exported.lines()).broken == ""
    assert exported.count == 3
    assert evidence.verdict(Exported(file).lines()).broken.startswith("block 4 was exported with hash aaaa")


def test_a_verification_on_record_says_how_far_it_looked(sealed: None, owner: psycopg.Connection) -> None:
    assert verify(record=True) == (0, "")
    found = AuditRecord.objects.get()
    assert (found.action, found.subject_id) == ("ledger.verified", "3")
    damage(owner, "DELETE FROM ledger_entry WHERE id = 3")
    assert verify(record=True)[0] == 1
    found = AuditRecord.objects.latest("id")
    assert (found.action, found.reason[:6]) == ("ledger.broken", "gap in")


def test_memory_stays_flat_however_long_the_books_are(committed_db: str, owner: psycopg.Connection) -> None:
    fund(make_user(), "USDT", "5")
    peaks = []
    for count in (800, 3200):
        owner.execute(MANY, [count])
        seal_everything()
        tracemalloc.start()
        assert verify() == (0, "")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert Transfer.objects.count() == 4001
    assert peaks[1] < 2 * peaks[0]


MANY = """
WITH made AS (
  INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, created_at)
  SELECT 'many', gen_random_uuid(), '', 'DEPOSIT', '', now() FROM generate_series(1, %s) n RETURNING id)
INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)
SELECT made.id, a.id, a.asset_id, 'S', side FROM made, ledger_account a, (VALUES (1), (-1)) AS sides (side)
 WHERE a.type = 'VENUE'
"""


# ------------------------------------------------------------------ what staff and machines see
def test_staff_see_the_chain_and_how_far_it_was_verified(sealed: None, owner: psycopg.Connection) -> None:
    carol = Client()
    carol.force_login(User.objects.create_superuser("staff@example.com", "a long password"))
    page = "/admin/ledger/seal/"
    assert carol.get(page).text.count('class="field-verified_at">-') == 3
    verify(record=True)
    fund(make_user("dave"), "USDT", "5")
    seal_everything()
    rows = carol.get(page)
    assert rows.text.count('class="field-verified_at">-') == 1
    assert "/admin/ledger/seal/add/" not in rows.text
    assert Seal.objects.get(pk=4).hash in carol.get(f"{page}4/change/").text
    damage(owner, "UPDATE ledger_balance SET version = version + 1 WHERE account_id = 2")
    verify(record=True)
    assert "The last verification found: balance of account USER:1:USDT" in carol.get(page).text


def test_machines_see_the_age_of_the_seal_and_a_transfer_that_waits(
    sealed: None, owner: psycopg.Connection
) -> None:
    def seals() -> dict[str, Any]:
        desk._status.cache_clear()
        found: dict[str, Any] = Client().get("/status.json").json()["seals"]
        return found

    now = seals()
    assert (now["block"], now["waiting_ms"], now["state"]) == (3, None, "OK")
    assert 0 <= now["age_ms"] < 60_000
    fund(make_user("dave"), "USDT", "5")
    assert seals()["state"] == "OK"
    damage(owner, "UPDATE ledger_transfer SET created_at = created_at - interval '11 minutes' WHERE id = 6")
    assert seals()["state"] == "LATE"
    assert seals()["waiting_ms"] >= 660_000
    desk._status.cache_clear()
    figures = Client().get("/metrics").text
    assert "causeway_seal_block 3.0" in figures
    assert "causeway_unsealed_age_seconds 66" in figures
