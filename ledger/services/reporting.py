"""Reports that leave the house."""

from accounts.models import User
from exchange.office import services as office
from ledger import queries


def export_report(*, name: str, period: queries.Period, by: User) -> queries.Report:
    """The report, and on record who took it and of what time."""
    office.record(
        by,
        "report.downloaded",
        "report",
        name,
        after={
            key: str(value) for key, value in period.__dict__.items() if value is not None and value != ""
        },
    )
    return queries.report(name, period)
