"""What admin pages share: tables that nobody edits, and decisions with a reason on a page of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import DecimalField, Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from exchange.errors import DomainError
from exchange.money import plain

Decide = Callable[..., object]


@dataclass(frozen=True)
class Shown:
    """A column of amounts with all the digits each has, and no zeros after them."""

    name: str
    short_description: object

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def admin_order_field(self) -> str:
        return self.name

    def __call__(self, row: Model) -> str | None:
        found = getattr(row, self.name)
        return None if found is None else plain(found)


class PlainAmounts:
    """Tables and pages of the admin in which every amount is shown as it is, not with all decimals of its column."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._shown(super().get_list_display(request))  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._shown(super().get_fields(request, obj))  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._shown(super().get_readonly_fields(request, obj))  # type: ignore[misc]

    def _shown(self, names: Any) -> list[Any]:
        meta = self.model._meta  # type: ignore[attr-defined]
        amounts = {found.name: found for found in meta.get_fields() if isinstance(found, DecimalField)}
        return [Shown(name, amounts[name].verbose_name) if name in amounts else name for name in names]


class ReadOnly(PlainAmounts, admin.ModelAdmin):
    """Staff see the rows; only services write them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Kept on record."),
    )


class Decision:
    """One button of a row's page: what it is called, who may press it, which service gets what its form asks."""

    def __init__(
        self,
        name: str,
        label: str | Promise,
        *,
        decide: Decide,
        permission: str,
        is_grave: bool = False,
        form: type[ReasonForm] = ReasonForm,
    ) -> None:
        self.name, self.label, self.decide = name, label, decide
        self.permission, self.is_grave, self.form = permission, is_grave, form


class DecisionAdmin(ReadOnly):
    """Rows that staff decide upon: `decisions` of a row are buttons on its page, each asks for a reason."""

    change_form_template = "admin/decision_change_form.html"

    def decisions_for(self, row: Any) -> list[Decision]:
        """The decisions that are possible on this row now; none, unless a page says otherwise."""
        return []

    def all_decisions(self) -> list[Decision]:
        """Every decision, for their addresses."""
        return []

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"<int:row_id>/{decision.name}/",
                self.admin_site.admin_view(self._page_of(decision)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{decision.name}",
            )
            for decision in self.all_decisions()
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        extra = extra_context or {}
        if row is not None:
            allowed = [found for found in self.decisions_for(row) if request.user.has_perm(found.permission)]
            extra = {**extra, "decisions": allowed, **self.context_of(request, row)}
        return super().change_view(request, object_id, form_url, extra)

    def context_of(self, request: HttpRequest, row: Any) -> dict[str, object]:
        """More for the row's page."""
        return {}

    def _page_of(self, decision: Decision) -> Callable[..., HttpResponse]:
        def page(request: HttpRequest, row_id: int) -> HttpResponse:
            row = get_object_or_404(self.get_queryset(request), pk=row_id)
            if not request.user.has_perm(decision.permission):
                raise PermissionDenied
            form = decision.form(request.POST if request.method == "POST" else None)
            if request.method == "POST" and form.is_valid() and self._decide(request, decision, row, form):
                return redirect(self._address(row))
            return TemplateResponse(
                request, "admin/decision.html", self._context(request, decision, row, form)
            )

        return page

    def _decide(self, request: HttpRequest, decision: Decision, row: Any, form: ReasonForm) -> bool:
        try:
            decision.decide(row.pk, by=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
            return False
        messages.success(request, _("Done: %(what)s.") % {"what": decision.label})
        return True

    def _address(self, row: Any) -> str:
        return reverse(
            f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk]
        )

    def _context(
        self, request: HttpRequest, decision: Decision, row: Any, form: ReasonForm
    ) -> dict[str, object]:
        return {
            **self.admin_site.each_context(request),
            **self.context_of(request, row),
            "title": decision.label,
            "decision": decision,
            "row": row,
            "form": form,
            "opts": self.opts,
            "back": self._address(row),
        }
