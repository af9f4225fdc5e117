"""Staff see what every comparison with the venue found, and look after the differences."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from exchange.binance.errors import VenueError
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin, ReadOnly, ReasonForm
from ledger import services
from ledger.models import HistoryCheck, LedgerException, Reconciliation


class ClosingForm(ReasonForm):
    """Why it is closed, and whether its suggested lines are booked first."""

    category = forms.ChoiceField(
        label=_("Category"),
        choices=[
            ("explained", _("explained: both sides agree by now")),
            ("suspense", _("unexplained: booked to suspense until it is")),
            ("venue error", _("an error of the venue's")),
            ("our error", _("an error of ours")),
            ("dust", _("dust or rounding")),
        ],
    )
    books = forms.BooleanField(
        label=_("Book the suggested lines"),
        required=False,
        help_text=_(
            "A difference that stands and is closed without a posting comes back as a new one. Look whether another "
            "difference is about the same thing: book only one of them."
        ),
    )
    field_order = ("category", "books", "reason")


def take(exception_id: int, *, by: Any, reason: str) -> None:
    services.take_exception(exception_id=exception_id, by=by, reason=reason)


def ask_closing(exception_id: int, *, by: Any, reason: str, category: str, books: bool) -> None:
    services.ask_closing(exception_id=exception_id, by=by, reason=reason, category=category, books=books)


@admin.register(LedgerException)
class LedgerExceptionAdmin(DecisionAdmin):
    list_display = ("id", "what", "age", "owner", "state", "cause")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "stops_asset", "source")
    search_fields = ("key", "owner__email", "asset__code")
    list_select_related = ("owner",)
    fields = ("source", "key", "detail", "created_at", "seen_at", "gone_at", "approval", "transfer")
    change_form_template = "admin/ledger/ledgerexception/change_form.html"
    take = Decision("take", _("Take it"), decide=take, permission="ledger.change_ledgerexception")
    close = Decision(
        "close",
        _("Ask to close it"),
        decide=ask_closing,
        permission="ledger.change_ledgerexception",
        form=ClosingForm,
    )

    def all_decisions(self) -> list[Decision]:
        return [self.take, self.close]

    def decisions_for(self, row: LedgerException) -> list[Decision]:
        return self.all_decisions() if row.is_open else []

    def context_of(self, request: HttpRequest, row: LedgerException) -> dict[str, object]:
        return {"history": office.history_of("difference", row.pk), "age": self.age(row)}

    @admin.display(description=_("Difference"), ordering="source")
    def what(self, row: LedgerException) -> str:
        return str(row)

    @admin.display(description=_("Age"), ordering="created_at")
    def age(self, row: LedgerException) -> str:
        return timesince(row.created_at, row.resolved_at)

    @admin.display(description=_("State"))
    def state(self, row: LedgerException) -> str:
        if not row.is_open:
            return str(_("closed"))
        if row.gone_at:
            return str(_("gone, to be closed"))
        return str(_("stands, and stops its asset")) if row.stops_asset else str(_("stands"))


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly):
    list_display = ("at", "venue_account", "is_ok", "assets", "differing", "by")
    list_filter = ("is_ok",)
    list_select_related = ("venue_account", "by")
    date_hierarchy = "at"
    change_form_template = "admin/ledger/reconciliation/change_form.html"
    change_list_template = "admin/ledger/reconciliation/change_list.html"

    def get_urls(self) -> list[Any]:
        now = path("now/", self.admin_site.admin_view(self.compare_now), name="ledger_reconciliation_now")
        return [now, *super().get_urls()]

    def compare_now(self, request: HttpRequest) -> HttpResponse:
        """The button: the books are held against the venue at once."""
        if request.method != "POST" or not request.user.has_perm("ledger.add_reconciliation"):
            raise PermissionDenied
        try:
            runs = services.reconcile_now(by=request.user)  # type: ignore[arg-type]
        except VenueError as error:
            sentence = _(
                "The venue could not be asked: %(why)s. What it still answers will stand in this list."
            )
            messages.error(request, sentence % {"why": error})
            return redirect("admin:ledger_reconciliation_changelist")
        if not runs:
            messages.error(request, _("No key for the venue is set."))
        if len(runs) != 1:
            return redirect("admin:ledger_reconciliation_changelist")
        return redirect("admin:ledger_reconciliation_change", runs[0].pk)


@admin.register(HistoryCheck)
class HistoryCheckAdmin(ReadOnly):
    list_display = ("day", "part", "compared", "differing", "at", "venue_account")
    list_filter = ("day",)
    search_fields = ("part",)
    list_select_related = ("venue_account",)
