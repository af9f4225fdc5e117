"""Staff see what came in, find owners by four eyes, and see the networks and addresses."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from exchange.money import plain
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin, ReadOnly, ReasonForm
from ledger import lifeline, queries, services
from ledger.models import (
    Deposit,
    DepositAddress,
    DepositReading,
    Network,
)

Status = Deposit.Status
CHANGE = "ledger.change_deposit"


class OwnerForm(ReasonForm):
    customer = forms.CharField(
        label=_("Customer's e-mail"), max_length=254, help_text=_("Exactly as the customer signs in with it.")
    )
    field_order = ("customer", "reason")


class ReturnForm(ReasonForm):
    tx_id = forms.CharField(
        label=_("Transaction"), max_length=200, help_text=_("By which it was sent back at the venue.")
    )
    field_order = ("tx_id", "reason")


def attribute(deposit_id: int, *, by: Any, reason: str, customer: str) -> None:
    services.ask_attribution(deposit_id=deposit_id, customer=customer, reason=reason, by=by)


def send_back(deposit_id: int, *, by: Any, reason: str, tx_id: str) -> None:
    services.ask_return(deposit_id=deposit_id, tx_id=tx_id, reason=reason, by=by)


def keep(deposit_id: int, *, by: Any, reason: str) -> None:
    services.ask_keeping(deposit_id=deposit_id, reason=reason, by=by)


def take_back(deposit_id: int, *, by: Any, reason: str) -> None:
    services.ask_taking_back(deposit_id=deposit_id, reason=reason, by=by)


def restore(deposit_id: int, *, by: Any, reason: str) -> None:
    services.ask_restoring(deposit_id=deposit_id, reason=reason, by=by)


@admin.register(Deposit)
class DepositAdmin(DecisionAdmin):
    list_display = ("id", "user", "figure", "network", "status", "age", "is_swept")
    list_filter = ("status", "is_internal")
    search_fields = ("user__email", "address", "tx_id", "venue_id")
    list_select_related = ("user",)
    change_form_template = "admin/ledger/deposit/change_form.html"
    attribute = Decision(
        "attribute", _("Ask: credit to a customer"), decide=attribute, permission=CHANGE, form=OwnerForm
    )
    send_back = Decision(
        "return", _("Ask: was sent back"), decide=send_back, permission=CHANGE, form=ReturnForm
    )
    keep = Decision("keep", _("Ask: keep for the house"), decide=keep, permission=CHANGE)
    take_back = Decision(
        "take-back", _("Ask: take the credit back"), decide=take_back, permission=CHANGE, is_grave=True
    )
    restore = Decision("restore", _("Ask: let the credit stand"), decide=restore, permission=CHANGE)

    @admin.display(description=_("amount"), ordering="amount")
    def figure(self, deposit: Deposit) -> str:
        return f"{plain(deposit.amount)} {deposit.coin}"

    @admin.display(description=_("seen"), ordering="seen_at")
    def age(self, deposit: Deposit) -> str:
        return _("%(age)s ago") % {"age": timesince(deposit.seen_at)}

    @admin.display(description=_("at the trading account"), boolean=True)
    def is_swept(self, deposit: Deposit) -> bool:
        return not deposit.is_on_its_way

    def all_decisions(self) -> list[Decision]:
        return [self.attribute, self.send_back, self.keep, self.take_back, self.restore]

    def decisions_for(self, row: Deposit) -> list[Decision]:
        if row.request is not None and row.request.status in services.UNDECIDED:
            return []
        if row.status == Status.UNATTRIBUTED:
            return [self.attribute, self.send_back, self.keep]
        return [self.take_back, self.restore] if row.status == Status.REVERSED else []

    def context_of(self, request: HttpRequest, row: Deposit) -> dict[str, object]:
        return {
            "deposit": row,
            "lifeline": lifeline.steps(row),
            "claims": queries.claims_of(row),
            "history": office.history_of("deposit", row.pk)[:20],
        }


@admin.register(DepositReading)
class DepositReadingAdmin(ReadOnly):
    list_display = ("id", "venue_account", "sub_account", "tried_at", "read_to", "wide_at")
    list_select_related = ("venue_account", "sub_account")


@admin.register(Network)
class NetworkAdmin(ReadOnly):
    list_display = (
        "asset_id",
        "code",
        "deposit_enabled",
        "withdraw_enabled",
        "deposit_min",
        "withdraw_fee",
        "seen_at",
    )
    list_filter = ("deposit_enabled", "withdraw_enabled")
    search_fields = ("asset__code", "code")


@admin.register(DepositAddress)
class DepositAddressAdmin(ReadOnly):
    list_display = ("address", "tag", "network", "user", "created_at")
    search_fields = ("address", "tag", "user__email")
    list_select_related = ("network", "user")
