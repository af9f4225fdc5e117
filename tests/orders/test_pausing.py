"""An outage of the venue as customers see it: refused at once with nothing held, cancels carried out, then as ever."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from pytest_django import Settings

from accounts.models import User
from exchange.binance.errors import Unknown
from exchange.gate import breakers
from exchange.gate import services as gate
from exchange.gate.breakers import Operation, State
from ledger.models import Hold
from orders import services
from orders.errors import VenuePaused
from orders.models import Order
from tests.exchange.paper.people import wait_for
from tests.factories import balance, fund, make_user, venue_account
from tests.orders.lists import BUY as BUY_FIRST
from tests.orders.lists import SELL_ALL, D, leg, statuses, tell, ticket, traded
from tests.orders.quiet import SYMBOL, Quiet, quiet, tell_prices
from tests.orders.test_placing import no_hold_is_left, place
from tests.orders.test_stopping import BODY, canceled, trade_page
from tests.venue import Venue

BROKEN = (503, "")


def break_line(venue: Venue, kind: gate.Kind) -> None:
    """So many calls of the kind fail that its breaker opens."""
    venue.on("GET", "/api/v3/openOrders", BROKEN)
    for _time in range(5):
        with pytest.raises(Unknown):
            gate.call(venue_account(), kind, None, lambda rest: rest.cancel("ETHUSDT", "nobody's"))


@pytest.fixture
def outage(alice: User, venue: Venue) -> Callable[[gate.Kind], None]:
    def begin(kind: gate.Kind) -> None:
        venue.on("DELETE", "/api/v3/order", BROKEN)
        break_line(venue, kind)

    return begin


def test_while_it_is_open_an_order_is_refused_before_anything_is_held(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None], client: Client
) -> None:
    outage(gate.Kind.PLACE)
    with pytest.raises(VenuePaused):
        place(alice)
    client.force_login(alice)
    answer = client.post("/api/v1/orders/", BODY, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (503, "venue_paused")
    assert "try again" in answer.json()["message"]
    assert venue.count("POST", "/api/v3/order") == 0
    assert (Order.objects.count(), balance(alice, "USDT")) == (0, (100_000, 0))


def test_what_met_an_open_breaker_at_the_gate_is_rejected_and_released(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None], settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.01
    outage(gate.Kind.PLACE)
    time.sleep(0.05)

    def meanwhile(asked: Any) -> Any:
        breakers.forget()  # another process, whose order was held for before it saw the probe
        other = place(alice, nonce="other")
        assert (other.status, other.reason_code) == ("REJECTED", "busy")
        return BROKEN

    venue.on("POST", "/api/v3/order", meanwhile)
    assert place(alice).status == "PENDING"
    assert venue.count("POST", "/api/v3/order") == 1
    assert balance(alice, "USDT") == (61_000, 39_000)


def test_what_waits_for_a_first_order_waits_on(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None]
) -> None:
    venue.places(orderId=4713)
    oto = services.place_order_list(user=alice, ticket=ticket("OTO", working=BUY_FIRST, pending=SELL_ALL))
    outage(gate.Kind.PLACE)
    tell(traded(leg(oto, "WORKING"), 7, "1", "39000"))
    services.follow_lists()
    assert (statuses(oto), no_hold_is_left()) == (["FILLED", "WAITING"], True)


def test_a_cancel_is_tried_whatever_failed_before(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None]
) -> None:
    venue.places()
    order = place(alice)
    outage(gate.Kind.CANCEL)
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, canceled(order)))
    assert services.cancel_order(user=alice, order_id=order.pk).status == "CANCELED"


def test_a_cancel_that_has_to_wait_is_taken_and_the_sweep_carries_it_out(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None], client: Client, settings: Settings
) -> None:
    settings.SWEEP_SECONDS = 0
    venue.places()
    order = place(alice)
    outage(gate.Kind.CANCEL)
    client.force_login(alice)
    told: list[dict[str, Any]] = []

    def meanwhile(asked: Any) -> Any:
        """Somebody else's cancel is the one that is tried."""
        told.append(client.delete(f"/api/v1/orders/{order.pk}/").json())
        return BROKEN

    venue.on("DELETE", "/api/v3/order", meanwhile)
    with pytest.raises(Unknown):
        gate.call(venue_account(), gate.Kind.CANCEL, None, lambda rest: rest.cancel("ETHUSDT", "nobody's"))
    assert told[0]["status"] == "OPEN" and told[0]["cancel_requested_at"]
    venue.knows(status="NEW")
    venue.on("DELETE", "/api/v3/order", lambda asked: (200, canceled(order)))
    services.resolve_pending()
    order.refresh_from_db()
    assert order.status == "CANCELED"
    assert balance(alice, "USDT") == (100_000, 0)


def test_the_ticket_says_that_it_is_paused_in_place_of_its_button(
    alice: User, venue: Venue, outage: Callable[[gate.Kind], None]
) -> None:
    assert "data-submit" in trade_page(alice)
    outage(gate.Kind.PLACE)
    page = trade_page(alice)
    assert "data-paused" in page and "data-submit" not in page


# ------------------------------------------------------------------ under load
@pytest.fixture
def market(committed_db: str) -> Iterator[Quiet]:
    with quiet() as found, override_settings(BREAKER_OPEN_SECONDS=1, BREAKER_LONGEST_SECONDS=2):
        yield found


class Crowd:
    """Customers who order again and again, and cancel what rests, until they are sent home."""

    def __init__(self, users: list[User], price: str) -> None:
        self.users, self.price, self.is_over = users, price, threading.Event()
        self.told: list[tuple[float, float, str]] = []
        self.threads = [threading.Thread(target=self._trade, args=(user,)) for user in users]

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def _trade(self, user: User) -> None:
        try:
            while not self.is_over.is_set():
                began = time.time()
                self.told.append((began, time.time() - began, self._order(user, f"{user.pk}-{began}")))
                time.sleep(0.02)
        finally:
            connection.close()

    def _order(self, user: User, nonce: str) -> str:
        wanted = services.Ticket(
            symbol=SYMBOL, side="BUY", type="LIMIT", time_in_force="GTC", price=D(self.price),
            quantity=D("0.001"), nonce=nonce.replace(".", "-"),
        )  # fmt: skip
        try:
            return services.place_order(user=user, ticket=wanted).status
        except VenuePaused:
            return "PAUSED"

    def since(self, moment: float) -> list[str]:
        return [status for began, _took, status in list(self.told) if began >= moment]


def struck(market: Quiet, door: str, of: int) -> int:
    """How many calls at the door met the fault."""
    waiting = market.trader.door_get("state")["faults"]
    return of - sum(fault["count"] for fault in waiting if fault["on"] == door)


def test_a_venue_that_answers_nothing_but_5xx_is_left_alone_and_found_again(
    market: Quiet, settings: Settings, figure: Callable[[str], None]
) -> None:
    settings.OPEN_ORDERS_SHARE_PERCENT, settings.BOOK_STALE_SECONDS, many = 100, 600, 100_000
    market.trader.door("fault", do="order limit", tenSeconds=100_000, day=1_000_000)
    users = [make_user(f"customer{number}") for number in range(6)]
    for user in users:
        fund(user, "USDT", "1000000")
    tell_prices(market.last)
    with Crowd(users, f"{market.last * 99 / 100:.2f}") as crowd:
        wait_for(lambda: crowd.since(0).count("OPEN") > 20, 30)
        resting = Order.objects.filter(user=users[0], status="OPEN").earliest("id")
        for door in ("place", "cancel", "query", "open orders"):
            market.trader.door("fault", on=door, do="503 before", count=many)
        broken_at = time.time()
        wait_for(lambda: "PAUSED" in crowd.since(broken_at), 30)
        paused_at = time.time()
        canceled_one = services.cancel_order(user=users[0], order_id=resting.pk)
        tried = struck(market, "cancel", many)
        time.sleep(5)
        during = [row for row in list(crowd.told) if row[0] >= paused_at]
        at_the_venue = struck(market, "place", many)
        market.trader.door("fault", do="clear")
        wait_for(lambda: "OPEN" in crowd.since(paused_at), 30)
        again_at = time.time()
        wait_for(lambda: crowd.since(again_at).count("OPEN") > 20, 30)
    statuses = [status for _began, _took, status in during]
    refusals = sorted(took for _began, took, status in during if status == "PAUSED")
    figure(
        f"{len(statuses)} orders in 5 s of outage, {statuses.count('PAUSED')} refused before anything was held,"
        f" p95 {refusals[int(len(refusals) * 0.95)] * 1000:.1f} ms; {at_the_venue} requests to place reached the venue"
    )
    assert refusals[int(len(refusals) * 0.95)] < 0.5
    assert (
        at_the_venue <= 10 + len(users) + 5
    )  # half of the last calls opened it, some were under way, and probes
    assert tried >= 1 and canceled_one.cancel_requested_at is not None
    assert breakers.of("primary", Operation.PLACE).seen().state == State.CLOSED
    nothing_is_left(market, resting)


def nothing_is_left(market: Quiet, resting: Order) -> None:
    """Every order is what it is at the venue, only what is open there is held for, a wish of then is carried out."""
    market.let_time_pass()
    with override_settings(BREAKER_CLOCK_MS=600_000):
        wait_for(lambda: _swept(market), 60)
    resting.refresh_from_db()
    assert resting.status == "CANCELED"
    assert Hold.objects.filter(is_open=True).count() == len(market.open_orders())
    found = Order.objects.filter(status="OPEN").values_list("venue_orders__client_order_id", flat=True)
    assert set(found) == set(market.open_orders())


def _swept(market: Quiet) -> bool:
    market.sweep()
    return not Order.objects.filter(status="PENDING").exists() and not (
        Order.objects.filter(cancel_requested_at__isnull=False, finished_at=None).exists()
    )
