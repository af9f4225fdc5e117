"""What came in."""

from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet, Sum

from ledger.models import (
    Deposit,
    DepositAddress,
)

if TYPE_CHECKING:
    from accounts.models import User


def deposits(user: "User") -> QuerySet[Deposit]:
    """The customer's deposits, newest first."""
    return Deposit.objects.filter(user=user)


def locked(user_id: int) -> dict[str, Decimal]:
    """What was credited and cannot leave yet, because the venue waits for more confirmations; by asset."""
    rows = Deposit.objects.filter(user_id=user_id, status=Deposit.Status.LOCKED).order_by()
    return dict(rows.values_list("asset_id").annotate(total=Sum("amount")))


def addresses(user: "User") -> QuerySet[DepositAddress]:
    return DepositAddress.objects.filter(user=user).select_related("network")


def find_deposits(text: str, number: int | None = None) -> QuerySet[Deposit]:
    """Deposits with this number, address, transaction or id at the venue, newest first."""
    named = Q(address=text) | Q(tx_id=text) | Q(venue_id=text) | Q(user__email__iexact=text)
    return Deposit.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")
