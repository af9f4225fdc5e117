"""What came in."""

from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from ledger.models import (
    Deposit,
    DepositAddress,
)

if TYPE_CHECKING:
    from accounts.models import User


def deposits(user: "User") -> QuerySet[Deposit]:
    """The customer's deposits, newest first."""
    return Deposit.objects.filter(user=user)


def addresses(user: "User") -> QuerySet[DepositAddress]:
    return DepositAddress.objects.filter(user=user).select_related("network")


def find_deposits(text: str, number: int | None = None) -> QuerySet[Deposit]:
    """Deposits with this number, address, transaction or id at the venue, newest first."""
    named = Q(address=text) | Q(tx_id=text) | Q(venue_id=text) | Q(user__email__iexact=text)
    return Deposit.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")
