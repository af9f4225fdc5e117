"""What customers want, what was sent for it, what came of it, and all that was heard on the way."""

from orders.models.crosses import Cross
from orders.models.events import Inquiry, OrderEvent, Source
from orders.models.fees import FeeRule, TradedVolume
from orders.models.fields import amount_field
from orders.models.fills import Fill
from orders.models.orders import (
    FINAL,
    PAIR,
    Channel,
    Crossing,
    Leg,
    Order,
    OrderList,
    RouteKind,
    Side,
    Status,
    TimeInForce,
    Type,
    VenueOrder,
)
from orders.models.routes import RouteDecision, RouteRule, Strategy

__all__ = [
    "FINAL",
    "PAIR",
    "Channel",
    "Cross",
    "Crossing",
    "FeeRule",
    "Fill",
    "Inquiry",
    "Leg",
    "Order",
    "OrderEvent",
    "OrderList",
    "RouteDecision",
    "RouteKind",
    "RouteRule",
    "Side",
    "Source",
    "Status",
    "Strategy",
    "TimeInForce",
    "TradedVolume",
    "Type",
    "VenueOrder",
    "amount_field",
]
