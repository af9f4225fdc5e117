"""A socket server on loopback for tests of streams, and waits for what they do."""

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

Serve = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]


async def stay(socket: web.WebSocketResponse) -> None:
    """Says nothing more, and answers when the other side leaves."""
    async for _message in socket:
        pass


@contextmanager
def venue(
    serve: Serve,
    tls: ssl.SSLContext | None = None,
    before: Callable[[web.Request], Awaitable[None]] | None = None,
) -> Iterator[str]:
    """A socket server on a free port in a thread of its own; `before` is waited for before it shakes hands."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    address: list[int] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        if before is not None:
            await before(request)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await serve(socket, request)
        return socket

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        address.append(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
        started.set()
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(begin())
        loop.run_forever()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(5)
    try:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{address[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


@contextmanager
def running(stream: Any) -> Iterator[None]:
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(5)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
