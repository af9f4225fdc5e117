"""Connections that ask once more, when they stand and before the first byte leaves, whether it may be sent at all.

To make one may take seconds, and the venue may have forbidden us to speak meanwhile.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Thread(threading.local):
    ask: Callable[[], None] | None = None


_thread = _Thread()


@contextmanager
def asking(ask: Callable[[], None]) -> Iterator[None]:
    """What this thread sends meanwhile leaves only when this does not raise, and what it raises is raised here."""
    _thread.ask = ask
    try:
        yield
    finally:
        _thread.ask = None


class _Line(HTTPConnection):
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if _thread.ask is not None:
            _thread.ask()
        super().send(data)


class _SafeLine(_Line, HTTPSConnection):
    pass


class _Lines(HTTPConnectionPool):
    ConnectionCls = _Line


class _SafeLines(HTTPSConnectionPool):
    ConnectionCls = _SafeLine


LINES: dict[str, type[HTTPConnectionPool]] = {"http": _Lines, "https": _SafeLines}


class Adapter(HTTPAdapter):
    def init_poolmanager(self, *words: Any, **named: Any) -> None:
        super().init_poolmanager(*words, **named)
        self.poolmanager.pool_classes_by_scheme = LINES

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = LINES
        return manager
