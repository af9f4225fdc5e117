"""The venue's limit of a day, driven to nine tenths on a paper venue that counts as documented (binance.md 6)."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest
from django.core.cache import cache
from django.test import override_settings

from exchange.gate import bans, limits
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.paper.accounts import MAIN
from exchange.paper.venue import Venue
from orders.rules import new_client_order_id
from tests.conftest import begin_with_nothing_used, forget_the_venue
from tests.exchange.binance.test_outcomes import ORDER as TICKET
from tests.exchange.gate.contests import venue_settings
from tests.exchange.paper.people import Caller, serving
from tests.factories import venue_account
from tests.orders.stage import PRICE, STRANGER, SYMBOL, quiet_venue

DAY, LIMIT, NINE_TENTHS = 86_400, 40, 36
PIECE = Decimal("0.001")
customers = count(1)


@pytest.fixture
def account(db: None) -> VenueAccount:
    return venue_account()


@pytest.fixture
def paper(account: VenueAccount) -> Iterator[tuple[Venue, Caller]]:
    """Forty orders a day, as many as anybody likes in ten seconds; nine tenths may be used."""
    venue = quiet_venue()
    venue.limits.orders_10s, venue.limits.orders_day = 1000, LIMIT
    with serving(venue) as url, override_settings(**venue_settings(url), GATE_ORDERS_PERCENT=90):
        forget_the_venue()
        begin_with_nothing_used(None)
        gate.learn_limits(venue.limits.rows())
        yield venue, Caller(url, STRANGER)
    forget_the_venue()


def place(account: VenueAccount) -> None:
    """Somebody's order, one of many customers', that rests."""
    gate.measure_clock()
    wanted = replace(
        TICKET, price=PRICE, quantity=PIECE, client_order_id=new_client_order_id(), timestamp_ms=gate.clock().now_ms()
    )  # fmt: skip
    gate.call(account, gate.Kind.PLACE, next(customers), lambda rest: rest.place(wanted))


def placed(account: VenueAccount) -> tuple[int, str]:
    """How many until there was no room, and of what."""
    for done in range(2 * LIMIT):
        try:
            place(account)
        except gate.Full as full:
            return done, full.what
    return 2 * LIMIT, ""


def known(account: VenueAccount) -> int:
    found = limits.windows(limits.state(bans.account_key(account.name)), "orders")
    return next(window.used for window in found if window.seconds == DAY)


def today(venue: Venue) -> int:
    return venue.limits.order_counts(venue.accounts[MAIN].account_id)[1]


def test_it_refuses_in_time_hears_of_fills_and_outlives_a_flush(
    account: VenueAccount, paper: tuple[Venue, Caller]
) -> None:
    venue, stranger = paper
    assert placed(account) == (NINE_TENTHS, "orders")
    assert today(venue) == known(account) == NINE_TENTHS

    # Two of what rests are met: each gives five places back, and nobody has heard of it yet.
    for _time in range(2):
        stranger.signed(
            "POST", "/api/v3/order", symbol=SYMBOL, side="SELL", type="LIMIT", timeInForce="IOC", price=str(PRICE),
            quantity=str(PIECE),
        ).raise_for_status()  # fmt: skip
    assert (today(venue), known(account)) == (NINE_TENTHS - 10, NINE_TENTHS)
    assert placed(account) == (0, "orders")
    assert gate.renew_order_counts() == 1
    assert known(account) == NINE_TENTHS - 10
    assert placed(account) == (10, "orders")

    # The first that is sent afterwards learns what the venue has counted.
    cache.clear()
    assert placed(account) == (1, "orders")
    assert today(venue) == known(account) == NINE_TENTHS + 1
    assert venue.limits.unwelcome == {}
