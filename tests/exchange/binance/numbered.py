"""A venue of market streams for tests: it obeys SUBSCRIBE and sends every stream's numbers to all who carry it."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import WSMsgType, web

from tests.exchange.binance.sockets import venue

SECONDS_A_NUMBER = 0.01
Answer = dict[str, Any]


class Peer:
    """One connection, as the venue sees it."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.socket, self.transport = socket, transport
        self.streams: set[str] = set()
        self.asked: list[tuple[float, str, list[str]]] = []
        self.pongs: list[bytes] = []
        self.is_open, self.is_mute = True, False


class Numbered:
    """`{"stream":"a@trade","data":{"n":1}}`, 2, 3 …, the same to everybody."""

    def __init__(self, refuse: Callable[[list[str]], Answer | None] = lambda names: None) -> None:
        self.peers: list[Peer] = []
        self.numbers: Counter[str] = Counter()
        self.is_deaf = False
        self._refuse = refuse
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def open(self, **how: Any) -> Iterator[str]:
        with venue(self.serve, **how) as url:
            yield url

    def peers_now(self) -> list[Peer]:
        return [peer for peer in self.peers if peer.is_open]

    def do(self, act: Callable[[], Any]) -> None:
        """In the venue's own thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)

    def say(self, peer: Peer, text: str) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(peer.socket.send_str(text), self._loop).result(5)

    async def serve(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.ensure_future(self._send_numbers())
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        peer = Peer(socket, transport)
        self.peers.append(peer)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT and not self.is_deaf:
                    await socket.send_json(self._answer(peer, message.data))
                elif message.type == WSMsgType.PONG:
                    peer.pongs.append(bytes(message.data))
        finally:
            peer.is_open = False

    def _answer(self, peer: Peer, text: str) -> Answer:
        asked = json.loads(text)
        names = asked["params"]
        peer.asked.append((time.monotonic(), asked["method"], names))
        if refusal := self._refuse(names):
            return {"id": asked["id"]} | refusal
        change = peer.streams.update if asked["method"] == "SUBSCRIBE" else peer.streams.difference_update
        change(names)
        return {"result": None, "id": asked["id"]}

    async def _send_numbers(self) -> None:
        while True:
            speaking = [peer for peer in self.peers_now() if not peer.is_mute]
            for name in {name for peer in speaking for name in peer.streams}:
                self.numbers[name] += 1
                frame = f'{{"stream":"{name}","data":{{"n":{self.numbers[name]}}}}}'
                for peer in [peer for peer in speaking if name in peer.streams]:
                    with contextlib.suppress(ConnectionError):
                        await peer.socket.send_str(frame)
            await asyncio.sleep(SECONDS_A_NUMBER)
