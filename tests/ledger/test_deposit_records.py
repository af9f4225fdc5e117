"""Records as they should not come: without an id, out of order, twice at once, in pieces."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from exchange.binance.wallet import DepositRecord
from exchange.gate import services as gate
from ledger import rules
from ledger import services as ledger
from ledger.models import Deposit, SubAccount
from ledger.services.deposits.crediting import Page, see_deposit
from tests.factories import balance
from tests.ledger.money import SUB_HISTORY, poll, record, with_address
from tests.venue import Venue

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def see(body: dict[str, Any], *, minute: int, known: int | None = None) -> bool:
    """What a reading at that minute after noon said is applied now."""
    sub_account = SubAccount.objects.select_related("user").get()
    page = Page(gate.primary_account(), sub_account, NOON + timedelta(minutes=minute))
    return see_deposit(DepositRecord.from_wire(body), page, known)


def test_what_was_read_earlier_and_applied_later_changes_nothing(depositor: User) -> None:
    with_address(depositor)
    see(record(status=1), minute=5)
    known = Deposit.objects.get().pk
    for status in (0, 6, 7):
        assert see(record(status=status), minute=4, known=known) is False
    depositor.refresh_from_db()
    assert (Deposit.objects.get().status, depositor.is_frozen) == ("CREDITED", False)


def test_two_readings_that_both_find_it_new_credit_it_once(depositor: User) -> None:
    with_address(depositor)
    assert [see(record(), minute=minute) for minute in (1, 2)] == [True, False]
    assert balance(depositor, "USDT")[0] == 100


def test_records_without_an_id_are_told_apart_by_what_they_say(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    rows = [record(id=None), record(id="", amount="7"), record(id=None, txId="tx2")]
    for _time in range(3):
        poll(venue, *rows)
    assert balance(depositor, "USDT")[0] == 207


def test_a_record_that_is_given_an_id_later_is_not_credited_again(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    poll(venue, record(id=None))
    for _time in range(2):
        poll(venue, record(id="4711"))
    assert (balance(depositor, "USDT")[0], Deposit.objects.get().venue_id) == (100, "4711")


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ({"status": "?"}, "CHECKING"),
        ({"insertTime": None}, "CREDITED"),
        ({"confirmTimes": None}, "CREDITED"),
        ({"address": None}, "CREDITED"),
        ({"network": None}, "CREDITED"),
        ({"txId": None}, "CREDITED"),
    ],
    ids=str,
)
def test_a_record_with_a_piece_missing_stops_nothing(
    depositor: User, venue: Venue, odd: dict[str, Any], shown: str
) -> None:
    with_address(depositor)
    poll(venue, record(1, **odd), record(2))
    assert dict(Deposit.objects.values_list("venue_id", "status")) == {"1": shown, "2": "CREDITED"}
    assert balance(depositor, "USDT")[0] == (200 if shown == "CREDITED" else 100)


def test_a_reading_that_failed_is_made_up_for_by_the_next(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    venue.on("GET", SUB_HISTORY, (503, ""))
    ledger.poll_deposits()
    poll(venue, record())
    assert balance(depositor, "USDT")[0] == 100


@pytest.mark.parametrize(("days", "pieces"), [(1, 1), (89, 1), (90, 2), (178, 2), (400, 5)])
def test_windows_are_shorter_than_ninety_days_and_leave_no_gap(days: int, pieces: int) -> None:
    end = 1_800_000_000_000
    start = end - days * rules.DAY_MS
    found = rules.windows(start, end)
    assert len(found) == pieces
    assert all(0 < last - first < 90 * rules.DAY_MS for first, last in found)
    assert [found[-1][0], *(first for first, _last in found[:-1])] == [
        start,
        *(last for _first, last in found[1:]),
    ]


@pytest.mark.parametrize(
    ("text", "minutes", "left"),
    [("2/6", 3, 2), ("6/6", 3, 0), ("0/1", 1, 1), ("", 3, None), ("x/6", 3, None), ("1/0", 3, None)],
)
def test_the_time_that_is_left_follows_the_confirmations(text: str, minutes: int, left: int | None) -> None:
    assert rules.minutes_left(text, minutes) == left


@pytest.mark.parametrize(
    ("amount", "coin", "is_odd"),
    [("1", "BTC", False), ("0", "BTC", True), ("-1", "BTC", True), ("NaN", "BTC", True), ("Infinity", "BTC", True),
     ("1e20", "BTC", True), ("99999999999999999999", "BTC", False), ("1e-18", "BTC", False), ("1e-19", "BTC", True),
     ("1", "", True), ("1", "X" * 33, True)],
)  # fmt: skip
def test_what_can_never_be_booked_is_odd(amount: str, coin: str, is_odd: bool) -> None:
    assert bool(rules.oddity_of_deposit(Decimal(amount), coin, ())) == is_odd
