"""Staff read the books, decide withdrawals, and resolve differences."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.office.decision import Decision, DecisionAdmin, ReadOnly
from ledger import queries, services
from ledger.models import (
    Account,
    Balance,
    Deposit,
    DepositAddress,
    Entry,
    Hold,
    LedgerException,
    Network,
    Transfer,
    Withdrawal,
)


def approve(withdrawal_id: int, *, by: object, reason: str) -> None:
    services.approve_withdrawal(withdrawal_id=withdrawal_id, by=by, reason=reason)  # type: ignore[arg-type]


def refuse(withdrawal_id: int, *, by: object, reason: str) -> None:
    services.refuse_withdrawal(withdrawal_id=withdrawal_id, by=by, reason=reason)  # type: ignore[arg-type]


@admin.register(Withdrawal)
class WithdrawalAdmin(DecisionAdmin):
    list_display = ("id", "user", "amount", "asset_id", "network", "address", "status", "requested_at")
    list_filter = ("status",)
    search_fields = ("user__email", "address", "tx_id", "client_id")
    list_select_related = ("user", "network")
    approve = Decision("approve", _("Approve"), decide=approve, permission="ledger.change_withdrawal")
    refuse = Decision(
        "refuse", _("Refuse"), decide=refuse, permission="ledger.change_withdrawal", is_grave=True
    )

    def all_decisions(self) -> list[Decision]:
        return [self.approve, self.refuse]

    def decisions_for(self, row: Withdrawal) -> list[Decision]:
        return self.all_decisions() if row.status == Withdrawal.Status.REQUESTED else []

    def context_of(self, request: HttpRequest, row: Withdrawal) -> dict[str, object]:
        return {"balances": queries.balances(row.user_id)}


@admin.register(Deposit)
class DepositAdmin(ReadOnly):
    list_display = ("id", "user", "amount", "asset_id", "network", "status", "confirmations", "seen_at")
    list_filter = ("status",)
    search_fields = ("user__email", "address", "tx_id", "venue_id")
    list_select_related = ("user",)


class EntryLines(admin.TabularInline):
    model = Entry
    fields = ("account", "bucket", "amount", "asset", "seq", "balance_after")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Transfer)
class TransferAdmin(ReadOnly):
    list_display = ("id", "kind", "scope", "key", "reference", "created_at")
    list_filter = ("kind",)
    search_fields = ("key", "reference")
    inlines = [EntryLines]


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


@admin.register(LedgerException)
class LedgerExceptionAdmin(ReadOnly):
    list_display = ("id", "source", "key", "asset_id", "amount", "created_at", "resolved_at")
    list_filter = ("source",)
    search_fields = ("key",)


@admin.register(Network)
class NetworkAdmin(ReadOnly):
    list_display = ("asset_id", "code", "deposit_enabled", "withdraw_enabled", "withdraw_fee", "seen_at")
    list_filter = ("deposit_enabled", "withdraw_enabled")
    search_fields = ("asset__code", "code")


@admin.register(DepositAddress)
class DepositAddressAdmin(ReadOnly):
    list_display = ("address", "tag", "network", "user", "created_at")
    search_fields = ("address", "tag", "user__email")
    list_select_related = ("network", "user")
