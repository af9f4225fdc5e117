"""One connected socket of the account's events, until it is closed."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import websocket
from requests.structures import CaseInsensitiveDict

from exchange.binance.streams.pace import Pace
from exchange.binance.usage import Usage, usage_of

LIMITED = (418, 429)


class Down(Exception):
    """The connection has to be made again; the text says why. `is_alarm`: people should hear of it."""

    def __init__(self, reason: str, *, is_alarm: bool = False) -> None:
        self.is_alarm = is_alarm
        super().__init__(reason)


class KeyRefused(Down):
    """The venue does not take the key that was shown."""


class Line:
    """A socket that has just been connected; `leaving` says why it needs a successor, `has_ended` that it is deaf."""

    def __init__(self, socket: websocket.WebSocket, *, pace: Pace, on_heard: Callable[[], None]) -> None:
        socket.settimeout(pace.tick)
        self._socket, self._pace, self._on_heard = socket, pace, on_heard
        self.opened_at = self.heard_at = time.monotonic()
        self._rotate_at = self.opened_at + pace.rotation * random.uniform(0.96, 1)
        self._told, self.has_ended = "", False

    @property
    def leaving(self) -> str:
        if not self._told and time.monotonic() > self._rotate_at:
            return "daily rotation"
        return self._told

    def leave(self, reason: str, *, has_ended: bool = False) -> None:
        self._told, self.has_ended = self._told or reason, self.has_ended or has_ended

    def send(self, text: str) -> None:
        self._socket.send(text)

    def read(self) -> bytes | None:
        """The next text frame; None when none came within a tick. Raises Down at the line's end and after silence."""
        try:
            opcode, content = self._socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            if time.monotonic() - self.heard_at > self._pace.silence:
                raise Down("silence") from None
            return None
        except (OSError, websocket.WebSocketException) as error:
            raise Down(str(error) or type(error).__name__) from None
        self.heard_at = time.monotonic()
        self._on_heard()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise Down("the venue closed the connection")
        return content if opcode == websocket.ABNF.OPCODE_TEXT else None

    def close(self) -> None:
        self._socket.close()


class _Headers:
    """None; the library reads them when the connection stands, before a byte of the request has left."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask

    def __contains__(self, _name: str) -> bool:
        return False

    def __iter__(self) -> Iterator[str]:
        self._ask()
        return iter(())


def connected(
    url: str,
    *,
    pace: Pace,
    on_heard: Callable[[], None],
    proxy: str = "",
    again: Callable[[], None] = lambda: None,
    on_limit: Callable[[Usage], None] = lambda usage: None,
) -> Line:
    """A line to the address, which nobody else hears of: it may hold a key. `proxy` is http://host:port, or empty.

    `again` raises when no socket may be asked for any more now that the connection stands; `on_limit` hears of a 429 or
    418 that was answered instead of one (binance.md 5).
    """
    by = urlsplit(proxy)
    way: dict[str, Any] = {"header": _Headers(again)}
    if proxy:  # by it alone, whatever the environment says of addresses that need none
        way |= {"http_proxy_host": by.hostname, "http_proxy_port": by.port, "proxy_type": "http"}
        way["http_no_proxy"] = ["none"]
    try:
        socket = websocket.create_connection(
            url, timeout=pace.connect, skip_utf8_validation=True, enable_multithread=True, **way
        )
    except (OSError, ValueError, websocket.WebSocketException) as error:
        if isinstance(error, websocket.WebSocketBadStatusException) and error.status_code in LIMITED:
            on_limit(usage_of(error.status_code, CaseInsensitiveDict(error.resp_headers or {}), None))
        reason = str(error).replace(url, "…") or type(error).__name__
        raise Down(f"no connection: {reason}"[:200]) from None
    return Line(socket, pace=pace, on_heard=on_heard)
