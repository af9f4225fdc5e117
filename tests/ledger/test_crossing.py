"""Customers trade with each other: both halves or none, to the last digit."""

from decimal import Decimal

import pytest

from accounts.models import User
from ledger import services as ledger
from ledger.errors import BadPosting, InsufficientFunds, KeyReused
from ledger.models import Account, Hold, Transfer
from tests.factories import balance, fund, held_by_the_house, make_user

ORDER = ledger.Cause.ORDER


@pytest.fixture
def alice(db: None) -> User:
    user = make_user()
    fund(user, "USDT", "50000")
    return user


@pytest.fixture
def bob(db: None) -> User:
    user = make_user("bob")
    fund(user, "BTC", "1")
    return user


def cross(
    alice: User, bob: User, *, quantity: str = "0.2", is_last: bool = True, key: str = "1"
) -> ledger.Posted:
    size = Decimal(quantity)
    return ledger.post_cross(
        key=key,
        buyer=ledger.CrossSide(alice.pk, 1, size / 1000, is_last),
        seller=ledger.CrossSide(bob.pk, 2, size * 39900 / 1000, is_last),
        base="BTC",
        quote="USDT",
        quantity=size,
        quote_quantity=size * 39900,
    )


@pytest.fixture
def held(alice: User, bob: User) -> None:
    ledger.hold(user_id=alice.pk, asset="USDT", amount=Decimal(20000), cause=ORDER, cause_id=1)
    ledger.hold(user_id=bob.pk, asset="BTC", amount=Decimal("0.5"), cause=ORDER, cause_id=2)


@pytest.mark.usefixtures("held")
def test_both_get_what_the_other_pays_less_the_fee_and_the_rest_comes_back(alice: User, bob: User) -> None:
    cross(alice, bob)
    assert balance(alice, "USDT") == (50000 - 7980, 0)
    assert balance(alice, "BTC") == (Decimal("0.1998"), 0)
    assert balance(bob, "BTC") == (Decimal("0.8"), 0)
    assert balance(bob, "USDT") == (Decimal("7972.02"), 0)
    assert held_by_the_house(Account.Type.VENUE, "BTC") == -1
    assert not Hold.objects.filter(is_open=True).exists()


@pytest.mark.usefixtures("held")
def test_a_repeat_is_harmless_and_another_trade_under_its_key_is_refused(alice: User, bob: User) -> None:
    first, again = cross(alice, bob, is_last=False), cross(alice, bob, is_last=False)
    assert (first.transfer_id, again.is_new) == (again.transfer_id, False)
    with pytest.raises(KeyReused):
        cross(alice, bob, quantity="0.1", is_last=False)


@pytest.mark.usefixtures("held")
def test_more_than_one_side_holds_books_nothing_of_either(alice: User, bob: User) -> None:
    with pytest.raises(BadPosting, match="no more than it still holds"):
        cross(alice, bob, quantity="0.50001")
    assert (balance(alice, "USDT"), balance(bob, "BTC")) == ((30000, 20000), (Decimal("0.5"), Decimal("0.5")))


def test_without_a_hold_nobody_pays(alice: User, bob: User) -> None:
    with pytest.raises(BadPosting):
        cross(alice, bob)


def test_a_fee_and_dust_leave_what_is_available(alice: User) -> None:
    ledger.post_fee(key="1", user_id=alice.pk, asset="USDT", amount=Decimal(3), reference="card")
    ledger.post_dust(key="1", user_id=alice.pk, asset="USDT", amount=Decimal("0.5"))
    assert balance(alice, "USDT") == (Decimal("49996.5"), 0)
    assert held_by_the_house(Account.Type.FEES, "USDT") == 3
    assert held_by_the_house(Account.Type.ROUNDING, "USDT") == Decimal("0.5")
    assert set(Transfer.objects.values_list("kind", flat=True)) == {"DEPOSIT", "FEE", "DUST"}
    with pytest.raises(InsufficientFunds):
        ledger.post_fee(key="2", user_id=alice.pk, asset="USDT", amount=Decimal(50000), reference="card")
