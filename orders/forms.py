"""Shape of the ticket and of the filters of the lists of orders."""

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.pages import AmountField, NonceField
from orders.models import Side, Status, TimeInForce, Type


class TicketForm(forms.Form):
    """An order as the customer fills it in; which amount counts is for the service to say."""

    side = forms.ChoiceField(choices=Side, label=_("Side"), initial=Side.BUY)
    type = forms.ChoiceField(choices=Type, label=_("Type"), initial=Type.LIMIT)
    measure = forms.ChoiceField(
        choices=[("quantity", _("Amount")), ("quote_quantity", _("Total"))],
        required=False,
        initial="quantity",
        label=_("Given as"),
    )
    price = AmountField(required=False, label=_("Price"))
    quantity = AmountField(required=False, label=_("Amount"))
    quote_quantity = AmountField(required=False, label=_("Total"))
    time_in_force = forms.ChoiceField(
        choices=TimeInForce, required=False, initial=TimeInForce.GTC, label=_("Time in force")
    )
    nonce = NonceField()

    def clean(self) -> dict[str, object]:
        """Keeps the fields that the chosen type shows; the others may hold what was typed before."""
        found = super().clean() or {}
        if found.get("type") == Type.LIMIT:
            found["quote_quantity"] = None
            found["time_in_force"] = found.get("time_in_force") or TimeInForce.GTC
            self._require("price", "quantity")
        else:
            found["price"], found["time_in_force"] = None, ""
            wanted = found.get("measure") or "quantity"
            found["quantity" if wanted == "quote_quantity" else "quote_quantity"] = None
            self._require(wanted)
        return found

    def _require(self, *names: str) -> None:
        for name in names:
            if not self.cleaned_data.get(name) and name not in self.errors:
                self.add_error(name, _("Enter a number."))


class OrderFilter(forms.Form):
    market = forms.CharField(required=False, max_length=64, label=_("Market"))
    side = forms.ChoiceField(required=False, choices=[("", _("Both sides")), *Side.choices], label=_("Side"))
    status = forms.ChoiceField(
        required=False,
        choices=[("", _("Any status")), ("open", _("open")), *Status.choices],
        label=_("Status"),
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)
