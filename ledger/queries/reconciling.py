"""Differences that wait for an explanation."""

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from ledger.models import (
    LedgerException,
)

if TYPE_CHECKING:
    pass


def open_exceptions() -> QuerySet[LedgerException]:
    """Differences nobody has explained yet, oldest first."""
    return LedgerException.objects.filter(resolved_at__isnull=True).order_by("id")


def has_exception(key: str) -> bool:
    """True when the difference was put before staff, settled or not."""
    return LedgerException.objects.filter(key=key).exists()
