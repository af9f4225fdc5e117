"""The house's accounts: the latest snapshot and what came after it, exact whatever runs beside."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Sum

from ledger import queries as books
from ledger import services as ledger
from ledger.models import Account, Entry, Snapshot
from tests.factories import fund, make_user, venue_account
from tests.ledger.chain import live, wait_for_horizon
from tests.ledger.test_seals import elsewhere, post_elsewhere
from tests.race import at_once

__all__ = ["elsewhere"]


def added_up(asset: str) -> dict[str, Decimal]:
    """The same by adding up every entry."""
    sums = Entry.objects.filter(asset_id=asset, account__owner__isnull=True).order_by()
    return dict(sums.values_list("account__type").annotate(total=Sum("amount")))


def house(asset: str) -> dict[str, Decimal]:
    return {kind: total for (code, kind), total in books.house().items() if code == asset}


def snapshot() -> int:
    wait_for_horizon()
    return ledger.snapshot_house()


def test_the_house_is_the_sum_of_its_entries_with_and_without_snapshots(committed_db: str) -> None:
    user = live()
    expected = [
        {"VENUE": Decimal("-0.1999"), "FEES": Decimal("0.0002"), "COMMISSION": Decimal("-0.0001")},
        {"VENUE": Decimal("-42020")},
    ]
    assert [house("BTC"), house("USDT")] == expected == [added_up("BTC"), added_up("USDT")]
    assert (snapshot(), snapshot()) == (4, 0)
    assert [house("BTC"), house("USDT")] == expected
    fund(user, "USDT", "5")
    assert house("USDT") == {"VENUE": Decimal("-42025")} == added_up("USDT")
    assert books.venue_position(venue_account().pk) == {"BTC": Decimal("0.1999"), "USDT": Decimal("42025")}
    assert (snapshot(), books.first_broken_row()) == (1, "")


def test_of_old_snapshots_the_first_of_each_day_stays(committed_db: str) -> None:
    fund(make_user(), "USDT", "5")
    account = Account.objects.get(type=Account.Type.VENUE)
    days = [
        datetime(2026, 1, day, hour, tzinfo=UTC) for day, hour in ((1, 1), (1, 9), (1, 20), (2, 3), (2, 4))
    ]
    for horizon, at in enumerate(days, 3):
        Snapshot.objects.create(account=account, horizon=horizon, amount=0, created_at=at)
    wait_for_horizon()
    assert ledger.snapshot_house(kept=2) == 1
    left = Snapshot.objects.order_by("-id").values_list("created_at", flat=True)
    assert list(left)[1:] == [days[4], days[3], days[0]]
    assert house("USDT") == added_up("USDT")


def test_an_account_without_money_is_not_a_position(committed_db: str) -> None:
    assert books.venue_position(venue_account().pk) == {}


def test_what_began_before_a_snapshot_and_commits_after_it_is_counted_once(
    committed_db: str, elsewhere: psycopg.Connection
) -> None:
    user = make_user()
    fund(user, "USDT", "5")
    wait_for_horizon()
    post_elsewhere(elsewhere, "early")
    fund(user, "USDT", "7")
    assert ledger.snapshot_house() == 1
    assert Snapshot.objects.get().amount == -5
    assert house("USDT") == {"VENUE": Decimal(-12)}
    elsewhere.commit()
    assert house("USDT") == {"VENUE": Decimal(-11), "EQUITY": Decimal(-1)} == added_up("USDT")
    assert snapshot() == 2
    assert house("USDT") == added_up("USDT")
    assert books.first_broken_row() == ""


def test_the_house_is_exact_while_many_write_and_take_fetched(committed_db: str) -> None:
    users = [make_user(f"user{number}") for number in range(3)]
    fund(users[0], "USDT", "1")

    def write_or_look(number: int) -> None:
        for _time in range(15):
            if number < len(users):
                fund(users[number], "USDT", "1")
            else:
                ledger.snapshot_house()
                with connection.cursor() as cursor:
                    cursor.execute(BOTH)
                    assert cursor.fetchall() == []

    assert at_once(5, write_or_look) == [None] * 5
    assert snapshot() <= 1
    assert house("USDT") == added_up("USDT") == {"VENUE": Decimal(-46)}
    assert books.first_broken_row() == ""


# One statement, so one moment: by snapshot and by all entries.
BOTH = """
SELECT * FROM (
  SELECT coalesce(s.amount, 0) + coalesce((
           SELECT sum(amount) FROM ledger_entry
            WHERE account_id = a.id AND seq IS NULL AND xid >= coalesce(s.horizon, '0')), 0) AS quick,
         coalesce((SELECT sum(amount) FROM ledger_entry WHERE account_id = a.id), 0) AS slow
    FROM ledger_account a LEFT JOIN LATERAL (
      SELECT * FROM ledger_snapshot WHERE account_id = a.id ORDER BY horizon DESC LIMIT 1) s ON true
   WHERE a.type = 'VENUE') sums WHERE quick <> slow
"""


def entries_read(work: Callable[[], Any]) -> tuple[int, int]:
    """How many entries the work read by scanning the table, and how many by an index."""
    with transaction.atomic(), connection.cursor() as cursor:
        before = _read(cursor)
        work()
        after = _read(cursor)
    return after[0] - before[0], after[1] - before[1]


def _read(cursor: CursorWrapper) -> tuple[int, int]:
    cursor.execute(
        "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'ledger_entry'"
    )
    return cursor.fetchone()


@pytest.mark.parametrize("read", ["house", "venue_position"])
def test_reading_the_house_looks_at_what_came_after_the_snapshot_alone(
    committed_db: str, owner: psycopg.Connection, read: str
) -> None:
    user, account = make_user(), venue_account().pk
    fund(user, "USDT", "1")
    owner.execute(MANY)
    owner.execute("ANALYZE")
    work = {"house": books.house, "venue_position": lambda: books.venue_position(account)}[read]
    assert entries_read(work) == (0, 6001)
    assert snapshot() == 1
    fund(user, "USDT", "1")
    assert entries_read(work) == (0, 1)
    assert house("USDT") == {"VENUE": Decimal(-2)}


def test_the_sum_after_a_horizon_is_read_through_the_house_index(
    committed_db: str, owner: psycopg.Connection
) -> None:
    fund(make_user(), "USDT", "1")
    owner.execute(MANY)
    owner.execute("ANALYZE")
    owner.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    plan = "\n".join(row[0] for row in owner.execute(f"EXPLAIN {AFTER}"))
    assert "Index Scan using ledger_entry_of_the_house" in plan
    assert "Seq Scan" not in plan


AFTER = "SELECT sum(amount) FROM ledger_entry WHERE account_id = 1 AND seq IS NULL AND xid >= '700'"
# 6,000 entries of the venue's account that cancel each other out.
MANY = """
WITH made AS (
  INSERT INTO ledger_transfer (scope, key, request_hash, kind, reference, created_at)
  SELECT 'many', n::text, '', 'DEPOSIT', '', now() FROM generate_series(1, 3000) n RETURNING id)
INSERT INTO ledger_entry (transfer_id, account_id, asset_id, bucket, amount)
SELECT made.id, a.id, a.asset_id, 'S', side FROM made, ledger_account a, (VALUES (1), (-1)) AS sides (side)
 WHERE a.type = 'VENUE'
"""


def test_old_snapshots_go_except_the_first_of_each_day(committed_db: str, owner: psycopg.Connection) -> None:
    user = make_user()
    for days in (3, 3, 3, 2, 0, 0, 0):
        fund(user, "USDT", "1")
        wait_for_horizon()
        assert ledger.snapshot_house(kept=2) == 1
        owner.execute(
            "UPDATE ledger_snapshot SET created_at = created_at - make_interval(days => %s)"
            " WHERE horizon = (SELECT horizon FROM ledger_snapshot ORDER BY horizon DESC LIMIT 1)",
            [days],
        )
    kept = list(Snapshot.objects.order_by("horizon").values_list("amount", flat=True))
    assert kept == [-1, -4, -5, -6, -7]
    assert house("USDT") == {"VENUE": Decimal(-7)}
