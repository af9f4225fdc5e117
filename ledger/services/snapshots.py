"""Sums of the house's accounts, kept so that nobody has to add up all entries again."""

from django.db import connection

from exchange.database import transaction_with_retry

# Besides the last of each account, which everything is counted from, the first of each day stays for ever.
KEPT = 48


@transaction_with_retry
def snapshot_house(*, kept: int = KEPT) -> int:
    """Each account of the house that moved has a snapshot at the safe horizon; gives how many were made.

    Below the oldest transaction still running nothing can appear any more, so the sum is final; two at once make the
    same one, or one after the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")  # the first one adds up everything there is
        cursor.execute(_TAKE)
        made: int = cursor.rowcount
        if made:
            cursor.execute(_PRUNE, [kept])
    return made


_TAKE = """
WITH safe AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon)
INSERT INTO ledger_snapshot (account_id, horizon, amount, created_at)
SELECT a.id, safe.horizon, coalesce(s.amount, 0) + e.total, clock_timestamp()
  FROM safe CROSS JOIN ledger_account a
  LEFT JOIN LATERAL (
    SELECT amount, horizon FROM ledger_snapshot WHERE account_id = a.id ORDER BY horizon DESC LIMIT 1) s ON true
  CROSS JOIN LATERAL (SELECT ledger_house_sum(a.id, coalesce(s.horizon, '0'), safe.horizon) AS total) e
 WHERE a.owner_id IS NULL AND e.total IS NOT NULL
ON CONFLICT (account_id, horizon) DO NOTHING
"""
# Each run adds one an account at most, so only a few beyond those that are kept can have to go.
_PRUNE = """
DELETE FROM ledger_snapshot WHERE id IN (
  SELECT old.id FROM ledger_account a CROSS JOIN LATERAL (
    SELECT id, day = lead(day) OVER (ORDER BY horizon DESC) AS is_later_that_day FROM (
      SELECT id, horizon, (created_at AT TIME ZONE 'UTC')::date AS day
        FROM ledger_snapshot WHERE account_id = a.id ORDER BY horizon DESC OFFSET %s LIMIT 100) beyond) old
   WHERE a.owner_id IS NULL AND old.is_later_that_day)
"""
