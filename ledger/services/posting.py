"""`post`, the only way into the books: one call of the database's `ledger_post`."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from django.db import DatabaseError, connection
from psycopg import RawCursor

from exchange import failpoints
from exchange.database import constraint_of, repeated_after_loss, sqlstate_of, with_retry
from exchange.errors import DomainError
from exchange.money import plain
from ledger.errors import AlreadyReversed, BadPosting, InsufficientFunds, KeyReused, NotApproved
from ledger.models import Account, Entry, Transfer

Result = TypeVar("Result")
KEY_REUSED, BAD_LINES, NOT_APPROVED, CHECK_VIOLATION = "CW001", "CW002", "CW003", "23514"
UNIQUE_VIOLATION = "23505"
UNKNOWN_REFERENCE = "23503"


@dataclass(frozen=True)
class AccountName:
    """An account by what it is; opened when it is first used."""

    type: str
    asset: str
    owner: int | None = None
    venue_account: int | None = None

    @property
    def code(self) -> str:
        """How the database names it: `USER:17:USDT`, `VENUE:1:BTC`, `FEES::BTC`."""
        return f"{self.type}:{self.owner or self.venue_account or ''}:{self.asset}"


@dataclass(frozen=True)
class Line:
    account: AccountName
    bucket: str
    amount: Decimal


@dataclass(frozen=True)
class NewHold:
    """The amount is held on the account for the cause."""

    account: AccountName
    cause: str
    cause_id: int
    amount: Decimal
    op = "create"


@dataclass(frozen=True)
class ConsumeHold:
    """The hold pays the amount."""

    account: AccountName
    cause: str
    cause_id: int
    amount: Decimal
    op = "consume"


@dataclass(frozen=True)
class ReleaseHold:
    """The hold is closed; what it still held is available again, by lines the database adds."""

    account: AccountName
    cause: str
    cause_id: int
    amount: Decimal | None = None
    op = "release"


HoldChange = NewHold | ConsumeHold | ReleaseHold


@dataclass(frozen=True)
class Posted:
    """The transfer under the key; not new when it had been booked before; `short` is what a hold did not cover then."""

    transfer_id: int
    is_new: bool
    short: Decimal = Decimal(0)


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
    spills: bool = False,
    whole: bool = False,
) -> Posted:
    """The lines are booked under (scope, key), once; joins the caller's transaction or is one of its own.

    A repeat with the same facts (default: the lines) gives the first transfer; with others KeyReused. With `spills`,
    what a hold does not cover comes from what is available, then from slippage. Raises InsufficientFunds, NotApproved,
    BadPosting; with `whole` the caller's transaction fails with it, and there is no savepoint to go on from.
    """
    values = values_of(
        scope=scope, key=key, kind=kind, lines=lines, holds=holds, reference=reference, facts=facts,
        approval_id=approval_id, reverses_id=reverses_id, spills=spills,
    )  # fmt: skip
    posted = by_key(lambda: Posted(*call("ledger_post", _TYPES, values)), whole=whole)
    failpoints.hit("ledger.posted")
    return posted


def values_of(
    *,
    scope: str,
    key: str,
    kind: Transfer.Kind,
    lines: Sequence[Line],
    holds: Sequence[HoldChange],
    reference: str,
    facts: object,
    approval_id: int | None = None,
    reverses_id: int | None = None,
    spills: bool = False,
) -> list[Any]:
    """What `ledger_post` is told of the same."""
    lines = [line for line in lines if line.amount]
    request_hash = digest([kind, reference, facts if facts is not None else [_plain(line) for line in lines]])
    return [
        scope, key, request_hash, str(kind), reference, *columns_of(lines),
        [change.op for change in holds], [str(change.cause) for change in holds],
        [change.cause_id for change in holds], [change.account.code for change in holds],
        [change.amount for change in holds], approval_id, reverses_id, spills,
    ]  # fmt: skip


_TYPES = (
    "text", "text", "text", "text", "text", "text[]", "text[]", "numeric[]",
    "text[]", "text[]", "bigint[]", "text[]", "numeric[]", "bigint", "bigint", "boolean",
)  # fmt: skip


# The call as a part of a statement that writes more; its values are the `texts` of what `values_of` gives.
POST = f"ledger_post({', '.join(f'%s::{kind}' for kind in _TYPES)})"


def columns_of(lines: Sequence[Line]) -> list[list[Any]]:
    """The lines as the database's functions take them: account codes, buckets, amounts."""
    return [
        [line.account.code for line in lines],
        [str(line.bucket) for line in lines],
        [line.amount for line in lines],
    ]


def by_key(attempt: Callable[[], Result], *, whole: bool = False) -> Result:
    """What the attempt gives; after a lost connection, perhaps behind COMMIT, it is made again and the key tells."""
    if whole and connection.in_atomic_block:
        return attempt()
    return repeated_after_loss(lambda: with_retry(attempt))


def call(function: str, types: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
    """The row a function of the books gives: one round trip, and outside a transaction one transaction.

    The statement is prepared once a connection; lists go as PostgreSQL's own text of an array.
    """
    places = ", ".join(f"${number}::{kind}" for number, kind in enumerate(types, 1))
    connection.ensure_connection()
    with refusals(), connection.wrap_database_errors, RawCursor(connection.connection) as cursor:
        cursor.execute(f"SELECT * FROM {function}({places})", texts(values), prepare=True)
        row: tuple[Any, ...] = cursor.fetchone() or ()
        return row


@contextmanager
def refusals() -> Iterator[None]:
    """What the books refuse meanwhile is raised as what it means."""
    try:
        yield
    except DatabaseError as error:
        if refusal := _refusal(error):
            raise refusal from error
        raise


def texts(values: Sequence[Any]) -> list[Any]:
    """Lists as PostgreSQL's own text of an array."""
    return [_array(value) if isinstance(value, list) else value for value in values]


def _array(values: list[Any]) -> str:
    """`{"a","b",NULL}`: what PostgreSQL reads as an array of any type."""
    items = ("NULL" if value is None else _quoted(str(value)) for value in values)
    return "{" + ",".join(items) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _refusal(error: DatabaseError) -> DomainError | None:
    """What the database's refusal means; None for an accident, which keeps its SQLSTATE."""
    state = sqlstate_of(error)
    if state == CHECK_VIOLATION and constraint_of(error) == "balance_available_not_negative":
        return InsufficientFunds()
    if state == CHECK_VIOLATION and constraint_of(error) == "hold_remaining_within_amount":
        return BadPosting("a hold pays no more than it still holds")
    if state == UNIQUE_VIOLATION and constraint_of(error) == "one_reversal_a_transfer":
        return AlreadyReversed()
    if state == KEY_REUSED:
        return KeyReused()
    if state == NOT_APPROVED:
        return NotApproved()
    if state in (BAD_LINES, UNKNOWN_REFERENCE):
        return BadPosting(str(error.__cause__).splitlines()[0])
    return None


def _plain(line: Line) -> list[object]:
    return [line.account.code, str(line.bucket), plain(line.amount)]


def digest(body: object) -> str:
    """The SHA-256 of a request's facts."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
