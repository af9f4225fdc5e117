"""Between the ASGI server and Django's WSGI handler: one way into a lasting thread, and one back.

The body is there before the thread begins, and a whole answer is sent after it ended. Each meeting of a thread with the
loop in between would be two waits for the interpreter, and those are what an order waits for on a busy site.
"""

import asyncio
import contextvars
import tempfile
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from a2wsgi.wsgi import build_environ

from exchange.uploads import MOST_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
# Larger bodies wait on the disk, and larger answers are sent piece by piece.
IN_MEMORY = 1024 * 1024
# Where Django's side says in the environ whose request it was, and what is before the bridge finds it in the scope.
CUSTOMER = "exchange.customer"


class Gone(Exception):
    """Who asked has left before all was said."""


class Bridge:
    """An ASGI app of the WSGI app, on so many threads of its own."""

    def __init__(self, app: Callable[..., Iterable[bytes]], workers: int) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive)
        except Gone:
            return
        answer = _Answer(send, asyncio.get_running_loop())
        context = contextvars.copy_context()
        environ = build_environ(scope, body)  # type: ignore[arg-type]
        rest = await answer.loop.run_in_executor(self._threads, context.run, answer.make, self._app, environ)
        scope[CUSTOMER] = environ.get(CUSTOMER)
        if not answer.is_begun:
            await send(answer.begin())
        await send({"type": "http.response.body", "body": rest})


async def _body(receive: Receive) -> IO[bytes]:
    """All of it, or enough that Django refuses it for its size; raises Gone."""
    body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - its reader closes it
    size, is_more = 0, True
    while is_more and size <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.close()
            raise Gone
        chunk, is_more = message.get("body", b""), message.get("more_body", False)
        body.write(chunk)
        size += len(chunk)
    body.seek(0)
    return body


class _Answer:
    """What the app says, in its thread; `loop` is that of the server."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send, self.loop = send, loop
        self.is_begun = False
        self._status, self._headers = 500, Headers()

    def make(self, app: Callable[..., Iterable[bytes]], environ: Any) -> bytes:
        """The body, or the end of it when it was too much to be said at once."""
        chunks: Iterable[bytes] = ()
        try:
            chunks = app(environ, self._start)
            waiting = bytearray()
            for chunk in chunks:
                waiting += chunk
                if len(waiting) > IN_MEMORY:
                    self._say({"type": "http.response.body", "body": bytes(waiting), "more_body": True})
                    waiting.clear()
            return bytes(waiting)
        finally:
            getattr(chunks, "close", lambda: None)()
            environ["wsgi.input"].close()

    def begin(self) -> dict[str, Any]:
        self.is_begun = True
        return {"type": "http.response.start", "status": self._status, "headers": self._headers}

    def _start(
        self, status: str, headers: list[tuple[str, str]], _error: Any = None
    ) -> Callable[[bytes], None]:
        self._status = int(status.split(" ", 1)[0])
        self._headers = [
            (name.strip().encode("latin1").lower(), value.strip().encode("latin1")) for name, value in headers
        ]
        return lambda chunk: self._say({"type": "http.response.body", "body": chunk, "more_body": True})

    def _say(self, message: dict[str, Any]) -> None:
        """Waits until the server has taken it."""
        if not self.is_begun:
            self._wait(self.begin())
        self._wait(message)

    def _wait(self, message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(self._send_one(message), self.loop).result()

    async def _send_one(self, message: dict[str, Any]) -> None:
        await self._send(message)
