"""Staff see the chain of seals, and how far it was verified."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import DateTimeField, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from exchange.office.decision import ReadOnly
from ledger import queries
from ledger.models import Seal


@admin.register(Seal)
class SealAdmin(ReadOnly):
    """`verified at` is what a process of ours says of itself; proof is the exported file, kept elsewhere."""

    list_display = ("number", "transfers", "created_at", "exported_at", "verified_at", "hash")
    fields = (
        "number", "hash", "previous_hash", "root", "horizon", "transfers", "created_at", "exported_at", "verified_at",
    )  # fmt: skip
    search_fields = ("=number", "hash")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seal]:
        found = queries.latest_verification()
        reach, at = (found.block, found.at) if found and not found.broken else (0, None)
        return (
            super()
            .get_queryset(request)
            .annotate(reach=Value(reach), verification=Value(at, DateTimeField()))
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = queries.latest_verification()
        if found and found.broken:
            messages.error(request, _("The last verification found: %(what)s.") % {"what": found.broken})
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("verified by ledger_verify"))
    def verified_at(self, seal: Seal) -> str:
        reach, at = seal.reach, seal.verification  # type: ignore[attr-defined]
        return date_format(localtime(at), "DATETIME_FORMAT") if seal.number <= reach else ""
