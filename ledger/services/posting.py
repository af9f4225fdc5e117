"""`post`, the only way into the books: one call of the database's `ledger_post`."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from django.db import DatabaseError, OperationalError, connection

from exchange.database import constraint_of, sqlstate_of, transaction_with_retry
from exchange.money import plain
from ledger.errors import BadPosting, InsufficientFunds, KeyReused, NotApproved
from ledger.models import Account, Entry, Transfer

KEY_REUSED, BAD_LINES, NOT_APPROVED, CHECK_VIOLATION = "CW001", "CW002", "CW003", "23514"


@dataclass(frozen=True)
class AccountName:
    """An account by what it is; opened when it is first used."""

    type: str
    asset: str
    owner: int | None = None
    venue_account: int | None = None


@dataclass(frozen=True)
class Line:
    account: AccountName
    bucket: str
    amount: Decimal


@dataclass(frozen=True)
class NewHold:
    account: AccountName
    cause: str
    cause_id: int
    amount: Decimal


@dataclass(frozen=True)
class ConsumeHold:
    hold_id: int
    amount: Decimal


@dataclass(frozen=True)
class CloseHold:
    hold_id: int


HoldChange = NewHold | ConsumeHold | CloseHold


@dataclass(frozen=True)
class Posted:
    """The transfer under the key; `is_new` is False when it had been booked before."""

    transfer_id: int
    is_new: bool


def customer(user_id: int, asset: str) -> AccountName:
    return AccountName(Account.Type.USER, asset, owner=user_id)


def house(kind: Account.Type, asset: str, venue_account_id: int | None = None) -> AccountName:
    return AccountName(kind, asset, venue_account=venue_account_id)


def available(user_id: int, asset: str, amount: Decimal) -> Line:
    return Line(customer(user_id, asset), Entry.Bucket.AVAILABLE, amount)


def held(user_id: int, asset: str, amount: Decimal) -> Line:
    return Line(customer(user_id, asset), Entry.Bucket.HELD, amount)


def system(kind: Account.Type, asset: str, amount: Decimal, venue_account_id: int | None = None) -> Line:
    return Line(house(kind, asset, venue_account_id), Entry.Bucket.SYSTEM, amount)


def post(
    *,
    scope: str,
    key: str,
    kind: Transfer.Kind,
    lines: Sequence[Line],
    holds: Sequence[HoldChange] = (),
    reference: str = "",
    facts: object = None,
    approval_id: int | None = None,
    reverses_id: int | None = None,
) -> Posted:
    """The lines are booked under (scope, key), once; joins the caller's transaction or makes one of its own.

    A repeat with the same facts (default: the lines) gives the first transfer; with others KeyReused. Raises
    InsufficientFunds, NotApproved, BadPosting.
    """
    lines = [line for line in lines if line.amount]
    request_hash = _digest(
        [kind, reference, facts if facts is not None else [_plain(line) for line in lines]]
    )

    def attempt() -> Posted:
        return _post(scope, key, request_hash, kind, lines, holds, reference, approval_id, reverses_id)

    try:
        return transaction_with_retry(attempt)()
    except OperationalError as error:
        if connection.in_atomic_block or sqlstate_of(error):
            raise
        # The connection broke, perhaps after COMMIT: the key tells, and makes another try harmless.
        connection.close()
        return transaction_with_retry(attempt)()


def _post(
    scope: str,
    key: str,
    request_hash: str,
    kind: str,
    lines: Sequence[Line],
    holds: Sequence[HoldChange],
    reference: str,
    approval_id: int | None,
    reverses_id: int | None,
) -> Posted:
    ids = _account_ids(lines, holds)
    sent_lines = [
        {"account": ids[line.account], "bucket": str(line.bucket), "amount": plain(line.amount)}
        for line in lines
    ]
    sent_holds = [_hold_change(change, ids) for change in holds]
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT transfer_id, is_new FROM ledger_post(%s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s)",
                [
                    scope, key, request_hash, str(kind), reference, json.dumps(sent_lines), json.dumps(sent_holds),
                    approval_id, reverses_id,
                ],
            )  # fmt: skip
            transfer_id, is_new = cursor.fetchone()
    except DatabaseError as error:
        raise _refusal(error) from error
    return Posted(transfer_id, is_new)


def _refusal(error: DatabaseError) -> Exception:
    state = sqlstate_of(error)
    if state == CHECK_VIOLATION and constraint_of(error) == "balance_available_not_negative":
        return InsufficientFunds()
    if state == KEY_REUSED:
        return KeyReused()
    if state == NOT_APPROVED:
        return NotApproved()
    if state == BAD_LINES:
        return BadPosting(str(error.__cause__).splitlines()[0])
    return error


def account_ids(names: Sequence[AccountName]) -> dict[AccountName, int]:
    """The accounts' ids, opened where they did not exist, in one round trip."""
    unique = list(dict.fromkeys(names))
    columns = [
        [getattr(name, field) for name in unique] for field in ("type", "asset", "owner", "venue_account")
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_open_account(t, a, o, v)"
            " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS n (t, a, o, v, i)"
            " ORDER BY i",
            columns,
        )
        return dict(zip(unique, (row[0] for row in cursor.fetchall()), strict=True))


def _account_ids(lines: Sequence[Line], holds: Sequence[HoldChange]) -> dict[AccountName, int]:
    return account_ids(
        [*(line.account for line in lines), *(h.account for h in holds if isinstance(h, NewHold))]
    )


def _hold_change(change: HoldChange, ids: dict[AccountName, int]) -> dict[str, object]:
    if isinstance(change, NewHold):
        return {
            "op": "create",
            "account": ids[change.account],
            "cause": str(change.cause),
            "cause_id": change.cause_id,
            "amount": plain(change.amount),
        }
    if isinstance(change, ConsumeHold):
        return {"op": "consume", "hold": change.hold_id, "amount": plain(change.amount)}
    return {"op": "close", "hold": change.hold_id}


def _plain(line: Line) -> list[object]:
    return [asdict(line.account), str(line.bucket), plain(line.amount)]


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
