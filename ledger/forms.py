"""Shape of the wallet's forms."""

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.pages import AmountField, NonceField


class RouteForm(forms.Form):
    """Which asset on which network; both come from links, so only their shape is looked at."""

    asset = forms.CharField(required=False, max_length=32)
    network = forms.CharField(required=False, max_length=32)

    def clean_asset(self) -> str:
        return str(self.cleaned_data["asset"]).strip().upper()

    def clean_network(self) -> str:
        return str(self.cleaned_data["network"]).strip()


class WithdrawForm(forms.Form):
    address = forms.CharField(
        max_length=200,
        label=_("Address"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )
    tag = forms.CharField(
        max_length=100,
        required=False,
        label=_("Memo or tag"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    amount = AmountField(label=_("Amount, the fee included"))
    code = forms.CharField(
        max_length=32,
        label=_("Code of your authenticator"),
        help_text=_("Six digits, or one of your recovery codes."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    nonce = NonceField()

    def __init__(self, *args: object, needs_tag: bool = False, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.fields["tag"].required = needs_tag


class HistoryFilter(forms.Form):
    asset = forms.CharField(required=False, max_length=32)
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)
