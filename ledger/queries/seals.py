"""The chain of seals: how far it reaches, and whether every link of it, computed anew, is what it was."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from exchange.office import queries as office
from ledger.models import Seal
from ledger.seals import BEGINNING, SealLine, block_hash, leaf_of, root_of

ROWS = 500
# What verifications on record are about; nothing else is.
BOOKS = "books"
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Waiting:
    """The oldest transfer that is in no block yet."""

    transfer_id: int
    since: datetime


@dataclass(frozen=True)
class Verification:
    """Up to which block somebody looked, when, and what was found broken."""

    block: int
    at: datetime
    broken: str


@dataclass(frozen=True)
class _Member:
    """A sealed transfer as it is now: its place and leaf, then the columns that were hashed."""

    place: int
    transfer_id: int
    leaf: bytes
    transfer: Row
    entries: list[Row]

    @property
    def is_there(self) -> bool:
        return self.transfer[0] is not None


def seal_of(transfer_id: int) -> Seal | None:
    """The block the transfer is in; None until it is sealed."""
    return Seal.objects.filter(members__transfer_id=transfer_id).first()


def latest_seal() -> Seal | None:
    """The end of the chain."""
    return Seal.objects.first()


def seals_to_export(after: int | None) -> QuerySet[Seal]:
    """The blocks after this one, in order; without one, those that were never exported."""
    found = Seal.objects.order_by("number")
    return found.filter(exported_at__isnull=True) if after is None else found.filter(number__gt=after)


def line_of(seal: Seal) -> SealLine:
    """The block as it leaves the house."""
    return SealLine(seal.number, seal.hash, seal.created_at)


def latest_verification() -> Verification | None:
    """The last verification that was put on record."""
    found = office.latest_record(BOOKS)
    return Verification(int(found.subject_id), found.at, found.reason) if found else None


def waiting_for_seal() -> Waiting | None:
    """The oldest transfer after the chain's horizon; None when all are sealed."""
    found = _row(
        "SELECT id, created_at FROM ledger_transfer"
        " WHERE xid >= coalesce((SELECT horizon FROM ledger_seal ORDER BY number DESC LIMIT 1), '0')"
        " ORDER BY xid LIMIT 1"
    )
    return Waiting(*found) if found else None


def late_for_seal(now: datetime, patience: timedelta) -> str:
    """The transfer that waits too long to be sealed, in words; empty when none does."""
    waiting = waiting_for_seal()
    if waiting is None or now - waiting.since <= patience:
        return ""
    minutes = (now - waiting.since) // timedelta(minutes=1)
    return f"transfer {waiting.transfer_id} waits to be sealed for {minutes} minutes"


def differing_export(exported: Iterable[SealLine]) -> str:
    """The first exported block that the chain does not have, or has otherwise, in words; empty when all are there."""
    lines = iter(exported)
    while some := list(islice(lines, ROWS)):
        seals = Seal.objects.in_bulk([line.number for line in some])
        for line in some:
            if broken := _difference(line, seals.get(line.number)):
                return broken
    return ""


def _difference(line: SealLine, seal: Seal | None) -> str:
    if seal is None:
        end = latest_seal()
        return (
            f"block {line.number} was exported with hash {line.hash}, and the chain has no such block: "
            f"it ends at block {end.number if end else 0}"
        )
    if line_of(seal) != line:
        return f"block {line.number} was exported as {line}, and the chain has {line_of(seal)}"
    return ""


# ------------------------------------------------------------------ the chain, link by link
def broken_links() -> Iterator[str]:
    """What does not fit along the chain, in words, from its beginning; one block at a time is in memory."""
    if orphan := _row(_ORPHAN):
        yield "transfer {} is sealed in block {}, which is gone".format(*orphan)
    before = Seal(number=0, hash=BEGINNING, horizon=0)
    seals = Seal.objects.order_by("number").iterator(chunk_size=ROWS)
    for seal, (_number, rows) in zip(seals, groupby(_rows(_MEMBERS), key=itemgetter(0)), strict=True):
        yield from _broken_block(before, seal, rows)
        before = seal
    if skipped := _row(f"{_SKIPPED} AND t.xid < '{before.horizon}' ORDER BY 1 LIMIT 1"):
        yield f"transfer {skipped[0]} is older than the end of the chain, and in no block"


def _broken_block(before: Seal, seal: Seal, rows: Iterator[Row]) -> Iterator[str]:
    number = seal.number
    if number != before.number + 1:
        yield f"block {before.number + 1} of the chain is missing"
    if seal.previous_hash != before.hash:
        yield f"block {number} follows {seal.previous_hash}, and block {before.number} is {before.hash}"
    if seal.hash != block_hash(*(getattr(seal, name) for name in _HASHED)):
        yield f"block {number} was altered: its hash does not come of what it says"
    leaves: list[bytes] = []
    for member in _members(rows):
        if member.place != len(leaves) + 1:
            yield f"place {len(leaves) + 1} of block {number} is empty"
        if broken := _broken_member(before, seal, member):
            yield broken
        leaves.append(member.leaf)
    if len(leaves) != seal.transfers:
        yield f"block {number} has {len(leaves)} transfers, and {seal.transfers} were sealed in it"
    if root_of(leaves) != seal.root:
        yield f"block {number} was altered: its root does not come of its transfers"


def _broken_member(before: Seal, seal: Seal, member: _Member) -> str:
    name = f"transfer {member.transfer_id}"
    if not member.is_there:
        return f"{name}, which block {seal.number} sealed, is gone"
    if leaf_of(member.transfer, member.entries) != member.leaf:
        return f"{name} or its entries are not what block {seal.number} sealed"
    if not before.horizon <= int(member.transfer[-1]) < seal.horizon:
        return f"{name} does not belong into block {seal.number}"
    return ""


def _members(rows: Iterator[Row]) -> Iterator[_Member]:
    for _place, lines in groupby(rows, key=itemgetter(1)):
        found = list(lines)
        first = found[0]
        if first[1] is not None:
            entries = [line[14:] for line in found if line[14] is not None]
            yield _Member(first[1], first[2], bytes(first[3]), first[4:14], entries)


def _row(sql: str) -> Row | None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def _rows(sql: str) -> Iterator[Row]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql)
        while some := cursor.fetchmany(ROWS):
            yield from some


_HASHED = ("number", "previous_hash", "root", "horizon", "transfers", "created_at")
_ORPHAN = """
SELECT m.transfer_id, m.seal_id FROM ledger_sealedtransfer m LEFT JOIN ledger_seal s ON s.number = m.seal_id
 WHERE s.number IS NULL ORDER BY 1 LIMIT 1
"""
_SKIPPED = """
SELECT t.id FROM ledger_transfer t LEFT JOIN ledger_sealedtransfer m ON m.transfer_id = t.id
 WHERE m.transfer_id IS NULL
"""
# Every block has a row, one without transfers too.
_MEMBERS = """
SELECT s.number, m.position, m.transfer_id, m.leaf,
       t.id, t.scope, t.key, t.request_hash, t.kind, t.reference, t.reverses_id, t.approval_id, t.created_at,
       t.xid::text,
       e.id, e.account_id, a.code, e.asset_id, e.bucket, e.amount, e.seq, e.balance_after, e.xid::text
  FROM ledger_seal s
  LEFT JOIN ledger_sealedtransfer m ON m.seal_id = s.number
  LEFT JOIN ledger_transfer t ON t.id = m.transfer_id
  LEFT JOIN ledger_entry e ON e.transfer_id = t.id
  LEFT JOIN ledger_account a ON a.id = e.account_id
 ORDER BY s.number, m.position, e.id
"""
