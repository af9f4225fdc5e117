"""Staff read orders and what became of them, and can have the venue asked again."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from exchange.binance.errors import VenueError
from exchange.gate import services as gate
from exchange.office.decision import ReadOnly
from orders import logbook, routing, services
from orders.models import (
    FeeRule,
    Fill,
    Inquiry,
    Order,
    OrderEvent,
    OrderList,
    RouteDecision,
    RouteRule,
    VenueOrder,
)

PERIODS = ((_("Today and yesterday"), 1), (_("The last week"), 7), (_("The last 30 days"), 30))


@admin.register(FeeRule)
class FeeRuleAdmin(ReadOnly):
    """Lines begin and end; what a line says never changes."""

    list_display = (
        "name",
        "market_id",
        "tier",
        "min_volume",
        "maker_bps",
        "taker_bps",
        "created_at",
        "ended_at",
    )
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    fields = ("name", "market", "tier", "min_volume", "maker_bps", "taker_bps")
    actions = ["end"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_feerule")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Amounts are typed where a line begins, and shown plainly afterwards."""
        return super().get_fields(request, obj) if obj else list(self.fields)

    def save_model(self, request: HttpRequest, obj: FeeRule, form: Any, change: bool) -> None:
        obj.pk = services.begin_fee_rule(
            name=obj.name,
            symbol=obj.market_id,
            tier=obj.tier,
            min_volume=obj.min_volume,
            maker_bps=obj.maker_bps,
            taker_bps=obj.taker_bps,
            by=request.user,
        ).pk

    @admin.action(description=_("End the chosen lines"), permissions=["add"])
    def end(self, request: HttpRequest, chosen: QuerySet[FeeRule]) -> None:
        for rule in chosen:
            services.end_fee_rule(rule_id=rule.pk, by=request.user)


@admin.register(RouteRule)
class RouteRuleAdmin(ReadOnly):
    """Rules begin and end; what a rule says never changes."""

    list_display = (
        "name", "market_id", "group", "tier", "strategy", "allows_crossing", "bridges", "begun_by", "created_at",
        "ended_at",
    )  # fmt: skip
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "strategy")
    list_select_related = ("group", "begun_by")
    fields = ("name", "market", "group", "tier", "strategy", "allows_crossing", "bridges")
    actions = ["end"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.add_routerule")

    def save_model(self, request: HttpRequest, obj: RouteRule, form: Any, change: bool) -> None:
        obj.pk = services.begin_route_rule(
            name=obj.name,
            symbol=obj.market_id,
            group_id=obj.group_id,
            tier=obj.tier,
            strategy=obj.strategy,
            allows_crossing=obj.allows_crossing,
            bridges=list(obj.bridges),
            by=request.user,
        ).pk

    @admin.action(description=_("End the chosen rules"), permissions=["add"])
    def end(self, request: HttpRequest, chosen: QuerySet[RouteRule]) -> None:
        for rule in chosen:
            services.end_route_rule(rule_id=rule.pk, by=request.user)


@admin.register(RouteDecision)
class RouteDecisionAdmin(ReadOnly):
    """What was compared for each order, and above it what all of it was worth."""

    list_display = (
        "order_id", "at", "strategy", "kind", "direct_rate", "chosen_rate", "paid", "paid_asset", "received",
        "received_asset", "saved",
    )  # fmt: skip
    list_filter = ("kind", "strategy")
    search_fields = ("=order__id",)
    date_hierarchy = "at"
    raw_id_fields = ("order",)
    change_list_template = "admin/orders/routedecision/change_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        now = timezone.now()
        periods = [(name, routing.savings(now - timedelta(days=days))) for name, days in PERIODS]
        return super().changelist_view(request, {**(extra_context or {}), "periods": periods})


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = (
        "id", "user", "market_id", "side", "type", "status", "route", "price", "quantity", "created_at",
    )  # fmt: skip
    list_filter = ("status", "side", "type", "route")
    search_fields = ("user__email", "nonce", "venue_orders__client_order_id")
    list_select_related = ("user",)
    change_form_template = "admin/orders/order/change_form.html"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With all that is on record of it."""
        order = self.get_object(request, object_id)
        extra = {"logbook": logbook.logbook(order)} if order else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})


@admin.register(OrderList)
class OrderListAdmin(ReadOnly):
    list_display = ("id", "user", "kind", "market_id", "status", "client_order_id", "created_at")
    list_filter = ("kind",)
    search_fields = ("user__email", "nonce", "client_order_id")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("orders")


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
        try:
            failed = gate.history().carry(lambda: services.reconcile_each(numbers))
        except VenueError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        for name, reason in failed.items():
            words = {"name": name, "reason": reason}
            self.message_user(
                request, _("Order %(name)s could not be asked for: %(reason)s") % words, messages.ERROR
            )
        if asked := len(numbers) - len(failed):
            told = ngettext(
                "%(count)s order is as the venue has it.",
                "%(count)s orders are as the venue has them.",
                asked,
            )
            self.message_user(request, told % {"count": asked}, messages.SUCCESS)


@admin.register(OrderEvent)
class OrderEventAdmin(ReadOnly):
    list_display = ("id", "order_id", "at", "kind", "source", "status", "effect", "code", "message")
    list_filter = ("kind", "source", "effect")
    search_fields = ("=order__id", "=venue_order__client_order_id")
    raw_id_fields = ("order", "venue_order")


@admin.register(Inquiry)
class InquiryAdmin(ReadOnly):
    list_display = ("id", "venue_order", "kind", "outcome", "count", "first_at", "last_at", "reason")
    list_filter = ("kind", "outcome")
    search_fields = ("=venue_order__order__id", "=venue_order__client_order_id")
    list_select_related = ("venue_order",)


@admin.register(Fill)
class FillAdmin(ReadOnly):
    list_display = (
        "id",
        "order",
        "market_id",
        "price",
        "quantity",
        "fee",
        "fee_asset_id",
        "trade_name",
        "at",
    )
    search_fields = ("order__user__email", "trade_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("order")
