"""What the books say."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet, Subquery, Sum

from exchange.prepared import Given, Prepared
from ledger.errors import UnknownAsset
from ledger.models import (
    Account,
    Balance,
    Deposit,
    Entry,
    Hold,
    Transfer,
)
from markets.models import Asset


@dataclass(frozen=True)
class BalanceRow:
    asset: str
    available: Decimal
    held: Decimal


def balances(user_id: int) -> list[BalanceRow]:
    """Every asset the customer ever had, by code."""
    return [BalanceRow(*row) for row in _rows(user_id).order_by("account__asset_id")]


def _rows(user_id: int | Given) -> QuerySet[Balance, tuple[str, Decimal, Decimal]]:
    found = Balance.objects.filter(account__owner_id=user_id, account__type=Account.Type.USER)
    return found.values_list("account__asset_id", "available", "held")


_OF_ASSET = Prepared(lambda: _rows(Given("user")).filter(account__asset_id=Given("asset")))


def require_asset(code: str) -> None:
    """Raises UnknownAsset for a code that is no asset here; of a known one a customer may never have had any."""
    if not Asset.objects.filter(code=code).exists():
        raise UnknownAsset(field="asset")


def balance(user_id: int, asset: str) -> BalanceRow:
    """The customer's balance of the asset, zeros when there never was one."""
    found = _OF_ASSET.first(user=user_id, asset=asset)
    return BalanceRow(*found) if found else BalanceRow(asset, Decimal(0), Decimal(0))


def available(user_id: int, asset: str) -> Decimal:
    """What the customer can spend of the asset."""
    return balance(user_id, asset).available


def negative_balance() -> str:
    """The first account with less than nothing, by its code; empty when there is none, as the database's laws say."""
    below = Balance.objects.filter(Q(available__lt=0) | Q(held__lt=0)).order_by("account_id")
    return below.values_list("account__code", flat=True).first() or ""


def trial_balance() -> dict[str, Decimal]:
    """Assets whose entries do not sum to zero; empty when all is well."""
    sums = Entry.objects.order_by().values_list("asset_id").annotate(total=Sum("amount")).exclude(total=0)
    return dict(sums)


def statement(user_id: int, asset: str) -> QuerySet[Entry]:
    """The customer's entries in the asset, newest first, each with its bucket's balance afterwards."""
    return (
        Entry.objects.filter(account__owner_id=user_id, account__type=Account.Type.USER, asset_id=asset)
        .select_related("transfer")
        .order_by("-seq")
    )


def entries_of_cause(cause: Hold.Cause, cause_id: int, user_id: int) -> QuerySet[Entry]:
    """The customer's entries that one order or withdrawal brought about, oldest first."""
    name = f"{cause}:{cause_id}"
    # A crossed trade is of two orders, and its reference names both.
    crossed = Q(transfer__reference__startswith=f"{name}+") | Q(
        transfer__reference__startswith=f"{cause}:", transfer__reference__endswith=f"+{cause_id}"
    )
    named = Q(transfer__reference=name) | Q(transfer__kind=Transfer.Kind.CROSS) & crossed
    found = Entry.objects.filter(named, account__owner_id=user_id)
    return found.select_related("transfer").order_by("id")


@dataclass(frozen=True)
class HoldMove:
    """So much of the asset was held for a cause, or with `is_release` given back."""

    asset: str
    amount: Decimal
    is_release: bool
    at: datetime
    transfer_id: int


def hold_moves(cause: Hold.Cause, cause_id: int, user_id: int) -> list[HoldMove]:
    """What was held for the cause and what of it was given back, oldest first; what was spent is not here."""
    asset = Hold.objects.filter(cause=cause, cause_id=cause_id).values("account__asset")[:1]
    held = Q(transfer__kind=Transfer.Kind.HOLD, bucket=Entry.Bucket.HELD)
    # The last trade gives back in its own transfer what the hold did not need.
    given = Q(transfer__kind__in=[Transfer.Kind.RELEASE, Transfer.Kind.FILL], bucket=Entry.Bucket.AVAILABLE)
    found = entries_of_cause(cause, cause_id, user_id).filter(
        held | given, amount__gt=0, asset=Subquery(asset)
    )
    return [
        HoldMove(
            entry.asset_id,
            entry.amount,
            entry.bucket == Entry.Bucket.AVAILABLE,
            entry.transfer.created_at,
            entry.transfer_id,
        )
        for entry in found
    ]


def transfers_of_cause(cause: Hold.Cause, cause_id: int) -> QuerySet[Transfer]:
    """What one order, list or withdrawal brought about, with every line of it, oldest first."""
    found = Transfer.objects.filter(reference=f"{cause}:{cause_id}")
    return found.prefetch_related("entries__account").order_by("id")


def booked_at(transfer_ids: Collection[int]) -> dict[int, datetime]:
    """When these transfers were booked."""
    return dict(Transfer.objects.filter(pk__in=transfer_ids).values_list("pk", "created_at"))


def has_transfer(scope: str, key: str) -> bool:
    """True when something was booked under this name."""
    return Transfer.objects.filter(scope=scope, key=key).exists()


def is_reversed(transfer_id: int) -> bool:
    """True when a later transfer took it back."""
    return Transfer.objects.filter(reverses_id=transfer_id).exists()


# What a hold, an order, a conversion, a withdrawal or a sweep did: each is told further by a row of its own.
_OWN_EXIT = {
    Transfer.Kind.HOLD,
    Transfer.Kind.RELEASE,
    Transfer.Kind.FILL,
    Transfer.Kind.CROSS,
    Transfer.Kind.CONVERT,
    Transfer.Kind.COVER,
    Transfer.Kind.WITHDRAWAL,
    Transfer.Kind.SWEEP,
}


def has_its_own_exit(transfer: Transfer) -> bool:
    """True when a deposit, an order or a withdrawal would go on as if it were booked, were it taken back alone."""
    of_deposit = Deposit.objects.filter(Q(transfer=transfer) | Q(correction=transfer))
    return transfer.kind in _OWN_EXIT or of_deposit.exists()


def held_for(cause: Hold.Cause) -> Iterator[tuple[int, int, str]]:
    """Number of the cause, customer and asset of every open hold of the kind, by number; read bit by bit."""
    found = Hold.objects.filter(is_open=True, cause=cause).order_by("cause_id")
    return found.values_list("cause_id", "account__owner_id", "account__asset_id").iterator()
