"""An account with a way of its own: calls and its stream leave by the proxy alone; one that is away sent nothing."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from exchange.binance.errors import NoConnection
from exchange.binance.rest import Rest
from exchange.binance.streams.line import Down, connected
from exchange.binance.streams.pace import Pace
from tests.exchange.paper.people import serving, small


class Proxy(socketserver.ThreadingTCPServer):
    """Forwards whatever comes, and remembers the first line of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.seen: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(65536)
        first = head.partition(b"\r\n")[0].decode()
        self.server.seen.append(first)
        method, target, _version = first.split()
        place = urlsplit(target if "://" in target else f"//{target}")
        with socket.create_connection((place.hostname, place.port)) as there:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                there.sendall(head)
            threading.Thread(target=_pump, args=(there, self.request), daemon=True).start()
            _pump(self.request, there)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while found := source.recv(65536):
            target.sendall(found)
    except OSError:
        return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as found:
        yield found
        found.shutdown()


def test_calls_and_the_stream_leave_by_the_proxy(proxy: Proxy) -> None:
    with serving(small()) as url:
        assert Rest(base_url=url, proxy=proxy.url).time() > 0
        door = url.replace("http", "ws") + "/ws-api/v3"
        connected(door, pace=Pace(), on_heard=lambda: None, proxy=proxy.url).close()
        assert proxy.seen == [f"GET {url}/api/v3/time HTTP/1.1", f"CONNECT {urlsplit(url).netloc} HTTP/1.1"]


def test_what_no_proxy_took_was_not_sent() -> None:
    with serving(small()) as url, pytest.raises(NoConnection):
        Rest(base_url=url, proxy="http://127.0.0.1:9").depth("BTCUSDT")
    with pytest.raises(Down, match="no connection"):
        connected("ws://127.0.0.1:9/ws", pace=Pace(), on_heard=lambda: None, proxy="http://127.0.0.1:9")
