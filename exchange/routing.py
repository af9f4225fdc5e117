"""All socket addresses of the site."""

from typing import Any

from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.urls import re_path

from accounts.consumers import MySocket
from exchange.callers import SocketsPerAddress
from markets.consumers import MarketSocket, TickersSocket


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """An address without a socket refuses the handshake."""
    await receive()
    await send({"type": "websocket.close"})


# What is public knows no session: nothing of one is looked up for it.
mine = CookieMiddleware(SessionMiddleware(MySocket.as_asgi()))

sockets = SocketsPerAddress(
    URLRouter(
        [
            re_path(r"^ws/market/(?P<symbol>[^/]{1,64})/$", MarketSocket.as_asgi()),
            re_path(r"^ws/tickers/$", TickersSocket.as_asgi()),
            re_path(r"^ws/me/$", mine),
            re_path(r"", nowhere),  # type: ignore[arg-type]
        ]
    )
)
