"""`ledger_verify` holds the books against orders and withdrawals: each hold has its cause, and each cause its hold."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from ledger import services as ledger
from ledger.models import Hold, Network, Withdrawal
from markets.models import Asset
from orders.models import Order, OrderList
from tests.exchange.test_verify import books_balance, file, sealed, verify
from tests.factories import fund, venue_account

__all__ = ["books_balance", "file", "sealed"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"status": "FILLED", "finished_at": timezone.now()},
            "USDT of customer 1 is held for order 1, which needs",
        ),
        ({"status": "CANCELED"}, "USDT of customer 1 is held for order 1, which needs nothing"),
        ({"side": "SELL"}, "for order 1 BTC of customer 1 should be held, and USDT of customer 1 is"),
        ({"user_id": 2}, "for order 1 USDT of customer 2 should be held, and USDT of customer 1 is"),
    ],
    ids=["finished", "said to be canceled", "the other side", "somebody else's"],
)
def test_a_hold_has_an_unfinished_order_of_its_own(
    sealed: None, change: dict[str, Any], sentence: str
) -> None:
    Order.objects.update(**change)
    status, said = verify()
    assert status == 1
    assert sentence in said


def test_an_unfinished_order_has_a_hold(sealed: None) -> None:
    known = Order.objects.get()
    Order.objects.create(
        user=known.user,
        nonce="2",
        market=known.market,
        side="SELL",
        type="MARKET",
        quantity=1,
        fee_bps=10,
        maker_fee_bps=10,
    )
    assert verify() == (1, "order 2 of customer 1 is not finished, and no BTC is held for it")


def test_two_orders_of_a_list_have_one_hold_until_both_have_ended(sealed: None) -> None:
    known = Order.objects.get()
    pair = OrderList.objects.create(user=known.user, nonce="2", market=known.market, kind="OCO")
    fields = {
        "user": known.user,
        "market": known.market,
        "side": "SELL",
        "quantity": 1,
        "fee_bps": 10,
        "maker_fee_bps": 10,
    }
    for leg in ("ABOVE", "BELOW"):
        Order.objects.create(**fields, nonce=leg, order_list=pair, leg=leg, type="TAKE_PROFIT")
    assert verify() == (1, "order list 1 of customer 1 is not finished, and no BTC is held for it")
    fund(known.user, "BTC", "1")
    ledger.hold(user_id=known.user_id, asset="BTC", amount=Decimal(1), cause=Hold.Cause.LIST, cause_id=1)
    assert verify() == (0, "")
    Order.objects.filter(leg="ABOVE").update(status="FILLED", finished_at=timezone.now())
    assert verify() == (0, "")
    Order.objects.filter(leg="BELOW").update(status="EXPIRED", finished_at=timezone.now())
    assert verify() == (1, "BTC of customer 1 is held for order list 1, which needs nothing")


def test_an_order_that_waits_for_another_needs_no_hold(sealed: None) -> None:
    known = Order.objects.get()
    found = OrderList.objects.create(user=known.user, nonce="2", market=known.market, kind="OTO")
    Order.objects.create(
        user=known.user, nonce="3", market=known.market, side="SELL", type="MARKET", quantity=1,
        fee_bps=10, maker_fee_bps=10, order_list=found, leg="PENDING", status="WAITING",
    )  # fmt: skip
    assert verify() == (0, "")


def test_no_entry_is_finer_than_its_asset(sealed: None) -> None:
    Asset.objects.filter(code="BTC").update(scale=3)
    status, said = verify()
    assert (status, "is finer than the 3 decimals of BTC" in said) == (1, True)


def test_a_hold_for_a_withdrawal_has_an_unfinished_withdrawal_and_the_other_way_round(sealed: None) -> None:
    user = User.objects.get(email="bob@example.com")
    ledger.hold(user_id=user.pk, asset="USDT", amount=Decimal(2), cause=Hold.Cause.WITHDRAWAL, cause_id=1)
    assert verify()[1] == f"hold 2 is open for withdrawal 1 of account USER:{user.pk}:USDT, which needs none"
    for number in (1, 2):
        Withdrawal.objects.create(
            id=number,
            user=user,
            nonce=str(number),
            client_id=str(number),
            asset_id="USDT",
            network=Network.objects.get_or_create(asset_id="USDT", code="TRX")[0],
            amount=Decimal(2),
            fee=Decimal(1),
            venue_account=venue_account(),
        )
    assert verify()[1] == f"withdrawal 2 of customer {user.pk} is not finished, and nothing is held for it"
    Withdrawal.objects.filter(pk=2).update(status="CANCELED", finished_at=timezone.now())
    assert verify() == (0, "")
    Withdrawal.objects.filter(pk=1).update(status="EXPIRED")
    assert verify()[1] == f"hold 2 is open for withdrawal 1 of account USER:{user.pk}:USDT, which needs none"
