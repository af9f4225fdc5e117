"""Reports for auditors: the same columns as page and as CSV, of any time or period."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ledger.queries import sheets
from ledger.queries.worth import Prices

Cell = str | Decimal | None
LONGEST = 400  # stretches of time in one report
ZERO = Decimal(0)


@dataclass(frozen=True)
class Period:
    """What a report is about: as of a time, or from the first to the last day in steps."""

    at: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    step: str = "total"


@dataclass(frozen=True)
class Report:
    """Columns, rows and a line of totals in the asset of reference; the first columns are words, the rest amounts."""

    name: str
    title: str
    words: int
    columns: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    total: Decimal | None = None


def report(name: str, period: Period) -> Report:
    """The report of this name; raises KeyError for one that is not in REPORTS."""
    return REPORTS[name][1](period)


# ------------------------------------------------------------------ each report
def trial_balance_report(period: Period) -> Report:
    rows: list[list[Cell]] = []
    sums: dict[str, Decimal] = {}
    for row in sheets.trial_rows(period.at):
        rows.append([row.asset, row.account, row.debit, row.credit])
        sums[row.asset] = sums.get(row.asset, ZERO) + row.credit - row.debit
    wrong = [asset for asset, total in sums.items() if total]
    notes = [
        _("Debit: what we own or spent. Credit: what we owe or earned. In every asset the two are equal."),
        _("Not equal: %(assets)s.") % {"assets": ", ".join(wrong)} if wrong else _("All assets balance."),
    ]
    return Report(
        "trial-balance",
        _("Trial balance"),
        2,
        [_("Asset"), _("Account"), _("Debit"), _("Credit")],
        rows,
        notes,
    )


def balance_sheet_report(period: Period) -> Report:
    prices, found = Prices(), sheets.balance_sheet(period.at)
    rows: list[list[Cell]] = [
        [
            row.asset, row.venue, row.custody, row.assets, row.available, row.held, row.suspense, row.liabilities,
            row.earned, row.conversions, row.capital, row.equity, prices.worth(row.asset, row.assets),
        ]
        for row in found
    ]  # fmt: skip
    columns = [
        _("Asset"), _("At the venue"), _("In sub-accounts"), _("Assets"), _("Customers, available"),
        _("Customers, held"), _("Suspense"), _("Liabilities"), _("Earned"), _("Conversions"), _("Capital"),
        _("Equity"), _worth(),
    ]  # fmt: skip
    wrong = [row.asset for row in found if not row.is_balanced]
    notes = [
        _("Assets are what liabilities and equity together are, in every asset and to the last digit."),
        _(
            "In the books a credit is positive: what we owe and earned is positive, what we own and spent is negative. "
            "Here assets are shown positive."
        ),
        _("Not equal: %(assets)s.") % {"assets": ", ".join(wrong)} if wrong else _("All assets balance."),
    ]
    return Report("balance-sheet", _("Balance sheet"), 1, columns, rows, notes, _total(rows))


def income_report(period: Period) -> Report:
    prices = Prices()
    found = sheets.income(list(stretches(period)))
    rows: list[list[Cell]] = [
        [
            _day(row.start), _day(row.end - timedelta(seconds=1)), row.asset, row.fees, row.commission,
            row.network_fees, row.slippage, row.rounding, row.margin, prices.worth(row.asset, row.margin),
        ]
        for row in found
    ]  # fmt: skip
    columns = [
        _("From"), _("To"), _("Asset"), _("Fees"), _("Venue commission"), _("Network fees"), _("Slippage"),
        _("Rounding"), _("Margin"), _worth(),
    ]  # fmt: skip
    notes = [_("What was earned is positive, what was spent negative.")]
    return Report("income", _("Income"), 3, columns, rows, notes, _total(rows))


def _worth() -> str:
    return _("Worth, %(asset)s, at today's prices") % {"asset": settings.REFERENCE_ASSET}


def _total(rows: Sequence[Sequence[Cell]]) -> Decimal:
    return sum((row[-1] for row in rows if isinstance(row[-1], Decimal)), ZERO)


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


REPORTS: dict[str, tuple[Promise, Callable[[Period], Report]]] = {
    "trial-balance": (gettext_lazy("Trial balance"), trial_balance_report),
    "balance-sheet": (gettext_lazy("Balance sheet"), balance_sheet_report),
    "income": (gettext_lazy("Income"), income_report),
}


# ------------------------------------------------------------------ stretches of time
def stretches(period: Period) -> Iterator[tuple[datetime, datetime]]:
    """The period cut into its steps; the whole of it for `total`, the last 30 days when nothing is said."""
    end = period.end or timezone.now()
    start = period.start or end - timedelta(days=30)
    if period.step == "total":
        yield start, end
        return
    while start < end:
        stop = min(_next(start, period.step), end)
        yield start, stop
        start = stop


def _next(moment: datetime, step: str) -> datetime:
    if step == "day":
        return moment + timedelta(days=1)
    if step == "week":
        return moment + timedelta(days=7)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return moment.replace(year=year, month=month + 1, day=1)


def count_of(start: date, end: date, step: str) -> int:
    """How many stretches of the step lie between the days, at most."""
    days = (end - start).days + 1
    return {"total": 1, "day": days, "week": days // 7 + 1, "month": days // 28 + 1}[step]
