"""Money set aside for a cause, and given back by the hold."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import connection

from exchange.money import plain
from ledger.models import Hold, Transfer
from ledger.services.posting import (
    ConsumeHold,
    NewHold,
    available,
    by_key,
    call,
    customer,
    digest,
    held,
    post,
)


@dataclass(frozen=True)
class LockedHold:
    account: str
    remaining: Decimal
    is_open: bool


def hold(
    *, user_id: int, asset: str, amount: Decimal, cause: Hold.Cause, cause_id: int, whole: bool = False
) -> Decimal:
    """The amount is held for the cause, once; raises InsufficientFunds, and with `whole` the transaction ends so."""
    post(
        scope="hold",
        key=f"{cause}:{cause_id}",
        kind=Transfer.Kind.HOLD,
        reference=f"{cause}:{cause_id}",
        lines=[available(user_id, asset, -amount), held(user_id, asset, amount)],
        holds=[NewHold(customer(user_id, asset), cause, cause_id, amount)],
        whole=whole,
    )
    return amount


def hold_of_new(order: str) -> str:
    """The call that holds for an order of which the same statement writes the row; `order`: its id there. To be told
    what `held_for_new` gives."""
    name = f"'{Hold.Cause.ORDER}:' || {order}"
    return (
        f"ledger_post('hold', {name}, %s, '{Transfer.Kind.HOLD}', {name}, ARRAY[%s, %s]::text[], ARRAY['A', 'H'],"
        f" ARRAY[%s, %s]::numeric[], ARRAY['create'], ARRAY['{Hold.Cause.ORDER}'], ARRAY[{order}]::bigint[],"
        " ARRAY[%s]::text[], ARRAY[%s]::numeric[], NULL, NULL, false)"
    )


def held_for_new(user_id: int, asset: str, amount: Decimal) -> list[Any]:
    """The order is named by the key alone, and not in the digest: its id is not known before."""
    code = customer(user_id, asset).code
    hashed = digest([Transfer.Kind.HOLD, Hold.Cause.ORDER, code, plain(amount)])
    return [hashed, code, code, -amount, amount, code, amount]


def release(*, cause: Hold.Cause, cause_id: int) -> Decimal:
    """What the cause still holds is available again; zero when nothing is held any more."""
    values = [str(cause), cause_id, digest([str(cause), cause_id, uuid4().hex])]
    amount: Decimal = by_key(lambda: call("ledger_release", ("text", "bigint", "text"), values)[0])
    return amount


def reduce_hold(
    *, user_id: int, asset: str, amount: Decimal, cause: Hold.Cause, cause_id: int, to: Decimal
) -> None:
    """So much less is held for the cause, once for each size that it is reduced to; never more than it still holds."""
    found = lock_hold(cause, cause_id)
    amount = min(amount, found.remaining) if found and found.is_open else Decimal(0)
    if not amount:
        return
    post(
        scope="reduce",
        key=f"{cause}:{cause_id}:{plain(to)}",
        kind=Transfer.Kind.RELEASE,
        reference=f"{cause}:{cause_id}",
        lines=[held(user_id, asset, -amount), available(user_id, asset, amount)],
        holds=[ConsumeHold(customer(user_id, asset), cause, cause_id, amount)],
        facts=[str(cause), cause_id, plain(to)],
    )


def lock_hold(cause: Hold.Cause, cause_id: int) -> LockedHold | None:
    """The cause's hold, locked until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ledger_lock_hold(%s, %s)", [str(cause), cause_id])
        row = cursor.fetchone()
    return LockedHold(*row) if row else None
