"""`manage.py ledger_verify`: every law of the books is asked for; exit status 1 when one is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger import queries


class Command(BaseCommand):
    help = "Verify the books and name the first broken row."

    def handle(self, *args: Any, **options: Any) -> None:
        if broken := queries.first_broken_row():
            raise CommandError(broken, returncode=1)
        self.stdout.write("the books balance")
