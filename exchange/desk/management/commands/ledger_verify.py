"""`manage.py ledger_verify`: every law of the books is asked for, at one moment.

Exit status 0: all hold; 1: the first broken row is named; 2: the books could not be asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from exchange.desk import evidence
from exchange.errors import DomainError
from ledger import services
from ledger.seals import SealLine, read_lines


class Command(BaseCommand):
    help = "Verify the books, the chain of seals and the exported seals, and name the first broken row."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seals", type=Path, help="an exported file of seals (default: SEAL_FILE, when it is there)"
        )
        parser.add_argument(
            "--record", action="store_true", help="put the outcome on record, where staff see it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file = options["seals"] or (settings.SEAL_FILE if settings.SEAL_FILE.exists() else None)
        try:
            exported = Exported(file)
            found = evidence.verdict(exported.lines())
        except (DatabaseError, OSError, DomainError) as error:
            raise CommandError(f"the books could not be verified: {error}", returncode=2) from error
        if options["record"]:
            self._record(found)
        if found.broken:
            raise CommandError(found.broken, returncode=1)
        self.stdout.write("the books balance")
        for what, count in found.counts.items():
            self.stdout.write(f"  {count} {what}")
        self.stdout.write(
            f"  {exported.count} exported blocks" + (f" in {file}" if file else ": no file of seals")
        )

    def _record(self, found: evidence.Verdict) -> None:
        try:
            services.note_verified(block=found.block, broken=found.broken)
        except DatabaseError as error:  # a replica; the verdict counts all the same
            self.stderr.write(f"the outcome could not be put on record: {error}")


class Exported:
    """The lines a file of seals had when the books were looked at, counted while they are read."""

    def __init__(self, file: Path | None) -> None:
        self._file, self.count = file, 0
        # What is added from now on may be of blocks that the moment of the verification does not know yet.
        self._size = file.stat().st_size if file else 0

    def lines(self) -> Iterator[SealLine]:
        for line in read_lines(self._text()):
            self.count += 1
            yield line

    def _text(self) -> Iterator[str]:
        if self._file is None:
            return
        with self._file.open("rb") as file:
            for line in file:
                self._size -= len(line)
                if self._size >= 0:
                    yield line.decode(errors="replace")
