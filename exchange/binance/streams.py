"""The user data stream: connected for ever, with back-off, watchdog and daily rotation.

It runs in the caller's thread and calls the caller back; a callback that raises ends the connection, never the loop.
"""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import websocket

from exchange.binance.models import BalanceUpdate, Report
from exchange.binance.signing import Key, signed_params
from exchange.binance.transport import Clock

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
STABLE_SECONDS = 30
# The venue cuts a connection after 24 hours; going first, at about 23, chooses the moment.
ROTATE_SECONDS = 23 * 3600
SILENCE_SECONDS = 45  # the venue pings every 20 s: nothing for longer means the line is dead
TICK_SECONDS = 1.0


class Down(Exception):
    """The connection has to be made again; `reason` says why."""


class _Connection:
    """One socket's life, and the endless series of them."""

    def __init__(self, on_down: Callable[[str], None] | None = None) -> None:
        self._stopped = threading.Event()
        self._on_down = on_down or (lambda reason: None)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Until `stop`: connect, serve, and after every end connect again, later each time."""
        wait = FIRST_WAIT
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except Exception as error:  # the outermost loop of a stream
                reason = str(error) or type(error).__name__
                log.warning("stream.down", stream=type(self).__name__, reason=reason[:200])
                self._on_down(reason)
            wait = FIRST_WAIT if time.monotonic() - began > STABLE_SECONDS else min(wait * 2, LONGEST_WAIT)
            self._stopped.wait(random.uniform(wait / 2, wait))

    def _serve(self) -> None:
        raise AssertionError("each kind of stream serves in its own way")

    def _heard(self) -> None:
        """The line is alive: a frame or a ping came."""

    @contextmanager
    def _connected(self, url: str) -> Iterator[websocket.WebSocket]:
        socket = websocket.create_connection(
            url, timeout=10, skip_utf8_validation=True, enable_multithread=True
        )
        socket.settimeout(TICK_SECONDS)
        try:
            yield socket
        finally:
            socket.close()

    def _frames(self, socket: websocket.WebSocket) -> Iterator[bytes]:
        """Text frames as bytes; ends by Down on silence, rotation, restart or a closed socket."""
        began = heard = time.monotonic()
        while not self._stopped.is_set():
            try:
                opcode, content = socket.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                opcode, content = None, b""
            now = time.monotonic()
            if opcode is not None:
                heard = now
                self._heard()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise Down("the venue closed the connection")
            if opcode == websocket.ABNF.OPCODE_TEXT:
                yield content
            if now - heard > SILENCE_SECONDS:
                raise Down("silence")
            if now - began > ROTATE_SECONDS:
                raise Down("daily rotation")


class UserStream(_Connection):
    """The account's own events by `userDataStream.subscribe.signature`.

    After each (re)connect: subscribe first, then `on_subscribed` reconciles by REST while events wait in the socket,
    then they are delivered. There is no replay: what happened in a gap is found by reconciliation.
    """

    def __init__(
        self,
        *,
        url: str,
        key: Key,
        clock: Clock,
        on_subscribed: Callable[[], None],
        on_report: Callable[[Report], None],
        on_balance: Callable[[BalanceUpdate], None],
        on_alive: Callable[[], None],
        on_down: Callable[[str], None] | None = None,
        recv_window_ms: int = 5000,
    ) -> None:
        super().__init__(on_down)
        self._url, self._key, self._clock = url, key, clock
        self._on_subscribed, self._on_report = on_subscribed, on_report
        self._on_balance, self._on_alive = on_balance, on_alive
        self._recv_window_ms = recv_window_ms

    def _heard(self) -> None:
        self._on_alive()

    def _serve(self) -> None:
        with self._connected(self._url) as socket:
            early = self._subscribe(socket)
            self._on_subscribed()
            for message in early:
                self._deliver(message)
            for frame in self._frames(socket):
                self._deliver(json.loads(frame))

    def _subscribe(self, socket: websocket.WebSocket) -> list[dict[str, Any]]:
        """Ask and wait for the answer; gives what arrived before it."""
        request_id = uuid.uuid4().hex
        params = {"recvWindow": self._recv_window_ms, "timestamp": self._clock.now_ms()}
        socket.send(
            json.dumps(
                {
                    "id": request_id,
                    "method": "userDataStream.subscribe.signature",
                    "params": signed_params(params, self._key),
                }
            )
        )
        early: list[dict[str, Any]] = []
        for frame in self._frames(socket):
            message = json.loads(frame)
            if message.get("id") != request_id:
                early.append(message)
            elif message.get("status") == 200:
                return early
            else:
                self._clock.forget()
                error = message.get("error", {})
                raise Down(f"subscription refused: {error.get('code')} {error.get('msg')}")
        raise Down("stopped")

    def _deliver(self, message: dict[str, Any]) -> None:
        event = message.get("event")
        if not isinstance(event, dict):
            return
        kind = event.get("e")
        if kind in ("eventStreamTerminated", "serverShutdown"):
            raise Down(str(kind))
        if kind == "executionReport":
            self._on_report(Report.from_event(event))
        elif kind == "balanceUpdate":
            self._on_balance(BalanceUpdate.from_event(event))
