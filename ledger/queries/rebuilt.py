"""Balances and holds as they come out of the entries alone, beside those that are stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from exchange.database import one_moment
from ledger.queries.evidence import shown

ROWS = 2000


class Rebuilt:
    """Temporary tables of what the entries say, until the transaction ends."""

    def __init__(self) -> None:
        with connection.cursor() as cursor:
            for statement in (_BALANCES, _HOLDS):
                cursor.execute(statement)

    def counts(self) -> dict[str, int]:
        """How many rows there are to compare, and how many accounts have entries that name no hold."""
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS)
            return dict(cursor.fetchall())

    def first_difference(self) -> str:
        """The first balance or hold that is not stored as it was rebuilt, in words; empty when all are."""
        for sentence, sql in _DIFFERENCES:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                row = cursor.fetchone()
            if row:
                return sentence.format(*map(shown, row))
        return ""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Kind, name, available, held and number of entries of everything that was rebuilt, in a fixed order."""
        with connection.chunked_cursor() as cursor:
            cursor.execute(_ROWS)
            while some := cursor.fetchmany(ROWS):
                yield from some


@contextmanager
def rebuilt() -> Iterator[Rebuilt]:
    """The books as the entries of one moment tell them; nothing of it stays."""
    with one_moment(access="READ WRITE"):
        yield Rebuilt()


_BALANCES = """
CREATE TEMPORARY TABLE rebuilt_balance ON COMMIT DROP AS
SELECT account_id, coalesce(sum(amount) FILTER (WHERE bucket <> 'H'), 0) AS available,
       coalesce(sum(amount) FILTER (WHERE bucket = 'H'), 0) AS held, count(*) AS version
  FROM ledger_entry GROUP BY account_id
"""
# A transfer names the cause whose hold it changes; a crossed trade names two, of which one is on the account.
_HOLDS = r"""
CREATE TEMPORARY TABLE rebuilt_hold ON COMMIT DROP AS
SELECT account_id, cause, cause_id, sum(amount) FILTER (WHERE amount > 0) AS amount, sum(amount) AS remaining
  FROM (
    SELECT e.account_id, e.amount, split_part(t.reference, ':', 1) AS cause,
           CASE WHEN t.reference ~ '^(ORDER|LIST|CHANGE|BRIDGE|WITHDRAWAL):[0-9]{1,18}$'
                THEN split_part(t.reference, ':', 2)::bigint
                ELSE h.cause_id END AS cause_id
      FROM ledger_entry e
      JOIN ledger_transfer t ON t.id = e.transfer_id
      LEFT JOIN ledger_hold h ON t.kind = 'CROSS' AND h.account_id = e.account_id AND h.cause = 'ORDER'
       AND h.cause_id::text = ANY (string_to_array(split_part(t.reference, ':', 2), '+'))
     WHERE e.bucket = 'H') told
 GROUP BY account_id, cause, cause_id
"""
_UNTOLD = "SELECT account_id FROM rebuilt_hold WHERE cause_id IS NULL"
_COUNTS = f"""
SELECT what, rows FROM (
  SELECT 1, 'balances', count(*) FROM ledger_balance
  UNION ALL SELECT 2, 'holds', count(*) FROM ledger_hold WHERE account_id NOT IN ({_UNTOLD})
  UNION ALL SELECT 3, 'accounts whose entries do not tell their holds apart', count(DISTINCT account_id)
    FROM rebuilt_hold WHERE cause_id IS NULL
) AS counted (place, what, rows) ORDER BY place
"""
_DIFFERENCES = (
    (
        "balance of account {}: {} available and {} held after {} entries are stored, {} and {} after {} were rebuilt",
        """
SELECT a.code, trim_scale(b.available), trim_scale(b.held), b.version,
       trim_scale(coalesce(r.available, 0)), trim_scale(coalesce(r.held, 0)), coalesce(r.version, 0)
  FROM ledger_account a
  LEFT JOIN ledger_balance b ON b.account_id = a.id
  LEFT JOIN rebuilt_balance r ON r.account_id = a.id
 WHERE a.type = 'USER' AND (b.available, b.held, b.version)
       IS DISTINCT FROM (coalesce(r.available, 0), coalesce(r.held, 0), coalesce(r.version, 0))
 ORDER BY a.id LIMIT 1
""",
    ),
    (
        "hold for {} {} on account {}: {} of {} is stored, {} of {} was rebuilt",
        f"""
SELECT coalesce(h.cause, r.cause), coalesce(h.cause_id, r.cause_id), a.code, trim_scale(h.remaining),
       trim_scale(h.amount), trim_scale(r.remaining), trim_scale(r.amount)
  FROM (SELECT * FROM ledger_hold WHERE account_id NOT IN ({_UNTOLD})) h
  FULL JOIN (SELECT * FROM rebuilt_hold WHERE account_id NOT IN ({_UNTOLD})) r
    USING (account_id, cause, cause_id)
  JOIN ledger_account a ON a.id = account_id
 WHERE (h.amount, h.remaining) IS DISTINCT FROM (r.amount, r.remaining)
 ORDER BY 1, 2 LIMIT 1
""",
    ),
)
_ROWS = """
SELECT CASE WHEN a.type = 'USER' THEN 'balance' ELSE 'house' END AS kind, a.code, trim_scale(r.available),
       trim_scale(r.held), r.version
  FROM rebuilt_balance r JOIN ledger_account a ON a.id = r.account_id
UNION ALL
SELECT 'hold', concat(r.cause, ':', r.cause_id, ' ', a.code), NULL, trim_scale(r.remaining), NULL
  FROM rebuilt_hold r JOIN ledger_account a ON a.id = r.account_id
 ORDER BY 1, 2
"""
