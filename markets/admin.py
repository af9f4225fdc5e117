"""Staff decide what is listed and in which order; what the venue says of a market is only shown."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.office.decision import PlainAmounts
from markets import services
from markets.models import Asset, Market


class NoneAddedOrRemoved:
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MarketForm(forms.ModelForm):
    def clean_own_stp_mode(self) -> str:
        """One of those that the venue allows in this market."""
        mode = str(self.cleaned_data["own_stp_mode"])
        if mode and mode not in self.instance.stp_modes:
            raise forms.ValidationError(_("The venue does not allow it in this market."))
        return mode


@admin.register(Market)
class MarketAdmin(NoneAddedOrRemoved, admin.ModelAdmin):
    form = MarketForm
    list_display = ("symbol", "status", "is_listed", "rank", "own_fee_bps", "seen_at")
    list_filter = ("is_listed", "status")
    search_fields = ("symbol",)
    readonly_fields = (
        "symbol", "status", "order_types", "abilities", "stp_modes", "default_stp_mode", "permission_sets", "filters",
        "seen_at",
    )  # fmt: skip
    fields = ("is_listed", "rank", "own_fee_bps", "own_stp_mode", *readonly_fields)

    def save_model(self, request: HttpRequest, obj: Market, form: Any, change: bool) -> None:
        services.decide_listing(
            obj.pk,
            is_listed=obj.is_listed,
            rank=obj.rank,
            own_fee_bps=obj.own_fee_bps,
            own_stp_mode=obj.own_stp_mode,
            by=request.user,
        )


@admin.register(Asset)
class AssetAdmin(PlainAmounts, NoneAddedOrRemoved, admin.ModelAdmin):
    list_display = ("code", "name", "scale", "max_amount")
    search_fields = ("code", "name")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
