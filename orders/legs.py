"""From the ticket's one form to the orders of a list, and from what is said of one of them back to the form's field."""

from typing import Any

from orders import services
from orders.models import Leg, OrderList, Side, TimeInForce, Type
from orders.services.shapes import SHAPES

Kind = OrderList.Kind
KINDS = frozenset(Kind.values)
# How the form calls what each order says: of the first one, of the one that waits, and of the two that end each other.
FIRST = {name: name for name in ("price", "quantity", "time_in_force", "iceberg_quantity")}
PENDING = {
    "type": "later_kind", "price": "later_price", "stop_price": "later_stop_price", "trailing_delta": "later_trailing",
    "quantity": "later_quantity", "iceberg_quantity": "later_iceberg",
}  # fmt: skip
_PROFIT = {
    "type": "profit_kind", "stop_price": "profit_stop_price", "trailing_delta": "profit_trailing",
    "iceberg_quantity": "pair_iceberg",
}  # fmt: skip
_STOP = {"trailing_delta": "stop_trailing", "iceberg_quantity": "pair_iceberg"}
PROFIT = {
    Kind.OCO: {**_PROFIT, "price": "price", "quantity": "quantity"},
    Kind.OTOCO: {**_PROFIT, "price": "pair_price", "quantity": "later_quantity"},
}
STOP = {
    Kind.OCO: {**_STOP, "price": "stop_limit_price", "stop_price": "stop_price", "quantity": "quantity"},
    Kind.OTOCO: {
        **_STOP, "price": "pair_stop_limit_price", "stop_price": "pair_stop_price", "quantity": "later_quantity"
    },
}  # fmt: skip


def list_ticket_of(symbol: str, found: dict[str, Any]) -> services.ListTicket:
    kind, later_side = Kind(found["type"]), side_of_later(found)
    shared = {"symbol": symbol, "nonce": found["nonce"]}
    legs: dict[Leg, services.Ticket] = {}
    if kind != Kind.OCO:
        first = Type.LIMIT_MAKER if found["post_only"] else Type.LIMIT
        legs[Leg.WORKING] = _leg(found, FIRST, **shared, side=found["side"], type=first)
    if kind == Kind.OTO:
        legs[Leg.PENDING] = _leg(found, PENDING, **shared, side=later_side, type=found["later_kind"])
    else:
        # A visible part that neither can have is said of one of them, to be refused.
        in_vain = not any(SHAPES[one].may_be_iceberg for one in (found["profit_kind"], stop_type(found)))
        profit = _leg(
            found, PROFIT[kind], **shared, side=later_side, type=found["profit_kind"], hides_in_vain=in_vain
        )
        stop = _leg(found, STOP[kind], **shared, side=later_side, type=stop_type(found))
        legs[Leg.ABOVE], legs[Leg.BELOW] = (profit, stop) if later_side == Side.SELL else (stop, profit)
    return services.ListTicket(kind=kind, symbol=symbol, nonce=found["nonce"], legs=legs)


def stop_type(found: dict[str, Any]) -> str:
    """Without a limit of its own it takes what the market gives."""
    return Type.STOP_LOSS if found[STOP[Kind(found["type"])]["price"]] is None else Type.STOP_LOSS_LIMIT


def side_of_later(found: dict[str, Any]) -> str:
    """Of what waits, or of the two that end each other."""
    if found["type"] == Kind.OCO or found["later_side"] == "same":
        return str(found["side"])
    return Side.SELL if found["side"] == Side.BUY else Side.BUY


def _leg(
    found: dict[str, Any], names: dict[str, str], *, type: str, hides_in_vain: bool = False, **said: Any
) -> services.Ticket:
    """What the form says of one order, as far as an order of its type says it."""
    shape = SHAPES[type]
    is_said = {
        "price": shape.has_price,
        "stop_price": shape.has_trigger,
        "trailing_delta": shape.has_trigger,
        "iceberg_quantity": shape.may_be_iceberg or hides_in_vain,
    }
    numbers: dict[str, Any] = {
        name: found[names[name]] for name, is_so in is_said.items() if is_so and name in names
    }
    time = found["time_in_force"] if "time_in_force" in names else TimeInForce.GTC
    return services.Ticket(
        **said,
        **numbers,
        type=type,
        quantity=found[names["quantity"]],
        time_in_force=(time or TimeInForce.GTC) if shape.has_time else "",
    )


def shown_as(field: str | None, found: dict[str, Any]) -> str | None:
    """The form's field for one of an order of the list; any other as it is."""
    leg, dot, name = (field or "").partition(".")
    if not dot:
        return field
    if leg == Leg.WORKING.lower():
        return FIRST.get(name)
    if leg == Leg.PENDING.lower():
        return PENDING.get(name)
    is_profit = (leg == Leg.ABOVE.lower()) == (side_of_later(found) == Side.SELL)
    return (PROFIT if is_profit else STOP)[Kind(found["type"])].get(name)
