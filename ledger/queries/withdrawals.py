"""What goes out."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from ledger.errors import UnknownWithdrawal
from ledger.models import (
    Withdrawal,
)
from ledger.queries.limits import GIVEN_BACK
from ledger.queries.reconciling import stopped_assets

if TYPE_CHECKING:
    from accounts.models import User


def withdrawals(user: "User") -> QuerySet[Withdrawal]:
    """The customer's withdrawals, newest first."""
    return Withdrawal.objects.filter(user=user).select_related("network")


def withdrawal_of(user: "User", withdrawal_id: int) -> Withdrawal:
    """Raises UnknownWithdrawal, for somebody else's too."""
    found = withdrawals(user).filter(pk=withdrawal_id).first()
    if found is None:
        raise UnknownWithdrawal()
    return found


def waiting_withdrawals() -> QuerySet[Withdrawal]:
    """Withdrawals that wait for staff, oldest first."""
    found = Withdrawal.objects.filter(status=Withdrawal.Status.REQUESTED)
    return found.select_related("user", "network").order_by("id")


def has_cancelable_withdrawals(user_id: int) -> bool:
    """True while something was asked for and can be taken back."""
    states = [Withdrawal.Status.AWAITING, Withdrawal.Status.REQUESTED, Withdrawal.Status.APPROVED]
    return Withdrawal.objects.filter(user_id=user_id, status__in=states).exists()


def unfinished_withdrawals() -> QuerySet[Withdrawal]:
    """Withdrawals the venue was told of, or may have been, and that are not final."""
    return Withdrawal.objects.filter(
        Q(status=Withdrawal.Status.SENDING) | Q(status=Withdrawal.Status.SENT)
    ).order_by("id")


def leaving(user_id: int) -> dict[str, Decimal]:
    """What of the customer's money is held for withdrawals and may leave, or has left; by asset."""
    ended = [Withdrawal.Status.COMPLETED, *GIVEN_BACK]
    rows = Withdrawal.objects.filter(user_id=user_id).exclude(status__in=ended).order_by()
    return dict(rows.values_list("asset_id").annotate(total=Sum("amount")))


def lately_ended_withdrawals() -> QuerySet[Withdrawal]:
    """Withdrawals that ended within a day, sent or given back after they may have been."""
    ended = Q(status=Withdrawal.Status.COMPLETED) | Q(status=Withdrawal.Status.FAILED)
    since = timezone.now() - timedelta(days=1)
    return Withdrawal.objects.filter(ended, sending_at__isnull=False, finished_at__gt=since).order_by("id")


def sendable_withdrawals() -> QuerySet[Withdrawal]:
    """Approved, on networks that are open, of assets in which the books agree, and not waiting for a hold's end."""
    is_due = Q(not_before__isnull=True) | Q(not_before__lte=timezone.now())
    approved = Withdrawal.objects.filter(is_due, status=Withdrawal.Status.APPROVED)
    return approved.filter(network__withdraw_enabled=True).exclude(asset__in=stopped_assets())


def find_withdrawals(text: str, number: int | None = None) -> QuerySet[Withdrawal]:
    """Withdrawals with this number, address, transaction or id at the venue, newest first."""
    named = Q(address__iexact=text) | Q(tx_id__iexact=text) | Q(client_id__iexact=text) | Q(venue_id=text)
    named |= Q(user__email__iexact=text)
    return Withdrawal.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")
