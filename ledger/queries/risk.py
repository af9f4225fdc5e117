"""What speaks for a person looking at a withdrawal before it leaves."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from accounts import queries as accounts
from ledger.models import Withdrawal
from ledger.queries.limits import GIVEN_BACK, to

Reason = Withdrawal.Reason
LATELY = timedelta(days=1)


def reasons(withdrawal: Withdrawal) -> list[Reason]:
    """Every reason why a person has to look, the weightiest first; none: it may leave by itself.

    Its worth counts with what was confirmed within a day, so that many small ones are looked at like one large one;
    certain only under the lock of the customer's terms.
    """
    since = timezone.now() - LATELY
    user, value = withdrawal.user, withdrawal.value + _confirmed_since(withdrawal, since)
    found = {
        Reason.LARGE: value > settings.WITHDRAWAL_TWO_PEOPLE_ABOVE,
        Reason.SECURITY_CHANGE: user.security_changed_at is not None and user.security_changed_at > since,
        Reason.NEW_DEVICE: accounts.has_new_device(user, since),
        Reason.NEW_ADDRESS: not _was_paid_before(withdrawal),
        Reason.MANY: _count_since(withdrawal, since) > settings.WITHDRAWAL_MANY_A_DAY,
        Reason.NOT_SMALL: value > settings.WITHDRAWAL_AUTO_LIMIT,
    }
    return [reason for reason, holds in found.items() if holds]


def people_needed(found: list[Reason]) -> int:
    """How many must approve it: none, one, or two above the limit."""
    if Reason.LARGE in found:
        return 2
    return 1 if found else 0


def _was_paid_before(withdrawal: Withdrawal) -> bool:
    paid = Withdrawal.objects.filter(user=withdrawal.user, network=withdrawal.network, status="COMPLETED")
    return paid.filter(to(withdrawal.address, withdrawal.tag)).exists()


def _confirmed_since(withdrawal: Withdrawal, since: datetime) -> Decimal:
    """What the customer's other ones are worth that were confirmed and not given back."""
    lately = Withdrawal.objects.filter(user=withdrawal.user, confirmed_at__gt=since).exclude(pk=withdrawal.pk)
    worth = lately.exclude(status__in=GIVEN_BACK).order_by().aggregate(sum=Sum("value", default=Decimal(0)))
    return Decimal(worth["sum"])


def _count_since(withdrawal: Withdrawal, since: datetime) -> int:
    lately = Withdrawal.objects.filter(user=withdrawal.user, requested_at__gt=since)
    return lately.exclude(status__in=GIVEN_BACK).count()
