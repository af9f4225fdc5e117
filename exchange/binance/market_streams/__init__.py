"""Market streams over as many sockets as they need, all driven by one loop in the caller's thread."""

from exchange.binance.market_streams.connecting import Attempts
from exchange.binance.market_streams.loop import MarketStreams
from exchange.binance.market_streams.pace import Pace

__all__ = ["Attempts", "MarketStreams", "Pace"]
