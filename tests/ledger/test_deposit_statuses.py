"""Every status and turn of a deposit, ordered at the paper venue and read over its own wire."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from exchange.gate.models import VenueAccount
from exchange.office.models import Notice
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Deposit, DepositReading, LedgerException, SubAccount
from markets.models import Asset
from tests.exchange.paper.people import wait_for
from tests.factories import balance, held_by_the_house, make_user
from tests.ledger.custodian import Custodian, address_of, custodian, statuses

AT_ONCE = {"DEPOSIT_GONE_SECONDS": 0}


@pytest.fixture
def paper(db: None) -> Iterator[Custodian]:
    with custodian("USDT", "BTC", "ETH", "XRP") as found:
        yield found


@pytest.fixture
def alice(paper: Custodian) -> User:
    return make_user()


def exceptions() -> list[str]:
    return list(LedgerException.objects.order_by("id").values_list("source", flat=True))


# ------------------------------------------------------------------ status by status
def test_pending_then_credited_and_locked_then_free_to_leave(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice, "BTC", "BTC"), amount="0.5")
    told = []
    for status, confirmations in ((0, "0/2"), (6, "1/2"), (1, "2/2")):
        paper.turn(one, status, confirmations)
        told.append((statuses(), balance(alice, "BTC")[0], dict(books.locked(alice.pk))))
    half = Decimal("0.5")
    assert told == [(["SEEN"], 0, {}), (["LOCKED"], half, {"BTC": half}), (["CREDITED"], half, {})]
    assert Notice.objects.filter(kind="deposit.credited", channel="MAIL").count() == 1


@pytest.mark.parametrize(
    ("path", "shown", "credited", "notes"),
    [
        ((0, 2), "REJECTED", 0, []),
        ((0, 7), "REJECTED", 0, []),
        ((0, 8, 1), "CREDITED", 100, []),
        ((0, 8), "HELD_UP", 0, []),
        ((2, 1), "CREDITED", 100, []),
        ((6, 1, 6), "LOCKED", 100, []),
        ((6, 2), "REVERSED", 100, ["deposit reversed by the venue"]),
        ((1, 2), "REVERSED", 100, ["deposit reversed by the venue"]),
        ((1, 7), "REVERSED", 100, ["deposit reversed by the venue"]),
        ((0, 99), "CHECKING", 0, ["deposit that cannot be booked"]),
        ((0, 99, 1), "CREDITED", 100, ["deposit that cannot be booked"]),
    ],
)
def test_each_way_of_a_deposit_ends_as_it_should(
    paper: Custodian, alice: User, path: tuple[int, ...], shown: str, credited: int, notes: list[str]
) -> None:
    (one,) = paper.pay(address_of(alice))
    for status in path:
        paper.turn(one, status)
        for _time in range(2):
            statuses()
    alice.refresh_from_db()
    assert statuses() == [shown]
    assert (balance(alice, "USDT")[0], alice.is_frozen) == (credited, shown == "REVERSED")
    assert exceptions() == notes


def test_what_was_taken_back_cannot_leave_before_staff_decide(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    paper.turn(one, 7)
    statuses()
    assert books.locked(alice.pk) == {"USDT": 100}


@override_settings(**AT_ONCE)
def test_a_credited_deposit_that_vanished_is_an_alarm_after_so_many_readings(
    paper: Custodian, alice: User
) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    paper.vanish(one)
    assert [statuses() for _reading in range(3)] == [["CREDITED"], ["CREDITED"], ["REVERSED"]]
    alice.refresh_from_db()
    assert (alice.is_frozen, balance(alice, "USDT")[0]) == (True, 100)
    assert exceptions() == ["deposit reversed by the venue"]


@override_settings(**AT_ONCE)
def test_one_reading_that_lacks_a_deposit_is_no_evidence(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    for _time in range(3):
        paper.vanish(one)
        statuses()
        paper.turn(one, 1)
        statuses()
    assert (statuses(), exceptions()) == (["CREDITED"], [])


def test_readings_close_together_are_no_evidence_either(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    paper.vanish(one)
    assert [statuses() for _reading in range(5)][-1] == ["CREDITED"]
    Deposit.objects.update(missing_since=timezone.now() - timedelta(minutes=11))
    assert statuses() == ["REVERSED"]


@override_settings(**AT_ONCE)
def test_a_credited_deposit_that_is_pending_again_counts_as_absent(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    paper.turn(one, 0)
    assert statuses() == ["LOCKED"]
    assert [statuses() for _reading in range(3)][-1] == ["REVERSED"]


@override_settings(**AT_ONCE)
def test_a_pending_deposit_that_vanished_is_gone_and_comes_back_when_it_does(
    paper: Custodian, alice: User
) -> None:
    (one,) = paper.pay(address_of(alice))
    statuses()
    paper.vanish(one)
    assert [statuses() for _reading in range(3)][-1] == ["GONE"]
    paper.turn(one, 1)
    assert (statuses(), balance(alice, "USDT")[0], exceptions()) == (["CREDITED"], 100, [])


def test_the_amount_that_counts_is_the_final_one(paper: Custodian, alice: User) -> None:
    address = address_of(alice)
    (one,) = paper.pay(address, amount="90", shown="1000.00000000")
    statuses()
    assert Deposit.objects.get().amount == 1000
    paper.caller.door("fault", do="deposit", id=one, status=1, shown="90.00000000")
    assert (statuses(), balance(alice, "USDT")[0]) == (["CREDITED"], 90)


def test_a_record_that_changes_after_its_credit_is_an_alarm(paper: Custodian, alice: User) -> None:
    (one,) = paper.pay(address_of(alice), status=1)
    statuses()
    paper.caller.door("fault", do="deposit", id=one, status=1, shown="1.00000000")
    assert (statuses(), balance(alice, "USDT")[0]) == (["REVERSED"], 100)
    assert exceptions() == ["deposit reversed by the venue"]


# ------------------------------------------------------------------ traps
def test_three_outputs_of_one_transaction_two_of_them_to_one_address_are_all_booked_once(
    paper: Custodian, alice: User
) -> None:
    bob = make_user("bob")
    mine, his = address_of(alice), address_of(bob)
    outputs = [{"amount": "1"}, {"amount": "1"}, {"amount": "5", "address": his.address}]
    paper.pay(mine, status=1, outputs=outputs)
    for _time in range(3):
        statuses()
    assert (balance(alice, "USDT")[0], balance(bob, "USDT")[0]) == (2, 5)
    assert Deposit.objects.values_list("tx_id").distinct().count() == 1


def test_the_same_coin_on_two_networks_is_told_apart(paper: Custodian, alice: User) -> None:
    for network, amount in (("TRX", "1"), ("BSC", "2"), ("ETH", "3")):
        paper.pay(address_of(alice, "USDT", network), status=1, amount=amount, txId="0xsame")
    statuses()
    assert sorted(Deposit.objects.values_list("network", "amount")) == [("BSC", 2), ("ETH", 3), ("TRX", 1)]
    assert balance(alice, "USDT")[0] == 6


def test_another_coin_on_the_same_network_stays_that_coin(paper: Custodian, alice: User) -> None:
    address = address_of(alice, "ETH", "ETH")
    paper.pay(address, coin="USDT", amount="7", status=1)
    statuses()
    assert (balance(alice, "USDT")[0], balance(alice, "ETH")[0]) == (7, 0)


def test_memos_on_a_shared_address_tell_customers_apart(paper: Custodian, alice: User) -> None:
    bob = make_user("bob")
    mine, his = address_of(alice, "XRP", "XRP"), address_of(bob, "XRP", "XRP")
    assert (mine.address == his.address, mine.tag == his.tag) == (True, False)
    paper.pay(his, status=1, amount="30")
    statuses()
    assert (balance(alice, "XRP")[0], balance(bob, "XRP")[0]) == (0, 30)


def test_dust_below_the_venues_minimum_is_shown_and_never_credited(db: None) -> None:
    """The venue counts its confirmations to the end and leaves it at that; a unit more is credited meanwhile."""
    alice = make_user()
    with custodian("BTC", pace=0.02) as paper:
        address = address_of(alice, "BTC", "BTC")
        paper.pay(address, amount="0.00000999", hold=False)
        paper.pay(address, amount="0.00001", hold=False)
        wait_for(lambda: statuses()[1] == "CREDITED")
        assert statuses() == ["SEEN", "CREDITED"]
    assert Deposit.objects.get(status="SEEN").confirmations == "2/2"
    assert (balance(alice, "BTC")[0], exceptions()) == (Decimal("0.00001"), [])


def test_what_is_finer_than_the_books_keep_is_kept_on_the_deposit(paper: Custodian, alice: User) -> None:
    Asset.objects.filter(code="USDT").update(scale=2)
    paper.pay(address_of(alice), amount="1.23456789", status=1)
    paper.pay(address_of(alice), amount="0.00999", status=1)
    assert statuses() == ["CREDITED", "DUST"]
    assert balance(alice, "USDT")[0] == Decimal("1.23")
    assert list(Deposit.objects.order_by("id").values_list("remainder", flat=True)) == [
        Decimal("0.00456789"),
        Decimal("0.00999"),
    ]


def test_an_internal_transfer_is_a_deposit_too(paper: Custodian, alice: User) -> None:
    paper.pay(address_of(alice), status=1, transferType=1, txId="Internal transfer 123456")
    statuses()
    assert (Deposit.objects.get().is_internal, balance(alice, "USDT")[0]) == (True, 100)


def test_a_coin_we_do_not_list_is_kept_and_credited_once_it_is_listed(paper: Custodian, alice: User) -> None:
    address_of(alice)
    sub_account = SubAccount.objects.get()
    known = paper.caller.signed(
        "GET", "/sapi/v1/capital/deposit/subAddress", email=sub_account.email, coin="ATOM", network="ATOM"
    ).json()
    paper.pay(coin="ATOM", network="ATOM", address=known["address"], tag=known["tag"], status=1, amount="3")
    assert (statuses(), exceptions()) == (["UNLISTED"], ["deposit of an asset that is not listed"])
    Asset.objects.create(code="ATOM")
    assert (statuses(), balance(alice, "ATOM")[0]) == (["CREDITED"], 3)


@pytest.mark.parametrize(
    "shown", ["0.00000000", "-5", "NaN", "Infinity", "1e30", "0.0000000000000000001", "x"]
)
def test_an_amount_that_is_none_is_refused_and_noted_and_the_next_is_credited(
    paper: Custodian, alice: User, shown: str
) -> None:
    paper.pay(address_of(alice), status=1, shown=shown)
    paper.pay(address_of(alice), status=1, amount="2")
    for _time in range(2):
        statuses()
    assert (statuses(), balance(alice, "USDT")[0]) == (["CREDITED"], 2)
    assert exceptions() == ["odd deposit record"]


def test_more_than_the_books_take_is_put_before_staff_and_credited_once_they_do(
    paper: Custodian, alice: User
) -> None:
    Asset.objects.filter(code="USDT").update(max_amount=50)
    paper.pay(address_of(alice), status=1)
    assert (statuses(), exceptions()) == (["CHECKING"], ["deposit that cannot be booked"])
    Asset.objects.filter(code="USDT").update(max_amount=5000)
    assert (statuses(), balance(alice, "USDT")[0]) == (["CREDITED"], 100)


# ------------------------------------------------------------------ windows
def test_the_history_is_read_from_the_first_day_once_and_then_only_its_recent_end(
    paper: Custodian, alice: User
) -> None:
    VenueAccount.objects.update(created_at=timezone.now() - timedelta(days=400))
    paper.pay(status=1, msAgo=390 * 86_400_000, amount="1")
    paper.pay(status=1, msAgo=91 * 86_400_000, amount="2")
    paper.pay(status=1, msAgo=1000, amount="4")
    ledger.poll_deposits()
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 7
    reading = DepositReading.objects.get(sub_account=None)
    assert reading.read_to is not None
    first = reading.read_to
    ledger.poll_deposits()
    reading.refresh_from_db()
    assert reading.read_to > first


def test_after_a_long_silence_everything_since_the_last_reading_is_read(
    paper: Custodian, alice: User
) -> None:
    ledger.poll_deposits()
    before = timezone.now() - timedelta(days=200)
    DepositReading.objects.update(read_to=before, wide_at=timezone.now())
    paper.pay(status=1, msAgo=150 * 86_400_000, amount="3")
    ledger.poll_deposits()
    assert held_by_the_house(Account.Type.SUSPENSE, "USDT") == 3


def test_an_interrupted_reading_is_read_again(paper: Custodian, alice: User) -> None:
    address = address_of(alice)
    ledger.poll_deposits()
    read_to = DepositReading.objects.get(sub_account__isnull=False).read_to
    paper.pay(address, status=1)
    paper.fault(on="sub-account history", do="503 before", count=3)
    ledger.poll_deposits()
    assert DepositReading.objects.get(sub_account__isnull=False).read_to == read_to
    assert statuses() == ["CREDITED"]


# ------------------------------------------------------------------ from the sub-account to the trading account
def test_a_transfer_under_way_is_waited_for_and_booked_when_it_arrives(paper: Custodian, alice: User) -> None:
    paper.fault(do="transfer", status="PROCESS")
    paper.pay(address_of(alice), status=1)
    for _time in range(2):
        statuses()
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == -100
    paper.fault(do="finish transfer", clientTranId=f"cwsweep{Deposit.objects.get().pk}")
    statuses()
    assert held_by_the_house(Account.Type.VENUE, "USDT") == -100
    assert paper.free("main@paper.example", "USDT") == 100


def test_a_transfer_that_failed_for_good_is_repeated_under_another_name(
    paper: Custodian, alice: User
) -> None:
    paper.fault(do="transfer", status="FAILURE")
    paper.pay(address_of(alice), status=1)
    for _time in range(3):
        statuses()
    assert held_by_the_house(Account.Type.CUSTODY, "USDT") == 0
    assert paper.free("main@paper.example", "USDT") == 100


def test_money_that_stays_away_is_put_before_staff_once(paper: Custodian, alice: User) -> None:
    paper.fault(on="transfer", do="refuse", count=3)
    paper.pay(address_of(alice), status=1)
    statuses()
    assert exceptions() == []
    Deposit.objects.update(credited_at=timezone.now() - timedelta(hours=2))
    for _time in range(2):
        statuses()
    assert exceptions() == ["deposit not swept"]


# ------------------------------------------------------------------ the database's own laws
@pytest.mark.parametrize(
    "change",
    ["status = 'SEEN'", "user_id = NULL", "amount = 0", "amount = 'NaN'", "coin = 'BTC'", "status = 'X'"],
)
def test_the_database_refuses_a_deposit_that_contradicts_itself(
    paper: Custodian, alice: User, change: str
) -> None:
    paper.pay(address_of(alice), status=1)
    statuses()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE ledger_deposit SET {change}")
