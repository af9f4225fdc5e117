"""The treasury's pages: what we own and owe, corrections by four eyes, reports."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from exchange.errors import DomainError
from exchange.office import queries as office
from exchange.pages import refuse
from exchange.tables import csv_answer
from ledger import queries as books
from ledger import services as ledger
from ledger.forms import AdjustmentForm, PeriodForm

REQUESTS_SHOWN = 50


def show(request: HttpRequest, template: str, title: str, **more: Any) -> TemplateResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "reference": settings.REFERENCE_ASSET,
        **more,
    }
    return TemplateResponse(request, f"admin/treasury/{template}.html", context)


def require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


@require_safe
def treasury(request: HttpRequest) -> HttpResponse:
    """What we own against what we owe, by asset."""
    require(request, "ledger.see_treasury")
    return show(
        request,
        "treasury",
        _("Treasury"),
        treasury=books.treasury(),
        agreement=books.agreement(),
    )


def adjustments(request: HttpRequest) -> HttpResponse:
    """The form by which a correction is asked for, and what became of those that were."""
    require(request, "ledger.ask_adjustment")
    form = AdjustmentForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            ledger.ask_adjustment(by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, _("Asked for. Somebody else has to grant it."))
            return redirect("admin:adjustments")
    found = office.approvals(ledger.PREFIX)[:REQUESTS_SHOWN]
    return show(request, "adjustments", _("Adjustments"), form=form, requests=found)


@require_safe
def report(request: HttpRequest, name: str) -> HttpResponseBase:
    """A report as a page, or with `format=csv` as a download that is put on record."""
    require(request, "ledger.see_treasury")
    if name not in books.REPORTS:
        raise Http404
    form = PeriodForm(request.GET)
    period = form.period if form.is_valid() else books.Period()
    if form.is_valid() and request.GET.get("format") == "csv":
        require(request, "ledger.download_reports")
        found = ledger.export_report(name=name, period=period, by=request.user)  # type: ignore[arg-type]
        return csv_answer(name, found.columns, found.rows)
    found = books.report(name, period)
    return show(request, "report", found.title, report=found, form=form)
