"""Shape of what is asked for on the pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.safety.models import Patience


class CountdownForm(forms.Form):
    """How long a page may be gone, and in which market."""

    seconds = forms.TypedChoiceField(choices=Patience, coerce=int, label=_("If I am gone for"))
    market = forms.CharField(required=False, max_length=64, label=_("Market"))


class UnlockForm(forms.Form):
    code = forms.CharField(
        label=_("Code of your authenticator app"),
        max_length=32,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )
