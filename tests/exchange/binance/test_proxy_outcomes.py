"""A line that breaks after the request was read says nothing of what became of it, whoever passed it on."""

import socketserver
import threading

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from exchange.binance.errors import Unknown
from exchange.binance.transport import Transport, _never_connected


class Reader(socketserver.BaseRequestHandler):
    """Reads a request whole, and closes without an answer."""

    server: "There"

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(65536)
        self.server.executed.append(head.partition(b"\r\n")[0])


class There(socketserver.ThreadingTCPServer):
    """A venue, or a proxy before it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.executed: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Reader)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.mark.parametrize("by_proxy", [False, True], ids=["directly", "by a proxy"])
def test_a_line_that_breaks_after_the_request_was_read_is_unknown(by_proxy: bool) -> None:
    with There() as there:
        base = "http://venue.invalid" if by_proxy else there.url
        transport = Transport(proxy=there.url if by_proxy else "")
        with pytest.raises(Unknown):
            transport.send("POST", f"{base}/api/v3/order?symbol=BTCUSDT", writes=True)
        there.shutdown()
        assert len(there.executed) == 1


def test_what_failed_before_says_nothing_of_a_line_that_broke_now() -> None:
    broke = requests.exceptions.ConnectionError(ConnectionResetError("after it was read"))
    broke.__context__ = NewConnectionError(None, "refused")  # type: ignore[arg-type]
    assert not _never_connected(broke)
