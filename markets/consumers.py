"""Public market sockets: they join the process's hub and forward what the page asks for."""

import asyncio
import json
import time
from typing import Any

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from exchange.broadcast import Socket, hub
from exchange.errors import DomainError
from exchange.inbox import TOO_MUCH, Inbox, NotUnderstood, TooMuch, message_of, refusal
from exchange.origin import Receive, Scope, Send, is_foreign
from markets import queries
from markets.errors import UnknownInterval, UnknownMarket, UnknownStep
from markets.models import Market
from markets.rules import INTERVALS, group_steps

FOREIGN, UNKNOWN = 4403, 4404
KNOWN_SECONDS, MOST_KNOWN = 2.0, 1000


class Catalogue:
    """Markets as they were a moment ago: many sockets that open at once ask the database one question together."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[float, asyncio.Task[Market]]] = {}

    async def market(self, symbol: str) -> Market:
        """Raises UnknownMarket."""
        now = time.monotonic()
        asked_at, answer = self._asked.get(symbol, (None, None))
        if answer is None or asked_at is None or now - asked_at > KNOWN_SECONDS:
            if len(self._asked) >= MOST_KNOWN:
                self._asked.clear()
            answer = asyncio.ensure_future(database_sync_to_async(queries.market)(symbol))
            self._asked[symbol] = now, answer
        return await asyncio.shield(answer)


catalogue = Catalogue()


class _Public(AsyncWebsocketConsumer):
    """What both public sockets share: the Origin check and a bound on what a page may send.

    No channel layer: what is public comes through the hub, and Redis may go and come back meanwhile.
    """

    socket: Socket | None = None

    async def connect(self) -> None:
        if is_foreign(self.scope):
            await self.close(FOREIGN)
            return
        self.inbox = Inbox()
        try:
            symbol = await self.symbol()
        except UnknownMarket as error:
            await self.accept()
            await self.refuse(error)
            await self.close(UNKNOWN)
            return
        await self.accept()
        self.socket = Socket(send=self.base_send, close=self.close, symbol=symbol)
        await hub.join(self.socket)

    async def symbol(self) -> str:
        return ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One message after another, straight to its handler.

        Channels would make a task for each and first ask a thread, all sockets' only one, for lost connections of the
        database: what pages acknowledge would wait there behind others. Who asks the database here does so by itself.
        """
        self.scope, self.base_send = scope, send
        try:
            while True:
                message = await receive()
                await getattr(self, get_handler_name(message))(message)
        except StopConsumer:
            return
        finally:  # also when the server ends it for being too slow to go
            self.leave()

    async def write(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def refuse(self, error: DomainError) -> None:
        await self.write(json.dumps(refusal(error)))

    def leave(self) -> None:
        if self.socket is not None:
            hub.leave(self.socket)
            self.socket = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """What is not understood is said to be so, and changes nothing; who says too much is closed."""
        if self.socket is None:
            return
        try:
            self.inbox.check(text_data)
            await self.heard(self.socket, message_of(text_data))
        except TooMuch as error:
            self.leave()
            await self.refuse(error)
            await self.close(TOO_MUCH)
        except DomainError as error:
            await self.refuse(error)

    async def heard(self, socket: Socket, message: dict[str, Any]) -> None:
        """The page has read all frames up to a number; anything else is for subclasses."""
        if message.get("type") != "ack" or not isinstance(message.get("seq"), int):
            raise NotUnderstood
        await hub.acknowledge(socket, message["seq"])


class MarketSocket(_Public):
    """`/ws/market/<SYMBOL>/`: book, trades, candles and ticker of one market."""

    steps: tuple[str, ...] = ()

    async def symbol(self) -> str:
        market = await catalogue.market(self.scope["url_route"]["kwargs"]["symbol"])
        self.steps = group_steps(market.filters)
        return market.symbol

    async def heard(self, socket: Socket, message: dict[str, Any]) -> None:
        match message:
            case {"type": "resync"}:
                await hub.resync(socket)
            case {"type": "interval", "interval": interval}:
                if str(interval) not in INTERVALS:
                    raise UnknownInterval(field="interval")
                await hub.change_interval(socket, interval)
            case {"type": "group", "step": step}:
                if step not in ("", *self.steps):
                    raise UnknownStep(field="step")
                await hub.change_step(socket, step)
            case _:
                await super().heard(socket, message)


class TickersSocket(_Public):
    """`/ws/tickers/`: every market's last 24 hours, once a second."""
