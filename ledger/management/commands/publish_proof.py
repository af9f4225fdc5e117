"""`manage.py publish_proof`: a proof of what customers are owed now; exit status 1 when the books are not in order."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.errors import DomainError
from ledger import services


class Command(BaseCommand):
    help = "Publish a proof of liabilities."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            proof = services.publish_proof()
        except DomainError as error:
            raise CommandError(str(error), returncode=1) from error
        self.stdout.write(f"proof {proof.number}: {proof.customers} customers, root {proof.root}")
