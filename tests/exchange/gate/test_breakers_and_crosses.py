"""What is taken back from the venue to be traded here is a part of placing, and no new order."""

from typing import Any

import pytest
from pytest_django import Settings

from exchange.gate import services as gate
from exchange.gate.breakers import State
from exchange.gate.models import VenueAccount
from tests.exchange.gate.test_breakers import (
    BROKEN,
    CANCEL,
    account,
    fail,
    place,
    quick,
    state_of,
    until_half_open,
    works,
)
from tests.venue import Venue

__all__ = ["account", "quick"]


def take_back(account: VenueAccount) -> Any:
    return gate.call(account, gate.Kind.TAKE_BACK, None, lambda rest: rest.cancel("BTCUSDT", "mine"))


def test_what_is_taken_back_to_be_traded_here_does_not_show_that_orders_can_be_placed(
    account: VenueAccount, venue: Venue, settings: Settings
) -> None:
    settings.BREAKER_OPEN_SECONDS = 0.2
    venue.on(*CANCEL, BROKEN)
    fail(account)
    works(venue)
    until_half_open(account)
    with pytest.raises(gate.Paused):
        take_back(account)
    assert (venue.count(*CANCEL), state_of(account)) == (5, State.HALF_OPEN)
    place(account)
    assert state_of(account) == State.CLOSED
    assert take_back(account)


def test_what_is_taken_back_does_not_outweigh_orders_that_fail(account: VenueAccount, venue: Venue) -> None:
    works(venue)
    for _time in range(10):
        take_back(account)
    venue.on(*CANCEL, BROKEN)
    fail(account)
    assert state_of(account) == State.OPEN
