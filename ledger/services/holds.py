"""Money set aside for a cause, and given back by the hold."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from exchange.database import transaction_with_retry
from ledger.models import Hold, Transfer
from ledger.services.posting import CloseHold, NewHold, account_ids, available, customer, held, post


@dataclass(frozen=True)
class LockedHold:
    hold_id: int
    account_id: int
    asset: str
    remaining: Decimal
    is_open: bool


def hold(*, user_id: int, asset: str, amount: Decimal, cause: Hold.Cause, cause_id: int) -> Decimal:
    """The amount is held for the cause, once; raises InsufficientFunds."""
    post(
        scope="hold",
        key=f"{cause}:{cause_id}",
        kind=Transfer.Kind.HOLD,
        reference=f"{cause}:{cause_id}",
        lines=[available(user_id, asset, -amount), held(user_id, asset, amount)],
        holds=[NewHold(customer(user_id, asset), cause, cause_id, amount)],
    )
    return amount


@transaction_with_retry
def release(*, user_id: int, cause: Hold.Cause, cause_id: int) -> Decimal:
    """What the cause still holds is available again; zero when nothing is held any more."""
    locked = lock_hold(cause, cause_id)
    if locked is None or not locked.is_open:
        return Decimal(0)
    if locked.remaining == 0:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger_close_empty_hold(%s)", [locked.hold_id])
        return Decimal(0)
    post(
        scope="release",
        key=f"{cause}:{cause_id}",
        kind=Transfer.Kind.RELEASE,
        reference=f"{cause}:{cause_id}",
        lines=[
            held(user_id, locked.asset, -locked.remaining),
            available(user_id, locked.asset, locked.remaining),
        ],
        holds=[CloseHold(locked.hold_id)],
    )
    return locked.remaining


def lock_hold(cause: Hold.Cause, cause_id: int) -> LockedHold | None:
    """The cause's hold, locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ledger_lock_hold(%s, %s)", [str(cause), cause_id])
        row = cursor.fetchone()
    return LockedHold(*row) if row else None


def lock_available(user_id: int, asset: str) -> Decimal:
    """What is available to the customer, locked until the transaction ends."""
    name = customer(user_id, asset)
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_available(%s)", [account_ids([name])[name]])
        amount: Decimal = cursor.fetchone()[0]
    return amount
