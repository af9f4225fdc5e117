"""The venue's doors: REST, market streams, the WebSocket API, and on loopback the control door."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from exchange.paper import rest, socketapi
from exchange.paper.errors import BAD_KEY, ApiError
from exchange.paper.feed import MOST_STREAMS, Listener, split
from exchange.paper.limits import FREE_WHEN_TAKEN, weight_of
from exchange.paper.market import now_ms
from exchange.paper.replay import Replay
from exchange.paper.request import Request, authenticate
from exchange.paper.venue import Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LISTEN_KEY = "/api/v3/userDataStream"
GONE = {"code": -1, "msg": "This endpoint is no longer available."}


class Server:
    def __init__(self, venue: Venue, replay: Replay | None = None) -> None:
        self.venue, self.replay = venue, replay
        self.sockets: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get("/ws", self.streams)
        app.router.add_get("/ws/{names:.*}", self.streams)
        app.router.add_get("/stream", self.streams)
        app.router.add_get("/ws-api/v3", self.socket_api)
        app.router.add_get("/paper/state", self.state)
        app.router.add_post("/paper/deposit", self.deposit)
        app.router.add_post("/paper/fault", self.fault)
        app.router.add_route("*", "/{path:.*}", self.rest)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        return app

    async def _start(self, app: web.Application) -> None:
        self._tasks = [asyncio.create_task(self.venue.run())]
        if self.replay:
            self._tasks.append(asyncio.create_task(self.replay.run()))

    async def _stop(self, app: web.Application) -> None:
        for task in self._tasks:
            task.cancel()
        for channel in set(self.sockets):
            await channel.close(code=1001)
        self.venue.note()
        self.venue.settle()

    # ------------------------------------------------------------------ REST
    async def rest(self, incoming: web.Request) -> web.StreamResponse:
        request = Request(
            method=incoming.method,
            path=incoming.path,
            query=incoming.rel_url.raw_query_string,
            body=(await incoming.read()).decode("utf-8", "replace") if incoming.can_read_body else "",
            api_key=incoming.headers.get("X-MBX-APIKEY", ""),
            address=incoming.remote or "",
        )
        headers: dict[str, str] = {}
        try:
            fault = (
                self.venue.take_fault("place")
                if (request.method, request.path) == ("POST", "/api/v3/order")
                else None
            )
            if fault and (early := await self._before(fault, incoming)):
                return early
            body = self._answer(request, headers)
        except ApiError as error:
            self.venue.settle()
            if error.retry_after is not None:
                headers["Retry-After"] = str(error.retry_after)
            return web.json_response(
                {"code": error.code, "msg": error.message}, status=error.status, headers=headers
            )
        self.venue.settle()
        if fault:
            return await self._after(fault, incoming)
        return web.json_response(body, headers=headers)

    def _answer(self, request: Request, headers: dict[str, str]) -> Any:
        weight = weight_of(request.method, request.path, request.params)
        used = self.venue.limits.spend(request.address, weight)
        headers["x-mbx-used-weight"] = headers["x-mbx-used-weight-1m"] = str(used)
        if request.path == LISTEN_KEY:
            raise ApiError(GONE["code"], GONE["msg"], 410)  # type: ignore[arg-type]
        found = rest.ROUTES.get((request.method, request.path))
        if self.replay and (answer := self.replay.answer(request.path, request.params)) is not None:
            return answer
        if request.path == "/sapi/v1/account/apiRestrictions":
            return rest.restrictions(authenticate(request, self.venue.keys))
        if found is None:
            raise ApiError(-1, "Not Found", 404)
        if not found.needs:
            return found.handle(self.venue, request.params)
        key = authenticate(request, self.venue.keys)
        if not rest.allowed(key, found.needs):
            raise BAD_KEY
        account = self.venue.accounts[key.account_id]
        body = found.handle(self.venue, request.params, account)
        if (request.method, request.path) in FREE_WHEN_TAKEN:
            used = self.venue.limits.refund(request.address, weight)
            recent, today = self.venue.limits.order_counts(account.account_id)
            headers |= {"x-mbx-used-weight": str(used), "x-mbx-used-weight-1m": str(used)}
            headers |= {"x-mbx-order-count-10s": str(recent), "x-mbx-order-count-1d": str(today)}
        return body

    async def _before(self, fault: dict[str, Any], incoming: web.Request) -> web.StreamResponse | None:
        """A fault that strikes before anything is executed."""
        kind = fault["do"]
        if kind == "hide":
            self.venue.hidden_until["next"] = now_ms() + int(fault.get("ms", 3000))
        elif kind == "503 before":
            return web.Response(status=503, text="Service Unavailable")
        elif kind == "429":
            self.venue.limits.ban(incoming.remote or "", int(fault.get("seconds", 2)))
        elif kind == "reset before":
            return _reset(incoming)
        return None

    async def _after(self, fault: dict[str, Any], incoming: web.Request) -> web.StreamResponse:
        """The order was executed, and the answer goes wrong."""
        kind = fault["do"]
        if kind == "504 after":
            return web.Response(status=504, text="Gateway Timeout")
        if kind == "-1007 after":
            words = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
            return web.json_response({"code": -1007, "msg": words}, status=408)
        if kind == "garbage after":
            return web.Response(text="<html>")
        if kind == "hang after":
            await asyncio.sleep(float(fault.get("ms", 30_000)) / 1000)
        return _reset(incoming)

    # ------------------------------------------------------------------ market streams
    async def streams(self, incoming: web.Request) -> web.StreamResponse:
        channel = web.WebSocketResponse(heartbeat=20)
        await channel.prepare(incoming)
        self.sockets.add(channel)
        is_wrapped = incoming.path.startswith("/stream")
        names = incoming.query.get("streams", "") if is_wrapped else incoming.match_info.get("names", "")
        listener = Listener(wrapped=is_wrapped)
        hub = self.replay.feed if self.replay else self.venue.feed
        listener.streams.update(split(names))
        hub.listeners.add(listener)
        writer = asyncio.create_task(_write(channel, listener))
        try:
            await self._control(channel, listener)
        finally:
            hub.listeners.discard(listener)
            self.sockets.discard(channel)
            writer.cancel()
        return channel

    async def _control(self, socket: web.WebSocketResponse, listener: Listener) -> None:
        """SUBSCRIBE and its kind; more than five messages a second end the connection."""
        window, count = time.monotonic(), 0
        async for message in socket:
            now = time.monotonic()
            window, count = (now, 1) if now - window > 1 else (window, count + 1)
            if count > 5:
                await socket.close(code=1008, message=b"Too many requests")
                return
            if message.type == WSMsgType.TEXT:
                await socket.send_str(json.dumps(self._obey(listener, message.data)))

    @staticmethod
    def _obey(listener: Listener, raw: str) -> dict[str, Any]:
        try:
            asked = json.loads(raw)
            method, params, request_id = asked["method"], asked.get("params", []), asked.get("id")
        except (ValueError, KeyError, TypeError):
            return {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
        if method == "SUBSCRIBE" and len(listener.streams | set(params)) <= MOST_STREAMS:
            listener.streams.update(params)
        elif method == "UNSUBSCRIBE":
            listener.streams.difference_update(params)
        elif method == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(listener.streams), "id": request_id}
        else:
            return {"code": 2, "msg": f"Invalid request: unknown variant {method}", "id": request_id}
        return {"result": None, "id": request_id}

    # ------------------------------------------------------------------ WebSocket API
    async def socket_api(self, incoming: web.Request) -> web.StreamResponse:
        channel = web.WebSocketResponse(heartbeat=20)
        await channel.prepare(incoming)
        self.sockets.add(channel)
        session = socketapi.Session(self.venue, incoming.remote or "")
        writer = asyncio.create_task(_drain(channel, session.queue))
        try:
            async for message in channel:
                if message.type == WSMsgType.TEXT:
                    session.receive(message.data)
                    self.venue.settle()
        finally:
            session.close()
            self.sockets.discard(channel)
            writer.cancel()
        return channel

    # ------------------------------------------------------------------ the control door
    async def state(self, incoming: web.Request) -> web.StreamResponse:
        return web.json_response(rest.true_state(self.venue))

    async def deposit(self, incoming: web.Request) -> web.StreamResponse:
        """{coin, network, amount, address?, tag?, txId?}: a transfer appears on its chain."""
        asked = await _asked(incoming)
        try:
            row = self.venue.wallet.arrive({name: str(value) for name, value in asked.items()})
        except ApiError as error:
            return web.json_response({"code": error.code, "msg": error.message}, status=400)
        self.venue.settle()
        return web.json_response({name: value for name, value in row.items() if not name.startswith("_")})

    async def fault(self, incoming: web.Request) -> web.StreamResponse:
        """{on: place, do: …, count} strikes the next orders; {do: silence, ms} mutes the market streams;
        {do: disconnect} cuts every socket; {do: status, symbol, status} closes or opens a market."""
        asked = await _asked(incoming)
        if asked.get("do") == "silence":
            self.venue.feed.silent_until = now_ms() + int(asked.get("ms", 10_000))
        elif asked.get("do") == "disconnect":
            for channel in set(self.sockets):
                await channel.close(code=1001)
        elif asked.get("do") == "status":
            self.venue.markets[asked["symbol"]].info["status"] = asked["status"]
        else:
            self.venue.faults.append({"on": "place", "count": 1, **asked})
        return web.json_response({"set": asked})


def _reset(incoming: web.Request) -> web.Response:
    """Cuts the connection without an answer."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)


def serve(venue: Venue, listening: socket.socket, replay: Replay | None = None) -> None:
    """Serves on the socket until a signal ends the process."""
    app = Server(venue, replay).application()
    web.run_app(app, sock=listening, print=None, shutdown_timeout=1, access_log=None, handle_signals=True)


async def _asked(incoming: web.Request) -> dict[str, Any]:
    try:
        found = await incoming.json()
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


async def _write(socket: web.WebSocketResponse, listener: Listener) -> None:
    with contextlib.suppress(ConnectionError):
        while not listener.is_lost:
            await socket.send_str(await listener.queue.get())
        await socket.close(code=1008)


async def _drain(socket: web.WebSocketResponse, queue: "asyncio.Queue[str]") -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await socket.send_str(await queue.get())
