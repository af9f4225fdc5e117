"""What tests of the evidence share: a life to seal, a chain that is up to date, and damage as the owner does it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.db import connection

from accounts.models import User
from ledger import queries as books
from ledger import services as ledger
from ledger.models import Hold
from orders.models import Order
from tests.factories import fund, make_market, make_user, venue_account

GUARDED = (
    "ledger_entry ledger_transfer ledger_account ledger_balance ledger_hold ledger_seal ledger_sealedtransfer"
)


def live() -> User:
    """alice deposits 50000 USDT, holds 20000 for an order and buys for 7980 of it: transfers 1, 2 and 3."""
    market, user = make_market(), make_user()
    fund(user, "USDT", "50000")
    order = Order.objects.create(
        user=user,
        nonce="1",
        market=market,
        side="BUY",
        type="LIMIT",
        price=Decimal(40000),
        quantity=Decimal("0.5"),
        fee_bps=10,
        maker_fee_bps=10,
    )
    ledger.hold(
        user_id=user.pk, asset="USDT", amount=Decimal(20000), cause=Hold.Cause.ORDER, cause_id=order.pk
    )
    ledger.post_fill(
        ledger.FillPosting(
            key="1:BTCUSDT:77",
            user_id=user.pk,
            venue_account_id=venue_account().pk,
            order_id=order.pk,
            side="BUY",
            base="BTC",
            quote="USDT",
            quantity=Decimal("0.2"),
            quote_quantity=Decimal("7980"),
            fee=Decimal("0.0002"),
            commission=Decimal("0.0001"),
            commission_asset="BTC",
        )
    )
    return user


def wait_for_horizon() -> None:
    """Until every transaction that runs now, of other tests on this server too, has ended."""
    deadline = time.monotonic() + 60
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        own = cursor.fetchone()[0]
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            if cursor.fetchone()[0] > own:
                return
            time.sleep(0.01)
    raise AssertionError("somebody's transaction does not end")


def seal_everything() -> None:
    wait_for_horizon()
    ledger.seal_books()
    assert books.waiting_for_seal() is None


def damage(owner: Any, *statements: str) -> None:
    """What somebody with the owner's rights can do: take the guards away, change the books, put the guards back."""
    with guards_down(owner):
        for statement in statements:
            assert owner.execute(statement).rowcount != 0, f"{statement} changed nothing"


@contextmanager
def guards_down(owner: Any) -> Iterator[None]:
    for state in ("DISABLE", "ENABLE"):
        for table in GUARDED.split():
            owner.execute(f"ALTER TABLE {table} {state} TRIGGER USER")
        if state == "DISABLE":
            yield


def remember(owner: Any) -> None:
    """The books as they are now can be put back by `restore`."""
    for table in (*GUARDED.split(), "ledger_snapshot"):
        owner.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")


def restore(owner: Any) -> None:
    """The books are as they were when they were remembered."""
    with guards_down(owner), owner.transaction():
        for table in (*GUARDED.split(), "ledger_snapshot"):
            owner.execute(f"DELETE FROM {table}")
            owner.execute(f"INSERT INTO {table} TABLE kept_{table}")
