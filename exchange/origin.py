"""Whether a socket's handshake comes from our own pages."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str:
    """A request header of the handshake, empty when there is none."""
    return next(iter(headers(scope, name)), "")


def headers(scope: Scope, name: bytes) -> list[str]:
    """All request headers of that name, in their order."""
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


def is_foreign(scope: Scope) -> bool:
    """True when a browser says that another site's page opened this socket; programs say nothing."""
    origin = header(scope, b"origin")
    if not origin:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return False
    parts = urlsplit(origin)
    if not parts.hostname or not validate_host(parts.hostname, settings.ALLOWED_HOSTS):
        return True
    return parts.netloc != header(scope, b"host")


def is_silent(scope: Scope) -> bool:
    """True without an Origin: not a browser, so a cookie in it proves nothing."""
    return not header(scope, b"origin")
