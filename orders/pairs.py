"""The ticket's one form for two orders, of which one cancels the other."""

from typing import Any

from orders import services
from orders.models import Leg, OrderList, Side, TimeInForce, Type

# How the form calls what a refusal says of the one order or of the other.
LIMIT_FIELDS = {"price": "price", "quantity": "quantity"}
STOP_FIELDS = {"price": "stop_limit_price", "stop_price": "stop_price", "quantity": "quantity"}


def list_ticket_of(symbol: str, found: dict[str, Any]) -> services.ListTicket:
    """A limit that only makes, and a stop: with a limit of its own, or at whatever the market gives."""
    shared = {"symbol": symbol, "side": found["side"], "quantity": found["quantity"], "nonce": found["nonce"]}
    limit = services.Ticket(**shared, type=Type.LIMIT_MAKER, price=found["price"])
    stop_limit = found["stop_limit_price"]
    stop = services.Ticket(
        **shared,
        type=Type.STOP_LOSS if stop_limit is None else Type.STOP_LOSS_LIMIT,
        stop_price=found["stop_price"],
        price=stop_limit,
        time_in_force="" if stop_limit is None else TimeInForce.GTC,
    )
    above, below = (limit, stop) if found["side"] == Side.SELL else (stop, limit)
    legs = {Leg.ABOVE: above, Leg.BELOW: below}
    return services.ListTicket(kind=OrderList.Kind.OCO, symbol=symbol, nonce=found["nonce"], legs=legs)


def shown_as(field: str | None, side: str) -> str | None:
    """The form's field for one of an order of the two; any other as it is."""
    leg, dot, name = (field or "").partition(".")
    if not dot:
        return field
    is_limit = (leg == Leg.ABOVE.lower()) == (side == Side.SELL)
    return (LIMIT_FIELDS if is_limit else STOP_FIELDS).get(name)
