"""The moment at which a withdrawal leaves: not late, and not after what it depends on could not be asked."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest
from django.db import connections
from django.test import override_settings

from accounts.models import User
from exchange.gate import services as gate
from ledger import services as ledger
from ledger.models import Deposit, Withdrawal
from markets import feed
from markets.models import Asset
from tests.factories import make_user, publish_ticker
from tests.ledger.conftest import enrich, gives_addresses
from tests.ledger.money import (
    APPLY,
    approved,
    confirmed,
    poll,
    record,
    request,
    staff,
    status_of,
    with_address,
)
from tests.venue import Venue

TERMS, ROW, HOLD = "ledger_withdrawalterms", "ledger_withdrawal", "ledger_hold"


def test_one_whose_turn_was_too_long_ago_is_not_sent_but_may_be_later(rich: User, venue: Venue) -> None:
    withdrawal = approved(rich)
    with override_settings(ORDER_SEND_BY_MS=-1):
        assert not ledger.send_next_withdrawal()
    assert (status_of(withdrawal), venue.count("POST", APPLY)) == ("APPROVED", 0)
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"


def test_a_house_with_nothing_to_send_asks_nobody(rich: User, venue: Venue) -> None:
    confirmed(rich)
    gate.clock().forget()
    before = len(venue.asked)
    assert not ledger.send_next_withdrawal()
    assert len(venue.asked) == before


# ------------------------------------------------------------------ prices
def with_a_locked_bitcoin(user: User, venue: Venue) -> User:
    """What leaves depends on what bitcoin is worth."""
    Asset.objects.create(code="BTC")
    publish_ticker("BTCUSDT", "40000")
    poll(venue, record(coin="BTC", amount="0.01", status=6))
    assert Deposit.objects.get().status == Deposit.Status.LOCKED
    return user


def nobody_says_prices() -> None:
    feed.client().delete(feed.TICKERS)


def test_what_depends_on_prices_waits_for_them_and_holds_nobody_up(rich: User, venue: Venue) -> None:
    first = approved(with_a_locked_bitcoin(with_address(rich), venue))
    second = approved(enrich(make_user("bob")))
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    nobody_says_prices()
    assert [ledger.send_next_withdrawal() for _time in range(2)] == [True, False]
    assert (status_of(second), status_of(first), first.approvals.count()) == ("SENT", "APPROVED", 1)
    assert "DEPOSIT_LOCKED" not in first.reasons
    publish_ticker("BTCUSDT", "40000")
    ledger.send_next_withdrawal()
    assert status_of(first) == "SENT"


ACTS: dict[str, tuple[str, Callable[[Withdrawal], object]]] = {
    "asked for": (TERMS, lambda first: request(first.user, nonce="n2", amount=Decimal(50))),
    "approved": (ROW, lambda first: ledger.approve_withdrawal(withdrawal_id=first.pk, by=staff())),
    "sent": (HOLD, lambda first: ledger.send_next_withdrawal()),
}


@pytest.mark.parametrize("act", ACTS)
def test_prices_are_read_before_anything_is_locked(
    really_rich: User, venue: Venue, owner: psycopg.Connection, act: str
) -> None:
    gives_addresses(venue)
    venue.on("POST", APPLY, (200, {"id": "w1"}))
    first = confirmed(with_a_locked_bitcoin(with_address(really_rich), venue))
    staff()
    if act == "sent":
        ledger.approve_withdrawal(withdrawal_id=first.pk, by=staff())
    table, does = ACTS[act]
    with owner.transaction():
        owner.execute(f"SELECT 1 FROM {table} FOR UPDATE")
        acting = threading.Thread(target=in_a_session_of_its_own, args=(lambda: does(first),))
        acting.start()
        until_somebody_waits_for(owner)
        nobody_says_prices()
    acting.join()
    expected = {"asked for": ["REQUESTED", "AWAITING"], "approved": ["APPROVED"], "sent": ["SENT"]}
    assert list(Withdrawal.objects.order_by("id").values_list("status", flat=True)) == expected[act]


def in_a_session_of_its_own(work: Callable[[], object]) -> None:
    try:
        work()
    finally:
        connections.close_all()


def until_somebody_waits_for(owner: psycopg.Connection) -> None:
    until = time.monotonic() + 5
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    while owner.execute(waits).fetchone() is None:
        assert time.monotonic() < until, "nobody came to the lock"
        time.sleep(0.02)
