"""The staff's admin site: the same sign-in as everybody's, queues on its first page, one search over everything."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _


class DeskSite(AdminSite):
    site_header = settings.SITE_NAME
    site_title = settings.SITE_NAME
    index_title = _("Desk")
    index_template = "admin/desk.html"

    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Staff sign in where customers do: with the same limits on tries and the same second factor."""
        return super().login(request, extra_context)

    def password_change(  # type: ignore[override]  # a redirect instead of a page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Where everybody changes it: the change is told by mail and ends all other sessions."""
        return redirect("account_change_password")

    def get_urls(self) -> list[Any]:
        from exchange.desk import treasury, way

        own = [
            path("search/", self.admin_view(self.search), name="search"),
            path("way/", self.admin_view(way.way), name="way"),
            path("treasury/", self.admin_view(treasury.treasury), name="treasury"),
            path("treasury/adjustments/", self.admin_view(treasury.adjustments), name="adjustments"),
            path("treasury/<slug:name>/", self.admin_view(treasury.report), name="report"),
        ]
        return [*own, *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from ledger.queries import REPORTS

        reports = [(name, title) for name, (title, _make) in REPORTS.items()]
        return {**super().each_context(request), "reports": reports}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from exchange.desk import queries  # models are not loaded yet when the site is made

        shown = {"queues": queries.queues(request.user), "stops": queries.stops(request.user)}
        return super().index(request, {**shown, **(extra_context or {})})

    def search(self, request: HttpRequest) -> HttpResponse:
        from exchange.desk import queries

        text = request.GET.get("q", "").strip()[:200]
        found = queries.search(text, by=request.user) if text else []
        context = {**self.each_context(request), "title": _("Search"), "q": text, "found": found}
        return TemplateResponse(request, "admin/search.html", context)
