"""Runs of the reconciliation at a venue whose account a test describes."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg

from accounts.models import User
from ledger import services as ledger
from ledger.models import LedgerException, Reconciliation
from tests.venue import Venue

ACCOUNT, ASSETS = "/api/v3/account", "/sapi/v4/sub-account/assets"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def holds(venue: Venue, *, locked: str = "0", **amounts: str) -> None:
    """What the trading account holds."""
    rows = [{"asset": asset, "free": amount, "locked": "0"} for asset, amount in amounts.items()]
    rows[0]["locked"] = locked
    venue.on("GET", ACCOUNT, (200, {"balances": rows}))


def lies_in_sub_accounts(venue: Venue, **amounts: str) -> None:
    zero = {"locked": "0", "freeze": "0", "withdrawing": "0"}
    rows = [{"asset": asset, "free": amount, **zero} for asset, amount in amounts.items()]
    venue.on("GET", ASSETS, (200, {"balances": rows}))


def run(after: int = 0, *, since: datetime = NOW) -> Reconciliation:
    """A reconciliation so many minutes later."""
    found = ledger.reconcile(now=since + timedelta(minutes=after))
    assert found is not None
    return found


def twice() -> Reconciliation:
    run()
    return run(5)


def differences(found: Reconciliation) -> dict[str, Decimal]:
    return {row.asset_id: row.difference.normalize() for row in found.rows.all() if row.difference}


def ask_closing(found: LedgerException, by: User, *, books: bool = True) -> int:
    asked = ledger.ask_closing(
        exception_id=found.pk, category="unexplained", reason="seen", by=by, books=books
    )
    return asked.pk


def wait_for_waiting(owner: psycopg.Connection, count: int) -> None:
    """Until so many other sessions of this database wait for a lock."""
    deadline = time.monotonic() + 1.5  # before they give up, see lock_timeout
    sql = (
        "SELECT count(DISTINCT w.pid) FROM pg_locks w JOIN pg_locks here USING (pid) WHERE NOT w.granted"
        " AND here.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    while time.monotonic() < deadline:
        row = owner.execute(sql).fetchone()
        if row is not None and row[0] >= count:
            return
        time.sleep(0.01)
    raise AssertionError("they do not wait")
