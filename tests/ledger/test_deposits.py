"""Money in, with the venue at its wire: credited once, to whom it belongs."""

from decimal import Decimal

import pytest
from django.conf import settings

from accounts.models import User
from exchange.errors import Conflict
from ledger import services as ledger
from ledger import tasks
from ledger.models import Account, Deposit, LedgerException, Network
from markets.models import Asset
from tests.factories import balance, held_by_the_house, venue_account
from tests.ledger.money import CONFIG, HISTORY, TRANSFER, poll, record, with_address
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


def test_a_transfer_that_the_venue_does_not_list_yet_is_not_booked(depositor: User, venue: Venue) -> None:
    with_address(depositor)
    venue.on("GET", TRANSFER, (200, {"result": [], "totalCount": 0}))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == -100
    venue.on("GET", TRANSFER, (200, {"result": [{"status": "SUCCESS", "tranId": 1}], "totalCount": 1}))
    poll(venue, record())
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0


@pytest.mark.parametrize(
    ("status", "shown"), [(0, "SEEN"), (8, "HELD_UP"), (2, "REJECTED"), (7, "REJECTED"), (42, "CHECKING")]
)
def test_a_deposit_that_is_not_final_is_shown_and_not_credited(
    depositor: User, venue: Venue, status: int, shown: str
) -> None:
    with_address(depositor)
    poll(venue, record(status=status, confirmTimes="0/1"))
    assert balance(depositor, "USDT") == (0, 0)
    assert Deposit.objects.get().status == shown


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


def test_a_new_installation_offers_deposits_with_its_first_assets(db: None, venue: Venue) -> None:
    """The sweep of seconds asks once there are assets, again when it was not answered, and then no more."""
    sweep, door = tasks.synchronise_first_networks, "/sapi/v1/capital/config/getall"
    assert settings.CELERY_BEAT_SCHEDULE["synchronise first networks"]["task"] == sweep.name
    assert settings.CELERY_BEAT_SCHEDULE["synchronise first networks"]["schedule"] == settings.SWEEP_SECONDS
    venue_account()
    venue.on("GET", door, error(-1003, "Too many requests."))
    sweep()
    assert venue.count("GET", door) == 0
    Asset.objects.create(code="USDT")
    sweep()
    venue.on("GET", door, (200, CONFIG))
    before = venue.count("GET", door)
    for _tick in range(3):
        sweep()
    assert Network.objects.get().asset_id == "USDT"
    assert (before > 0, venue.count("GET", door)) == (True, before + 1)


def test_what_credited_a_deposit_is_not_taken_back_behind_its_back(
    depositor: User, carol: User, venue: Venue
) -> None:
    with_address(depositor)
    poll(venue, record())
    credited = Deposit.objects.get().transfer_id
    assert credited is not None
    with pytest.raises(Conflict, match="take it back there"):
        ledger.ask_reversal(transfer_id=credited, reason="wrong", by=carol)
