"""Every way in which the venue can answer wrongly is one of three; real sockets that refuse, hang, break and babble."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest

from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.rest import NoWallet, Rest
from exchange.binance.sending import PlaceOrder
from exchange.binance.signing import HmacKey
from exchange.binance.transport import Clock
from exchange.binance.usage import NEVER_LEFT, Cost, Usage
from tests.venue import REST, Venue, error

ORDER = PlaceOrder(
    symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", client_order_id="x", timestamp_ms=1,
    recv_window_ms=5000, price=Decimal("1E+2"), quantity=Decimal("0.00000100"),
)  # fmt: skip


@contextmanager
def server(answer: bytes | None, *, hang: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Reads one request a connection, then says the bytes, if any, and cuts the line, or leaves it to hang."""
    heard: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                line, _peer = listening.accept()
                with line:
                    heard.append(line.recv(65536))
                    if answer is not None:
                        line.sendall(answer)
                    if hang:
                        over.wait(5)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
    finally:
        over.set()
        listening.close()


def http(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Listening:
    """Lets everything pass, and keeps what was told."""

    def __init__(self, seen: list[Usage]) -> None:
        self.seen = seen

    def begin(self, cost: Cost) -> None:
        return None

    def confirm(self, begun: None) -> None:
        pass

    def end(self, begun: None, usage: Usage) -> None:
        self.seen.append(usage)


class TooLate(Listening):
    """What it let pass is forbidden when the connection stands."""

    def confirm(self, begun: None) -> None:
        raise NotSent("the venue wants to hear nothing any more", 7)


def rest(
    url: str, seen: list[Usage] | None = None, *, meter: type[Listening] = Listening, proxy: str = ""
) -> Rest:
    clock = Clock()
    clock.measure(lambda: 1_700_000_000_000)
    told = None if seen is None else meter(seen)
    return Rest(base_url=url, key=HmacKey("key", "secret"), clock=clock, timeout=0.5, meter=told, proxy=proxy)


def outcome(url: str, seen: list[Usage] | None = None) -> VenueError:
    with pytest.raises(VenueError) as wrong:
        rest(url, seen).place(ORDER)
    return wrong.value


def test_a_refused_connection_was_never_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert isinstance(outcome(f"http://127.0.0.1:{port}"), NotSent)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"garbage\r\n\r\n",
        http("200 OK", "<html>"),
        http("500 Oops", "{}"),
        http("504 Timeout", ""),
        http("302 Found", "", "Location: http://127.0.0.1:9/"),
        http("403 Forbidden", "<html>"),
        http("408 Timeout", '{"code":-1007,"msg":"Timeout"}'),
        http("400 Bad", '{"code":-1000,"msg":"An unknown error occurred."}'),
    ],
    ids=lambda answer: str(answer)[:24],
)
def test_what_may_have_been_executed_is_unknown_and_sent_once(answer: bytes | None) -> None:
    with server(answer) as (url, heard):
        assert isinstance(outcome(url), Unknown)
        assert len(heard) == 1


def test_a_venue_that_hangs_is_unknown() -> None:
    with server(None, hang=True) as (url, heard):
        assert isinstance(outcome(url), Unknown)
        assert len(heard) == 1


@pytest.mark.parametrize(("status", "seconds"), [("429 Too Many", 7), ("418 Teapot", 120)])
def test_a_limit_says_how_long_to_wait(status: str, seconds: int) -> None:
    with server(http(status, '{"code":-1003,"msg":"x"}', f"Retry-After: {seconds}")) as (url, _heard):
        wrong = outcome(url)
    assert isinstance(wrong, NotSent)
    assert wrong.retry_after == seconds


def broken_off(status: str, seconds: int) -> bytes:
    """The beginning of an answer about a limit."""
    return f"HTTP/1.1 {status}\r\nRetry-After: {seconds}\r\nContent-Length: 500\r\n\r\n{{".encode()


@pytest.mark.parametrize("hang", [False, True], ids=["breaks off", "hangs"])
@pytest.mark.parametrize(("status", "seconds"), [("429 Too Many", 7), ("418 Teapot", 120)])
def test_a_limit_is_heard_of_though_the_answer_never_ends(status: str, seconds: int, hang: bool) -> None:
    seen: list[Usage] = []
    with server(broken_off(status, seconds), hang=hang) as (url, _heard):
        wrong = outcome(url, seen)
    assert isinstance(wrong, NotSent)
    assert wrong.retry_after == seconds
    assert [(usage.http_status, usage.retry_after) for usage in seen] == [(int(status[:3]), seconds)]


def test_nobody_waits_for_the_words_of_a_ban() -> None:
    with server(broken_off("418 Teapot", 120), hang=True) as (url, _heard):
        began = time.monotonic()
        outcome(url)
        assert time.monotonic() - began < 0.4, "the client waits half a second for what hangs"


@pytest.mark.parametrize("by_proxy", [False, True], ids=["directly", "by a proxy"])
def test_what_is_forbidden_while_the_connection_is_made_never_leaves(by_proxy: bool) -> None:
    seen: list[Usage] = []
    with server(http("200 OK", '{"serverTime":5}')) as (url, heard):
        address, proxy = ("http://venue.invalid", url) if by_proxy else (url, "")
        with pytest.raises(NotSent):
            rest(address, seen, meter=TooLate, proxy=proxy).time()
        time.sleep(0.1)
    assert b"".join(heard) == b""
    assert seen == [NEVER_LEFT]


def test_a_definite_no_keeps_its_code_and_words() -> None:
    with server(http("400 Bad", '{"code":-2010,"msg":"Market is closed."}')) as (url, _heard):
        wrong = outcome(url)
    assert isinstance(wrong, Rejected)
    assert (wrong.code, wrong.message) == (-2010, "Market is closed.")


def test_amounts_are_sent_as_plain_decimals() -> None:
    with server(http("400 Bad", '{"code":-1,"msg":""}')) as (url, heard):
        outcome(url)
    assert b"price=100&quantity=0.000001&" in heard[0]
    assert b"timestamp=1&signature=" in heard[0]


def test_the_limits_headers_are_handed_on() -> None:
    seen: list[Usage] = []
    headers = ("X-MBX-USED-WEIGHT-1M: 42", "x-mbx-order-count-10s: 3")
    with server(http("200 OK", '{"serverTime":5}', *headers)) as (url, _heard):
        assert rest(url, seen).time() == 5
    assert (seen[0].used_weight, seen[0].order_count) == ({"1m": 42}, {"10s": 3})


def test_a_read_is_tried_again_and_a_read_with_a_wrong_time_is_signed_again() -> None:
    with server(http("503 Busy", "")) as (url, heard):
        with pytest.raises(Unknown):
            rest(url).time()
        assert len(heard) == 3


def test_the_key_is_in_no_error() -> None:
    with server(http("500 Oops", "")) as (url, _heard):
        assert "secret" not in repr(outcome(url)) + str(outcome(url))


def test_a_venue_without_a_wallet_says_so() -> None:
    with pytest.raises(NoWallet):
        rest("http://127.0.0.1:9").capital_config()


# ------------------------------------------------------------------ a time that the venue refuses
BAD_TIME = error(-1021, "Timestamp for this request is outside of the recvWindow.")


def test_a_read_is_signed_once_more_with_the_time_asked_anew_and_then_given_up(venue: Venue) -> None:
    venue.on("GET", "/api/v3/time", (200, {"serverTime": 4_102_444_800_000}))
    venue.on("GET", "/api/v3/order", BAD_TIME)
    with pytest.raises(Rejected) as refusal:
        rest(REST).order("BTCUSDT", "x")
    first, second = (
        int(asked["timestamp"]) for _method, path, asked in venue.asked if path == "/api/v3/order"
    )
    assert refusal.value.code == -1021
    assert (first < 2 * 10**12, second >= 4_102_444_800_000) == (True, True)


def test_a_placement_is_never_signed_again(venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", BAD_TIME)
    with pytest.raises(Rejected) as refusal:
        rest(REST).place(ORDER)
    assert refusal.value.code == -1021
    assert [asked["timestamp"] for method, _path, asked in venue.asked if method == "POST"] == ["1"], (
        "as recorded"
    )
