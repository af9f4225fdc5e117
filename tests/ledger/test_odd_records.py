"""Records of withdrawals that are malformed, or not of what was sent: nothing is settled, and no other waits."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from ledger import services as ledger
from ledger.models import Account, LedgerException, Network, Withdrawal
from tests.factories import balance, held_by_the_house
from tests.ledger.money import ADDRESS, APPLY, SENT, approved, sent_record, status_of
from tests.venue import Venue

NOT_AS_SENT = "withdrawal not as it was sent"
MALFORMED: list[dict[str, Any]] = [
    {"status": "x"},
    {"status": None},
    {"status": 99},
    {"amount": "abc"},
    {"amount": None},
    {"amount": "NaN"},
    {"amount": "1e999999"},
    {"transactionFee": "abc"},
    {"transactionFee": "sNaN"},
]
DIFFERENT: list[tuple[str, dict[str, Any]]] = [
    ("id", {"id": "w9"}),
    ("id", {"id": ""}),
    ("coin", {"coin": "BTC"}),
    ("coin", {"coin": None}),
    ("network", {"network": "ETH"}),
    ("address", {"address": "ELSEWHERE"}),
    ("tag", {"addressTag": "77"}),
    ("figures", {"amount": "5000"}),
    ("figures", {"amount": "0"}),
    ("figures", {"amount": "-5"}),
    ("figures", {"amount": "50"}),
    ("figures", {"amount": "50", "transactionFee": "50"}),
    ("figures", {"transactionFee": "-1"}),
    ("figures", {"transactionFee": "1000"}),
    ("figures", {"transactionFee": "2.000001"}),
    ("figures", {"amount": "101", "transactionFee": "0"}),
]


def sent(user: User, venue: Venue, name: str) -> Withdrawal:
    venue.on("POST", APPLY, (200, {"id": name}))
    withdrawal = approved(user, nonce=name)
    ledger.send_next_withdrawal()
    assert status_of(withdrawal) == "SENT"
    return withdrawal


def told(venue: Venue, *records: object) -> None:
    venue.on("GET", SENT, (200, list(records)))
    ledger.poll_withdrawals()


@pytest.mark.parametrize("odd", MALFORMED, ids=str)
def test_a_malformed_record_is_before_staff_once_and_stops_no_other(
    rich: User, venue: Venue, odd: dict[str, Any]
) -> None:
    first, second = sent(rich, venue, "w1"), sent(rich, venue, "w2")
    for _time in range(2):
        told(venue, {**sent_record(first, 6), **odd}, sent_record(second, 6, id="w2"))
    assert (status_of(first), status_of(second)) == ("SENT", "COMPLETED")
    found = LedgerException.objects.get()
    assert (found.source, found.detail["withdrawal"]) == (NOT_AS_SENT, first.pk)


@pytest.mark.parametrize("nobodys", [{}, None, "x", {"id": [], "withdrawOrderId": {}, "status": 6}], ids=str)
def test_a_record_that_names_nobody_stops_no_other(rich: User, venue: Venue, nobodys: object) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, nobodys, sent_record(withdrawal, 6))
    assert status_of(withdrawal) == "COMPLETED"
    assert not LedgerException.objects.exists()


@pytest.mark.parametrize(("fact", "odd"), DIFFERENT, ids=str)
def test_a_completed_record_of_something_else_settles_nothing(
    rich: User, venue: Venue, fact: str, odd: dict[str, Any]
) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, {**sent_record(withdrawal, 6), **odd})
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("SENT", (900, 100))
    found = LedgerException.objects.get()
    assert (found.source, found.detail["differs"]) == (NOT_AS_SENT, [fact])


def test_a_failed_record_of_something_else_refunds_nothing(rich: User, venue: Venue) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, sent_record(withdrawal, 5, address="ELSEWHERE"))
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("SENT", (900, 100))
    assert LedgerException.objects.get().source == NOT_AS_SENT


def test_a_second_sending_under_our_id_is_before_staff(rich: User, venue: Venue) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, sent_record(withdrawal, 6, id="w9", txId="tx9"), sent_record(withdrawal, 6))
    assert (status_of(withdrawal), withdrawal.tx_id, balance(rich, "USDT")) == ("COMPLETED", "tx", (900, 0))
    assert LedgerException.objects.get().detail["differs"] == ["id"]


def test_what_was_told_wrongly_settles_as_soon_as_it_is_told_rightly(rich: User, venue: Venue) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, sent_record(withdrawal, 6, amount="5000"))
    told(venue, sent_record(withdrawal, 6))
    assert (status_of(withdrawal), balance(rich, "USDT")) == ("COMPLETED", (900, 0))


@pytest.mark.parametrize(
    ("amount", "fee", "house"),
    [("99.5", "0.5", "0"), ("98", "2", "0"), ("99", "1.7", "-0.7"), ("99", "0", "1"), ("100", "1", "-1")],
)
def test_a_fee_that_moved_by_less_than_itself_is_booked_as_reported(
    rich: User, venue: Venue, amount: str, fee: str, house: str
) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, sent_record(withdrawal, 6, amount=amount, transactionFee=fee))
    assert status_of(withdrawal) == "COMPLETED"
    accounts = (Account.Type.FEES, Account.Type.NETWORK_FEES)
    assert sum(held_by_the_house(kind, "USDT") for kind in accounts) == Decimal(house)


def test_the_fee_its_network_has_now_is_the_measure_when_it_is_higher(rich: User, venue: Venue) -> None:
    withdrawal = sent(rich, venue, "w1")
    Network.objects.update(withdraw_fee=Decimal(3))
    told(venue, sent_record(withdrawal, 6, amount="97", transactionFee="3"))
    assert status_of(withdrawal) == "COMPLETED"


def test_an_address_in_another_case_is_the_same(rich: User, venue: Venue) -> None:
    withdrawal = sent(rich, venue, "w1")
    told(venue, sent_record(withdrawal, 6, address=ADDRESS.lower()))
    assert status_of(withdrawal) == "COMPLETED"
