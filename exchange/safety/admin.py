"""Staff see what customers have armed, and who pressed the button."""

from django.contrib import admin

from exchange.office.decision import ReadOnly
from exchange.safety.models import Countdown, Panic


@admin.register(Countdown)
class CountdownAdmin(ReadOnly):
    list_display = (
        "user",
        "market_id",
        "channel",
        "seconds",
        "deadline_at",
        "renewed_at",
        "fired_at",
        "fired_orders",
    )
    list_filter = ("channel", ("deadline_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email",)
    list_select_related = ("user",)


@admin.register(Panic)
class PanicAdmin(ReadOnly):
    list_display = (
        "id",
        "user",
        "channel",
        "pressed_at",
        "orders",
        "withdrawals",
        "sessions",
        "tokens",
        "finished_at",
    )
    list_filter = ("channel", ("finished_at", admin.EmptyFieldListFilter))
    search_fields = ("user__email",)
    list_select_related = ("user",)
