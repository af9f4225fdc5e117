"""`ledger_rebuild`: the entries alone tell balances and holds, and what is stored otherwise is named."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from ledger import services as ledger
from ledger.models import Hold
from tests.factories import fund, make_user, venue_account
from tests.ledger.chain import damage, live, remember, restore


@pytest.fixture(autouse=True)
def books_balance(committed_db: str) -> None:
    """Here the books are damaged on purpose."""


@pytest.fixture
def told(committed_db: str) -> None:
    """alice with an order that is half filled, bob and carol with 5 USDT each."""
    live()
    for name in ("bob", "carol"):
        fund(make_user(name), "USDT", "5")


def rebuild(**options: Any) -> tuple[int, str]:
    try:
        call_command("ledger_rebuild", **options)
    except CommandError as error:
        return error.returncode, str(error)
    return 0, ""


def test_what_is_rebuilt_is_what_is_stored(told: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert rebuild(check=True) == (0, "")
    assert capsys.readouterr().out.splitlines() == [
        "what is stored is what the entries say",
        "  4 balances",
        "  1 holds",
        "  0 accounts whose entries do not tell their holds apart",
    ]


def test_what_is_rebuilt_can_be_read(told: None, capsys: pytest.CaptureFixture[str]) -> None:
    rebuild()
    assert capsys.readouterr().out.splitlines() == [
        "kind,name,available,held,entries",
        "balance,USER:1:BTC,0.1998,0,1",
        "balance,USER:1:USDT,30000,12020,4",
        "balance,USER:2:USDT,5,0,1",
        "balance,USER:3:USDT,5,0,1",
        "hold,ORDER:1 USER:1:USDT,,12020,",
        "house,COMMISSION::BTC,-0.0001,0,1",
        "house,FEES::BTC,0.0002,0,1",
        "house,VENUE:1:BTC,-0.1999,0,2",
        "house,VENUE:1:USDT,-42030,0,4",
    ]


DIFFERENCES = (
    (
        "UPDATE ledger_balance SET held = held + 0.000000000000000001 WHERE held > 0",
        "balance of account USER:1:USDT: 30000 available and 12020.000000000000000001 held after 4 entries are"
        " stored, 30000 and 12020 after 4 were rebuilt",
    ),
    (
        "DELETE FROM ledger_balance WHERE held > 0",
        "nothing available and nothing held after nothing entries are",
    ),
    (
        "UPDATE ledger_hold SET remaining = remaining - 1",
        "hold for ORDER 1 on account USER:1:USDT: 12019 of 20000 is stored, 12020 of 20000 was rebuilt",
    ),
    (
        "UPDATE ledger_hold SET amount = amount + 1",
        "12020 of 20001 is stored, 12020 of 20000 was rebuilt",
    ),
    ("DELETE FROM ledger_hold", "nothing of nothing is stored, 12020 of 20000 was rebuilt"),
)


def test_the_first_difference_to_what_is_stored_is_named(told: None, owner: psycopg.Connection) -> None:
    remember(owner)
    for sql, sentence in DIFFERENCES:
        damage(owner, sql)
        status, said = rebuild(check=True)
        assert (status, sentence in said) == (1, True), said
        restore(owner)
    assert rebuild(check=True) == (0, "")


def test_holds_of_a_crossed_trade_are_told_apart(told: None) -> None:
    bob, carol = (User.objects.get(email=f"{name}@example.com") for name in ("bob", "carol"))
    fund(carol, "BTC", "1")
    for user, asset, amount, order in ((bob, "USDT", 5, 8), (carol, "BTC", 1, 9)):
        ledger.hold(
            user_id=user.pk, asset=asset, amount=Decimal(amount), cause=Hold.Cause.ORDER, cause_id=order
        )
    ledger.post_cross(
        key="cross",
        buyer=ledger.CrossSide(bob.pk, 8, Decimal(0)),
        seller=ledger.CrossSide(carol.pk, 9, Decimal(0), is_last=True),
        base="BTC",
        quote="USDT",
        quantity=Decimal("0.5"),
        quote_quantity=Decimal(4),
    )
    assert rebuild(check=True) == (0, "")


def test_the_hold_of_a_list_is_told_by_the_trades_of_both_its_orders(told: None) -> None:
    bob = User.objects.get(email="bob@example.com")
    ledger.hold(user_id=bob.pk, asset="USDT", amount=Decimal(5), cause=Hold.Cause.LIST, cause_id=1)
    for order in (8, 9):
        ledger.post_fill(
            ledger.FillPosting(
                key=f"1:BTCUSDT:{order}",
                user_id=bob.pk,
                venue_account_id=venue_account().pk,
                order_id=order,
                list_id=1,
                side="BUY",
                base="BTC",
                quote="USDT",
                quantity=Decimal("0.1"),
                quote_quantity=Decimal(2),
                fee=Decimal(0),
                commission=Decimal(0),
                commission_asset="",
            )
        )
    assert Hold.objects.get(cause="LIST").remaining == 1
    assert rebuild(check=True) == (0, "")
