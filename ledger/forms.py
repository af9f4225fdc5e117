"""Shape of the wallet's forms."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from exchange.errors import BadNumber
from exchange.money import parse, plain
from exchange.pages import AmountField, NonceField
from ledger import queries, services
from ledger.models import Network, SavedAddress, Transfer, Withdrawal
from ledger.services import Beneficiary
from ledger.services.beneficiaries import LONGEST_NAME

Kind = Transfer.Kind


class RouteForm(forms.Form):
    """Which asset on which network; both come from links, so only their shape is looked at."""

    asset = forms.CharField(required=False, max_length=32)
    network = forms.CharField(required=False, max_length=32)

    def clean_asset(self) -> str:
        return str(self.cleaned_data["asset"]).strip().upper()

    def clean_network(self) -> str:
        return str(self.cleaned_data["network"]).strip()


def _address_field() -> forms.CharField:
    attributes = {"autocomplete": "off", "spellcheck": "false", "class": "mono"}
    return forms.CharField(max_length=200, label=_("Address"), widget=forms.TextInput(attrs=attributes))


def _tag_field() -> forms.CharField:
    attributes = {"autocomplete": "off", "spellcheck": "false"}
    return forms.CharField(
        max_length=100, required=False, label=_("Memo or tag"), widget=forms.TextInput(attrs=attributes)
    )


def _code_field() -> forms.CharField:
    return forms.CharField(
        max_length=32,
        label=_("Code of your authenticator"),
        help_text=_("Six digits, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class WithdrawForm(forms.Form):
    address = _address_field()
    tag = _tag_field()
    amount = AmountField(label=_("Amount, the fee included"))
    fee = forms.CharField(required=False, widget=forms.HiddenInput)
    beneficiary = forms.CharField(
        max_length=LONGEST_NAME, required=False, label=_("Full name of the receiver")
    )
    holder = forms.ChoiceField(
        choices=[("", _("Please choose")), *Withdrawal.Holder.choices],
        required=False,
        label=_("Who keeps the address"),
    )
    institution = forms.CharField(
        max_length=LONGEST_NAME, required=False, label=_("Name of the exchange or service, if one does")
    )
    code = _code_field()
    nonce = NonceField()

    def __init__(
        self, *args: Any, network: Network, saved: SavedAddress | None = None, **options: Any
    ) -> None:
        known = {"address": saved.address, "tag": saved.tag} if saved else {}
        options["initial"] = {"fee": plain(network.withdraw_fee), **known}
        super().__init__(*args, **options)

    def clean_fee(self) -> Decimal:
        """What is no number counts as no fee: the service then says which one holds."""
        try:
            return parse(self.cleaned_data["fee"])
        except BadNumber:
            return Decimal(0)

    def asked(self) -> dict[str, Any]:
        """What the service is asked for."""
        said = dict(self.cleaned_data)
        who = Beneficiary(said.pop("beneficiary"), said.pop("holder"), said.pop("institution"))
        return {**said, "beneficiary": who}

    def take_fee(self, network: Network) -> None:
        """Shown again, the form carries the fee that holds now."""
        self.data["fee"] = plain(network.withdraw_fee)  # type: ignore[index]


class ConfirmForm(forms.Form):
    token = forms.CharField(max_length=100, widget=forms.HiddenInput, required=False)


class CodeForm(forms.Form):
    code = _code_field()


class BookOnlyForm(CodeForm):
    """To what the switch is turned, as the page showed it: sent twice it stays there."""

    turn = forms.ChoiceField(choices=[("on", ""), ("off", "")], widget=forms.HiddenInput)


class AddressForm(forms.Form):
    label = forms.CharField(max_length=40, label=_("Name"), help_text=_("Such as: my hardware wallet."))
    address = _address_field()
    tag = _tag_field()
    code = _code_field()


class ClaimForm(forms.Form):
    """A deposit the customer announces."""

    tx_id = forms.CharField(
        max_length=200,
        label=_("Transaction id"),
        help_text=_("As your wallet or the sending exchange shows it, also called hash or TxID."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    amount = AmountField(label=_("Amount you sent"))
    from_address = forms.CharField(
        max_length=200,
        required=False,
        label=_("Address it was sent from"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    statement = forms.CharField(
        max_length=2000,
        required=False,
        label=_("How we can know that you sent it"),
        help_text=_(
            "For example the name of the sending exchange and your account there. Or upload a picture of it."
        ),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    proof = forms.FileField(
        required=False, label=_("Picture or PDF"), help_text=_("JPEG, PNG or PDF, at most 8 MB.")
    )


class TransactionForm(forms.Form):
    """The look-up by transaction; an empty one shows everything."""

    tx = forms.CharField(
        max_length=200,
        required=False,
        label=_("Transaction id"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )


class HistoryFilter(forms.Form):
    asset = forms.CharField(required=False, max_length=32)
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)


class AdjustmentForm(forms.Form):
    """An amount from one account of the books to another, with a category and a reason."""

    asset = forms.CharField(label=_("Asset"), max_length=32)
    source = forms.ChoiceField(label=_("From account"), choices=services.sides, initial="SUSPENSE")
    target = forms.ChoiceField(label=_("To account"), choices=services.sides)
    amount = AmountField(label=_("Amount"))
    category = forms.ChoiceField(label=_("Category"), choices=services.CATEGORIES.items)
    customer = forms.EmailField(
        label=_("Customer's e-mail address"),
        required=False,
        help_text=_("Only when one side is a customer."),
    )
    case = forms.CharField(
        label=_("Case number"),
        required=False,
        max_length=60,
        help_text=_("What a customer's balance is changed for; required then."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Kept on record."),
    )

    def clean_asset(self) -> str:
        return str(self.cleaned_data["asset"]).strip().upper()


class DayField(forms.DateField):
    """A day of UTC, as statements and reports count them; a day after it always exists."""

    def __init__(self, label: object) -> None:
        super().__init__(
            required=False,
            label=label,  # type: ignore[arg-type]
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))],
        )


class PeriodForm(forms.Form):
    """As of a time, or from a first to a last day, both whole and UTC."""

    at = forms.DateTimeField(
        label=_("As of (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    start = DayField(_("From"))
    end = DayField(_("To"))
    step = forms.ChoiceField(
        label=_("In steps of"),
        required=False,
        choices=[
            ("total", _("the whole period")),
            ("day", _("a day")),
            ("week", _("a week")),
            ("month", _("a month")),
        ],
    )

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        start, end, step = found.get("start"), found.get("end"), found.get("step") or "total"
        if start and end and end < start:
            raise forms.ValidationError(_("The last day comes before the first; turn them round."))
        last = end or datetime.now(UTC).date()
        if start and queries.count_of(start, last, step) > queries.LONGEST:
            raise forms.ValidationError(_("These are too many steps; take longer ones or a shorter period."))
        return found

    @property
    def period(self) -> queries.Period:
        wanted = self.cleaned_data
        start, end = wanted.get("start"), wanted.get("end")
        return queries.Period(
            at=wanted.get("at"),
            start=_midnight(start) if start else None,
            end=_midnight(end + timedelta(days=1)) if end else None,
            step=wanted.get("step") or "total",
        )


class StatementFilter(forms.Form):
    """A period of whole days, and which entries of it; what makes no sense is said, and nothing is left out for it."""

    since = DayField(_("From"))
    until = DayField(_("To"))
    kind = forms.ChoiceField(
        required=False,
        label=_("Kind"),
        choices=[
            ("", _("Everything")),
            *(
                (kind.value, capfirst(kind.label))
                for kind in Kind
                if kind not in (Kind.COMMISSION, Kind.SWEEP, Kind.CROSS, Kind.COVER)
            ),
        ],
    )
    against = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    way = forms.ChoiceField(
        required=False, choices=[("", ""), ("in", ""), ("out", "")], widget=forms.HiddenInput
    )

    def clean(self) -> dict[str, object]:
        found = super().clean() or {}
        since, until = found.get("since"), found.get("until")
        if since and until and since > until:
            self.add_error("until", _("The last day is before the first."))
        return found

    def wanted(self) -> queries.Wanted:
        """What was asked for; everything when it could not be understood."""
        if not self.is_valid():
            return queries.Wanted()
        found = self.cleaned_data
        since, until = found["since"], found["until"]
        return queries.Wanted(
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until else None,
            kind=found["kind"],
            against=found["against"],
            way=found["way"],
        )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


class ProofForm(forms.Form):
    """Which proof; the latest when none is named, or none that could be."""

    number = forms.IntegerField(required=False, min_value=1, max_value=2**31)

    def wanted(self) -> int | None:
        return self.cleaned_data["number"] if self.is_valid() else None
