"""Staff see differences."""

from django.contrib import admin

from exchange.office.decision import ReadOnly
from ledger.models import (
    LedgerException,
)


@admin.register(LedgerException)
class LedgerExceptionAdmin(ReadOnly):
    list_display = ("id", "source", "key", "asset_id", "amount", "created_at", "resolved_at")
    list_filter = ("source",)
    search_fields = ("key",)
