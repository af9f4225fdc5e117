"""What processes tell and ask of the same order at the same moment; see `tests.race`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import responses
from django.test import override_settings

from accounts.models import User
from exchange.gate import services as gate
from orders import services
from orders.errors import OrderIsClosed
from orders.models import Order
from tests.orders.test_placing import ticket
from tests.orders.test_reports import event, tell, traded
from tests.race import Runner
from tests.venue import REST, Venue, error, order_body, trade_body

KEYS = {
    "BINANCE_API_KEY": "key",
    "BINANCE_API_SECRET": "secret",
    "BINANCE_REST_URL": REST,
    "RELAY_THREADS": 0,
}


@contextmanager
def the_wire() -> Iterator[Venue]:
    """The venue at this process's wire."""
    with override_settings(**KEYS), responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        gate.venue_key.cache_clear()
        yield Venue(mock)


def placed(runner: Runner, number: int) -> Order:
    """The first process places the round's order, the others find it."""
    user = User.objects.get(pk=runner.facts["user"])
    if runner.number == 0:
        services.place_order(user=user, ticket=ticket(nonce=f"round-{number}"))
    runner.wait()
    return Order.objects.get(user=user, nonce=f"round-{number}")


def cancel_against_fill(runner: Runner) -> None:
    """Half of the order was traded before it was canceled; the two facts arrive at the same moment, in any order."""
    with the_wire() as venue:
        venue.places()
        for number in range(runner.facts["rounds"]):
            order = placed(runner, number)
            trade = trade_body(4711, order.pk, "39000.00", "0.5", "19500.0", orderListId=-1)
            # The venue's list of trades may lag behind what it tells.
            venue.on("GET", "/api/v3/myTrades", (200, [trade] if number % 2 else []))
            own = order.venue_orders.get().client_order_id
            runner.wait()
            if runner.number:
                tell(event(order, "CANCELED", "CANCELED", z="0.5", Z="19500.0", c="x", C=own))
            else:
                tell(traded(order, order.pk, "0.5", "0.5"))
            runner.wait()


def cancels(runner: Runner) -> list[str]:
    """Everybody cancels the same order; the venue cancels it for the first who asks and knows it no more."""
    with the_wire() as venue:
        venue.places()
        venue.knows(status="CANCELED")
        found = []
        for number in range(runner.facts["rounds"]):
            order = placed(runner, number)
            venue.on("DELETE", "/api/v3/order", partial(answer, runner, number))
            runner.wait()
            try:
                found.append(services.cancel_order(user=order.user, order_id=order.pk).status)
            except OrderIsClosed:
                found.append("CLOSED")
            runner.wait()
        return found


def answer(runner: Runner, number: int, asked: dict[str, str]) -> Any:
    with runner.counter.get_lock():
        is_first, runner.counter.value = runner.counter.value <= number, number + 1
    return (200, order_body(asked, status="CANCELED")) if is_first else error(-2011, "Unknown order sent.")
