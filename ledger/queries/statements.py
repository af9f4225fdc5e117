"""A customer's statement of a period: what there was before, every entry, what there is after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from ledger.models import Account, Entry


@dataclass(frozen=True)
class StatementRow:
    """One entry as a customer reads it; `balance` is what its bucket holds afterwards."""

    at: datetime
    asset: str
    kind: str
    reference: str
    bucket: str
    amount: Decimal
    balance: Decimal


def statement_rows(user_id: int, start: datetime, end: datetime) -> Iterator[StatementRow]:
    """The customer's entries of the time, by asset and in the order they were booked; read bit by bit."""
    found = _own(user_id).filter(transfer__created_at__gte=start, transfer__created_at__lt=end)
    for entry in found.select_related("transfer").order_by("asset_id", "seq").iterator(chunk_size=1000):
        yield StatementRow(
            at=entry.transfer.created_at,
            asset=entry.asset_id,
            kind=entry.transfer.kind,
            reference=entry.transfer.reference,
            bucket=entry.bucket,
            amount=entry.amount,
            balance=entry.balance_after or Decimal(0),
        )


def statement_balances(user_id: int, at: datetime) -> dict[str, dict[str, Decimal]]:
    """What the customer had just before the time, by asset and bucket: after the last entries booked until then."""
    latest = _own(user_id).filter(transfer__created_at__lt=at).order_by("account_id", "bucket", "-seq")
    found: dict[str, dict[str, Decimal]] = {}
    for entry in latest.distinct("account_id", "bucket"):
        found.setdefault(entry.asset_id, {})[entry.bucket] = entry.balance_after or Decimal(0)
    return found


def _own(user_id: int) -> QuerySet[Entry]:
    return Entry.objects.filter(account__owner_id=user_id, account__type=Account.Type.USER)
