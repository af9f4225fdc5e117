"""Shape of the ticket and of the filters of the lists of orders."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.money import is_multiple
from exchange.pages import AmountField, NonceField
from orders.models import Side, Status, TimeInForce, Type
from orders.services.shapes import SHAPES, Shape

STOP, OCO = "STOP", "OCO"
HUNDRED = Decimal(100)


class TicketForm(forms.Form):
    """An order as the customer fills it in; which amount counts is for the service to say."""

    side = forms.ChoiceField(choices=Side, label=_("Side"), initial=Side.BUY)
    type = forms.ChoiceField(
        choices=[(Type.LIMIT, _("Limit")), (Type.MARKET, _("Market")), (STOP, _("Stop")), (OCO, _("OCO"))],
        label=_("Type"),
        initial=Type.LIMIT,
    )
    stop_kind = forms.ChoiceField(
        choices=[
            (Type.STOP_LOSS_LIMIT, _("Stop limit")),
            (Type.TAKE_PROFIT_LIMIT, _("Take profit limit")),
            (Type.STOP_LOSS, _("Stop at market")),
            (Type.TAKE_PROFIT, _("Take profit at market")),
        ],
        required=False,
        initial=Type.STOP_LOSS_LIMIT,
        label=_("Kind"),
    )
    measure = forms.ChoiceField(
        choices=[("quantity", _("Amount")), ("quote_quantity", _("Total"))],
        required=False,
        initial="quantity",
        label=_("Given as"),
    )
    stop_price = AmountField(required=False, label=_("Stop"))
    stop_limit_price = AmountField(required=False, label=_("Stop limit"))
    trailing_delta = AmountField(required=False, label=_("Trailing"))
    price = AmountField(required=False, label=_("Price"))
    quantity = AmountField(required=False, label=_("Amount"))
    quote_quantity = AmountField(required=False, label=_("Total"))
    iceberg_quantity = AmountField(required=False, label=_("Visible"))
    post_only = forms.BooleanField(required=False, label=_("Post only"))
    time_in_force = forms.ChoiceField(
        choices=TimeInForce, required=False, initial=TimeInForce.GTC, label=_("Time in force")
    )
    nonce = NonceField()

    def clean_trailing_delta(self) -> int | None:
        """Filled in as percent, kept as basis points."""
        percent: Decimal | None = self.cleaned_data.get("trailing_delta")
        if percent is None:
            return None
        if not is_multiple(percent, 1 / HUNDRED):
            raise forms.ValidationError(_("Give at most two decimals."))
        return int(percent * HUNDRED)

    def clean(self) -> dict[str, object]:
        """Keeps the fields that the chosen type shows; the others may hold what was typed before."""
        found = super().clean() or {}
        if found.get("type") == OCO:
            # Who buys says how much the stop may cost at most; who sells may leave it to the market.
            is_buy = found.get("side") == Side.BUY
            self._require("price", "stop_price", "quantity", *(["stop_limit_price"] if is_buy else []))
            return found
        found["type"] = self._type(found)
        shape = SHAPES.get(found["type"], Shape())
        shown = {
            "price": shape.has_price,
            "stop_price": shape.has_trigger,
            "trailing_delta": shape.has_trigger,
            "iceberg_quantity": shape.may_be_iceberg,
        }
        found |= {name: None for name, is_shown in shown.items() if not is_shown}
        found["time_in_force"] = (found.get("time_in_force") or TimeInForce.GTC) if shape.has_time else ""
        by_total = shape.may_be_by_total and found.get("measure") == "quote_quantity"
        found["quantity" if by_total else "quote_quantity"] = None
        self._require(*(["price"] if shape.has_price else []), "quote_quantity" if by_total else "quantity")
        return found

    @staticmethod
    def _type(found: dict[str, Any]) -> str:
        if found.get("type") == STOP:
            return str(found.get("stop_kind") or Type.STOP_LOSS_LIMIT)
        if found.get("type") == Type.LIMIT and found.get("post_only"):
            return str(Type.LIMIT_MAKER)
        return str(found.get("type") or Type.LIMIT)

    def _require(self, *names: str) -> None:
        for name in names:
            if not self.cleaned_data.get(name) and name not in self.errors:
                self.add_error(name, _("Enter a number."))


class ChangeForm(forms.Form):
    """What an open order should be from now on."""

    price = AmountField(required=False, label=_("Price"))
    quantity = AmountField(label=_("Amount still to be traded"))
    nonce = NonceField()


class OrderFilter(forms.Form):
    market = forms.CharField(required=False, max_length=64, label=_("Market"))
    side = forms.ChoiceField(required=False, choices=[("", _("Both sides")), *Side.choices], label=_("Side"))
    status = forms.ChoiceField(
        required=False,
        choices=[("", _("Any status")), ("open", _("open")), *Status.choices],
        label=_("Status"),
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000)
