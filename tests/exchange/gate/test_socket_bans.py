"""To open a socket is a request like any other: none is begun in a ban, and one that is told of it is obeyed."""

from typing import Any

import pytest
from aiohttp import web
from pytest_django import Settings

from exchange.binance.signing import HmacKey
from exchange.binance.streams import Door, Pace, UserStream
from exchange.gate import bans
from exchange.gate import services as gate
from exchange.gate.models import Ban, VenueAccount
from orders.management.follower import Follower
from tests.exchange.binance.sockets import stay
from tests.exchange.binance.sockets import venue as socket_server
from tests.exchange.gate.test_bans import SlowDoor
from tests.factories import venue_account
from tests.venue import Venue

KEY = HmacKey("key", "secret")


@pytest.fixture
def account(db: None, venue: Venue) -> VenueAccount:
    return venue_account()


@pytest.fixture(params=["ws_api", "listen_key"])
def way(request: Any, settings: Settings, venue: Venue, monkeypatch: pytest.MonkeyPatch) -> str:
    # It is followed in the thread of the test, whose transaction is to stay.
    monkeypatch.setattr("orders.management.follower.close_old_connections", lambda: None)
    settings.BINANCE_USER_STREAM = request.param
    venue.on("POST", "/api/v3/userDataStream", (200, {"listenKey": "k"}))
    return str(request.param)


def follows(account: VenueAccount, settings: Settings, url: str, turns: int) -> list[str]:
    """Why its line was down, so many times one after the other."""
    settings.BINANCE_WS_API_URL = settings.BINANCE_STREAM_URL = url
    told: list[str] = []
    door: Door = Follower(account, KEY).door(KEY)

    def down(reason: str, _is_alarm: bool) -> None:
        told.append(reason)
        if len(told) >= turns:
            stream.stop()

    nothing: Any = lambda *_words: None  # noqa: E731
    stream = UserStream(
        door=door, on_subscribed=nothing, on_report=nothing, on_balance=nothing, on_alive=nothing, on_down=down,
        pace=Pace(first_wait=0.02, longest_wait=0.05, tick=0.1),
    )  # fmt: skip
    stream.run()
    return told


def test_no_socket_is_asked_for_in_a_ban_that_began_while_the_connection_was_made(
    account: VenueAccount, settings: Settings, way: str
) -> None:
    gate.measure_clock()
    server = SlowDoor()
    server.start()
    try:
        told = follows(account, settings, server.url.replace("http", "ws"), turns=1)
    finally:
        server.join()
    assert server.heard == b""
    assert told == ["the venue asked us to wait"]


@pytest.mark.parametrize(
    ("status", "said", "seconds"), [(418, "90", 90), (429, "30", 30), (418, None, 120), (418, "-5", 120)]
)
def test_a_ban_that_is_told_instead_of_a_socket_is_obeyed_by_all(
    account: VenueAccount, settings: Settings, way: str, status: int, said: str | None, seconds: int
) -> None:
    gate.measure_clock()
    asked: list[str] = []

    async def refuses(request: web.Request) -> None:
        class Limited(web.HTTPClientError):
            status_code = status

        asked.append(request.path)
        raise Limited(headers={} if said is None else {"Retry-After": said})

    async def serves(socket: web.WebSocketResponse, _request: web.Request) -> None:
        await stay(socket)

    with socket_server(serves, before=refuses) as url:
        told = follows(account, settings, url, turns=4)
    assert len(asked) == 1
    assert told[1:] == ["the venue asked us to wait"] * 3
    assert seconds - 2 < bans.seconds_left(bans.egress_key(bans.DEFAULT_EGRESS)) <= seconds + 1
    assert Ban.objects.get().http_status == status
    with pytest.raises(gate.Banned):
        gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())
