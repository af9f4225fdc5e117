"""What we own against what we owe, what comes in and goes out, at any time: the figures of treasury and reports.

In the books a credit is positive. What we own is therefore negative there, and shown here with its sign turned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from exchange.database import same_moment
from exchange.money import EXACT, divide
from ledger.models import Account, Balance, Entry, ReconciledAsset
from ledger.queries.house import house
from ledger.queries.reconciling import latest_runs
from ledger.queries.worth import Prices

ZERO, TENTH = Decimal(0), Decimal("0.1")
Kind = Account.Type
ASSETS = (Kind.VENUE, Kind.CUSTODY)
# Profit and loss: what we earned is positive, what we spent negative.
INCOME = (Kind.FEES, Kind.COMMISSION, Kind.NETWORK_FEES, Kind.SLIPPAGE, Kind.ROUNDING)
Key = tuple[str, str]  # asset and type of account, or asset and bucket


# ------------------------------------------------------------------ sums by asset
def house_sums(at: datetime | None = None) -> dict[Key, Decimal]:
    """Every account of the house by asset and type, now or as of a time."""
    return house() if at is None else _without(house(), movements(after=at))


def movements(
    *, since: datetime | None = None, until: datetime | None = None, after: datetime | None = None
) -> dict[Key, Decimal]:
    """What was booked to the house's accounts in the time, by asset and type."""
    rows = _entries(since, until, after).filter(account__owner__isnull=True)
    sums = rows.values_list("asset_id", "account__type").annotate(total=Sum("amount"))
    return {(asset, kind): total for asset, kind, total in sums}


def venue_outflows(*, since: datetime) -> dict[tuple[int, str], Decimal]:
    """What left each venue account since then, by account and asset; below zero what came."""
    rows = _entries(since, None, None).filter(account__type=Kind.VENUE)
    sums = rows.values_list("account__venue_account", "asset_id").annotate(total=Sum("amount"))
    return {(account, asset): total for account, asset, total in sums}


def _entries(since: datetime | None, until: datetime | None, after: datetime | None) -> QuerySet[Entry]:
    wanted = Q()
    if since is not None:
        wanted &= Q(transfer__created_at__gte=since)
    if until is not None:
        wanted &= Q(transfer__created_at__lt=until)
    if after is not None:
        wanted &= Q(transfer__created_at__gt=after)
    return Entry.objects.filter(wanted).order_by()


def _without(sums: dict[Key, Decimal], later: dict[Key, Decimal]) -> dict[Key, Decimal]:
    return {key: sums.get(key, ZERO) - later.get(key, ZERO) for key in sorted({*sums, *later})}


def owed(at: datetime | None = None) -> dict[Key, Decimal]:
    """What customers have, by asset and bucket, now or as of a time."""
    rows = Balance.objects.order_by().values_list("account__asset_id")
    sums: dict[Key, Decimal] = {}
    for asset, free, bound in rows.annotate(free=Sum("available"), bound=Sum("held")):
        sums |= {(asset, Entry.Bucket.AVAILABLE): free, (asset, Entry.Bucket.HELD): bound}
    if at is None:
        return sums
    later = _entries(None, None, at).filter(account__owner__isnull=False)
    moved = later.values_list("asset_id", "bucket").annotate(total=Sum("amount"))
    return _without(sums, {(asset, bucket): total for asset, bucket, total in moved})


# ------------------------------------------------------------------ the balance sheet
@dataclass(frozen=True)
class SheetRow:
    """One asset's line of the balance sheet; assets are shown positive."""

    asset: str
    venue: Decimal
    custody: Decimal
    available: Decimal
    held: Decimal
    suspense: Decimal
    earned: Decimal
    conversions: Decimal
    capital: Decimal

    @property
    def assets(self) -> Decimal:
        return self.venue + self.custody

    @property
    def liabilities(self) -> Decimal:
        return self.available + self.held + self.suspense

    @property
    def equity(self) -> Decimal:
        return self.earned + self.conversions + self.capital

    @property
    def is_balanced(self) -> bool:
        return self.assets == self.liabilities + self.equity


def balance_sheet(at: datetime | None = None) -> list[SheetRow]:
    """Assets, liabilities and equity of every asset, now or as of a time; the first is the sum of the other two."""
    with same_moment():
        ours, theirs = house_sums(at), owed(at)
    return [_sheet_row(asset, ours, theirs) for asset in sorted({asset for asset, _part in (*ours, *theirs)})]


def _sheet_row(asset: str, ours: dict[Key, Decimal], theirs: dict[Key, Decimal]) -> SheetRow:
    return SheetRow(
        asset=asset,
        venue=-ours.get((asset, Kind.VENUE), ZERO),
        custody=-ours.get((asset, Kind.CUSTODY), ZERO),
        available=theirs.get((asset, Entry.Bucket.AVAILABLE), ZERO),
        held=theirs.get((asset, Entry.Bucket.HELD), ZERO),
        suspense=ours.get((asset, Kind.SUSPENSE), ZERO),
        earned=sum((ours.get((asset, kind), ZERO) for kind in INCOME), ZERO),
        conversions=ours.get((asset, Kind.CONVERSION), ZERO),
        capital=ours.get((asset, Kind.EQUITY), ZERO),
    )


# ------------------------------------------------------------------ the trial balance
@dataclass(frozen=True)
class TrialRow:
    """One account of the trial balance: what it owns or spent is a debit, what it is owed or earned a credit."""

    asset: str
    account: str
    debit: Decimal
    credit: Decimal


def trial_rows(at: datetime | None = None) -> list[TrialRow]:
    """Every account of the house, and the customers' together, by asset; debits and credits of an asset are equal."""
    with same_moment():
        ours, theirs = house_sums(at), owed(at)
    names = dict(Account.Type.choices) | dict(Entry.Bucket.choices)
    rows = sorted({**theirs, **ours}.items())
    return [
        TrialRow(asset, str(names[part]), max(-total, ZERO), max(total, ZERO))
        for (asset, part), total in rows
        if total
    ]


# ------------------------------------------------------------------ income
@dataclass(frozen=True)
class IncomeRow:
    """What was earned and spent in one asset in one stretch of time; what was spent is negative."""

    start: datetime
    end: datetime
    asset: str
    fees: Decimal
    commission: Decimal
    network_fees: Decimal
    slippage: Decimal
    rounding: Decimal

    @property
    def margin(self) -> Decimal:
        return self.fees + self.commission + self.network_fees + self.slippage + self.rounding


def income(stretches: list[tuple[datetime, datetime]]) -> list[IncomeRow]:
    """Income of each stretch of time by asset; assets without any are left out."""
    with same_moment():
        found = [(start, end, movements(since=start, until=end)) for start, end in stretches]
    return [row for stretch in found for row in _income_rows(*stretch)]


def _income_rows(start: datetime, end: datetime, sums: dict[Key, Decimal]) -> Iterator[IncomeRow]:
    for asset in sorted({asset for asset, kind in sums if kind in INCOME}):
        parts = [sums.get((asset, kind), ZERO) for kind in INCOME]
        if any(parts):
            yield IncomeRow(start, end, asset, *parts)


# ------------------------------------------------------------------ the treasury's view of now
RATE_OF = timedelta(hours=24)
# What lasts less long wants somebody to fill it up today.
DRY_HOURS = 24


@dataclass(frozen=True)
class Coverage:
    """One asset: what the venue says, what we owe, and how many hours what is free there lasts.

    None: nothing leaves on balance; zero: nothing is left of what leaves.
    """

    row: SheetRow
    free: Decimal | None
    locked: Decimal | None
    outflow: Decimal
    hours: Decimal | None
    price: Decimal | None

    @property
    def surplus(self) -> Decimal:
        """What we own beyond what we owe customers; below zero something is missing."""
        return self.row.assets - self.row.available - self.row.held

    @property
    def is_running_dry(self) -> bool:
        return self.hours is not None and self.hours < DRY_HOURS

    def worth(self, amount: Decimal) -> Decimal | None:
        return None if self.price is None else EXACT.multiply(self.price, amount)

    @property
    def assets_worth(self) -> Decimal | None:
        return self.worth(self.row.assets)

    @property
    def owed_worth(self) -> Decimal | None:
        return self.worth(self.row.available + self.row.held)


@dataclass(frozen=True)
class Treasury:
    """What we own against what we owe, all assets together; the venue's figures are of the latest reconciliation."""

    rows: list[Coverage]
    checked_at: datetime | None
    income: list[IncomeRow]

    @property
    def assets_worth(self) -> Decimal:
        return sum((row.assets_worth or ZERO for row in self.rows), ZERO)

    @property
    def owed_worth(self) -> Decimal:
        return sum((row.owed_worth or ZERO for row in self.rows), ZERO)

    @property
    def without_price(self) -> list[str]:
        return [row.row.asset for row in self.rows if row.price is None]


def treasury() -> Treasury:
    """What we own, owe, spend and earn, by asset; rates and income are of the last 24 hours."""
    now = timezone.now()
    with same_moment():
        runs = latest_runs()
        lies = ReconciledAsset.objects.filter(reconciliation__in=runs, place="VENUE").order_by()
        told = {
            row["asset_id"]: (row["all_free"], row["all_locked"])
            for row in lies.values("asset_id").annotate(all_free=Sum("free"), all_locked=Sum("locked"))
        }
        moved = movements(since=now - RATE_OF)
        rows = balance_sheet()
    prices = Prices()
    found = [
        _coverage(row, told.get(row.asset), moved.get((row.asset, Kind.VENUE), ZERO), prices) for row in rows
    ]
    return Treasury(
        found, min((run.at for run in runs), default=None), list(_income_rows(now - RATE_OF, now, moved))
    )


def _coverage(row: SheetRow, told: tuple[Decimal, Decimal] | None, net: Decimal, prices: Prices) -> Coverage:
    # A credit to the venue's account is what left it.
    free, locked = told or (None, None)
    there = row.venue if free is None else free
    hours = divide(max(there, ZERO) * 24, net).quantize(TENTH) if net > 0 else None
    return Coverage(row, free, locked, net, hours, prices.of(row.asset))
