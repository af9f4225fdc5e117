"""Transfers are sealed once each in a chain of blocks, whatever runs beside, and each block leaves the house once."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from exchange.office.models import Notice
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import NotASeal, OtherChain
from ledger.models import Account, LedgerException, Seal, SealedTransfer, Transfer
from ledger.seals import read_lines, root_of
from ledger.services.posting import available, system
from markets.models import Asset
from tests.factories import fund, make_user, venue_account
from tests.ledger.chain import damage, live, seal_everything, wait_for_horizon
from tests.ledger.test_laws import DENIED, POST, attempt
from tests.race import at_once


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    settings.SEAL_FILE = tmp_path / "out" / "seals.txt"
    return tmp_path / "out" / "seals.txt"


@pytest.fixture
def elsewhere(committed_db: str) -> Iterator[psycopg.Connection]:
    """A second session of the application, with a transaction of its own."""
    with psycopg.connect(committed_db) as session:
        yield session


def post_elsewhere(session: psycopg.Connection, key: str) -> None:
    codes = [f"VENUE:{venue_account().pk}:USDT", "EQUITY::USDT"]
    session.execute(POST, [key, key, "DEPOSIT", codes, ["S", "S"], [1, -1], None])


def sealed() -> list[int]:
    return list(SealedTransfer.objects.order_by("seal_id", "position").values_list("transfer_id", flat=True))


def transfers() -> list[int]:
    return list(Transfer.objects.order_by("id").values_list("id", flat=True))


# ------------------------------------------------------------------ blocks
def test_every_transfer_is_sealed_once_in_the_order_of_ids(committed_db: str) -> None:
    live()
    seal_everything()
    assert sealed() == transfers()
    assert list(books.broken_links()) == []
    assert ledger.seal_books() == 0


def test_blocks_follow_each_other_from_number_one(committed_db: str, settings: Settings) -> None:
    settings.SEAL_BLOCK = 2
    live()
    for name in ("bob", "carol"):
        fund(make_user(name), "USDT", "5")
    seal_everything()
    seals = list(Seal.objects.order_by("number"))
    assert [(seal.number, seal.transfers) for seal in seals] == [(1, 2), (2, 2), (3, 1)]
    assert [seal.previous_hash for seal in seals] == ["0" * 64, seals[0].hash, seals[1].hash]
    assert list(books.broken_links()) == []


def test_a_transaction_is_in_one_block_even_when_it_alone_is_larger(
    committed_db: str, settings: Settings
) -> None:
    settings.SEAL_BLOCK = 2
    user = make_user()
    for count in (1, 3, 2, 1):
        with transaction.atomic():
            for _transfer in range(count):
                fund(user, "USDT", "5")
    seal_everything()
    assert list(Seal.objects.order_by("number").values_list("transfers", flat=True)) == [1, 3, 2, 1]
    assert list(books.broken_links()) == []


def test_a_transaction_open_during_sealing_is_sealed_later_and_never_skipped(
    committed_db: str, elsewhere: psycopg.Connection
) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    wait_for_horizon()
    post_elsewhere(elsewhere, "early")
    fund(user, "USDT", "5")
    ledger.seal_books()
    assert sealed() == [transfers()[0]]
    post_elsewhere(elsewhere, "still early")
    assert ledger.seal_books() == 0
    elsewhere.commit()
    seal_everything()
    assert sorted(sealed()) == transfers()
    assert list(books.broken_links()) == []


def test_a_transaction_that_was_taken_back_leaves_no_hole_in_the_chain(
    committed_db: str, elsewhere: psycopg.Connection
) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    post_elsewhere(elsewhere, "never")
    fund(user, "USDT", "5")
    elsewhere.rollback()
    seal_everything()
    assert sealed() == transfers()


def test_sealers_and_writers_beside_each_other_lose_nothing(committed_db: str, settings: Settings) -> None:
    settings.SEAL_BLOCK = 3
    users = [make_user(f"user{number}") for number in range(3)]
    fund(users[0], "USDT", "1")

    def write_or_seal(number: int) -> None:
        for _time in range(12):
            if number < len(users):
                with transaction.atomic():
                    fund(users[number], "USDT", "1")
                    fund(users[number], "USDT", "1")
            else:
                ledger.seal_books()

    assert at_once(5, write_or_seal) == [None] * 5
    seal_everything()
    assert len(sealed()) == len(set(sealed())) == Transfer.objects.count() == 73
    assert list(books.broken_links()) == []


ODD = ["", "5:comma,", "-,", "“quoted” 'and' \\ back", "天上大风 😀", " two\nlines\t"]


def test_odd_texts_and_the_finest_amounts_are_hashed_alike_by_both_sides(committed_db: str) -> None:
    Asset.objects.create(code="FINE", scale=18, max_amount=Decimal(10) ** 19)
    user, account = make_user(), venue_account().pk
    amounts = [
        "0.000000000000000001",
        "10000000000000000000",
        "1.50",
        "100",
        "0.1",
        "999999999.999999999999999999",
    ]
    for text, amount in zip(ODD, map(Decimal, amounts), strict=True):
        ledger.post(
            scope="odd, 3:x",
            key=f"k{text}",
            kind=Transfer.Kind.DEPOSIT,
            reference=text,
            lines=[
                system(Account.Type.VENUE, "FINE", -amount, account),
                available(user.pk, "FINE", amount),
            ],
        )
    seal_everything()
    assert list(books.broken_links()) == []


def tree(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 in its own words: split at the largest power of two that is smaller."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 21])
def test_the_root_is_that_of_the_known_tree_on_both_sides(db: None, owner: Any, count: int) -> None:
    leaves = [hashlib.sha256(b"%d" % number).digest() for number in range(count)]
    assert root_of(leaves) == tree(leaves).hex()
    found = owner.execute("SELECT encode(ledger_merkle_root(%s), 'hex')", [leaves]).fetchone()
    assert found == (tree(leaves).hex(),)


# ------------------------------------------------------------------ nobody writes it by hand
WRITES = [
    "UPDATE ledger_seal SET transfers = 7",
    "UPDATE ledger_seal SET exported_at = now()",
    "DELETE FROM ledger_seal",
    "TRUNCATE ledger_seal CASCADE",
    "INSERT INTO ledger_seal (number, previous_hash, hash, root, horizon, transfers, created_at)"
    " SELECT 2, hash, root, root, horizon, 1, now() FROM ledger_seal",
    "UPDATE ledger_sealedtransfer SET position = 7",
    "DELETE FROM ledger_sealedtransfer",
    "TRUNCATE ledger_sealedtransfer",
    "INSERT INTO ledger_sealedtransfer SELECT 99, seal_id, 99, leaf FROM ledger_sealedtransfer LIMIT 1",
    "UPDATE ledger_snapshot SET amount = 0",
]


@pytest.mark.parametrize("sql", WRITES)
def test_the_application_seals_by_function_only(db: None, sql: str) -> None:
    assert attempt(sql) == DENIED


def test_not_even_the_owner_changes_a_seal_and_its_export_is_noted_once(
    committed_db: str, owner: psycopg.Connection
) -> None:
    live()
    seal_everything()
    for sql in (*WRITES[0:1], *WRITES[2:4], *WRITES[5:8]):
        with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
            owner.execute(sql)
    owner.execute("UPDATE ledger_seal SET exported_at = now()")
    with pytest.raises(psycopg.errors.CheckViolation, match="append-only"):
        owner.execute("UPDATE ledger_seal SET exported_at = now()")


def test_books_restored_into_a_server_with_younger_transaction_ids_do_not_start(
    committed_db: str, owner: psycopg.Connection, settings: Settings
) -> None:
    live()
    functions = (settings.BASE_DIR / "ledger" / "sql" / "seal.sql").read_text()
    owner.execute(functions)
    damage(owner, "UPDATE ledger_transfer SET xid = '1000000000000' WHERE id = 2")
    with pytest.raises(psycopg.DatabaseError, match="transaction ids this server has not reached"):
        owner.execute(functions)


def test_a_server_whose_transaction_ids_are_behind_seals_nothing(
    committed_db: str, owner: psycopg.Connection
) -> None:
    live()
    seal_everything()
    damage(owner, "UPDATE ledger_seal SET horizon = '1000000000000'")
    assert attempt("SELECT * FROM ledger_seal_block(10)") == "CW004"


# ------------------------------------------------------------------ the file
def test_blocks_are_exported_in_order_and_once(committed_db: str, file: Path, settings: Settings) -> None:
    settings.SEAL_BLOCK = 1
    live()
    seal_everything()
    assert (ledger.export_seals(), ledger.export_seals()) == (3, 0)
    fund(make_user("bob"), "USDT", "5")
    seal_everything()
    assert ledger.export_seals() == 1
    lines = list(read_lines(file.read_text().splitlines()))
    assert lines == [books.line_of(seal) for seal in Seal.objects.order_by("number")]
    assert not Seal.objects.filter(exported_at__isnull=True).exists()


def test_exporters_at_once_write_each_block_once(committed_db: str, file: Path, settings: Settings) -> None:
    settings.SEAL_BLOCK = 1
    live()
    seal_everything()
    assert sum(at_once(4, lambda _number: ledger.export_seals())) == 3
    assert [line.number for line in read_lines(file.read_text().splitlines())] == [1, 2, 3]


def test_a_crash_between_writing_and_noting_writes_nothing_twice(
    committed_db: str, file: Path, owner: psycopg.Connection
) -> None:
    live()
    seal_everything()
    ledger.export_seals()
    before = file.read_text()
    damage(owner, "UPDATE ledger_seal SET exported_at = NULL")
    assert ledger.export_seals() == 0
    assert file.read_text() == before
    assert Seal.objects.get().exported_at is not None


def test_a_line_cut_short_by_a_crash_is_written_anew(
    committed_db: str, file: Path, settings: Settings, owner: psycopg.Connection
) -> None:
    settings.SEAL_BLOCK = 1
    live()
    seal_everything()
    ledger.export_seals()
    whole = file.read_text()
    for cut in (1, 30, 100, len(whole) - 5):
        damage(owner, "UPDATE ledger_seal SET exported_at = NULL")
        file.write_text(whole[:-cut])
        ledger.export_seals()
        assert file.read_text() == whole


def test_a_fresh_file_goes_on_where_the_old_one_ended(committed_db: str, file: Path) -> None:
    live()
    seal_everything()
    ledger.export_seals()
    file.unlink()
    fund(make_user("bob"), "USDT", "5")
    seal_everything()
    assert ledger.export_seals() == 1
    assert [line.number for line in read_lines(file.read_text().splitlines())] == [2]


@pytest.mark.parametrize(
    "change",
    [lambda line: f"7{line[1:]}", lambda line: f"{line[:2]}{'b' if line[2] == 'a' else 'a'}{line[3:]}"],
    ids=["cut tail", "other hash"],
)
def test_nothing_is_added_to_a_file_of_another_chain(
    committed_db: str, file: Path, change: Callable[[str], str]
) -> None:
    live()
    seal_everything()
    ledger.export_seals()
    other = change(file.read_text())
    file.write_text(other)
    fund(make_user("bob"), "USDT", "5")
    seal_everything()
    for _time in range(2):
        with pytest.raises(OtherChain):
            ledger.export_seals()
    assert file.read_text() == other
    assert LedgerException.objects.filter(source="chain of seals").count() == 1


SEAL = f"1 {'a' * 64} 2026-01-01T00:00:00.000000+00:00"
ODD_LINES = [
    "hello",
    "0" + SEAL[1:],
    SEAL[:40],
    SEAL[:-1],
    SEAL.replace("T00", "T25"),
    SEAL.upper(),
    "1",
    SEAL * 2,
]


@pytest.mark.parametrize("line", ODD_LINES)
def test_a_file_of_something_else_is_refused_with_the_number_of_its_line(line: str) -> None:
    with pytest.raises(NotASeal, match="Line 3 is not a seal"):
        list(read_lines(["\n", f"{SEAL}\n", f"{line}\n"]))


def test_a_last_line_counts_when_it_is_whole() -> None:
    assert [str(line) for line in read_lines([f"{SEAL}\n", SEAL])] == [SEAL, SEAL]
    assert [str(line) for line in read_lines([f"{SEAL}\n", SEAL[:-1]])] == [SEAL]


def test_the_command_seals_and_exports(
    committed_db: str, file: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SEAL_BLOCK = 1
    live()
    wait_for_horizon()
    call_command("ledger_seal")
    call_command("ledger_seal", "--all")
    assert capsys.readouterr().out.splitlines() == [
        "1 transfers were sealed, 1 blocks were exported",
        "2 transfers were sealed, 2 blocks were exported",
    ]


# ------------------------------------------------------------------ the mail
def test_the_end_of_the_chain_is_mailed_once_a_day(committed_db: str, settings: Settings) -> None:
    settings.SEAL_MAIL_TO = ["auditor@example.com", "owner@example.com"]
    assert ledger.mail_seal() is False
    live()
    seal_everything()
    assert sum(at_once(4, lambda _number: ledger.mail_seal())) == 1
    mails = Notice.objects.filter(kind="ledger.seal")
    assert {mail.to for mail in mails} == set(settings.SEAL_MAIL_TO)
    assert str(books.line_of(Seal.objects.get())) in mails[0].body
    mails.update(created_at=timezone.now() - timedelta(days=1))
    assert (ledger.mail_seal(), ledger.mail_seal()) == (True, False)


def test_nobody_is_written_to_unless_somebody_is_named(committed_db: str) -> None:
    live()
    seal_everything()
    assert ledger.mail_seal() is False
