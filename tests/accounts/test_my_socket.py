"""The private socket: one's own events while one's session lasts, and nobody else's ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import WebsocketCommunicator
from django.core.cache import cache
from django.test import Client

from accounts import consumers, services
from accounts.models import User
from exchange import push
from exchange.routing import sockets

HOST = (b"host", b"testserver")
OURS = (b"origin", b"http://testserver")


@pytest.fixture
def alice(committed_db: str) -> User:
    return User.objects.create_user("alice@example.com", "a long password")


def cookie_of(user: User) -> tuple[bytes, bytes]:
    client = Client()
    client.force_login(user)
    return b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()


def with_socket(
    headers: list[tuple[bytes, bytes]], use: Callable[[WebsocketCommunicator], Awaitable[Any]]
) -> Any:
    """What `use` gives of a socket opened with these headers; None when the handshake is refused."""

    async def run() -> Any:
        socket = WebsocketCommunicator(sockets, "/ws/me/", headers=[HOST, *headers])
        is_open, _code = await socket.connect(timeout=5)
        found = await use(socket) if is_open else None
        await socket.disconnect()
        return found

    return async_to_sync(run)()


async def first(socket: WebsocketCommunicator) -> Any:
    output = await socket.receive_output(5)
    return output.get("text") or output.get("code")


def test_a_signed_in_page_is_greeted(alice: User) -> None:
    assert '"type": "hello"' in with_socket([cookie_of(alice), OURS], first)


def test_the_app_is_greeted_with_its_token(alice: User) -> None:
    _token, secret = services.issue_token(alice, name="app")
    assert '"type": "hello"' in with_socket([(b"authorization", f"Bearer {secret}".encode())], first)


def test_a_visitor_is_told_to_sign_in(committed_db: str) -> None:
    assert with_socket([OURS], first) == consumers.SIGN_IN


@pytest.mark.parametrize(
    "origin", [b"http://evil.example", b"null", b"http://testserver.evil.example", b"http://testserver:81"]
)
def test_another_sites_page_gets_no_socket(alice: User, origin: bytes) -> None:
    assert with_socket([cookie_of(alice), (b"origin", origin)], first) is None


def test_a_cookie_without_an_origin_proves_nothing(alice: User) -> None:
    assert with_socket([cookie_of(alice)], first) == consumers.SIGN_IN


def test_events_go_to_their_owner_alone(alice: User) -> None:
    bob = User.objects.create_user("bob@example.com", "a long password")

    async def listen(socket: WebsocketCommunicator) -> list[str]:
        await first(socket)
        for user in (bob, alice):
            await sync_to_async(push.to_user)(user.pk, "order", {"id": user.pk})
        heard = [(await socket.receive_json_from(5))["id"]]
        return [*heard, "more"] if not await socket.receive_nothing(0.3) else heard

    assert with_socket([cookie_of(alice), OURS], listen) == [alice.pk]


def test_a_session_that_ends_takes_its_socket_along(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.1)

    async def listen(socket: WebsocketCommunicator) -> Any:
        await first(socket)
        await sync_to_async(change_password)(alice)
        for _time in range(50):
            if (heard := await first(socket)) == consumers.SIGN_IN:
                return heard
            await asyncio.sleep(0.05)
        return None

    assert with_socket([cookie_of(alice), OURS], listen) == consumers.SIGN_IN


def test_a_socket_that_may_stay_says_that_it_lives(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page whose line is open at its own end alone notices by the silence."""
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.1)

    async def listen(socket: WebsocketCommunicator) -> Any:
        return [(await socket.receive_json_from(5))["type"] for _time in range(3)]

    assert with_socket([cookie_of(alice), OURS], listen) == ["hello", "alive", "alive"]


def test_a_socket_that_stays_hears_events_after_redis_forgot_that_it_is_there(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.1)

    async def listen(socket: WebsocketCommunicator) -> Any:
        await first(socket)
        await sync_to_async(cache.delete)(f"push:listens:{alice.pk}")
        await socket.receive_json_from(5)
        await socket.receive_json_from(5)
        await sync_to_async(push.to_user)(alice.pk, "order", {"id": 7})
        heard = [(await socket.receive_json_from(5))["type"] for _time in range(3)]
        return "order" in heard

    assert with_socket([cookie_of(alice), OURS], listen) is True


def change_password(user: User) -> None:
    user.set_password("another long password")
    user.save()
