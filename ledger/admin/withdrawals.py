"""Staff decide withdrawals."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.office.decision import Decision, DecisionAdmin
from ledger import queries, services
from ledger.models import (
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
