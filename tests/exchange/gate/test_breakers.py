"""What fails again and again at the venue is not tried for a moment; one probe finds out when it works again."""

import time
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected, Unknown
from exchange.desk import queries as desk
from exchange.gate import breakers, conditions
from exchange.gate import services as gate
from exchange.gate.breakers import Operation, State
from exchange.gate.models import VenueAccount
from exchange.office.models import Notice
from tests.factories import venue_account
from tests.venue import Venue, error, forget_bans, order_body

CANCEL = ("DELETE", "/api/v3/order")
AWAY = "redis://127.0.0.1:1/0"
BROKEN = (503, "")
NO_KEY = error(-2015, "Invalid API-key, IP, or permissions for action.")


@pytest.fixture(autouse=True)
def quick(settings: Settings, db: None, venue: Venue) -> None:
    """A breaker that opens is open for longer than a test takes, and the venue's time is known."""
    settings.BREAKER_OPEN_SECONDS = settings.BREAKER_LONGEST_SECONDS = 60
    desk._status.cache_clear()
    gate.measure_clock()


@pytest.fixture
def account() -> VenueAccount:
    return venue_account()


def cancel(account: VenueAccount) -> Any:
    return gate.call(account, gate.Kind.CANCEL, None, lambda rest: rest.cancel("BTCUSDT", "mine"))


def place(account: VenueAccount) -> Any:
    """A call of the class; what it sends does not matter here."""
    return gate.call(account, gate.Kind.PLACE, None, lambda rest: rest.cancel("BTCUSDT", "mine"))


def fail(account: VenueAccount, times: int = 5) -> None:
    for _time in range(times):
        with pytest.raises((Rejected, NotSent, Unknown)):
            place(account)


def state_of(account: VenueAccount, operation: Operation = Operation.PLACE) -> State:
    return breakers.of(account.name, operation).seen().state


def works(venue: Venue) -> None:
    venue.on(
        *CANCEL, (200, order_body({"symbol": "BTCUSDT", "origClientOrderId": "mine"}, status="CANCELED"))
    )


def until_half_open(account: VenueAccount, operation: Operation = Operation.PLACE) -> None:
    deadline = time.monotonic() + 10
    while state_of(account, operation) != State.HALF_OPEN:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ------------------------------------------------------------------ opening
@pytest.mark.parametrize(
    "answer",
    [
        BROKEN,
        (504, "<html>Gateway Timeout</html>"),
        error(-1000, "An unknown error occurred.", 500),
        error(-1007, "Timeout waiting for response.", 504),
        error(-1008, "Request throttled by system-level protection.", 503),
        requests.exceptions.ReadTimeout(),
        requests.exceptions.ConnectTimeout(),
        requests.exceptions.ConnectionError("reset"),
        (403, "<html>blocked</html>"),
        (200, '{"symbol":"BTC'),
    ],
)
def test_what_fails_five_times_is_not_tried_again(account: VenueAccount, venue: Venue, answer: Any) -> None:
    venue.on(*CANCEL, answer)
    fail(account)
    with pytest.raises(gate.Paused) as refusal:
        place(account)
    assert venue.count(*CANCEL) == 5
    assert 50 < (refusal.value.retry_after or 0) <= 66


def test_a_few_failures_among_answers_open_nothing(account: VenueAccount, venue: Venue) -> None:
    works(venue)
    for _time in range(6):
        place(account)
    venue.on(*CANCEL, BROKEN)
    fail(account)
    assert state_of(account) == State.CLOSED
    fail(account, 1)
    assert state_of(account) == State.OPEN


def test_failures_of_long_ago_do_not_count(account: VenueAccount, venue: Venue, settings: Settings) -> None:
    settings.BREAKER_WINDOW_SECONDS = 0.2
    venue.on(*CANCEL, BROKEN)
    fail(account, 4)
    time.sleep(0.3)
    fail(account, 4)
    assert state_of(account) == State.CLOSED


def test_a_customers_own_refusals_are_answers(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, error(-2010, "Market is closed."))
    fail(account, 20)
    assert state_of(account) == State.CLOSED


@pytest.mark.parametrize(
    "answer",
    [
        NO_KEY,
        error(-1022, "Signature for this request is not valid."),
        error(-2010, "This account may not place or cancel orders."),
        error(-1021, "Timestamp for this request is outside of the recvWindow."),
        error(-2010, "Account has insufficient balance for requested action."),
    ],
)
def test_refusals_because_of_the_house_open_it_when_they_come_in_a_burst(
    account: VenueAccount, venue: Venue, answer: Any
) -> None:
    venue.on(*CANCEL, answer)
    fail(account)
    assert state_of(account) == State.OPEN
    assert str(answer[1]["code"]) in breakers.of(account.name, Operation.PLACE).seen().reason


def test_different_refusals_are_no_burst(account: VenueAccount, venue: Venue) -> None:
    for answer in (NO_KEY, error(-2010, "Account has insufficient balance for requested action.")):
        venue.on(*CANCEL, answer)
        fail(account, 4)
    assert state_of(account) == State.CLOSED


def test_answers_that_take_too_long_open_it(account: VenueAccount, venue: Venue, settings: Settings) -> None:
    settings.BREAKER_SLOW_MS = 20
    body = order_body({"symbol": "BTCUSDT", "origClientOrderId": "mine"}, status="CANCELED")

    def slow(asked: Any) -> Any:
        time.sleep(0.03)
        return 200, body

    venue.on(*CANCEL, slow)
    for _time in range(5):
        place(account)
    assert breakers.of(account.name, Operation.PLACE).seen().reason == "slow answers"


def test_limits_and_bans_are_another_matter(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, error(-1015, "Too many new orders.", 429))
    for _time in range(6):
        fail(account, 1)
        forget_bans()
    assert venue.count(*CANCEL) == 6
    assert state_of(account) == State.CLOSED


def test_one_class_of_calls_stops_no_other(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, BROKEN)
    fail(account)
    works(venue)
    assert cancel(account)
    assert (state_of(account), state_of(account, Operation.CANCEL)) == (State.OPEN, State.CLOSED)


def test_the_venues_time_is_asked_for_whatever_is_open(account: VenueAccount, venue: Venue) -> None:
    venue.on("GET", "/api/v3/exchangeInfo", BROKEN)
    for _time in range(5):
        with pytest.raises(Unknown):
            gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())
    with pytest.raises(gate.Paused):
        gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.exchange_info_as_told())
    gate.clock().forget()
    gate.measure_clock()
    assert gate.clock().is_known


# ------------------------------------------------------------------ the probe
def test_one_answered_probe_closes_it(account: VenueAccount, venue: Venue, settings: Settings) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.2
    venue.on(*CANCEL, BROKEN)
    fail(account)
    works(venue)
    until_half_open(account)
    place(account)
    assert state_of(account) == State.CLOSED
    place(account)
    assert venue.count(*CANCEL) == 7


def test_while_a_probe_is_under_way_nobody_else_goes(
    account: VenueAccount, venue: Venue, settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.2
    refused: list[str] = []

    def asked_meanwhile(asked: Any) -> Any:
        with pytest.raises(gate.Paused):
            place(account)
        with pytest.raises(gate.Paused):
            gate.require_open_way()
        breakers.forget()  # another process
        with pytest.raises(gate.Paused) as refusal:
            place(account)
        refused.append(refusal.value.reason)
        return BROKEN

    venue.on(*CANCEL, BROKEN)
    fail(account)
    until_half_open(account)
    venue.on(*CANCEL, asked_meanwhile)
    fail(account, 1)
    assert (len(refused), venue.count(*CANCEL)) == (1, 6)


def test_each_probe_that_fails_doubles_the_wait(
    account: VenueAccount, venue: Venue, settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS, settings.BREAKER_LONGEST_SECONDS = 0.1, 0.3
    venue.on(*CANCEL, BROKEN)
    fail(account)
    waits = []
    for _time in range(3):
        until_half_open(account)
        fail(account, 1)
        waits.append(breakers.of(account.name, Operation.PLACE).seen().retry_after)
    assert 0.15 < waits[0] <= 0.23
    assert all(0.2 < wait <= 0.34 for wait in waits[1:])


def test_books_need_not_wait_long_for_their_probe(venue: Venue, settings: Settings) -> None:
    settings.BREAKER_OPEN_SECONDS, books = 2, breakers.of(breakers.NOBODYS, Operation.MARKET_DATA)
    venue.on("GET", "/api/v3/depth", BROKEN)
    for _time in range(6):
        while books.seen().state == State.OPEN:
            time.sleep(0.05)
        with pytest.raises(Unknown):
            gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.depth("BTCUSDT"))
    assert 2 < books.seen().retry_after <= 3.3  # and not four


def test_a_cancel_waits_for_no_time(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, BROKEN)
    for _time in range(5):
        with pytest.raises(Unknown):
            cancel(account)
    assert state_of(account, Operation.CANCEL) == State.OPEN
    works(venue)
    cancel(account)
    assert state_of(account, Operation.CANCEL) == State.CLOSED


def test_of_cancels_one_is_tried_at_a_time_while_it_is_open(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, BROKEN)
    for _time in range(5):
        with pytest.raises(Unknown):
            cancel(account)

    def another(asked: Any) -> Any:
        with pytest.raises(gate.Paused):
            cancel(account)
        return BROKEN

    venue.on(*CANCEL, another)
    with pytest.raises(Unknown):
        cancel(account)
    assert venue.count(*CANCEL) == 6


# ------------------------------------------------------------------ all processes
def test_what_one_process_opens_is_open_for_every_other(account: VenueAccount, venue: Venue) -> None:
    venue.on(*CANCEL, BROKEN)
    fail(account)
    breakers.forget()  # another process
    with pytest.raises(gate.Paused):
        place(account)
    assert venue.count(*CANCEL) == 5


def test_what_another_process_closes_is_closed(
    account: VenueAccount, venue: Venue, settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.2
    venue.on(*CANCEL, BROKEN)
    fail(account)
    ours = breakers.of(account.name, Operation.PLACE)
    until_half_open(account)
    breakers.forget()  # another process
    works(venue)
    place(account)
    time.sleep(breakers.GLANCE)
    assert ours.seen().state == State.CLOSED


def test_after_a_flush_it_begins_closed_and_opens_again_when_it_has_to(
    account: VenueAccount, venue: Venue
) -> None:
    venue.on(*CANCEL, BROKEN)
    fail(account)
    cache.clear()
    time.sleep(breakers.GLANCE)
    assert state_of(account) == State.CLOSED
    fail(account)
    assert state_of(account) == State.OPEN


def test_without_redis_each_process_has_its_own(
    account: VenueAccount, venue: Venue, settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.2
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": AWAY}}
    venue.on(*CANCEL, BROKEN)
    fail(account)
    with pytest.raises(gate.Paused):
        place(account)
    works(venue)
    until_half_open(account)
    place(account)
    assert state_of(account) == State.CLOSED


# ------------------------------------------------------------------ told
def test_staff_hear_of_it_once_and_see_it_on_the_desk(account: VenueAccount, venue: Venue) -> None:
    carol = User.objects.create_superuser("carol@example.com", "a long password")
    venue.on(*CANCEL, NO_KEY)
    fail(account)
    cache.clear()
    time.sleep(breakers.GLANCE)
    fail(account)
    notice = Notice.objects.get(user=carol, kind__startswith="gate.breaker")
    assert "primary: place" in notice.body and "-2015" in notice.body
    browser = Client()
    browser.force_login(carol)
    assert "primary: place · OPEN" in browser.get("/admin/").text
    page = browser.get(f"/admin/gate/venueaccount/{account.pk}/change/").text
    assert "-2015" in page and 'data-state="OPEN"' in page


def test_the_status_and_the_figures_tell_it_without_the_reason(
    account: VenueAccount, venue: Venue, client: Client
) -> None:
    venue.on(*CANCEL, NO_KEY)
    fail(account)
    told = client.get("/status.json")
    row = {"account": "primary", "operation": "place", "what": "new orders", "state": "OPEN"}
    assert row in told.json()["breakers"] and "2015" not in told.text
    page = client.get("/status/").text
    assert "Calls to the venue: new orders" in page and "Paused" in page and "2015" not in page
    figures = client.get("/metrics").text
    assert 'causeway_breaker_state{account="primary",operation="place"} 2.0' in figures
    assert 'causeway_breaker_state{account="primary",operation="cancel"} 0.0' in figures


# ------------------------------------------------------------------ held open
def test_new_orders_wait_while_the_user_stream_is_silent(account: VenueAccount) -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    VenueAccount.objects.update(stream_seen_at=long_ago)
    conditions.watch()
    with pytest.raises(gate.Paused, match="nothing heard"):
        gate.require_open_way()
    gate.note_stream(account, VenueAccount.StreamState.SUBSCRIBED)
    conditions.watch()
    gate.require_open_way()


def test_new_orders_wait_while_our_clock_cannot_be_right(account: VenueAccount, venue: Venue) -> None:
    gate.note_stream(account, VenueAccount.StreamState.SUBSCRIBED)
    far = 120_000
    venue.on("GET", "/api/v3/time", lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000 + far}))
    gate.clock().forget()
    gate.measure_clock()
    conditions.watch()
    with pytest.raises(gate.Paused, match="clock"):
        gate.require_open_way()
    venue.on("GET", "/api/v3/time", lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000}))
    deadline = time.monotonic() + 10
    while breakers.of("primary", Operation.PLACE).seen().state != State.CLOSED:
        assert time.monotonic() < deadline
        conditions.watch()
        time.sleep(0.05)


def test_a_clock_five_seconds_off_holds_nothing_back(account: VenueAccount, venue: Venue) -> None:
    gate.note_stream(account, VenueAccount.StreamState.SUBSCRIBED)
    venue.on("GET", "/api/v3/time", lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000 + 5000}))
    gate.clock().forget()
    gate.measure_clock()
    conditions.watch()
    gate.require_open_way()
    assert breakers.of("primary", Operation.PLACE).seen().state == State.CLOSED
