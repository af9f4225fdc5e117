"""Shape of a wish to convert."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.conversions import queries
from exchange.pages import AmountField


class ConvertForm(forms.Form):
    """Two assets and one of two amounts; a page shows both, and the one that was typed last counts."""

    from_asset = forms.ChoiceField(label=_("From"))
    from_amount = AmountField(required=False, label=_("You give"))
    to_asset = forms.ChoiceField(label=_("To"))
    to_amount = AmountField(required=False, label=_("You get"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(asset.code, asset.code) for asset in queries.assets()]
        for name in ("from_asset", "to_asset"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        amounts = [name for name in ("from_amount", "to_amount") if found.get(name)]
        if len(amounts) != 1 and not self.errors:
            self.add_error("from_amount", _("Fill in one of the two amounts."))
        return found
