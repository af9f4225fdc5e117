"""Who opens sockets: so many an address may have open in one web process."""

import ipaddress
import json
from collections import Counter
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from exchange.errors import DomainError
from exchange.inbox import refusal
from exchange.origin import Receive, Scope, Send, headers

CROWDED = 4429
# One household or server has a whole network of this size to itself.
HOUSEHOLD = 64


class TooManySockets(DomainError):
    code = "too_many_sockets"
    status = 429
    message = _("Too many connections are open from your address. Close other pages and try again.")


class SocketsPerAddress:
    """ASGI middleware: a socket too many is told so in words and closed; those that are open stay."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        caller = address(scope)
        if caller and self._open[caller] >= settings.SOCKETS_PER_ADDRESS:
            return await refuse(receive, send)
        self._open[caller] += 1
        try:
            return await self._inner(scope, receive, send)
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


async def refuse(receive: Receive, send: Send) -> None:
    """A browser tells its page nothing of a refused handshake, so it is accepted first."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(refusal(TooManySockets()))})
    await send({"type": "websocket.close", "code": CROWDED})


def address(scope: Scope) -> str:
    """Where a socket comes from, behind TRUSTED_PROXIES what the outermost of them saw; "" for one without address."""
    client = scope.get("client")
    found = str(client[0]) if client else ""
    if count := settings.TRUSTED_PROXIES:
        hops = [hop.strip() for value in headers(scope, b"x-forwarded-for") for hop in value.split(",")]
        found = hops[-count] if len(hops) >= count else found
    try:
        parsed = ipaddress.ip_address(found)
    except ValueError:
        return found
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, HOUSEHOLD), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
