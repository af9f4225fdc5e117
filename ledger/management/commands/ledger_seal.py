"""`manage.py ledger_seal`: one block more, or with --all as many as there are; then all are exported."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from exchange.errors import DomainError
from ledger import services


class Command(BaseCommand):
    help = "Seal transfers in the next block, and write every new block to the file of seals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="as many blocks as there are transfers for")

    def handle(self, *args: Any, **options: Any) -> None:
        sealed = services.seal_books(blocks=None if options["all"] else 1)
        try:
            added = services.export_seals()
        except (OSError, DomainError) as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(f"{sealed} transfers were sealed, {added} blocks were exported")
