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
from exchange.gate.models import VenueAccount
from exchange.gate.rights import require_fit_keys
from orders import queries
from orders.management.follower import Follower

log = structlog.get_logger()
LOOK_SECONDS = 2
NO_KEY = "BINANCE_API_KEY is missing; there is no account to follow."


class Command(BaseCommand):
    help = "Follow the user data streams."

    def handle(self, *args: Any, **options: Any) -> None:
        gate.refuse_unfit_database()
        require_fit_keys()
        self.followers: dict[int, Follower] = {}
        self.is_told = False
        while True:
            try:
                close_old_connections()
                self.look()
            except DatabaseError as error:  # it may be away: who is followed is followed all the same
                log.error("executions.accounts_not_read", error=type(error).__name__)
            time.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Whoever is to be followed is, by the key that counts now, and nobody else."""
        wanted = {account.pk: account for account in queries.accounts_to_follow()}
        for number, follower in list(self.followers.items()):
            account = wanted.get(number)
            is_as_wanted = account is not None and account.keys_version == follower.version
            if not is_as_wanted or not follower.is_alive:
                self.let_go(number, follower)
        for number, account in wanted.items():
            if number not in self.followers:
                self.follow(account)
        if not self.followers and not self.is_told:
            self.stderr.write(f"causeway: {NO_KEY}")
            self.is_told = True

    def follow(self, account: VenueAccount) -> None:
        if (key := gate.key_of(account)) is None:
            return
        self.followers[account.pk] = Follower(account, key)
        self.followers[account.pk].start()
        log.info("executions.following", account=account.name)

    def let_go(self, number: int, follower: Follower) -> None:
        """The next one of the account begins when this one has ended: what it heard it has applied."""
        follower.stop()
        if not follower.is_alive:
            del self.followers[number]
            log.info("executions.let_go", account=follower.account.name)
            gate.note_stream(follower.account, VenueAccount.StreamState.DOWN, "it is not followed any more")
