"""What is sent to place orders, and what becomes of the two halves of a change."""

from dataclasses import dataclass
from decimal import Decimal

from exchange.binance.errors import VenueError, of_code
from exchange.binance.models import Report, Wire


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


@dataclass(frozen=True)
class PlacePair:
    """Two orders of one side and quantity, of which one cancels the other (OCO); each is sent as it would be alone."""

    client_order_id: str
    above: PlaceOrder
    below: PlaceOrder


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
    found = body or {}
    return of_code(int(found.get("code", 0)), str(found.get("msg", "")))
