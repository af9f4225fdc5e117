"""`manage.py ledger_compare`: our books against the venue's account; exit status 1 when they differ."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exchange.binance.errors import VenueError
from exchange.money import plain
from ledger import services


class Command(BaseCommand):
    help = "Compare the books with the venue account, asset by asset."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = services.compare_with_venue()
        except VenueError as error:
            raise CommandError(f"the venue could not be asked: {error}", returncode=2) from error
        for row in found:
            self.stdout.write(f"{row.asset}: books {plain(row.ours)}, venue {plain(row.theirs)}")
        if found:
            raise CommandError(f"{len(found)} assets differ", returncode=1)
        self.stdout.write("the books and the venue agree")
