"""What lies in our accounts at the venue: told by events as it changes, and asked for by a sweep that guarantees it."""

from collections.abc import Iterable

import structlog
from django.db import connection
from django.utils import timezone

from exchange.binance.errors import VenueError
from exchange.binance.models import VenueBalance
from exchange.binance.positions import AccountPosition
from exchange.gate import keys, services
from exchange.gate.models import Inventory, VenueAccount

log = structlog.get_logger()
# An event of so many milliseconds before the venue was asked may be newer than the answer: clocks are not the same.
MARGIN_MS = 1000
_NOTE = """
INSERT INTO gate_inventory (venue_account_id, asset, free, locked, told_ms) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (venue_account_id, asset) DO UPDATE
SET free = excluded.free, locked = excluded.locked, told_ms = excluded.told_ms
WHERE gate_inventory.told_ms <= excluded.told_ms
"""


def note_position(account: VenueAccount, position: AccountPosition) -> None:
    """What an event says of some assets is known, unless something newer is."""
    _note(account, position.balances, position.time_ms)


def read_inventories() -> None:
    """A sweep: what lies in each account is as the venue says now; one that does not answer stays as it was."""
    for account in VenueAccount.objects.order_by("id"):
        if keys.key_of(account) is None:
            continue
        try:
            read_inventory(account)
        except VenueError as error:
            log.warning("gate.inventory_not_read", account=account.name, reason=str(error)[:120])


def read_inventory(account: VenueAccount) -> None:
    """Everything that lies there, and nothing else; raises what the venue answers."""
    services.measure_clock()
    told_ms, now = services.clock().now_ms() - MARGIN_MS, timezone.now()
    found = services.call(account, services.Kind.HISTORY, None, lambda rest: rest.account())
    _note(account, found, told_ms)
    gone = Inventory.objects.filter(venue_account=account, told_ms__lt=told_ms)
    gone.exclude(asset__in=[row.asset for row in found]).update(free=0, locked=0, told_ms=told_ms)
    VenueAccount.objects.filter(pk=account.pk).update(inventory_at=now)


def _note(account: VenueAccount, balances: Iterable[VenueBalance], told_ms: int) -> None:
    # In one order, so that the sweep and an event never wait for each other.
    rows = sorted(balances, key=lambda row: row.asset)
    with connection.cursor() as cursor:
        cursor.executemany(_NOTE, [(account.pk, row.asset, row.free, row.locked, told_ms) for row in rows])
