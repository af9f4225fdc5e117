"""`manage.py rotate_keys`: every key of a venue account is sealed anew under the newest secret.

Put the new secret before the old ones first (in the file of VENUE_KEYS_SECRET_FILE it counts at once), run this, then
take the old ones out. Trading goes on meanwhile.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.errors import DomainError
from exchange.gate import keys, vault
from exchange.gate.models import SealedKey


class Command(BaseCommand):
    help = "Seal the keys of all venue accounts under the newest secret; exit status 1 when one cannot be opened."

    def handle(self, *args: Any, **options: Any) -> None:
        changed, failed = 0, []
        for row in SealedKey.objects.select_related("venue_account").order_by("pk"):
            try:
                changed += keys.reseal(row.pk)
            except DomainError as error:
                failed.append(f"{row.venue_account}: {error}")
        self.stdout.write(f"{changed} sealed anew under {vault.newest() or 'nothing'}")
        if failed:
            raise CommandError("\n".join(failed), returncode=1)
