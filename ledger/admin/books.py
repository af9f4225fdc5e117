"""Staff read the books, and ask for a posting to be taken back."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.office.decision import Decision, DecisionAdmin, PlainAmounts, ReadOnly
from ledger import queries, services
from ledger.models import (
    Account,
    Balance,
    Entry,
    Hold,
    Transfer,
)


class EntryLines(PlainAmounts, admin.TabularInline):
    model = Entry
    fields = ("account", "bucket", "amount", "asset", "seq", "balance_after")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def reverse(transfer_id: int, *, by: Any, reason: str) -> None:
    services.ask_reversal(transfer_id=transfer_id, reason=reason, by=by)


@admin.register(Transfer)
class TransferAdmin(DecisionAdmin):
    list_display = ("id", "kind", "scope", "key", "reference", "created_at")
    list_filter = ("kind",)
    search_fields = ("key", "reference")
    inlines = [EntryLines]
    reverse = Decision(
        "reverse", _("Ask: take it back"), decide=reverse, permission="ledger.ask_adjustment", is_grave=True
    )

    def all_decisions(self) -> list[Decision]:
        return [self.reverse]

    def decisions_for(self, row: Transfer) -> list[Decision]:
        is_over = queries.is_reversed(row.pk) or queries.has_its_own_exit(row)
        return [] if is_over else self.all_decisions()


@admin.register(Account)
class AccountAdmin(ReadOnly):
    list_display = ("id", "type", "asset_id", "owner", "venue_account")
    list_filter = ("type",)
    search_fields = ("owner__email", "asset__code")
    list_select_related = ("owner", "venue_account")


@admin.register(Balance)
class BalanceAdmin(ReadOnly):
    list_display = ("account", "available", "held", "version")
    search_fields = ("account__owner__email", "account__asset__code")
    list_select_related = ("account",)


@admin.register(Hold)
class HoldAdmin(ReadOnly):
    list_display = ("id", "account", "cause", "cause_id", "amount", "remaining", "is_open", "created_at")
    list_filter = ("is_open", "cause")
    search_fields = ("cause_id", "account__owner__email")
    list_select_related = ("account",)
