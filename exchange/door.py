"""Before the threads of the web process: of one person few wishes are under way at once, and the others wait in line.

Who floods waits for his own requests, and not everybody for his. No thread is held meanwhile, and none of the line that
is too long. What is asked and what is canceled is not counted.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
WAIT_SECONDS = 1
MOST_WAITING = 8
CREDENTIALS = (b"authorization", b"x-session-token")
WISHES = ("POST", "PUT", "PATCH")
# What ends something is not kept waiting by what begins something.
ENDING = re.compile(r"/(cancel|disarm|panic|unlock)/$")


class Door:
    """`most` wishes of one credential at a time; the next ones wait a second at most, and not many of them."""

    def __init__(self, app: App, most: int) -> None:
        self._app, self._most = app, most
        self._inside: dict[bytes, asyncio.Semaphore] = {}
        self._known: Counter[bytes] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        who = _credential(scope)
        if who is None:
            await self._app(scope, receive, send)
            return
        turn = self._inside.setdefault(who, asyncio.Semaphore(self._most))
        self._known[who] += 1
        try:
            if self._known[who] > self._most + MOST_WAITING:
                await _come_again(send)
                return
            try:
                await asyncio.wait_for(turn.acquire(), WAIT_SECONDS)
            except TimeoutError:
                await _come_again(send)
                return
            try:
                await self._app(scope, receive, send)
            finally:
                turn.release()
        finally:
            self._known[who] -= 1
            if self._known[who] <= 0:
                del self._known[who], self._inside[who]


def _credential(scope: Scope) -> bytes | None:
    """By what the request says who it is of; None for one that wishes nothing, or of nobody known."""
    if scope["type"] != "http" or scope["method"] not in WISHES or ENDING.search(scope["path"]):
        return None
    found = dict(scope["headers"])
    return next((found[name] for name in CREDENTIALS if name in found), None) or _session(found)


def _session(headers: dict[bytes, bytes]) -> bytes | None:
    """Of its cookies the session's alone: others are whatever the request says."""
    name = settings.SESSION_COOKIE_NAME.encode()
    pairs = (pair.strip().partition(b"=") for pair in headers.get(b"cookie", b"").split(b";"))
    return next((value for key, _is, value in pairs if key == name and value), None)


async def _come_again(send: Send) -> None:
    body = {
        "code": "busy",
        "message": _("Too many of your requests are under way; nothing was done. Please try again."),
        "field": None,
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"retry-after", b"1"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
