"""Staff see our accounts at the venue, and say how deposits to them are told apart."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from exchange.gate import services
from exchange.gate.models import VenueAccount
from exchange.office.decision import Decision, DecisionAdmin, ReasonForm


class DepositsForm(ReasonForm):
    strategy = forms.ChoiceField(label=_("Deposits are told apart by"), choices=VenueAccount.Deposits.choices)
    fallback = forms.ChoiceField(
        label=_("Where that is not offered"),
        required=False,
        choices=[("", _("refuse deposits there")), *VenueAccount.Deposits.choices],
    )
    field_order = ("strategy", "fallback", "reason")


def set_deposits(account_id: int, *, by: Any, reason: str, strategy: str, fallback: str) -> None:
    services.set_deposit_strategy(account_id, strategy=strategy, fallback=fallback, by=by, reason=reason)


@admin.register(VenueAccount)
class VenueAccountAdmin(DecisionAdmin):
    list_display = (
        "name",
        "venue",
        "is_primary",
        "deposit_strategy",
        "deposit_fallback",
        "stream_state",
        "stream_changed_at",
        "stream_seen_at",
        "stream_reason",
    )
    exclude = ("listen_key",)
    deposits = Decision(
        "deposits",
        _("Set how deposits are told apart"),
        decide=set_deposits,
        permission="gate.change_venueaccount",
        form=DepositsForm,
    )

    def all_decisions(self) -> list[Decision]:
        return [self.deposits]

    def decisions_for(self, row: VenueAccount) -> list[Decision]:
        return self.all_decisions()
