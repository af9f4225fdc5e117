"""Staff see what came in, and the networks."""

from django.contrib import admin

from exchange.office.decision import ReadOnly
from ledger.models import (
    Deposit,
    DepositAddress,
    Network,
)


@admin.register(Deposit)
class DepositAdmin(ReadOnly):
    list_display = ("id", "user", "amount", "asset_id", "network", "status", "confirmations", "seen_at")
    list_filter = ("status",)
    search_fields = ("user__email", "address", "tx_id", "venue_id")
    list_select_related = ("user",)


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
