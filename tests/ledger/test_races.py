"""Processes that want the same money at the same moment: each unit goes one way."""

import pytest

from accounts.models import User
from ledger import queries as books
from ledger.models import Hold, Transfer
from tests.factories import CROWD, balance, fund, make_user
from tests.ledger import contests
from tests.ledger.contests import ORDER
from tests.race import race


@pytest.fixture
def alice(committed_db: str) -> User:
    return rich("alice", "10")


@pytest.fixture
def bob(alice: User) -> User:
    return rich("bob", "10")


def rich(name: str, amount: str) -> User:
    user = make_user(name)
    fund(user, "USDT", amount)
    return user


@CROWD
def test_of_64_who_want_the_last_coin_one_gets_it(committed_db: str) -> None:
    user = rich("alice", "1")
    assert sorted(race(contests.last_coin, 64, user=user.pk)) == [False] * 63 + [True]
    assert balance(user, "USDT") == (0, 1)
    assert Hold.objects.count() == Transfer.objects.filter(kind="HOLD").count() == 1


def test_of_an_order_and_a_withdrawal_of_the_same_money_one_wins_every_time(committed_db: str) -> None:
    users = [rich(name, "10") for name in ("alice", "bob", "erin", "frank")]
    won = race(contests.order_against_withdrawal, 8, users=[user.pk for user in users], rounds=250)
    pairs = zip(won[::2], won[1::2], strict=True)
    rounds = [pair for orders, withdrawals in pairs for pair in zip(orders, withdrawals, strict=True)]
    assert len(rounds) == 1000
    assert {sum(pair) for pair in rounds} == {1}
    assert 0 < sum(order for order, _withdrawal in rounds) < 1000, "one of the two was always first"
    assert [balance(user, "USDT") for user in users] == [(10, 0)] * 4
    assert books.first_broken_row() == ""


def test_transfers_in_opposite_directions_reach_no_deadlock(alice: User, bob: User) -> None:
    assets, bank = ["BTC", "ETH", "BNB"], rich("bank", "1")
    for asset in assets:
        fund(bank, asset, "1600")
    facts = {"users": [alice.pk, bob.pk], "bank": bank.pk, "assets": assets, "times": 20}
    assert race(contests.transfers_in_opposite_directions, 8, **facts) == [None] * 8
    assert [balance(user, asset) for user in (alice, bob) for asset in assets] == [(800, 0)] * 6
    assert books.first_broken_row() == ""


def test_a_true_deadlock_reaches_nobody(alice: User, bob: User) -> None:
    contests.charge("opens the account of the fees", alice.pk)
    assert sorted(race(contests.a_true_deadlock, 2, users=[alice.pk, bob.pk])) == [1, 2]
    assert (balance(alice, "USDT"), balance(bob, "USDT")) == ((7, 0), (8, 0))


def test_a_hold_given_back_by_16_at_once_is_given_back_once(alice: User) -> None:
    assert contests.hold(alice.pk, ORDER, 1, 7)
    assert sorted(race(contests.one_release, 16)) == ["0"] * 15 + ["7"]
    assert balance(alice, "USDT") == (10, 0)


def test_one_key_used_by_16_at_once_is_one_transfer(alice: User, bob: User) -> None:
    told = race(contests.one_key, 16, user=alice.pk, other=bob.pk)
    assert len({transfer_id for transfer_id, _is_new in told}) == 1
    assert sum(is_new for _transfer_id, is_new in told) == 1
    assert (balance(alice, "USDT"), balance(bob, "USDT")) == ((9, 0), (11, 0))
