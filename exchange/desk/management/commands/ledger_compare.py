"""`manage.py ledger_compare [--history [--day DAY]]`: our books against the venue's; exit status 1 when they differ.

Exit status 2 when something could not be compared; it says what.
"""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.binance.errors import VenueError
from exchange.money import plain
from ledger import services as ledger
from orders import services as orders


class Command(BaseCommand):
    help = (
        "Compare the books with the venue account, asset by asset, or a day of its history, record by record."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--history", action="store_true", help="deposits, withdrawals and trades of past days"
        )
        parser.add_argument(
            "--day", type=date.fromisoformat, help="only this day (YYYY-MM-DD, UTC), once more"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["history"] or options["day"]:
                self._history(options["day"])
            else:
                self._positions()
        except VenueError as error:
            raise CommandError(f"the venue could not be asked: {error}", returncode=2) from error

    def _positions(self) -> None:
        runs = ledger.reconcile_all()
        if not runs:
            raise CommandError("no key for the venue is set", returncode=2)
        for run in runs:
            of = f"{run.venue_account}: " if len(runs) > 1 else ""
            for row in run.rows.all():
                if row.difference or row.explained:
                    self.stdout.write(
                        f"{of}{row.place} {row.asset_id}: books {plain(row.ours)}, venue {plain(row.theirs)}, "
                        f"under way {plain(row.explained)}, difference {plain(row.difference)}"
                    )
        if differing := sum(run.differing for run in runs):
            raise CommandError(f"{differing} assets differ", returncode=1)
        self.stdout.write("the books and the venue agree")

    def _history(self, day: date | None) -> None:
        found = ledger.compare_history(day=day) + orders.compare_trades(day=day)
        if found.left_out:
            listed = "\n".join(found.left_out)
            raise CommandError(f"{found.differing} records differ; not compared:\n{listed}", returncode=2)
        if found.differing:
            raise CommandError(f"{found.differing} records differ", returncode=1)
        self.stdout.write("the books and the venue's history agree")
