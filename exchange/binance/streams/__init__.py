"""The account's own events, by either of two doors: a subscription on the WebSocket API, or a listen key."""

from exchange.binance.streams.doors import Door, ListenKeyDoor, SubscriptionDoor
from exchange.binance.streams.following import UserStream
from exchange.binance.streams.line import Down
from exchange.binance.streams.pace import Pace

__all__ = ["Door", "Down", "ListenKeyDoor", "Pace", "SubscriptionDoor", "UserStream"]
