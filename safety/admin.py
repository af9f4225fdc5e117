"""Staff see what customers have armed."""

from django.contrib import admin

from exchange.office.decision import ReadOnly
from safety.models import Countdown


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
