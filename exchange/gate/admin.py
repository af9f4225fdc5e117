"""Staff see our accounts at the venue, say how deposits to them are told apart, and flip kill switches."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from exchange.gate import accounts, queries, runways, services
from exchange.gate.breakers import NOBODYS
from exchange.gate.errors import AlreadyStopped
from exchange.gate.models import Runway, Switch, VenueAccount
from exchange.office import queries as office
from exchange.office.decision import Decision, DecisionAdmin, ReasonForm
from exchange.office.models import Approval


class DepositsForm(ReasonForm):
    strategy = forms.ChoiceField(label=_("Deposits are told apart by"), choices=VenueAccount.Deposits.choices)
    fallback = forms.ChoiceField(
        label=_("Where that is not offered"),
        required=False,
        choices=[("", _("refuse deposits there")), *VenueAccount.Deposits.choices],
    )
    field_order = ("strategy", "fallback", "reason")


def set_deposits(account_id: int, *, by: Any, reason: str, strategy: str, fallback: str) -> None:
    services.set_deposit_strategy(account_id, strategy=strategy, fallback=fallback, by=by, reason=reason)


def enable(account_id: int, *, by: Any, reason: str) -> None:
    accounts.enable_account(account_id, by=by, reason=reason)


def disable(account_id: int, *, by: Any, reason: str) -> None:
    accounts.disable_account(account_id, by=by, reason=reason)


@admin.register(VenueAccount)
class VenueAccountAdmin(DecisionAdmin):
    """Keys are changed by `manage.py venue_account` alone; here they have a fingerprint."""

    list_display = (
        "name",
        "venue",
        "is_primary",
        "is_enabled",
        "key",
        "key_state",
        "key_reason",
        "proxy",
        "deposit_strategy",
        "deposit_fallback",
        "stream_state",
        "stream_changed_at",
        "stream_seen_at",
        "stream_reason",
    )
    list_select_related = ("sealed_key",)
    exclude = ("listen_key",)
    change_form_template = "admin/gate/venueaccount/change_form.html"
    takes_orders = Decision(
        "enable", _("Let it take new orders"), decide=enable, permission="gate.change_venueaccount"
    )
    takes_none = Decision(
        "disable",
        _("Let it take no new orders"),
        decide=disable,
        permission="gate.change_venueaccount",
        is_grave=True,
    )
    deposits = Decision(
        "deposits",
        _("Set how deposits are told apart"),
        decide=set_deposits,
        permission="gate.change_venueaccount",
        form=DepositsForm,
    )

    @admin.display(description=_("key"))
    def key(self, row: VenueAccount) -> str:
        return queries.fingerprint(row)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["key", *super().get_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["key", *super().get_readonly_fields(request, obj)]

    def all_decisions(self) -> list[Decision]:
        return [self.deposits, self.takes_orders, self.takes_none]

    def decisions_for(self, row: VenueAccount) -> list[Decision]:
        return [self.takes_none if row.is_enabled else self.takes_orders, self.deposits]

    def context_of(self, request: HttpRequest, row: VenueAccount) -> dict[str, object]:
        found = [one for one in queries.all_breakers() if one.account in (row.name, NOBODYS)]
        lies = queries.inventory_of(row)
        return {"breakers": [(one, one.seen()) for one in found], "inventory": lies}


class BarForm(ReasonForm):
    hours = forms.IntegerField(label=_("Hours it has to last"), min_value=0, max_value=100_000)
    least = forms.DecimalField(
        label=_("Least that has to be free"), min_value=0, max_digits=38, decimal_places=18, initial=0
    )
    field_order = ("hours", "least", "reason")


def set_bar(runway_id: int, *, by: Any, reason: str, hours: int, least: Decimal) -> None:
    runways.set_bar(runway_id, hours=hours, least=least, by=by, reason=reason)


@admin.register(Runway)
class RunwayAdmin(DecisionAdmin):
    """What lies in each account, how long it lasts, and when staff want to be told."""

    list_display = (
        "venue_account",
        "asset",
        "free",
        "needed",
        "hourly",
        "hours",
        "is_low",
        "bar",
        "judged_at",
    )
    list_filter = ("is_low", "venue_account", "asset")
    list_select_related = ("venue_account",)
    search_fields = ("=asset",)
    set_bar = Decision(
        "bar", _("Set when staff are told"), decide=set_bar, permission="gate.change_runwaybar", form=BarForm
    )

    @admin.display(description=_("told below"))
    def bar(self, row: Runway) -> str:
        return queries.bar_of(row.asset)

    def all_decisions(self) -> list[Decision]:
        return [self.set_bar]

    def decisions_for(self, row: Runway) -> list[Decision]:
        return self.all_decisions()


class SwitchForm(forms.ModelForm):
    """What is stopped, and why; a market and a customer are named as everybody knows them."""

    market = forms.CharField(
        label=_("Market"), required=False, max_length=64, help_text=_("Such as BTCUSDT; empty: all.")
    )
    customer = forms.CharField(
        label=_("Customer's e-mail"), required=False, max_length=254, help_text=_("To stop one customer.")
    )

    class Meta:
        model = Switch
        fields = ("scope", "market", "side", "customer", "public_reason", "reason")
        widgets = {"reason": forms.Textarea(attrs={"rows": 3})}

    def clean_market(self) -> Any:
        return self._named("market", symbol=self.cleaned_data["market"].strip().upper())

    def clean_customer(self) -> Any:
        return self._named("customer", email__iexact=self.cleaned_data["customer"].strip())

    def _named(self, field: str, **key: str) -> Any:
        """The row that was named, None when none was."""
        if not any(key.values()):
            return None
        rows = Switch._meta.get_field(field).related_model._default_manager  # type: ignore[union-attr]
        if (found := rows.filter(**key).first()) is None:
            raise forms.ValidationError(_("There is nothing of this name."))
        return found

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        what = {name: found.get(name) for name in ("scope", "market", "side", "customer")}
        if Switch.objects.filter(**what, released_at__isnull=True).exists():
            raise forms.ValidationError(AlreadyStopped.message)
        return found


def ask_release(switch_id: int, *, by: Any, reason: str) -> None:
    services.ask_release(switch_id, by=by, reason=reason)


def confirm_release(switch_id: int, *, by: Any, reason: str) -> None:
    services.confirm_release(switch_id, by=by, reason=reason)


@admin.register(Switch)
class SwitchAdmin(DecisionAdmin):
    """A new row is a switch flipped; from its page one person asks for its release and another confirms it."""

    list_display = ("__str__", "is_standing", "reason", "flipped_by", "flipped_at", "asked_by", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), "scope")
    list_select_related = ("market", "customer", "flipped_by", "release__asked_by")
    change_form_template = "admin/gate/switch/change_form.html"
    ask = Decision("ask", _("Ask: release"), decide=ask_release, permission="gate.change_switch")
    confirm = Decision(
        "confirm", _("Confirm the release"), decide=confirm_release, permission="gate.change_switch"
    )

    @admin.display(description=_("stands"), boolean=True)
    def is_standing(self, switch: Switch) -> bool:
        return switch.released_at is None

    @admin.display(description=_("release asked by"))
    def asked_by(self, switch: Switch) -> str:
        return str(switch.release.asked_by) if switch.release else ""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("gate.add_switch")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        new = {} if obj else {"form": SwitchForm}
        return super().get_form(request, obj, change, **new, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return super().get_fields(request, obj) if obj else list(SwitchForm.Meta.fields)

    def save_model(self, request: HttpRequest, obj: Switch, form: Any, change: bool) -> None:
        by: Any = request.user
        obj.pk = services.flip_switch(
            scope=obj.scope,
            market=obj.market_id,
            side=obj.side,
            customer_id=obj.customer_id,
            reason=obj.reason,
            public_reason=obj.public_reason,
            by=by,
        ).pk

    def all_decisions(self) -> list[Decision]:
        return [self.ask, self.confirm]

    def decisions_for(self, row: Switch) -> list[Decision]:
        if row.released_at is not None:
            return []
        is_asked = row.release is not None and row.release.status == Approval.Status.ASKED
        return [self.confirm if is_asked else self.ask]

    def context_of(self, request: HttpRequest, row: Switch) -> dict[str, object]:
        return {"switch": row, "history": office.history_of("switch", row.pk)[:20]}
