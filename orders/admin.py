"""Staff read orders and what became of them, and can have the venue asked again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.binance.errors import VenueError
from exchange.gate import services as gate
from exchange.office.decision import ReadOnly
from orders import services
from orders.models import Fill, Order, VenueOrder


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("id", "user", "market_id", "side", "type", "status", "price", "quantity", "created_at")
    list_filter = ("status", "side", "type")
    search_fields = ("user__email", "nonce", "venue_orders__client_order_id")
    list_select_related = ("user",)


@admin.register(VenueOrder)
class VenueOrderAdmin(ReadOnly):
    list_display = (
        "client_order_id",
        "order",
        "venue_order_id",
        "status",
        "sent_at",
        "answered_at",
        "checks",
    )
    list_filter = ("status",)
    search_fields = ("client_order_id", "venue_order_id")
    list_select_related = ("order",)
    actions = ["ask_again"]

    @admin.action(description=_("Ask the venue again"), permissions=["view"])
    def ask_again(self, request: HttpRequest, chosen: QuerySet[VenueOrder]) -> None:
        """One after the other behind a thread; who asked waits a moment, and the sweeps ask for what is left."""
        numbers = [venue_order.pk for venue_order in chosen]

        def ask() -> None:
            for number in numbers:
                services.reconcile(venue_order_id=number)

        try:
            gate.history().carry(ask)
        except VenueError as error:
            self.message_user(request, str(error), messages.ERROR)


@admin.register(Fill)
class FillAdmin(ReadOnly):
    list_display = ("id", "order", "market_id", "price", "quantity", "fee", "fee_asset_id", "trade_id", "at")
    search_fields = ("order__user__email", "trade_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("order")
