"""Whether what lies in our accounts will last: judged by a sweep, told to staff when it will not.

An order needs that what it pays lies where it goes. How much that is and how fast it leaves others know;
here it is held against what is free, and against the bar that staff set for the asset.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from exchange.errors import DomainError
from exchange.gate.models import Inventory, Runway, RunwayBar, VenueAccount
from exchange.money import divide, plain
from exchange.office import services as office

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger()
ZERO, TENTH = Decimal(0), Decimal("0.1")
LONGEST_HOURS = Decimal(100_000)
# Of the same shortage staff hear once in so long.
QUIET = timedelta(hours=1)
Place = tuple[int, str]  # venue account and asset
LOW = gettext_lazy("A venue account is running low on %(asset)s")
LOW_WORDS = gettext_lazy(
    "%(account)s has %(free)s %(asset)s free; orders under way need %(needed)s, and it lasts %(hours)s hours at the"
    " rate of the last hour. Elsewhere: %(elsewhere)s."
)


@dataclass(frozen=True)
class Use:
    """What is needed of an asset in an account besides what is locked there, and what left in the last hour."""

    needed: Decimal = ZERO
    hourly: Decimal = ZERO


def judge(uses: Mapping[Place, Use]) -> int:
    """What lies in each account that takes orders is on record with how long it lasts, and staff hear of what is low
    and was not told lately; gives how many are low."""
    now = timezone.now()
    accounts = {row.pk: row for row in VenueAccount.objects.filter(is_enabled=True)}
    free = {
        (row.venue_account_id, row.asset): row.free
        for row in Inventory.objects.filter(Q(free__gt=0) | Q(locked__gt=0), venue_account__in=accounts)
    }
    bars = {row.asset: row for row in RunwayBar.objects.all()}
    used = {place: use for place, use in uses.items() if place[0] in accounts and (use.needed or use.hourly)}
    rows = [
        _judged(place, free.get(place, ZERO), used.get(place, Use()), bars.get(place[1]), now)
        for place in sorted({*free, *used})
    ]
    _keep(rows, now)
    low = [row for row in rows if row.is_low]
    _tell(low, free, accounts, now)
    return len(low)


def _judged(place: Place, free: Decimal, use: Use, bar: RunwayBar | None, now: datetime) -> Runway:
    left = max(free - use.needed, ZERO)
    hours = None
    if use.hourly > 0:
        hours = min(divide(left, use.hourly), LONGEST_HOURS).quantize(TENTH)
    fewest = bar.hours if bar else settings.RUNWAY_HOURS
    is_low = (
        free < use.needed or (hours is not None and hours < fewest) or (bar is not None and free < bar.least)
    )
    account, asset = place
    return Runway(
        venue_account_id=account,
        asset=asset,
        free=free,
        needed=use.needed,
        hourly=use.hourly,
        hours=hours,
        is_low=is_low,
        judged_at=now,
    )


def _keep(rows: Iterable[Runway], now: datetime) -> None:
    with transaction.atomic():
        Runway.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["venue_account", "asset"],
            update_fields=["free", "needed", "hourly", "hours", "is_low", "judged_at"],
        )
        Runway.objects.filter(judged_at__lt=now).delete()


def _tell(
    low: Iterable[Runway], free: Mapping[Place, Decimal], accounts: Mapping[int, VenueAccount], now: datetime
) -> None:
    for row in low:
        quiet = Q(told_at__isnull=True) | Q(told_at__lt=now - QUIET)
        named = Runway.objects.filter(quiet, venue_account=row.venue_account_id, asset=row.asset)
        with transaction.atomic():
            if not named.update(told_at=now):
                continue
            words = {
                "account": accounts[row.venue_account_id].name,
                "asset": row.asset,
                "free": plain(row.free),
                "needed": plain(row.needed),
                "hours": "–" if row.hours is None else plain(row.hours),
                "elsewhere": _elsewhere(row, free, accounts),
            }
            log.error("gate.running_low", **words)
            office.tell_staff(f"gate.low {row.asset}"[:64], LOW, LOW_WORDS, words)


def _elsewhere(row: Runway, free: Mapping[Place, Decimal], accounts: Mapping[int, VenueAccount]) -> str:
    """What the other accounts have of it: somebody may move some."""
    found = [
        f"{account.name} {plain(free[number, row.asset])}"
        for number, account in accounts.items()
        if number != row.venue_account_id and (number, row.asset) in free
    ]
    return ", ".join(found) or "–"


@transaction.atomic
def set_bar(runway_id: int, *, hours: int, least: Decimal, reason: str, by: "User") -> RunwayBar:
    """Staff hear of the asset, in any account, when it lasts shorter or less of it is free. On record."""
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")
    asset = Runway.objects.get(pk=runway_id).asset
    before = RunwayBar.objects.select_for_update().filter(asset=asset).first()
    bar, _new = RunwayBar.objects.update_or_create(asset=asset, defaults={"hours": hours, "least": least})
    office.record(
        by,
        "gate.runway_bar_set",
        "asset",
        asset,
        before={"hours": before.hours, "least": plain(before.least)} if before else {},
        after={"hours": hours, "least": plain(least)},
        reason=reason,
    )
    return bar
