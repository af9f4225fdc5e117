"""A ban is obeyed by every process until its time is over, whatever Redis forgot and however odd the venue said it."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from exchange.binance.errors import NotSent
from exchange.binance.signing import HmacKey
from exchange.binance.streams import SubscriptionDoor
from exchange.binance.usage import Usage
from exchange.gate import bans, limits, store
from exchange.gate import services as gate
from exchange.gate.models import Ban, VenueAccount
from exchange.office.models import Notice
from tests.conftest import forget_the_venue
from tests.exchange.binance.test_outcomes import ORDER as TICKET
from tests.exchange.paper.people import wait_for
from tests.factories import make_user, venue_account
from tests.venue import Venue, error, order_body

TIME, ORDER = ("GET", "/api/v3/time"), "/api/v3/order"
DAYS = 86_400


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Bans are rows."""


@pytest.fixture
def account() -> VenueAccount:
    return venue_account()


def ask() -> int:
    return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())


def ask_catalogue() -> object:
    return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())


def place(account: VenueAccount) -> None:
    gate.call(account, gate.Kind.PLACE, 7, lambda rest: rest.place(TICKET))


def banned(venue: Venue, status: int = 418, **headers: str) -> float:
    """The venue says so, once; gives for how long nobody asks."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    venue.on(*TIME, (*error(-1003, "Way too much request weight used; IP banned.", status), told))
    with pytest.raises(NotSent):
        ask()
    return gate.blocked_for()


def works(venue: Venue) -> None:
    venue.on(*TIME, lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000}))


def as_another_process() -> None:
    """What only this process knew is forgotten."""
    bans.forget()
    store.forget()


# ------------------------------------------------------------------ Redis forgets
def test_a_ban_outlives_a_flush_and_the_process_that_was_told(venue: Venue) -> None:
    banned(venue, Retry_After="120")
    works(venue)
    as_another_process()
    cache.clear()
    with pytest.raises(gate.Banned) as refusal:
        ask()
    assert 115 < (refusal.value.retry_after or 0) <= 120
    assert venue.count(*TIME) == 1
    as_another_process()
    assert gate.blocked_for() > 115, "and Redis knows it again"


def test_a_ban_that_redis_lost_alone_is_found_after_the_next_connection(venue: Venue) -> None:
    """A server that restarts may come back with what it kept of a second before."""
    banned(venue, Retry_After="120")
    store.write(bans.egress_key(bans.DEFAULT_EGRESS), {"ban": 0})
    as_another_process()
    works(venue)
    with pytest.raises(gate.Banned):
        ask()
    assert venue.count(*TIME) == 1


@pytest.fixture
def without_redis(settings: object) -> Iterator[None]:
    settings.REDIS_URL = "unix:///nowhere/at/all.sock?db=0"  # type: ignore[attr-defined]
    store.forget()
    yield
    store.forget()


def test_a_ban_is_obeyed_while_redis_is_away(venue: Venue, without_redis: None) -> None:
    banned(venue, Retry_After="120")
    works(venue)
    as_another_process()
    with pytest.raises(gate.Banned):
        ask()
    assert venue.count(*TIME) == 1


def test_without_redis_a_process_uses_a_small_part_of_the_weight(venue: Venue, without_redis: None) -> None:
    works(venue)
    venue.on("GET", "/api/v3/exchangeInfo", (200, {}))
    with pytest.raises(gate.Full) as refusal:
        any(ask_catalogue() for _time in range(1000))
    assert venue.count("GET", "/api/v3/exchangeInfo") == 6000 * 0.6 * 0.1 // 20
    assert 0 < (refusal.value.retry_after or 0) <= 60
    assert gate.call(None, gate.Kind.CLOCK, None, lambda rest: rest.time()), (
        "what matters more has a part of it left"
    )


# ------------------------------------------------------------------ at the same moment
def test_others_hear_of_a_ban_before_the_database_is_asked() -> None:
    """How long one lasts that names no time is looked up, and that may take a while."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE gate_ban IN ACCESS EXCLUSIVE MODE")

    def told() -> None:
        with connection.cursor() as own:
            own.execute("SET lock_timeout = '3s'")
        bans.note(bans.DEFAULT_EGRESS, None, Usage(418, odd="none"))
        connection.close()

    thread = threading.Thread(target=told)
    thread.start()
    try:
        wait_for(lambda: limits.banned_for(store.read(bans.egress_key(bans.DEFAULT_EGRESS))) > 110, 2)
    finally:
        thread.join()


class SlowDoor(threading.Thread):
    """A venue to which a connection takes a second; meanwhile another process is told of a ban."""

    def __init__(self) -> None:
        super().__init__()
        self.listening, self.heard = socket.create_server(("127.0.0.1", 0), backlog=0), b""
        self.listening.settimeout(10)
        self.ahead = socket.create_connection(self.listening.getsockname())  # there is room for no other
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        time.sleep(0.4)
        bans.tell_others(bans.egress_key(bans.DEFAULT_EGRESS), 120)
        self.listening.accept()[0].close()
        line, _peer = self.listening.accept()
        self.listening.close()
        with line, self.ahead:
            self.heard = line.recv(65536)


def test_a_ban_that_begins_while_a_connection_is_made_is_obeyed(settings: Settings) -> None:
    door = SlowDoor()
    settings.BINANCE_REST_URL = door.url
    forget_the_venue()
    door.start()
    try:
        with pytest.raises(gate.Banned) as refusal:
            ask()
    finally:
        door.join()
        forget_the_venue()
    assert door.heard == b""
    assert 110 < (refusal.value.retry_after or 0) <= 120


def test_nothing_is_subscribed_to_in_a_ban_that_began_while_the_socket_was_opened(
    account: VenueAccount, venue: Venue
) -> None:
    sent: list[str] = []
    door = SubscriptionDoor(
        url="", key=HmacKey("key", "secret"), clock=gate.clock(), before=partial(gate.count_socket, account),
        again=partial(gate.require_no_ban, account),
    )  # fmt: skip
    door.address()
    bans.tell_others(bans.egress_key(bans.DEFAULT_EGRESS), 120)
    with pytest.raises(gate.Banned):
        door.enter(SimpleNamespace(send=sent.append))  # type: ignore[arg-type]
    assert sent == []


# ------------------------------------------------------------------ what is said
@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        (418, "90", 90),
        (429, "7", 7),
        (429, "7.5", 8),
        (429, None, 60),
        (418, None, 120),
        (418, "-5", 120),
        (418, "0", 120),
        (418, "", 120),
        (418, "soon", 120),
        (418, "1e9", 120),
        (418, "٣٠", 120),
        (418, "Wed, 21 Oct 2026 07:28:00 GMT", 120),
        (418, "999999999999999999999", 3 * DAYS),
        (418, str(3 * DAYS), 3 * DAYS),
    ],
)
def test_however_the_time_is_told_nobody_asks_meanwhile(
    venue: Venue, status: int, said: str | None, seconds: int
) -> None:
    carol = make_user("carol", is_staff=True)
    latin = None if said is None else said.encode("utf-8").decode("latin-1")
    left = banned(venue, status, **({} if latin is None else {"Retry_After": latin}))
    assert seconds - 1 < left <= seconds + 1 / 1000  # in Redis it ends with the millisecond
    is_odd = not re.fullmatch(r"[1-9][0-9]{0,5}(\.5)?", said or "", re.ASCII)
    assert bool(Ban.objects.get().odd) == is_odd
    assert Notice.objects.filter(user=carol).exists() == (is_odd and said is not None)


def test_without_a_time_each_ban_lasts_twice_as_long_as_the_one_before(venue: Venue) -> None:
    lasted = []
    for _time in range(4):
        lasted.append(round(banned(venue)))
        Ban.objects.update(until=timezone.now() - timedelta(seconds=1))
        bans.forget()
        store.write(bans.egress_key(bans.DEFAULT_EGRESS), {"ban": 0})
    assert lasted == [120, 240, 480, 960]
    assert venue.count(*TIME) == 4


def test_answers_of_one_moment_are_one_ban(venue: Venue) -> None:
    """What was under way when the ban began is answered so too."""
    for _time in range(3):
        bans.note(bans.DEFAULT_EGRESS, None, Usage(418, odd="none"))
    assert gate.blocked_for() < 121
    assert Ban.objects.count() == 1


# ------------------------------------------------------------------ whom it concerns
def test_too_many_orders_stop_new_orders_of_the_account_and_nothing_else(
    account: VenueAccount, venue: Venue
) -> None:
    venue.on("POST", ORDER, (*error(-1015, "Too many new orders.", 429), {"Retry-After": "8"}))
    venue.on("DELETE", ORDER, lambda asked: (200, order_body(asked, status="CANCELED")))
    with pytest.raises(NotSent):
        place(account)
    with pytest.raises(gate.Banned) as refusal:
        place(account)
    assert venue.count("POST", ORDER) == 1
    assert 6 < (refusal.value.retry_after or 0) <= 8
    assert gate.call(account, gate.Kind.CANCEL, 7, lambda rest: rest.cancel("BTCUSDT", "x"))
    assert ask() and gate.blocked_for() == 0


def test_a_ban_of_the_address_stops_everything(account: VenueAccount, venue: Venue) -> None:
    banned(venue, 429, Retry_After="30")
    for kind in gate.Kind:
        with pytest.raises(NotSent):
            gate.call(account, kind, 7, lambda rest: rest.time())
    assert venue.count(*TIME) == 1


# ------------------------------------------------------------------ the WebSocket API
def test_no_socket_is_opened_during_a_ban_of_the_address(account: VenueAccount, venue: Venue) -> None:
    gate.count_socket(account)
    assert gate.used_weight() == 4
    banned(venue, Retry_After="120")
    with pytest.raises(gate.Banned):
        gate.count_socket(account)


@pytest.mark.parametrize(
    ("until", "seconds"), [(90_000, 90), (None, 120), ("soon", 120), (-5, 120), (10**15, 3 * DAYS)]
)
def test_what_is_said_on_a_socket_holds_for_every_request(
    account: VenueAccount, venue: Venue, until: object, seconds: int
) -> None:
    gate.measure_clock()
    told = until + gate.clock().now_ms() if isinstance(until, int) else until
    door = SubscriptionDoor(
        url="", key=HmacKey("key", "secret"), clock=gate.clock(), on_limit=partial(gate.note_limit, account)
    )
    refusal = {"status": 418, "error": {"code": -1003, "msg": "banned", "data": {"retryAfter": told}}}
    with pytest.raises(Exception, match="subscription refused"):
        door._require_taken(refusal)
    assert seconds - 2 < gate.blocked_for() <= seconds + 1
