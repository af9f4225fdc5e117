"""The two ways to an account's events (binance.md 14): what is asked for, and how the answer's frames are wrapped."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Protocol

from exchange.binance.errors import KEY_REFUSED
from exchange.binance.signing import Key, signed_params
from exchange.binance.streams.line import Down, KeyRefused, Line
from exchange.binance.transport import Clock
from exchange.binance.usage import LONGEST_BAN, NOT_TOLD, Usage

Message = dict[str, Any]


class Door(Protocol):
    def address(self) -> str:
        """Where to connect; not to be told, for it may hold a key."""

    def again(self) -> None:
        """Raises when nothing may be asked of the venue any more, now that the connection stands."""

    def on_limit(self, usage: Usage) -> None:
        """The venue wants to hear nothing from us for a while."""

    def enter(self, line: Line) -> list[Message]:
        """The line is subscribed when this returns; gives what arrived meanwhile. Raises Down when it is refused."""

    def event_of(self, message: Message) -> Any:
        """The event in a frame, None for what is none."""


class SubscriptionDoor:
    """`userDataStream.subscribe.signature` on the WebSocket API: it lives as long as its socket."""

    def __init__(
        self,
        *,
        url: str,
        key: Key,
        clock: Clock,
        recv_window_ms: int = 5000,
        seconds: float = 10,
        before: Callable[[], None] = lambda: None,
        again: Callable[[], None] = lambda: None,
        on_limit: Callable[[Usage], None] = lambda usage: None,
    ) -> None:
        """`before` raises when nothing may be asked of the venue now, `again` when that is so once connected;
        `on_limit` hears of a 429 or 418."""
        self._url, self._key, self._clock = url, key, clock
        self._recv_window_ms, self._seconds = recv_window_ms, seconds
        self._before, self.again, self.on_limit = before, again, on_limit

    def address(self) -> str:
        self._before()
        return self._url

    def enter(self, line: Line) -> list[Message]:
        request_id = uuid.uuid4().hex
        params = {"recvWindow": self._recv_window_ms, "timestamp": self._clock.now_ms()}
        asked = {
            "id": request_id,
            "method": "userDataStream.subscribe.signature",
            "params": signed_params(params, self._key),
        }
        self.again()
        line.send(json.dumps(asked))
        early: list[Message] = []
        give_up_at = time.monotonic() + self._seconds
        while time.monotonic() < give_up_at:
            message = _message(line.read())
            if message.get("id") == request_id:
                self._require_taken(message)
                return early
            early.append(message)
        raise Down("the subscription was not answered")

    def _require_taken(self, answer: Message) -> None:
        if answer.get("status") != 200:
            self._clock.forget()  # a wrong time is one of the reasons
            error = answer.get("error", {})
            if answer.get("status") in (418, 429):
                self.on_limit(self._limit_of(answer["status"], error))
            reason = f"subscription refused: {error.get('code')} {error.get('msg')}"
            raise KeyRefused(reason) if error.get("code") in KEY_REFUSED else Down(reason)

    def _limit_of(self, status: int, error: Message) -> Usage:
        """Here the venue names the moment at which the time to wait is over, in milliseconds."""
        found = error.get("data") or {}
        until = found.get("retryAfter") if isinstance(found, dict) else None
        if type(until) is not int or (left := (until - self._clock.now_ms()) / 1000) <= 0:
            return Usage(status, odd=NOT_TOLD if until is None else str(until)[:40])
        return Usage(
            status, retry_after=min(left, LONGEST_BAN), odd=str(until)[:40] if left > LONGEST_BAN else ""
        )

    def event_of(self, message: Message) -> Any:
        return message.get("event")


class ListenKeyDoor:
    """A stream of its own under a key that was given by REST; somebody else keeps the key alive."""

    def __init__(
        self,
        *,
        url: str,
        new_key: Callable[[], str],
        again: Callable[[], None] = lambda: None,
        on_limit: Callable[[Usage], None] = lambda usage: None,
    ) -> None:
        self._url, self._new_key = url, new_key
        self.again, self.on_limit = again, on_limit

    def address(self) -> str:
        return f"{self._url}/ws/{self._new_key()}"

    def enter(self, line: Line) -> list[Message]:
        return []

    def event_of(self, message: Message) -> Any:
        return message


def _message(frame: bytes | None) -> Message:
    found = json.loads(frame) if frame else {}
    return found if isinstance(found, dict) else {}
