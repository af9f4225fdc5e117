"""Withdrawals that stay in a state longer than they should are put before people, until they moved on."""

from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from ledger import queries
from ledger.models import LedgerException, Withdrawal
from ledger.services.exceptions import note_exception

log = structlog.get_logger()
SOURCE = "withdrawal overdue"


def note_overdue_withdrawals() -> int:
    """Each overdue withdrawal is an exception of its own until it moves on; gives how many there are."""
    found = 0
    for status, minutes in settings.WITHDRAWAL_MOST_MINUTES.items():
        for withdrawal in _overdue(status, timedelta(minutes=minutes)):
            _note(withdrawal)
            found += 1
    _take_off()
    return found


def _overdue(status: str, most: timedelta) -> Iterator[Withdrawal]:
    """Who is late the longest first."""
    since = timezone.now() - most
    rows = Withdrawal.objects.filter(status=status, moved_at__lt=since)
    if status == Withdrawal.Status.APPROVED:  # what waits for the end of a customer's hold is not late
        rows = rows.filter(Q(not_before__isnull=True) | Q(not_before__lt=since))
    return rows.order_by("moved_at", "id").iterator()


def _note(withdrawal: Withdrawal) -> None:
    key = f"overdue:{withdrawal.pk}:{withdrawal.status}:{withdrawal.moved_at.isoformat()}"
    if queries.has_exception(key):
        return
    log.warning("withdrawal.overdue", withdrawal=withdrawal.pk, status=withdrawal.status)
    note_exception(
        source=SOURCE,
        key=key,
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={
            "withdrawal": withdrawal.pk,
            "status": withdrawal.status,
            "client_id": withdrawal.client_id,
            "since": withdrawal.moved_at.isoformat(),
        },
    )


def _take_off() -> None:
    """Nobody has to look for what moved on by itself; the row still waits to be closed by two people."""
    for row in LedgerException.objects.filter(source=SOURCE, resolved_at__isnull=True, gone_at__isnull=True)[
        :500
    ]:
        is_there = Withdrawal.objects.filter(pk=row.detail["withdrawal"], status=row.detail["status"])
        if not is_there.exists():
            LedgerException.objects.filter(pk=row.pk, resolved_at__isnull=True).update(gone_at=timezone.now())
