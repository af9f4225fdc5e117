"""What reconciliations found, and the differences that wait for an explanation."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from exchange.prepared import Prepared
from ledger.differences import Candidate
from ledger.models import (
    Deposit,
    HistoryCheck,
    LedgerException,
    Network,
    Place,
    ReconciledAsset,
    Reconciliation,
    Withdrawal,
)
from markets.models import Asset

# A tile that was not renewed for this many intervals says so.
LATE_RUNS = 3
LOOKED_BACK = timedelta(days=7)
MOST_CANDIDATES = 200


def open_exceptions() -> QuerySet[LedgerException]:
    """Differences nobody has closed yet, oldest first."""
    return LedgerException.objects.filter(resolved_at__isnull=True).select_related("owner").order_by("id")


def has_exception(key: str) -> bool:
    """True when the difference was put before staff, settled or not."""
    return LedgerException.objects.filter(key=key).exists()


def standing_differences() -> QuerySet[LedgerException]:
    """Open differences that the latest runs still found."""
    return open_exceptions().filter(gone_at__isnull=True).exclude(place="")


def stopped_assets() -> set[str]:
    """Assets in which nothing new may be ordered or withdrawn."""
    return {asset for (asset,) in _STOPPING.all() if asset}


_STOPPING = Prepared(
    lambda: LedgerException.objects.filter(
        stops_asset=True, resolved_at__isnull=True, gone_at__isnull=True
    ).values_list("asset_id")
)


def latest_runs() -> list[Reconciliation]:
    """The latest run of each venue account that is in use."""
    in_use = Q(venue_account__is_enabled=True) | Q(venue_account__is_primary=True)
    found = Reconciliation.objects.filter(in_use).order_by("venue_account", "-id")
    return list(found.distinct("venue_account"))


def runs_to_judge_by(venue_account_id: int, now: datetime, patience: timedelta) -> list[int]:
    """The latest run that is old enough not to have seen the same moment, and every run since."""
    runs = Reconciliation.objects.filter(venue_account_id=venue_account_id, at__lte=now).order_by("-id")
    first = runs.filter(at__lte=now - patience).first()
    return list(runs.filter(pk__gte=first.pk).values_list("pk", flat=True)) if first else []


def unswept_deposits(venue_account_id: int) -> QuerySet[Deposit]:
    """Deposits in sub-accounts that are not known to have reached the trading account, oldest first."""
    found = Deposit.objects.filter(
        venue_account_id=venue_account_id, sub_account__isnull=False, swept_at__isnull=True
    )
    never_there = (Deposit.Status.REJECTED, Deposit.Status.GONE, Deposit.Status.TAKEN_BACK)
    return found.exclude(status__in=never_there).select_related("sub_account").order_by("id")


def compared_parts(venue_account_id: int, day: date) -> set[str]:
    """The parts of the day that were held against the venue's history."""
    found = HistoryCheck.objects.filter(venue_account_id=venue_account_id, day=day)
    return set(found.values_list("part", flat=True))


def compared_until(venue_account_id: int, kind: str) -> date | None:
    """The latest day of which a part of this kind was held against the venue's history; None before the first."""
    found = HistoryCheck.objects.filter(venue_account_id=venue_account_id, part__startswith=kind)
    return found.order_by("-day").values_list("day", flat=True).first()


def deposits_with(
    venue_account_id: int,
    sub_account_id: int | None,
    venue_ids: Iterable[str],
    start: datetime,
    end: datetime,
) -> QuerySet[Deposit]:
    """Deposits with these ids, and those booked and never taken back that the venue had there in the time."""
    ours = Deposit.objects.filter(venue_account_id=venue_account_id)
    there = Q(sub_account_id=sub_account_id, inserted_at__gte=start, inserted_at__lt=end)
    booked = there & Q(transfer__isnull=False, reversed_at__isnull=True)
    return ours.filter(Q(venue_id__in=list(venue_ids)) | booked)


def withdrawals_completed(venue_account_id: int, start: datetime, end: datetime) -> QuerySet[Withdrawal]:
    """Completed withdrawals that were sent in the time."""
    return Withdrawal.objects.filter(
        venue_account_id=venue_account_id,
        status=Withdrawal.Status.COMPLETED,
        sending_at__gte=start,
        sending_at__lt=end,
    )


def is_asset(code: str) -> bool:
    return Asset.objects.filter(code=code).exists()


# ------------------------------------------------------------------ what customers may know
@dataclass(frozen=True)
class Agreement:
    """Whether the books and the venue agree, in words for everybody: no balances of the house."""

    checked_at: datetime | None
    is_late: bool = True
    assets: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """True within the first minute."""
        return self.checked_at is not None and timezone.now() - self.checked_at < timedelta(minutes=1)

    @property
    def state(self) -> str:
        """OK, DIFFERS, LATE or NONE."""
        if self.checked_at is None:
            return "NONE"
        return "DIFFERS" if self.differing else "LATE" if self.is_late else "OK"

    @property
    def by_asset(self) -> dict[str, str]:
        """The state of every asset that was compared: OK, DIFFERS or STOPPED."""
        return {asset: self.of(asset) for asset in sorted({*self.assets, *self.differing})}

    def of(self, asset: str) -> str:
        if asset in self.stopped:
            return "STOPPED"
        return "DIFFERS" if asset in self.differing else "OK"


def agreement() -> Agreement:
    """When the books were last compared with all our venue accounts, and the assets in which a difference stands."""
    runs = latest_runs()
    if not runs:
        return Agreement(None)
    standing = standing_differences().values_list("asset_id", flat=True)
    oldest = min(run.at for run in runs)
    late = timezone.now() - oldest > timedelta(seconds=LATE_RUNS * settings.RECONCILE_SECONDS)
    compared = ReconciledAsset.objects.filter(reconciliation__in=runs).values_list("asset_id", flat=True)
    return Agreement(oldest, late, _sorted(compared), _sorted(standing), _sorted(stopped_assets()))


def _sorted(assets: Iterable[str | None]) -> list[str]:
    return sorted({asset for asset in assets if asset})


# ------------------------------------------------------------------ what could have made a difference
def candidates(row: ReconciledAsset) -> list[Candidate]:
    """Movements of the last days that would have made such a difference, the likeliest first."""
    since = timezone.now() - LOOKED_BACK
    sign = 1 if row.place == Place.VENUE else -1
    found = [
        *(Candidate("finding", f.amount, f"#{f.pk}") for f in _findings(row) if f.amount is not None),
        *(Candidate("sweep", sign * d.amount, f"DEPOSIT:{d.pk}") for d in _deposits(row, since, swept=False)),
        *(Candidate("deposit", d.amount, f"DEPOSIT:{d.pk}") for d in _deposits(row, since, booked=False)),
        *(Candidate("reversed", -d.amount, f"DEPOSIT:{d.pk}") for d in _deposits(row, since, booked=True)),
    ]
    return found if row.place == Place.CUSTODY else [*found, *_outgoing(row.asset_id, since)]


def _findings(row: ReconciledAsset) -> QuerySet[LedgerException]:
    """What is before staff already about single records of the asset, and could be the same thing."""
    return open_exceptions().filter(asset_id=row.asset_id, place="").order_by("-id")[:MOST_CANDIDATES]


def _deposits(
    row: ReconciledAsset, since: datetime, *, booked: bool | None = None, swept: bool | None = None
) -> QuerySet[Deposit]:
    found = Deposit.objects.filter(asset_id=row.asset_id, seen_at__gte=since).order_by("-id")
    if swept is not None:
        return found.filter(sub_account__isnull=False, swept_at__isnull=not swept)[:MOST_CANDIDATES]
    found = found.filter(sub_account__isnull=row.place == Place.VENUE)
    return found.filter(transfer__isnull=not booked)[:MOST_CANDIDATES]


def _outgoing(asset: str, since: datetime) -> list[Candidate]:
    recent = Withdrawal.objects.filter(asset_id=asset, requested_at__gte=since).order_by("-id")
    sent = [w for w in recent[:MOST_CANDIDATES] if w.sending_at is not None]
    fees = Network.objects.filter(asset_id=asset).values_list("code", "withdraw_fee")
    return [
        *(Candidate("withdrawal", -w.amount, f"WITHDRAWAL:{w.pk}") for w in sent),
        *(Candidate("returned", w.amount, f"WITHDRAWAL:{w.pk}") for w in sent),
        *(Candidate("returned", w.amount - w.fee, f"WITHDRAWAL:{w.pk}") for w in sent),
        *(
            Candidate("network fee", side * fee, f"{asset} {code}")
            for code, fee in fees
            if fee
            for side in (-1, 1)
        ),
    ]
