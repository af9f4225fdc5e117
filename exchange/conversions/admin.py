"""Staff read quotes, conversions and covers, see how far the house is uncovered, and set margins."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from exchange.conversions import queries, services
from exchange.conversions.models import Conversion, Cover, CoverOrder, MarginRule, Quote
from exchange.errors import DomainError
from exchange.money import plain
from exchange.office.decision import ReadOnly


@admin.register(MarginRule)
class MarginRuleAdmin(ReadOnly):
    """Lines begin and end; what a line says never changes."""

    list_display = ("id", "from_asset_id", "to_asset_id", "bps", "created_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    fields = ("from_asset", "to_asset", "bps")
    actions = ["end"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("conversions.add_marginrule")

    def save_model(self, request: HttpRequest, obj: MarginRule, form: Any, change: bool) -> None:
        obj.pk = services.begin_margin(
            from_asset=obj.from_asset_id, to_asset=obj.to_asset_id, bps=obj.bps, by=request.user
        ).pk

    @admin.action(description=_("End the chosen margins"), permissions=["add"])
    def end(self, request: HttpRequest, chosen: QuerySet[MarginRule]) -> None:
        for rule in chosen:
            try:
                services.end_margin(rule_id=rule.pk, by=request.user)
            except DomainError as error:
                self.message_user(request, str(error), messages.ERROR)


@admin.register(Quote)
class QuoteAdmin(ReadOnly):
    list_display = (
        "id", "user", "from_amount", "from_asset_id", "to_amount", "to_asset_id", "fee", "margin", "channel",
        "created_at", "expires_at", "used",
    )  # fmt: skip
    list_filter = ("channel", ("conversion", admin.EmptyFieldListFilter))
    search_fields = ("user__email", "=id")
    list_select_related = ("user", "conversion")

    @admin.display(description=_("used"), boolean=True)
    def used(self, quote: Quote) -> bool:
        return hasattr(quote, "conversion")


@admin.register(Conversion)
class ConversionAdmin(ReadOnly):
    list_display = ("id", "user", "quote", "channel", "accepted_at", "covered", "earned")
    list_filter = ("channel",)
    search_fields = ("user__email", "=id", "=quote__id")
    list_select_related = ("user", "quote")
    readonly_fields = ("covered", "earned", "covers")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("covers__market")

    @admin.display(description=_("covered"), boolean=True)
    def covered(self, conversion: Conversion) -> bool:
        return not any(cover.is_open for cover in conversion.covers.all())

    @admin.display(description=_("the house has of it"))
    def earned(self, conversion: Conversion) -> str:
        """With what is not covered yet, and before what the venue took."""
        return (
            ", ".join(f"{plain(amount)} {asset}" for asset, amount in queries.earned(conversion).items())
            or "0"
        )

    @admin.display(description=_("covers"))
    def covers(self, conversion: Conversion) -> SafeString:
        links = [
            format_html(
                '<a href="{}">{}</a>', reverse("admin:conversions_cover_change", args=[cover.pk]), cover
            )
            for cover in conversion.covers.all()
        ]
        return SafeString(", ".join(links))


@admin.register(Cover)
class CoverAdmin(ReadOnly):
    list_display = (
        "id", "conversion", "market_id", "side", "quantity", "done", "left_now", "is_open", "attempts", "trouble",
        "created_at", "closed_at",
    )  # fmt: skip
    list_filter = ("is_open", "side", "market")
    search_fields = ("=id", "=conversion__id", "market__symbol")
    readonly_fields = ("left_now", "orders")
    change_list_template = "admin/conversions/cover/change_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With how far the house is uncovered, and what the books say of its position."""
        shown = {"exposures": queries.exposures(), "position": sorted(queries.position().items())}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    @admin.display(description=_("left"))
    def left_now(self, cover: Cover) -> str:
        return plain(cover.left)

    @admin.display(description=_("orders"))
    def orders(self, cover: Cover) -> SafeString:
        links = [
            format_html(
                '<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[row.order_id]), row.order
            )
            for row in cover.cover_orders.select_related("order").order_by("id")
        ]
        return SafeString(", ".join(links))


@admin.register(CoverOrder)
class CoverOrderAdmin(ReadOnly):
    list_display = ("id", "cover", "order", "counted", "created_at", "settled_at")
    list_filter = (("settled_at", admin.EmptyFieldListFilter),)
    search_fields = ("=cover__id", "=order__id")
    list_select_related = ("cover", "order")
