"""The market feed's names in Redis, and the hub that carries it to open pages."""

from exchange.broadcast.frames import difference
from exchange.broadcast.hub import Hub, hub
from exchange.broadcast.names import (
    ALIVE,
    TICKERS,
    WATCHED,
    book_key,
    candle_channel,
    group_channel,
    trades_key,
)
from exchange.broadcast.sockets import Socket

__all__ = [
    "ALIVE",
    "TICKERS",
    "WATCHED",
    "Hub",
    "Socket",
    "book_key",
    "candle_channel",
    "difference",
    "group_channel",
    "hub",
    "trades_key",
]
