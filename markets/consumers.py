"""Public market sockets: they join the process's hub and forward what the page asks for."""

import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from exchange.broadcast import Socket, hub
from exchange.inbox import TOO_MUCH, Inbox
from exchange.origin import is_foreign
from markets import queries
from markets.errors import UnknownMarket
from markets.rules import INTERVALS, group_steps

FOREIGN, UNKNOWN = 4403, 4404


class _Public(AsyncWebsocketConsumer):
    """What both public sockets share: the Origin check and a bound on what a page may send."""

    # No channel layer: what is public comes through the hub, and Redis may go and come back meanwhile.
    channel_layer_alias = ""
    socket: Socket | None = None

    async def connect(self) -> None:
        if is_foreign(self.scope):
            await self.close(FOREIGN)
            return
        self.inbox = Inbox()
        symbol = await self.symbol()
        if symbol is None:
            await self.accept()
            await self.close(UNKNOWN)
            return
        await self.accept()
        self.socket = Socket(send=self.write, close=self.close, symbol=symbol)
        await hub.join(self.socket)

    async def symbol(self) -> str | None:
        return ""

    async def write(self, text: str) -> None:
        await self.send(text_data=text)

    async def disconnect(self, code: int) -> None:
        if self.socket is not None:
            hub.leave(self.socket)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self.inbox.takes(text_data):
            await self.close(TOO_MUCH)
            return
        try:
            message = json.loads(text_data or "")
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict) and self.socket is not None:
            await self.heard(self.socket, message)

    async def heard(self, socket: Socket, message: dict[str, Any]) -> None:
        """Nothing to say to this kind of socket."""


class MarketSocket(_Public):
    """`/ws/market/<SYMBOL>/`: book, trades, candles and ticker of one market."""

    steps: tuple[str, ...] = ()

    async def symbol(self) -> str | None:
        wanted = self.scope["url_route"]["kwargs"]["symbol"]
        try:
            market = await database_sync_to_async(queries.market)(wanted)
        except UnknownMarket:
            return None
        self.steps = group_steps(market.filters)
        return market.symbol

    async def heard(self, socket: Socket, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "ack" and isinstance(message.get("seq"), int):
            await hub.acknowledge(socket, message["seq"])
        elif kind == "resync":
            await hub.resync(socket)
        elif kind == "interval" and str(message.get("interval")) in INTERVALS:
            await hub.change_interval(socket, message["interval"])
        elif kind == "group" and (step := str(message.get("step", ""))) in ("", *self.steps):
            await hub.change_step(socket, step)


class TickersSocket(_Public):
    """`/ws/tickers/`: every market's last 24 hours, once a second."""
