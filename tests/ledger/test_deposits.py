"""Money in, with the venue at its wire: credited once, to whom it belongs."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import User
from ledger import services as ledger
from ledger.errors import NoOwnAddress
from ledger.models import Account, Deposit, LedgerException
from tests.factories import balance, held_by_the_house, make_user
from tests.ledger.money import HISTORY, TRANSFER, poll, record, with_address
from tests.venue import Venue, error


def test_a_final_deposit_is_credited_once_however_often_it_is_seen(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    for _time in range(5):
        poll(venue, record())
    assert balance(depositor, "USDT") == (100, 0)
    assert Deposit.objects.get().status == "CREDITED"


def test_it_is_swept_to_the_trading_account_once(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    for _time in range(3):
        poll(venue, record())
    assert venue.count("POST", TRANSFER) == 1
    assert held_by_the_house(Account.Type.VENUE, "USDT") == -100
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0


def test_a_sweep_without_an_answer_is_looked_up_and_not_repeated(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    venue.on("POST", TRANSFER, (504, ""))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == -100
    venue.on("GET", TRANSFER, (200, {"result": [{"status": "SUCCESS", "tranId": 1}], "totalCount": 1}))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0
    assert venue.count("POST", TRANSFER) == 1


@pytest.mark.parametrize("status", [0, 6, 8, 2, 7])
def test_a_deposit_that_is_not_final_is_shown_and_not_credited(
    depositor: User, venue: Venue, status: int
) -> None:
    with_address(depositor)
    poll(venue, record(status=status, confirmTimes="0/1"))
    assert balance(depositor, "USDT") == (0, 0)
    assert Deposit.objects.get().status == ("REJECTED" if status in (2, 7) else "SEEN")


def test_confirmations_grow_until_the_credit(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    seen = []
    for confirmations, status in (("0/2", 0), ("1/2", 0), ("2/2", 1)):
        poll(venue, record(status=status, confirmTimes=confirmations))
        seen.append((Deposit.objects.get().confirmations, Deposit.objects.get().status))
    assert seen == [("0/2", "SEEN"), ("1/2", "SEEN"), ("2/2", "CREDITED")]


def test_two_outputs_of_one_transaction_are_two_deposits(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    poll(venue, record(1, txId="same"), record(2, txId="same"))
    assert balance(depositor, "USDT") == (200, 0)


def test_money_at_an_address_of_nobody_goes_to_suspense(depositor: User, venue: Venue) -> None:
    venue.on("GET", HISTORY, (200, [record(address="T-nobody")]))
    ledger.poll_deposits()
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 100
    assert LedgerException.objects.get().source == "unattributed deposit"
    assert Deposit.objects.get().status == "UNATTRIBUTED"


def test_a_credited_deposit_the_venue_takes_back_is_an_alarm_and_no_silent_change(
    depositor: User, venue: Venue
) -> None:
    with_address(depositor)
    poll(venue, record())
    poll(venue, record(status=7))
    depositor.refresh_from_db()
    assert depositor.is_frozen
    assert balance(depositor, "USDT") == (100, 0)
    assert LedgerException.objects.get().source == "deposit reversed by the venue"


def test_what_is_finer_than_the_books_stays_at_the_venue(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    poll(venue, record(amount="1.123456789"))
    assert balance(depositor, "USDT") == (Decimal("1.12345678"), 0)


def test_without_sub_accounts_the_pooled_address_belongs_to_one_customer_alone(
    depositor: User, venue: Venue
) -> None:
    pooled = {"coin": "USDT", "address": "T-pooled", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/address", (200, pooled))
    with override_settings(DEPOSIT_SUB_ACCOUNTS=False):
        assert ledger.deposit_address(user=depositor, asset="USDT", network="TRX").address == "T-pooled"
        with pytest.raises(NoOwnAddress):
            ledger.deposit_address(user=make_user("bob"), asset="USDT", network="TRX")
    venue.on("GET", HISTORY, (200, [record(address="T-pooled")]))
    ledger.poll_deposits()
    assert balance(depositor, "USDT") == (100, 0)


@pytest.mark.parametrize("answer", [(404, ""), error(-1, "Not Found", 404), error(-9000, "No.")], ids=str)
def test_a_venue_that_knows_no_sub_accounts_gives_the_pooled_address(
    depositor: User, venue: Venue, answer: Any
) -> None:
    venue.on("POST", "/sapi/v1/sub-account/virtualSubAccount", answer)
    pooled = {"coin": "USDT", "address": "T-pooled", "tag": "", "url": ""}
    venue.on("GET", "/sapi/v1/capital/deposit/address", (200, pooled))
    assert ledger.deposit_address(user=depositor, asset="USDT", network="TRX").address == "T-pooled"
