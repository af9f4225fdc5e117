"""Staff decide announced deposits: side by side with every other claim of the same transaction."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin
from ledger import queries, services
from ledger.models import DepositClaim


def credit(claim_id: int, *, by: Any, reason: str) -> None:
    services.ask_claim(claim_id=claim_id, reason=reason, by=by)


def refuse(claim_id: int, *, by: Any, reason: str) -> None:
    services.refuse_claim(claim_id=claim_id, reason=reason, by=by)


@admin.register(DepositClaim)
class DepositClaimAdmin(DecisionAdmin):
    list_display = ("id", "user", "figure", "tx_id", "status", "age")
    list_filter = ("status",)
    search_fields = ("user__email", "tx_id", "from_address")
    list_select_related = ("user", "network")
    exclude = ("proof", "proof_type")
    change_form_template = "admin/ledger/depositclaim/change_form.html"
    credit = Decision("credit", _("Ask: credit it"), decide=credit, permission="ledger.change_depositclaim")
    refuse = Decision(
        "refuse", _("Refuse"), decide=refuse, permission="ledger.change_depositclaim", is_grave=True
    )

    @admin.display(description=_("amount"), ordering="amount")
    def figure(self, claim: DepositClaim) -> str:
        return f"{plain(claim.amount)} {claim.network.asset_id} ({claim.network.code})"

    @admin.display(description=_("announced"), ordering="created_at")
    def age(self, claim: DepositClaim) -> str:
        return _("%(age)s ago") % {"age": timesince(claim.created_at)}

    def all_decisions(self) -> list[Decision]:
        return [self.credit, self.refuse]

    def decisions_for(self, row: DepositClaim) -> list[Decision]:
        return self.all_decisions() if row.status == DepositClaim.Status.OPEN else []

    def context_of(self, request: HttpRequest, row: DepositClaim) -> dict[str, object]:
        return {
            "claim": row,
            "claims": queries.rival_claims(row),
            "records": queries.records_of(row).select_related("user"),
            "history": office.history_of("deposit_claim", row.pk)[:20],
        }
