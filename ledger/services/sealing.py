"""Transfers are sealed in a chain of blocks, and each block leaves the house: in a file at once, by mail once a day."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.database import transaction_with_retry
from exchange.office import queries as notices
from exchange.office import services as office
from ledger import queries
from ledger.errors import OtherChain
from ledger.models import LedgerException
from ledger.queries.seals import BOOKS
from ledger.seals import SealLine, read_lines
from ledger.services.exceptions import note_exception

log = structlog.get_logger()
SEAL_MAIL = "ledger.seal"
LONGEST_LINE = 200


def seal_books(*, blocks: int | None = None) -> int:
    """Every transfer whose transaction is over is in a block, or as many as fit into so many blocks; gives how many
    were sealed. Nothing happens while somebody else seals."""
    sealed, made, is_more = 0, 0, True
    while is_more and (blocks is None or made < blocks):
        size, is_more = _seal_block()
        sealed, made = sealed + size, made + 1
    return sealed


@transaction_with_retry
def _seal_block() -> tuple[int, bool]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")  # one transaction may have made very many
        cursor.execute("SELECT size, is_more FROM ledger_seal_block(%s)", [settings.SEAL_BLOCK])
        found: tuple[int, bool] = cursor.fetchone() or (0, False)
        return found


# ------------------------------------------------------------------ the file
def export_seals() -> int:
    """Every block is one line of SEAL_FILE, in order and on the disk; gives how many were added.

    The file itself says where it ends, so a block that was written and not noted is not written again, and a line that
    a crash cut short is written anew. Raises OtherChain when the file ends with a block the chain does not have.
    """
    with _exclusive(Path(settings.SEAL_FILE)) as file:
        end = _end_of(file)
        if end is not None:
            _require_known(end)
        added = 0
        for seal in queries.seals_to_export(after=end.number if end else None).iterator():
            end, added = queries.line_of(seal), added + 1
            file.write(f"{end}\n".encode())
        file.flush()
        os.fsync(file.fileno())
        if end is not None:
            _note_exported(end.number)
    return added


@contextmanager
def _exclusive(path: Path) -> Iterator[BinaryIO]:
    """The file, made when it is missing, for this process alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.stat().st_size == 0:
            _keep_name(path.parent)
        yield file


def _keep_name(folder: Path) -> None:
    """A new file survives a crash only once its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of(file: BinaryIO) -> SealLine | None:
    """The last line; what a crash left of one is taken away."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 2 * LONGEST_LINE)
    file.seek(start)
    whole, newline, cut = file.read().rpartition(b"\n")
    if cut:
        file.truncate(size - len(cut))
    last = whole.rpartition(b"\n")[2].decode(errors="replace")
    return next(read_lines([f"{last}\n"]), None) if newline else None


def _require_known(end: SealLine) -> None:
    if broken := queries.differing_export([end]):
        note_exception(
            source=LedgerException.Source.SEALS,
            key=f"chain of seals:{end.number}:{end.hash[:16]}",
            asset=None,
            amount=None,
            detail={"exported": str(end), "found": broken},
        )
        raise OtherChain(what=broken)


def _note_exported(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_note_exported(%s)", [number])


# ------------------------------------------------------------------ the mail
@transaction.atomic
def mail_seal() -> bool:
    """Once a day the end of the chain is mailed to SEAL_MAIL_TO, also when it did not grow; True when it was today."""
    seal = queries.latest_seal()
    if not settings.SEAL_MAIL_TO or seal is None or not _is_first_today():
        return False
    words = {"site": settings.SITE_NAME, "number": seal.number}
    for address in settings.SEAL_MAIL_TO:
        office.mail(
            to=address,
            kind=SEAL_MAIL,
            subject=_("%(site)s: the books are sealed up to block %(number)s") % words,
            body=_("Keep this line; the books can be checked against it at any later time.")
            + f"\n\n{queries.line_of(seal)}",
        )
    return True


def _is_first_today() -> bool:
    """True for one process a day, until its transaction ends for the others too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [SEAL_MAIL])
        is_alone = cursor.fetchone()[0]
    latest = notices.latest_notice(SEAL_MAIL)
    return is_alone and (latest is None or latest.created_at.date() < timezone.now().date())


# ------------------------------------------------------------------ who looked
def note_verified(*, block: int, broken: str) -> None:
    """It is on record that the books were verified up to the block, and what was found broken."""
    office.record(None, "ledger.broken" if broken else "ledger.verified", BOOKS, block, reason=broken)
