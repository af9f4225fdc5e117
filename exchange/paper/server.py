"""The venue's doors: REST, market streams and the WebSocket API; the control door is in `control`."""

import asyncio
import contextlib
import json
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from exchange.paper import (  # noqa: F401 - they fill the table of routes
    control,
    listapi,
    listenapi,
    marketapi,
    orderapi,
    replaceapi,
    walletapi,
    windowapi,
)
from exchange.paper.errors import BAD_KEY, ApiError
from exchange.paper.faults import SNAPSHOT, Fault, cut, refuse, spoiled, strike
from exchange.paper.feed import MOST_STREAMS, Feed, Listener, split
from exchange.paper.limits import CONNECT_WEIGHT, FREE_WHEN_TAKEN, weight_of
from exchange.paper.request import Request, authenticate, known_key
from exchange.paper.routes import ROUTES, is_allowed
from exchange.paper.socketapi import Session
from exchange.paper.venue import Venue

RESTRICTIONS = ("GET", "/sapi/v1/account/apiRestrictions")
PING_SECONDS = 20
MESSAGES_PER_SECOND = 5
Queued = Listener | Session
Receive = Callable[[str | None], bool]


class Server:
    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sockets: dict[web.WebSocketResponse, Queued] = {}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get("/ws", self.streams)
        app.router.add_get("/ws/{names:.*}", self.streams)
        app.router.add_get("/stream", self.streams)
        app.router.add_get("/ws-api/v3", self.socket_api)
        control.Door(self.venue, self.sockets).open(app)
        app.router.add_route("*", "/{path:.*}", self.rest)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        return app

    async def _start(self, app: web.Application) -> None:
        self._tasks = [asyncio.create_task(self.venue.run())]
        if self.venue.crowd.markets:
            self._tasks.append(asyncio.create_task(self.venue.crowd.run(self.venue.feed)))
        if self.venue.replay:
            self._tasks.append(asyncio.create_task(self.venue.replay.run(self.venue.feed)))
        for task in self._tasks:
            task.add_done_callback(_end_when_broken)

    async def _stop(self, app: web.Application) -> None:
        for task in self._tasks:
            task.cancel()
        for channel in list(self.sockets):
            await channel.close(code=WSCloseCode.GOING_AWAY)
        self.venue.settle()
        self.venue.note()

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
            symbol = request.params.get("symbol", "")
            fault = self.venue.faults.take(request.method, request.path, symbol)
            if fault and fault.is_before:
                refuse(fault, lambda seconds: self.venue.limits.ban(request.address, seconds))
                if fault.do not in ("429", "418", "refuse"):
                    return await strike(fault, incoming)
            body = self._answer(request, headers)
        except ApiError as error:
            self.venue.settle()
            return _refusal(error, headers)
        self.venue.settle()
        if fault and not fault.is_before:
            if fault.hide_ms:
                self.venue.faults.hide_all(body, fault.hide_ms)
            if fault.do not in ("hide", "slow", *SNAPSHOT):
                return await strike(fault, incoming)
            body = await self._bent(fault, request, body)
        return web.json_response(body, headers=headers, dumps=_dumps)

    async def _bent(self, fault: Fault, request: Request, body: Any) -> Any:
        """The answer of a fault that gives one in the right form."""
        if fault.do == "slow":
            await asyncio.sleep(fault.ms / 1000)
        elif fault.do in SNAPSHOT:
            return spoiled(fault, body, request.params)
        elif fault.do == "hide":
            self.venue.faults.hide_all(body, fault.ms)
        return body

    def _answer(self, request: Request, headers: dict[str, str]) -> Any:
        door, is_wallet = (request.method, request.path), request.path.startswith("/sapi/")
        weight = weight_of(*door, request.params)
        used = self.venue.limits.spend(request.address, 0 if is_wallet else weight)
        if not is_wallet:
            _tell_weight(headers, used)
        if door == RESTRICTIONS:
            return walletapi.restrictions(authenticate(request, self.venue.keys, self.venue.clock.now_ms()))
        found = ROUTES.get(door)
        if found is None:
            raise ApiError(-1000, "Not Found", 404)
        if found.needs == "stream":
            self.venue.listen_keys.require_served()
            account_id = known_key(request.api_key, self.venue.keys).account_id
            return found.handle(self.venue, request.params, self.venue.accounts[account_id])
        if found.needs == "key":
            known_key(request.api_key, self.venue.keys)
        if found.needs in ("", "key"):
            return found.handle(self.venue, request.params)
        key = authenticate(request, self.venue.keys, self.venue.clock.now_ms())
        if not is_allowed(key, found.needs):
            raise BAD_KEY
        if is_wallet:
            spend = self.venue.limits.spend_at_wallet
            headers |= spend(request.address, key.account_id, request.path, weight)
        body = found.handle(self.venue, request.params, self.venue.accounts[key.account_id])
        if door in FREE_WHEN_TAKEN:
            self._tell_orders(headers, self.venue.limits.refund(request.address, weight), key.account_id)
        return body

    def _tell_orders(self, headers: dict[str, str], used: int, account_id: int) -> None:
        recent, today = self.venue.limits.order_counts(account_id)
        _tell_weight(headers, used)
        headers |= {"x-mbx-order-count-10s": str(recent), "x-mbx-order-count-1d": str(today)}

    # ------------------------------------------------------------------ market streams
    async def streams(self, incoming: web.Request) -> web.StreamResponse:
        is_wrapped = incoming.path.startswith("/stream")
        names = incoming.query.get("streams", "") if is_wrapped else incoming.match_info.get("names", "")
        wanted = list(split(names))
        try:
            self.venue.limits.connect(incoming.remote or "")
            if len(wanted) > MOST_STREAMS:
                raise ApiError(-1100, f"Too many streams; a connection has at most {MOST_STREAMS}.")
        except ApiError as error:
            return _refusal(error, {})
        listener = Listener(wrapped=is_wrapped, cut=lambda: cut(incoming))
        feed = self.venue.feed
        feed.listeners.add(listener)
        feed.follow(listener, wanted)
        leave = [self.venue.listen_keys.hear(name, listener.private(name)) for name in wanted]
        try:
            return await self._serve(incoming, listener, self._control(listener))
        finally:
            feed.listeners.discard(listener)
            feed.leave(listener, listener.streams)
            for end in leave:
                end()

    def _control(self, listener: Listener) -> Receive:
        """SUBSCRIBE and its kind; more than five messages a second, pings and pongs too, end the connection."""
        window: list[float] = []

        def receive(raw: str | None) -> bool:
            now = time.monotonic()
            window[:] = [at for at in window if now - at < 1] + [now]
            if len(window) > MESSAGES_PER_SECOND:
                return False
            if raw is not None:
                listener.put(_dumps(_obey(self.venue.feed, listener, raw)))
            return True

        return receive

    # ------------------------------------------------------------------ WebSocket API
    async def socket_api(self, incoming: web.Request) -> web.StreamResponse:
        try:
            self.venue.limits.connect(incoming.remote or "", "WebSocket API")
            self.venue.limits.spend(incoming.remote or "", CONNECT_WEIGHT)
        except ApiError as error:
            return _refusal(error, {})
        session = Session(self.venue, incoming.remote or "", lambda: cut(incoming))

        def receive(raw: str | None) -> bool:
            if raw is not None:
                session.receive(raw)
                self.venue.settle()
            return True

        try:
            return await self._serve(incoming, session, receive)
        finally:
            session.close()

    async def _serve(self, incoming: web.Request, queued: Queued, receive: Receive) -> web.WebSocketResponse:
        """Reads until the client, a rule or a day's end ends it, and writes what is queued meanwhile."""
        channel = web.WebSocketResponse(heartbeat=PING_SECONDS, compress=False, autoping=False)
        await channel.prepare(incoming)
        self.sockets[channel] = queued
        writer = asyncio.create_task(_write(channel, queued))
        try:
            async with asyncio.timeout(self.venue.life_seconds):
                await _read(channel, receive)
        except TimeoutError:
            await channel.close(code=WSCloseCode.GOING_AWAY, message=b"the day is over")
        finally:
            self.sockets.pop(channel, None)
            writer.cancel()
        return channel


def _obey(feed: Feed, listener: Listener, raw: str) -> dict[str, Any]:
    try:
        asked = json.loads(raw)
        method, params, request_id = asked["method"], asked.get("params") or [], asked.get("id")
        names = {str(name) for name in params}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
    if method == "SUBSCRIBE":
        if len(listener.streams | names) > MOST_STREAMS:
            return {"code": 2, "msg": "Invalid request: too many streams", "id": request_id}
        feed.follow(listener, names)
    elif method == "UNSUBSCRIBE":
        feed.leave(listener, names)
    elif method == "LIST_SUBSCRIPTIONS":
        return {"result": sorted(listener.streams), "id": request_id}
    elif method == "SET_PROPERTY" and params[:1] == ["combined"] and isinstance(params[-1], bool):
        listener.wrapped = params[-1]
    elif method == "GET_PROPERTY":
        return {"result": listener.wrapped, "id": request_id}
    else:
        return {"code": 2, "msg": f"Invalid request: unknown variant {method}", "id": request_id}
    return {"result": None, "id": request_id}


async def _read(channel: web.WebSocketResponse, receive: Receive) -> None:
    """Messages and pings until the client ends the connection, or broke a rule."""
    with contextlib.suppress(ConnectionError):
        async for message in channel:
            if message.type == WSMsgType.PING:
                await channel.pong(message.data)
            if not receive(message.data if message.type == WSMsgType.TEXT else None):
                await channel.close(code=WSCloseCode.POLICY_VIOLATION, message=b"Too many requests")


async def _write(channel: web.WebSocketResponse, queued: Queued) -> None:
    with contextlib.suppress(ConnectionError):
        while not queued.is_lost:
            await channel.send_str(await queued.queue.get())
        await channel.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too slow")


def _tell_weight(headers: dict[str, str], used: int) -> None:
    headers["x-mbx-used-weight"] = headers["x-mbx-used-weight-1m"] = str(used)


def _refusal(error: ApiError, headers: dict[str, str]) -> web.Response:
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    body: dict[str, Any] = {"code": error.code, "msg": error.message}
    if error.data is not None:
        body["data"] = error.data
    return web.json_response(body, status=error.status, headers=headers, dumps=_dumps)


def _dumps(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _end_when_broken(task: "asyncio.Task[None]") -> None:
    """A venue whose clock has stopped would look alive: better that it ends and is started anew."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)
        raise web.GracefulExit


def serve(venue: Venue, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serves on the socket until a signal ends the process; `ready` is called when it does."""
    app = Server(venue).application()
    web.run_app(
        app,
        sock=listening,
        print=lambda *_words: ready(),
        shutdown_timeout=1,
        access_log=None,
        handle_signals=True,
    )
