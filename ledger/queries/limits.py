"""What a customer may still withdraw, and where to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from accounts import queries as accounts
from ledger.errors import UnknownAddress
from ledger.models import Network, SavedAddress, Withdrawal, WithdrawalTerms
from ledger.queries.books import available
from ledger.queries.deposits import locked

if TYPE_CHECKING:
    from accounts.models import User

DAY, MONTH = timedelta(days=1), timedelta(days=30)
# What was given back does not count.
GIVEN_BACK = ("CANCELED", "EXPIRED", "REFUSED", "FAILED")


@dataclass(frozen=True)
class Limit:
    """Worth in the reference asset."""

    total: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        return max(self.total - self.used, Decimal(0))


@dataclass(frozen=True)
class Limits:
    day: Limit
    month: Limit

    @property
    def left(self) -> Decimal:
        return min(self.day.left, self.month.left)


def limits(user: "User") -> Limits:
    """The limits of the customer's tier, and what the last 24 hours and 30 days used of them."""
    return _limits(user, timezone.now(), Withdrawal.objects.filter(user=user))


def limits_when_asked(withdrawal: Withdrawal) -> Limits:
    """The same at the moment it was asked for, itself not counted."""
    at = withdrawal.requested_at
    earlier = Withdrawal.objects.filter(user=withdrawal.user, requested_at__lte=at).exclude(pk=withdrawal.pk)
    return _limits(withdrawal.user, at, earlier)


def _limits(user: "User", at: datetime, rows: QuerySet[Withdrawal]) -> Limits:
    allowed = accounts.withdrawal_limits(user)
    counted = rows.filter(requested_at__gt=at - MONTH).exclude(status__in=GIVEN_BACK).order_by()
    used = counted.aggregate(
        day=Sum("value", filter=Q(requested_at__gt=at - DAY), default=Decimal(0)),
        month=Sum("value", default=Decimal(0)),
    )
    return Limits(Limit(allowed.day, used["day"]), Limit(allowed.month, used["month"]))


def withdrawable(user_id: int, asset: str) -> Decimal:
    """What is available and did not come by a deposit that still waits for confirmations."""
    return max(available(user_id, asset) - locked(user_id).get(asset, Decimal(0)), Decimal(0))


# ------------------------------------------------------------------ the address book
def terms(user: "User") -> WithdrawalTerms:
    """Where the customer's money may go; of somebody who never said: anywhere."""
    return WithdrawalTerms.objects.filter(user=user).first() or WithdrawalTerms(user=user)


def is_book_only(found: WithdrawalTerms) -> bool:
    """True while money may go to addresses of the book alone, also until a switching-off takes effect."""
    until = found.book_only_until
    return found.is_book_only or (until is not None and timezone.now() < until)


def saved_addresses(user: "User", network: Network | None = None) -> QuerySet[SavedAddress]:
    """The customer's address book, or its part for one network, by label."""
    found = SavedAddress.objects.filter(user=user, removed_at__isnull=True).select_related("network")
    return found.filter(network=network) if network else found


def saved_address_of(user: "User", address_id: int) -> SavedAddress:
    """Raises UnknownAddress, for somebody else's too."""
    found = saved_addresses(user).filter(pk=address_id).first()
    if found is None:
        raise UnknownAddress()
    return found


def to(address: str, tag: str) -> Q:
    """Rows about this address and tag; hexadecimal addresses are the same in either case."""
    same = Q(address__iexact=address) if address.startswith("0x") else Q(address=address)
    return same & Q(tag=tag)
