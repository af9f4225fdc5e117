"""Staff decide withdrawals."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import queries as people
from exchange.money import plain
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin, ReadOnly, ReasonForm
from exchange.pages import AmountField, client_address
from ledger import departure, queries, services
from ledger.models import SavedAddress, Withdrawal

Status = Withdrawal.Status


class PaidForm(ReasonForm):
    """What was seen on the chain."""

    tx_id = forms.CharField(max_length=200, label=_("Transaction id"))
    sent = AmountField(label=_("What arrived"))
    fee = AmountField(label=_("What the network took"), required=False)
    field_order = ["tx_id", "sent", "fee", "reason"]


def approve(withdrawal_id: int, *, by: Any, reason: str) -> None:
    services.approve_withdrawal(withdrawal_id=withdrawal_id, by=by, reason=reason)


def refuse(withdrawal_id: int, *, by: Any, reason: str) -> None:
    services.refuse_withdrawal(withdrawal_id=withdrawal_id, by=by, reason=reason)


def ask_refund(withdrawal_id: int, *, by: Any, reason: str) -> None:
    services.ask_refund(withdrawal_id=withdrawal_id, by=by, reason=reason)


def ask_paid(withdrawal_id: int, *, by: Any, fee: Decimal | None, **said: Any) -> None:
    services.ask_paid(withdrawal_id=withdrawal_id, by=by, fee=fee or Decimal(0), **said)


@admin.register(Withdrawal)
class WithdrawalAdmin(DecisionAdmin):
    list_display = ("id", "user", "what", "status", "why", "needs", "requested_at", "network", "address")
    list_filter = ("status", "needs")
    search_fields = ("user__email", "address", "tx_id", "client_id")
    list_select_related = ("user", "network")
    # What a person decides upon stands above them, in words.
    fields = (
        "status", "client_id", "venue_account", "venue_id", "tx_id", "reason", "confirm_by", "confirmed_at",
        "not_before", "decided_by", "decided_at", "sending_at", "finished_at",
    )  # fmt: skip
    change_form_template = "admin/ledger/withdrawal/change_form.html"
    approve = Decision("approve", _("Approve"), decide=approve, permission="ledger.change_withdrawal")
    refuse = Decision(
        "refuse", _("Refuse"), decide=refuse, permission="ledger.change_withdrawal", is_grave=True
    )
    refund = Decision(
        "refund",
        _("Ask to give it back: the venue never had it"),
        decide=ask_refund,
        permission="ledger.change_withdrawal",
        is_grave=True,
    )
    paid = Decision(
        "paid",
        _("Ask to settle it: it was paid"),
        decide=ask_paid,
        permission="ledger.change_withdrawal",
        is_grave=True,
        form=PaidForm,
    )

    @admin.display(description=_("What"), ordering="value")
    def what(self, row: Withdrawal) -> str:
        return f"{plain(row.amount)} {row.asset_id}"

    @admin.display(description=_("Why a person looks"))
    def why(self, row: Withdrawal) -> str:
        return " ".join(row.reasons_in_words)

    def all_decisions(self) -> list[Decision]:
        return [self.approve, self.refuse, self.refund, self.paid]

    def decisions_for(self, row: Withdrawal) -> list[Decision]:
        exits = {
            Status.AWAITING: [self.refuse],
            Status.REQUESTED: [self.approve, self.refuse],
            Status.APPROVED: [self.refuse],
            Status.SENDING: [self.refund, self.paid],
            Status.SENT: [self.paid],
            Status.STOPPED: [self.refund],
        }
        return exits.get(Status(row.status), [])

    def context_of(self, request: HttpRequest, row: Withdrawal) -> dict[str, object]:
        return {
            "facts": "admin/ledger/withdrawal/_facts.html",
            "withdrawal": row,
            "balances": queries.balances(row.user_id),
            "limits": queries.limits(row.user),
            "lifeline": departure.steps(row),
            "approvals": row.approvals.select_related("by"),
            "beneficiary": services.read_beneficiary(
                row,
                by=request.user,  # type: ignore[arg-type]
                address=client_address(request),
            ),
            "earlier": queries.withdrawals(row.user).exclude(pk=row.pk)[:10],
            "case": people.latest_case(row.user),
            "history": office.history_of("withdrawal", row.pk)[:20],
        }


@admin.register(SavedAddress)
class SavedAddressAdmin(ReadOnly):
    list_display = ("user", "network", "label", "address", "tag", "created_at", "usable_at", "removed_at")
    search_fields = ("user__email", "address", "label")
    list_select_related = ("user", "network")
