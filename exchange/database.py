"""Short transactions that survive the database's ordinary accidents."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

# serialization failure, deadlock, lock not available within lock_timeout
PASSING = frozenset({"40001", "40P01", "55P03"})
ATTEMPTS = 5


def sqlstate_of(error: BaseException) -> str:
    """The SQLSTATE behind a Django database error, empty when there is none."""
    return str(getattr(error.__cause__, "sqlstate", "") or "")


def constraint_of(error: BaseException) -> str:
    """The name of the violated constraint, empty when there is none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return str(getattr(diagnosis, "constraint_name", "") or "")


def with_retry(work: Callable[[], R]) -> R:
    """What the work gives; deadlocks and lock time-outs start it again, a few times.

    Inside a transaction it cannot start again: there it runs once, behind a savepoint.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except OperationalError as error:
            if sqlstate_of(error) not in PASSING or attempt == ATTEMPTS:
                raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
    raise AssertionError("the loop returns or raises")


def transaction_with_retry(work: Callable[P, R]) -> Callable[P, R]:
    """Runs the work in a transaction of its own, or joins the one there is; see `with_retry`."""

    @wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        def once() -> R:
            with transaction.atomic():
                return work(*args, **kwargs)

        return with_retry(once) if not connection.in_atomic_block else once()

    return run
