"""A venue that is silent costs a request a moment, and nobody else anything."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings

from accounts.models import User
from exchange.gate import services as gate
from ledger import services as ledger
from ledger.models import DepositAddress
from markets import services as markets
from orders import services
from orders.errors import Busy, VenueUnreachable
from orders.models import Order
from tests.factories import balance, fund, make_market, make_user, publish_book, venue_account
from tests.ledger.money import CONFIG
from tests.orders.test_placing import place
from tests.venue import Venue, order_body

HANGS = 3  # seconds; whoever waits for the venue itself takes longer than this
MOMENT = 2  # seconds; ORDER_WAIT_MS and what the machine needs besides


class Silence:
    """The venue takes a request and says nothing, until it is over."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def then(self, answer: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def reply(asked: dict[str, Any]) -> Any:
            self.is_over.wait(HANGS)
            return answer(asked)

        return reply


@pytest.fixture
def alice(committed_db: str, venue: Venue) -> User:
    make_market()
    venue_account()
    publish_book()
    user = make_user()
    fund(user, "USDT", "1000000")
    return user


@pytest.fixture
def silence(alice: User) -> Iterator[Silence]:
    """Requests are carried by threads, as in the web process, and wait for three tenths of a second."""
    found = Silence()
    for pool in (gate.cancels, gate.addresses, gate.candles, gate._clock_thread, services.placing._threads):
        pool.cache_clear()
    with override_settings(RELAY_THREADS=4, ORDER_WAIT_MS=300):
        yield found
        found.is_over.set()
        for pool in (gate.cancels, gate.addresses, gate.candles):
            pool()._threads.shutdown()
            pool.cache_clear()
        for threads in (gate._clock_thread, services.placing._threads):
            threads().shutdown()
            threads.cache_clear()


def seconds_of(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def in_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def test_an_order_is_refused_at_once_while_the_venues_time_is_not_known(
    alice: User, venue: Venue, silence: Silence
) -> None:
    venue.on("GET", "/api/v3/time", silence.then(lambda asked: (500, "")))

    def refused() -> None:
        with pytest.raises(VenueUnreachable):
            place(alice)

    with ThreadPoolExecutor(10) as crowd:
        tries = [crowd.submit(in_thread, partial(seconds_of, refused)) for _customer in range(10)]
        done, _late = wait(tries)
    assert max(each.result() for each in done) < MOMENT
    assert not Order.objects.exists()
    assert balance(alice, "USDT") == (1000000, 0)


def test_an_old_measurement_serves_while_a_new_one_is_made(
    alice: User, venue: Venue, silence: Silence
) -> None:
    gate.measure_clock()
    gate.clock()._measured_at = time.monotonic() - 3600
    venue.on("GET", "/api/v3/time", silence.then(lambda asked: (500, "")))
    venue.places()
    found: list[Order] = []
    assert seconds_of(lambda: found.append(place(alice))) < MOMENT
    assert found[0].status == "OPEN"


def test_a_time_the_venue_refuses_is_measured_anew(alice: User, venue: Venue) -> None:
    venue.on("POST", "/api/v3/order", (400, {"code": -1021, "msg": "Timestamp for this request is outside."}))
    place(alice)
    place(alice, nonce="n2")
    assert venue.count("GET", "/api/v3/time") == 6  # three samples each


def test_a_cancel_waits_a_moment_and_is_carried_out_all_the_same(
    alice: User, venue: Venue, silence: Silence
) -> None:
    venue.places()
    order = place(alice)
    venue.on(
        "DELETE", "/api/v3/order", silence.then(lambda asked: (200, order_body(asked, status="CANCELED")))
    )
    assert seconds_of(lambda: services.cancel_order(user=alice, order_id=order.pk)) < MOMENT
    order.refresh_from_db()
    assert order.cancel_requested_at is not None
    silence.is_over.set()
    gate.cancels()._threads.shutdown()
    order.refresh_from_db()
    assert order.status == "CANCELED"


def test_an_address_is_made_behind_the_back_of_who_did_not_wait_for_it(
    alice: User, venue: Venue, silence: Silence, client: Client
) -> None:
    venue.on("GET", "/sapi/v1/capital/config/getall", (200, CONFIG))
    ledger.synchronise_networks()
    venue.on("POST", "/sapi/v1/sub-account/virtualSubAccount", (200, {"email": "alice@sub.example"}))
    address = {"coin": "USDT", "address": "T-alice", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/subAddress", silence.then(lambda asked: (200, address)))
    client.force_login(alice)
    wanted = {"asset": "USDT", "network": "TRX"}

    def ask() -> None:
        answer = client.post("/api/v1/deposit-address/", wanted, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")

    assert seconds_of(ask) < MOMENT
    assert seconds_of(ask) < MOMENT  # while the first is still under way
    silence.is_over.set()
    gate.addresses()._threads.shutdown()
    assert DepositAddress.objects.get().address == "T-alice"
    assert venue.count("POST", "/sapi/v1/sub-account/virtualSubAccount") == 1


def test_candles_the_venue_is_slow_to_give_are_there_for_who_asks_next(
    alice: User, venue: Venue, silence: Silence
) -> None:
    row = [1_700_000_000_000, "1", "2", "1", "2", "5", 1_700_000_059_999, "10", 3, "1", "1", "0"]
    venue.on("GET", "/api/v3/klines", silence.then(lambda asked: (200, [row])))
    assert seconds_of(lambda: markets.candles("BTCUSDT", "1m")) < MOMENT
    silence.is_over.set()
    gate.candles()._threads.shutdown()
    assert len(markets.candles("BTCUSDT", "1m")) == 1


def test_some_threads_never_wait_for_the_venue(alice: User, venue: Venue, silence: Silence) -> None:
    """Each of eight customers places an order; what finds no room is refused, and nothing is held for it."""
    venue.on("POST", "/api/v3/order", silence.then(lambda asked: (200, order_body(asked))))
    crowd = [make_user(f"customer{number}") for number in range(8)]
    for user in crowd:
        fund(user, "USDT", "100000")

    def tried(user: User) -> None:
        with suppress(Busy):
            place(user)

    with override_settings(ORDER_WAIT_MS=2000), ThreadPoolExecutor(8) as threads:
        tries = [threads.submit(in_thread, partial(seconds_of, partial(tried, user))) for user in crowd]
        times = sorted(each.result() for each in tries)
    assert times[1] < MOMENT < times[-1]
    assert 2 <= Order.objects.count() <= 4
    assert sum(balance(user, "USDT")[1] > 0 for user in crowd) == Order.objects.count()


def test_one_customer_leaves_room_for_the_others(alice: User, venue: Venue, silence: Silence) -> None:
    venue.on("POST", "/api/v3/order", silence.then(lambda asked: (200, order_body(asked))))
    bob = make_user("bob")
    fund(bob, "USDT", "100000")

    def flood(number: int) -> None:
        with suppress(Busy):
            place(alice, nonce=f"n{number}")

    with ThreadPoolExecutor(8) as threads:
        tries = [threads.submit(in_thread, partial(flood, number)) for number in range(8)]
        wait(tries)
    assert Order.objects.filter(user=alice).count() == 2
    assert place(bob).status == "PENDING"


def at_once(work: Callable[[], Order], count: int) -> list[Order]:
    with ThreadPoolExecutor(count) as crowd:
        tries = [crowd.submit(in_thread, work) for _number in range(count)]
        return [each.result() for each in tries]


def test_one_nonce_at_once_is_one_order_and_one_answer(alice: User, venue: Venue, silence: Silence) -> None:
    venue.on("POST", "/api/v3/order", silence.then(lambda asked: (200, order_body(asked))))
    threading.Timer(1, silence.is_over.set).start()
    with override_settings(ORDER_WAIT_MS=5000):
        found = at_once(partial(place, alice), 8)
    assert {(order.pk, order.status) for order in found} == {(Order.objects.get().pk, "OPEN")}
    assert venue.count("POST", "/api/v3/order") == 1


def test_a_repeat_waits_no_longer_than_the_first_may(alice: User, venue: Venue, silence: Silence) -> None:
    venue.on("POST", "/api/v3/order", silence.then(lambda asked: (200, order_body(asked))))
    found: list[Order] = []
    assert seconds_of(lambda: found.extend(at_once(partial(place, alice), 4))) < MOMENT
    assert {order.status for order in found} == {"PENDING"}


def test_a_cancel_the_venue_knows_nothing_of_and_will_not_explain_is_no_error(
    alice: User, venue: Venue
) -> None:
    venue.places()
    order = place(alice)
    venue.on("DELETE", "/api/v3/order", (400, {"code": -2011, "msg": "Unknown order sent."}))
    venue.on("GET", "/api/v3/order", (503, "<html>Service Unavailable</html>"))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "OPEN"
