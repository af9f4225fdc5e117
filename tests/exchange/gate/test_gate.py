"""The one road to the venue: bans stop every process, relays are bounded, nothing is asked inside a transaction."""

import time
from functools import partial

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import override_settings
from pytest_django import Settings

from exchange.binance.errors import NotSent
from exchange.gate import bans
from exchange.gate import queries as gate_queries
from exchange.gate import services as gate
from exchange.gate.models import Installation, VenueAccount
from tests.venue import Venue, error


def ask_time() -> int:
    return gate.call(None, gate.Kind.MARKET_DATA, None, lambda rest: rest.time())


def test_a_429_silences_this_process_and_every_other(db: None, venue: Venue) -> None:
    venue.on(
        "GET", "/api/v3/time", (*error(-1003, "Too much request weight used.", 429), {"Retry-After": "30"})
    )
    for _time in range(3):
        with pytest.raises(NotSent) as refusal:
            ask_time()
    assert venue.count("GET", "/api/v3/time") == 1
    assert 25 < (refusal.value.retry_after or 0) <= 30
    bans.forget()  # another process knows it from the shared memory
    assert gate.blocked_for() > 25


def test_a_ban_holds_in_this_process_when_the_shared_memory_is_empty(db: None, venue: Venue) -> None:
    venue.on("GET", "/api/v3/time", (*error(-1003, "IP banned.", 418), {"Retry-After": "120"}))
    with pytest.raises(NotSent):
        ask_time()
    cache.clear()
    assert gate.blocked_for() > 100


def test_the_used_weight_is_known_to_everybody(venue: Venue) -> None:
    venue.on("GET", "/api/v3/time", (200, {"serverTime": 1}, {"X-MBX-USED-WEIGHT-1M": "37"}))
    ask_time()
    assert gate_queries.status()["used_weight_1m"] == 37


def test_more_relays_than_allowed_are_told_to_come_again(venue: Venue, settings: Settings) -> None:
    settings.GATE_MAX_RELAYS = 1
    for kind in (gate.Kind.PLACE, gate.Kind.CANCEL):
        assert gate.call(None, kind, None, partial(busy, kind)) == "busy"


def busy(kind: gate.Kind, _rest: gate.Rest) -> str:
    with pytest.raises(gate.Busy) as refusal:
        gate.call(None, kind, None, lambda rest: None)
    return refusal.value.reason


def test_a_cancel_never_waits_behind_placements(venue: Venue, settings: Settings) -> None:
    settings.GATE_MAX_RELAYS = 1

    def cancel() -> str:
        return gate.call(None, gate.Kind.CANCEL, None, lambda rest: "canceled")

    began = time.monotonic()
    assert gate.call(None, gate.Kind.PLACE, None, lambda rest: cancel()) == "canceled"
    assert time.monotonic() - began < 0.3


def test_the_venue_is_never_asked_inside_a_transaction(db: None, venue: Venue) -> None:
    with (
        override_settings(GATE_INSIDE_TRANSACTIONS=False),
        pytest.raises(AssertionError),
        transaction.atomic(),
    ):
        ask_time()


def test_without_a_key_nothing_signed_is_sent(venue: Venue) -> None:
    with override_settings(BINANCE_API_KEY=""), pytest.raises(NotSent):
        gate.call(None, gate.Kind.QUERY, None, lambda rest: rest.account())
    assert venue.asked == []


def test_only_the_process_with_the_withdrawal_key_can_withdraw(venue: Venue) -> None:
    with pytest.raises(NotSent):
        gate.call(None, gate.Kind.WITHDRAW, None, lambda rest: rest.account())


def test_a_database_remembers_its_venue(db: None) -> None:
    gate.remember_venue()
    with (
        override_settings(VENUE="live"),
        pytest.raises(gate.WrongVenue, match="belongs to a paper installation"),
    ):
        gate.remember_venue()
    assert Installation.objects.get().venue == "paper"


def test_a_process_of_another_venue_ends_with_a_sentence(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    gate.remember_venue()
    with override_settings(VENUE="live"), pytest.raises(SystemExit) as end:
        gate.refuse_unfit_database()
    assert end.value.code == 2
    assert "belongs to a paper installation" in capsys.readouterr().err


def test_there_is_one_primary_account(db: None) -> None:
    assert gate.ensure_primary_account() == gate.ensure_primary_account() == gate.primary_account()
    assert VenueAccount.objects.count() == 1
