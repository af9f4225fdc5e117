"""Shape of the ticket and of the filters of the lists of orders."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from exchange.money import is_multiple
from exchange.pages import AmountField, NonceField
from orders import legs
from orders.models import OrderList, Side, Status, TimeInForce, Type
from orders.services.shapes import SHAPES, Shape

STOP = "STOP"
PROFITS = {
    Type.LIMIT_MAKER: _("Limit"),
    Type.TAKE_PROFIT_LIMIT: _("Take profit limit"),
    Type.TAKE_PROFIT: _("Take profit at market"),
}
HUNDRED = Decimal(100)


class PercentField(AmountField):
    """Filled in as percent, kept as basis points."""

    def clean(self, value: object) -> int | None:  # type: ignore[override]
        percent = super().clean(value)
        if percent is None:
            return None
        if not is_multiple(percent, 1 / HUNDRED):
            raise forms.ValidationError(_("Give at most two decimals."))
        return int(percent * HUNDRED)


class TicketForm(forms.Form):
    """An order as the customer fills it in; which amount counts is for the service to say."""

    side = forms.ChoiceField(choices=Side, label=_("Side"), initial=Side.BUY)
    type = forms.ChoiceField(
        choices=[
            (Type.LIMIT, _("Limit")),
            (Type.MARKET, _("Market")),
            (STOP, _("Stop")),
            *((kind, kind) for kind in OrderList.Kind.values),
        ],
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
    trailing_delta = PercentField(required=False, label=_("Trailing"))
    price = AmountField(required=False, label=_("Price"))
    quantity = AmountField(required=False, label=_("Amount"))
    quote_quantity = AmountField(required=False, label=_("Total"))
    iceberg_quantity = AmountField(required=False, label=_("Visible"))
    post_only = forms.BooleanField(required=False, label=_("Post only"))
    time_in_force = forms.ChoiceField(
        choices=TimeInForce, required=False, initial=TimeInForce.GTC, label=_("Time in force")
    )
    # Of the orders of a list that begin later, or that end each other.
    later_side = forms.ChoiceField(
        choices=[("other", _("the other side")), ("same", _("the same side"))],
        required=False,
        initial="other",
    )
    later_kind = forms.ChoiceField(
        choices=[
            (Type.LIMIT, _("Limit")),
            (Type.LIMIT_MAKER, _("Post only")),
            (Type.MARKET, _("Market")),
            (Type.STOP_LOSS_LIMIT, _("Stop limit")),
            (Type.STOP_LOSS, _("Stop at market")),
            (Type.TAKE_PROFIT_LIMIT, _("Take profit limit")),
            (Type.TAKE_PROFIT, _("Take profit at market")),
        ],
        required=False,
        initial=Type.LIMIT,
        label=_("Kind"),
    )
    later_stop_price = AmountField(required=False, label=_("Stop"))
    later_trailing = PercentField(required=False, label=_("Trailing"))
    later_price = AmountField(required=False, label=_("Price"))
    pair_price = AmountField(required=False, label=_("Price"))
    pair_stop_price = AmountField(required=False, label=_("Stop"))
    pair_stop_limit_price = AmountField(required=False, label=_("Stop limit"))
    later_quantity = AmountField(required=False, label=_("Amount"))
    later_iceberg = AmountField(required=False, label=_("Visible"))
    profit_kind = forms.ChoiceField(
        choices=list(PROFITS.items()), required=False, initial=Type.LIMIT_MAKER, label=_("Profit by")
    )
    profit_stop_price = AmountField(required=False, label=_("Trigger"))
    profit_trailing = PercentField(required=False, label=_("Trailing"))
    stop_trailing = PercentField(required=False, label=_("Stop trails"))
    pair_iceberg = AmountField(required=False, label=_("Visible"))
    nonce = NonceField()

    def clean(self) -> dict[str, object]:
        """Keeps the fields that the chosen type shows; the others may hold what was typed before."""
        found = super().clean() or {}
        if found.get("type") in legs.KINDS:
            self._clean_list(found)
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

    def _clean_list(self, found: dict[str, Any]) -> None:
        """What waits has the amount of the first order, unless it says another."""
        kind = found["type"]
        found["later_side"] = found.get("later_side") or "other"
        found["later_kind"] = found.get("later_kind") or Type.LIMIT
        found["profit_kind"] = found.get("profit_kind") or Type.LIMIT_MAKER
        found["later_quantity"] = found.get("later_quantity") or found.get("quantity")
        self._require("quantity", *([] if kind == OrderList.Kind.OCO else ["price"]))
        if kind == OrderList.Kind.OTO:
            self._require(*(["later_price"] if SHAPES[found["later_kind"]].has_price else []))
            return
        profit, stop = legs.PROFIT[kind], legs.STOP[kind]
        # Who buys says how much the stop may cost at most; who sells may leave it to the market.
        buys = bool(found.get("side")) and legs.side_of_later(found) == Side.BUY
        self._require(
            *([profit["price"]] if SHAPES[found["profit_kind"]].has_price else []),
            *([] if found.get("stop_trailing") else [stop["stop_price"]]),
            *([stop["price"]] if buys else []),
        )

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
