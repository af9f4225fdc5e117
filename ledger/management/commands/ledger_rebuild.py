"""`manage.py ledger_rebuild`: balances and holds from the entries alone, as CSV or compared with the stored ones.

With --check exit status 0: nothing differs; 1: the first difference is named; 2: the books could not be asked.
"""

import csv
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from ledger import queries
from ledger.queries import Rebuilt


class Command(BaseCommand):
    help = "Rebuild balances and holds from the entries, and print them or compare them with the stored ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="compare, to the last digit, instead of printing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with queries.rebuilt() as found:
                self._check(found) if options["check"] else self._print(found)
        except DatabaseError as error:
            raise CommandError(f"the books could not be rebuilt: {error}", returncode=2) from error

    def _check(self, found: Rebuilt) -> None:
        if difference := found.first_difference():
            raise CommandError(difference, returncode=1)
        self.stdout.write("what is stored is what the entries say")
        for what, count in found.counts().items():
            self.stdout.write(f"  {count} {what}")

    def _print(self, found: Rebuilt) -> None:
        table = csv.writer(self.stdout, lineterminator="\n")
        table.writerow(["kind", "name", "available", "held", "entries"])
        table.writerows(found.rows())
