"""Short transactions that survive the database's ordinary accidents."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from exchange.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# serialization failure, deadlock, lock not available within lock_timeout
PASSING = frozenset({"40001", "40P01", "55P03"})
ATTEMPTS = 5
# The server ends the session: shutdown, crash, starting up, dropped database, left idle in a transaction or at all.
ENDED = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03"})
# Seconds; a server that is started again answers within them.
WAITS_AFTER_LOSS = (0, 0.1, 0.5)


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE behind a Django database error, empty when there is none."""
    return str(getattr(error.__cause__, "sqlstate", "") or "")


def constraint_of(error: BaseException) -> str:
    """The name of the violated constraint, empty when there is none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return str(getattr(diagnosis, "constraint_name", "") or "")


def is_loss(error: BaseException) -> bool:
    """True when the connection was lost; whether its last transaction was committed is then not known.

    What the server says has an SQLSTATE, what psycopg finds out by itself has none.
    """
    state = sqlstate_of(error)
    return isinstance(error, OperationalError | InterfaceError) and (
        state == "" or state in ENDED or state.startswith("08")
    )


def rules_the_database() -> bool:
    """True when this session's role is a superuser, or can act as the owner of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND pg_has_role(current_user, relowner, 'MEMBER'))"
            " FROM pg_roles WHERE rolname = current_user"
        )
        return bool(cursor.fetchone()[0])


def with_retry(work: Callable[[], R]) -> R:
    """What the work gives; deadlocks and lock time-outs start it again, a few times, and then it is Unavailable.

    Inside a transaction it cannot start again: there it runs once, behind a savepoint.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except OperationalError as error:
            if sqlstate_of(error) not in PASSING:
                raise
            if attempt == ATTEMPTS:
                raise Unavailable() from error
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
    raise AssertionError("the loop returns or raises")


def repeated_after_loss(work: Callable[[], R]) -> R:
    """What the work gives; when its connection is lost it is done again, so it must be harmless to repeat.

    Not inside a transaction: what was done before in it is lost too, and only the whole may be done again.
    """
    for wait in WAITS_AFTER_LOSS:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or not is_loss(error):
                raise
            connection.close()
            time.sleep(wait)
    return work()


def transaction_with_retry(work: Callable[P, R]) -> Callable[P, R]:
    """Runs the work in a transaction of its own, or joins the one there is; see `with_retry`."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def once() -> R:
            with transaction.atomic():
                return work(*args, **kwargs)

        return with_retry(once) if not connection.in_atomic_block else once()

    return run


@contextmanager
def one_moment(*, access: str = "READ ONLY", seconds: int = 0) -> Iterator[None]:
    """Everything read inside is of one moment; on a replica and as any role too.

    A statement may take so many seconds, or with 0 as long as it takes.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}")
            cursor.execute(f"SET LOCAL statement_timeout = '{seconds}s'")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def same_moment(*, seconds: int = 60) -> AbstractContextManager[object]:
    """As `one_moment`; within a transaction it is what that one sees."""
    # Years of entries may take longer than a posting may; nobody waits for what only reads.
    return nullcontext() if connection.in_atomic_block else one_moment(seconds=seconds)
