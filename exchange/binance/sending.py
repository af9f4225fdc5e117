"""What is sent to place orders, and what becomes of the two halves of a change."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from exchange.binance.errors import Unreadable, VenueError, of_code
from exchange.binance.models import Report, Wire
from exchange.binance.signing import encode

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class PlaceOrder:
    """What is sent; the timestamp was fixed with the hold and is never renewed."""

    symbol: str
    side: str
    type: str
    client_order_id: str
    timestamp_ms: int
    recv_window_ms: int
    time_in_force: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta: int | None = None
    iceberg_quantity: Decimal | None = None
    by_sor: bool = False
    stp_mode: str = ""

    @property
    def path(self) -> str:
        """Where it is sent: with smart order routing the venue may fill it from other books of its base too."""
        return "/api/v3/sor/order" if self.by_sor else "/api/v3/order"

    @property
    def parameters(self) -> Pairs:
        """As they are signed."""
        pairs: Pairs = [("symbol", self.symbol), ("side", self.side), *_shape(self), *_amounts(self)]
        return [*pairs, ("newClientOrderId", self.client_order_id), *_as_stored(self)]


@dataclass(frozen=True)
class PlacePair:
    """Two orders of one side and quantity, of which one cancels the other (OCO); each is sent as it would be alone."""

    client_order_id: str
    above: PlaceOrder
    below: PlaceOrder

    @property
    def parameters(self) -> Pairs:
        """As they are signed."""
        pairs: Pairs = [("symbol", self.above.symbol), ("side", self.above.side)]
        pairs += [("quantity", plain_text(self.above.quantity)), ("listClientOrderId", self.client_order_id)]
        for name, order in (("above", self.above), ("below", self.below)):
            leg = [*_shape(order), ("clientOrderId", order.client_order_id)]
            pairs += [(f"{name}{field[0].upper()}{field[1:]}", text) for field, text in leg]
        return [*pairs, *_as_stored(self.above)]


@dataclass(frozen=True)
class CancelReplace:
    """An order that takes the place of the one with the client order id `replaced`; with `only_unfilled` it is not
    canceled if it has traded."""

    order: PlaceOrder
    replaced: str
    only_unfilled: bool

    @property
    def parameters(self) -> Pairs:
        """As they are signed."""
        pairs = [("cancelReplaceMode", "STOP_ON_FAILURE"), ("cancelOrigClientOrderId", self.replaced)]
        pairs += [("cancelRestrictions", "ONLY_NEW")] if self.only_unfilled else []
        return [*pairs, *self.order.parameters]


def fingerprint(request: PlaceOrder | PlacePair | CancelReplace) -> str:
    """SHA-256 of what is signed: no key is in it, and no signature."""
    return hashlib.sha256(encode(request.parameters).encode()).hexdigest()


def plain_text(amount: Decimal | None) -> str:
    """Plain decimals, never an exponent; empty when there is no amount."""
    return "" if amount is None else format(amount.normalize(), "f")


def _shape(order: PlaceOrder) -> Pairs:
    """What an order says of itself alone and in a list alike."""
    named = {
        "type": order.type,
        "timeInForce": order.time_in_force,
        "price": plain_text(order.price),
        "stopPrice": plain_text(order.stop_price),
        "trailingDelta": str(order.trailing_delta or ""),
        "icebergQty": plain_text(order.iceberg_quantity),
    }
    return [(name, text) for name, text in named.items() if text]


def _amounts(order: PlaceOrder) -> Pairs:
    named = (("quantity", plain_text(order.quantity)), ("quoteOrderQty", plain_text(order.quote_quantity)))
    return [(name, text) for name, text in named if text]


def _as_stored(order: PlaceOrder) -> Pairs:
    pairs = [("newOrderRespType", "FULL")]
    pairs += [("selfTradePreventionMode", order.stp_mode)] if order.stp_mode else []
    return [*pairs, ("recvWindow", str(order.recv_window_ms)), ("timestamp", str(order.timestamp_ms))]


@dataclass(frozen=True)
class Halves:
    """What became of each half of a cancel-replace; `placed` is None when the new order was not attempted."""

    canceled: Report | VenueError
    placed: Report | VenueError | None

    @classmethod
    def from_wire(cls, body: Wire) -> "Halves":
        canceled = _half(body["cancelResult"], body["cancelResponse"])
        placed = _half(body["newOrderResult"], body["newOrderResponse"])
        assert canceled is not None, "a cancel is always attempted"
        return cls(canceled, placed)


def _half(result: str, body: Wire | None) -> Report | VenueError | None:
    if result == "NOT_ATTEMPTED":
        return None
    if result == "SUCCESS" and body is not None:
        return Report.from_answer(body)
    if result != "FAILURE":  # nothing here says that it was not executed
        return Unreadable(f"a half {result:.20} without its order")
    found = body or {}
    return of_code(int(found.get("code", 0)), str(found.get("msg", "")))
