"""`manage.py executions`: the user data stream of every account, each in a thread of its own.

An account that is added, or gets another key, is followed from the next look on; one that takes no orders any more is
let go when nothing of it is open.
"""

import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from exchange.gate import services as gate
from exchange.gate.rights import require_fit_keys
from exchange.memory import collect_seldom
from orders.management.follower import Followers

log = structlog.get_logger()
LOOK_SECONDS = 2
NO_KEY = "BINANCE_API_KEY is missing; there is no account to follow."


class Command(BaseCommand):
    help = "Follow the user data streams."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        require_fit_keys()
        collect_seldom()
        followers, is_told = Followers(), False
        while True:
            try:
                close_old_connections()
                followers.look()
                if not followers.by_account and not is_told:
                    self.stderr.write(f"causeway: {NO_KEY}")
                    is_told = True
            except DatabaseError as error:  # it may be away: who is followed is followed all the same
                log.error("executions.accounts_not_read", error=type(error).__name__)
            time.sleep(LOOK_SECONDS)
