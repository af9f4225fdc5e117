"""What customers want, what was sent for it, what came of it, and all that was heard on the way."""

from orders.models.events import Inquiry, OrderEvent, Source
from orders.models.orders import (
    FINAL,
    PAIR,
    Channel,
    FeeRule,
    Fill,
    Leg,
    Order,
    OrderList,
    Side,
    Status,
    TimeInForce,
    TradedVolume,
    Type,
    VenueOrder,
    amount_field,
)

__all__ = [
    "FINAL",
    "PAIR",
    "Channel",
    "FeeRule",
    "Fill",
    "Inquiry",
    "Leg",
    "Order",
    "OrderEvent",
    "OrderList",
    "Side",
    "Source",
    "Status",
    "TimeInForce",
    "TradedVolume",
    "Type",
    "VenueOrder",
    "amount_field",
]
