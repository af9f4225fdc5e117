from django.contrib import admin
from django.http import HttpRequest

from exchange.gate.models import VenueAccount


@admin.register(VenueAccount)
class VenueAccountAdmin(admin.ModelAdmin):
    list_display = ("name", "venue", "is_primary", "stream_state", "stream_changed_at", "stream_seen_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: VenueAccount | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: VenueAccount | None = None) -> bool:
        return False
