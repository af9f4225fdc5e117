"""Whether the laws of the books hold."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import chain

from django.db import connection

from exchange.money import plain

Law = tuple[str, str]


def first_broken_row() -> str:
    """The first row that breaks a law of the books, in words; empty when none does."""
    return next(chain(broken_laws(), broken_snapshots()), "")


def broken_laws() -> Iterator[str]:
    """Of each law that is broken the first row that breaks it, in words; what names a row most closely comes first."""
    return _broken(*_ENTRIES, *_STORED)


def broken_causes() -> Iterator[str]:
    """The first hold for a withdrawal that is finished or somebody else's, and the first withdrawal without a hold."""
    return _broken(*_CAUSES)


def broken_snapshots() -> Iterator[str]:
    """The first snapshot that is not the sum of the entries below its horizon, in words."""
    return _broken(_SNAPSHOT)


def _broken(*laws: Law) -> Iterator[str]:
    for sentence, sql in laws:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
        if row:
            yield sentence.format(*map(shown, row))


def counts() -> dict[str, int]:
    """How many rows the laws are about, by what they are."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        return dict(cursor.fetchall())


def shown(value: object) -> object:
    """The value as a sentence says it."""
    if isinstance(value, Decimal):
        return plain(value)
    return "nothing" if value is None else value


_COUNTS = """
SELECT what, rows FROM (
  SELECT 1, 'transfers', count(*) FROM ledger_transfer
  UNION ALL SELECT 2, 'entries', count(*) FROM ledger_entry
  UNION ALL SELECT 3, 'balances', count(*) FROM ledger_balance
  UNION ALL SELECT 4, 'open holds', count(*) FROM ledger_hold WHERE is_open
  UNION ALL SELECT 5, 'snapshots', count(*) FROM ledger_snapshot
  UNION ALL SELECT 6, 'blocks', count(*) FROM ledger_seal
  UNION ALL SELECT 7, 'sealed transfers', count(*) FROM ledger_sealedtransfer
) AS counted (place, what, rows) ORDER BY place
"""

_ENTRIES: tuple[Law, ...] = (
    (
        "entry {} belongs to transfer {}, which is gone",
        "SELECT e.id, e.transfer_id FROM ledger_entry e LEFT JOIN ledger_transfer t ON t.id = e.transfer_id"
        " WHERE t.id IS NULL ORDER BY 1 LIMIT 1",
    ),
    (
        "transfer {} has no entries",
        "SELECT id FROM ledger_transfer t WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transfer_id = t.id)"
        " ORDER BY 1 LIMIT 1",
    ),
    (
        "entry {} is of transaction {}, its transfer {} of {}",
        "SELECT e.id, e.xid::text, t.id, t.xid::text FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id"
        " WHERE e.xid <> t.xid ORDER BY 1 LIMIT 1",
    ),
    (
        "entry {} of {} in bucket {} does not fit account {}",
        "SELECT e.id, e.asset_id, e.bucket, coalesce(a.code, e.account_id::text)"
        " FROM ledger_entry e LEFT JOIN ledger_account a ON a.id = e.account_id"
        " WHERE a.id IS NULL OR a.asset_id <> e.asset_id OR (a.type = 'USER') <> (e.bucket IN ('A', 'H'))"
        " OR (a.type = 'USER') <> (e.seq IS NOT NULL) ORDER BY 1 LIMIT 1",
    ),
    (
        "gap in the sequence of account {}: entry number {} is missing",
        "SELECT a.code, e.before + 1 FROM ("
        " SELECT account_id, seq, lag(seq, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY seq) AS before"
        " FROM ledger_entry WHERE seq IS NOT NULL) e JOIN ledger_account a ON a.id = e.account_id"
        " WHERE e.seq <> e.before + 1 ORDER BY e.account_id, e.seq LIMIT 1",
    ),
    (
        "balance after entry {} of account {}: {} is stored, and its entries sum to {}",
        "SELECT e.id, a.code, e.balance_after, e.total FROM ("
        " SELECT id, account_id, balance_after,"
        " sum(amount) OVER (PARTITION BY account_id, bucket ORDER BY seq) AS total"
        " FROM ledger_entry WHERE seq IS NOT NULL) e JOIN ledger_account a ON a.id = e.account_id"
        " WHERE e.balance_after IS DISTINCT FROM e.total ORDER BY 1 LIMIT 1",
    ),
    (
        "unbalanced transfer {}: its entries in {} sum to {}",
        "SELECT transfer_id, asset_id, sum(amount) FROM ledger_entry GROUP BY 1, 2 HAVING sum(amount) <> 0"
        " ORDER BY 1, 2 LIMIT 1",
    ),
    (
        "trial balance of asset {}: {}",
        "SELECT asset_id, sum(amount) FROM ledger_entry GROUP BY 1 HAVING sum(amount) <> 0 ORDER BY 1 LIMIT 1",
    ),
    (
        "entry {} of account {}: {} is finer than the {} decimals of {}",
        "SELECT e.id, a.code, e.amount, s.scale, s.code FROM ledger_entry e"
        " JOIN markets_asset s ON s.code = e.asset_id JOIN ledger_account a ON a.id = e.account_id"
        " WHERE e.amount <> round(e.amount, s.scale) ORDER BY 1 LIMIT 1",
    ),
)

_STORED: tuple[Law, ...] = (
    (
        "account {} has no balance",
        "SELECT code FROM ledger_account a WHERE type = 'USER'"
        " AND NOT EXISTS (SELECT 1 FROM ledger_balance b WHERE b.account_id = a.id) ORDER BY a.id LIMIT 1",
    ),
    (
        "balance of account {}: {} available and {} held after {} entries are stored,"
        " and its entries say {} and {} after {}",
        "SELECT a.code, b.available, b.held, b.version, coalesce(e.a, 0), coalesce(e.h, 0), coalesce(e.n, 0)"
        " FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id LEFT JOIN ("
        " SELECT account_id, coalesce(sum(amount) FILTER (WHERE bucket = 'A'), 0) AS a,"
        " coalesce(sum(amount) FILTER (WHERE bucket = 'H'), 0) AS h, count(*) AS n FROM ledger_entry GROUP BY 1"
        ") e USING (account_id)"
        " WHERE b.available <> coalesce(e.a, 0) OR b.held <> coalesce(e.h, 0) OR b.version <> coalesce(e.n, 0)"
        " ORDER BY b.account_id LIMIT 1",
    ),
    (
        "holds of account {}: {} is held, and its holds sum to {}",
        "SELECT a.code, b.held, coalesce(h.r, 0)"
        " FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id LEFT JOIN ("
        " SELECT account_id, sum(remaining) AS r FROM ledger_hold GROUP BY 1) h USING (account_id)"
        " WHERE b.held <> coalesce(h.r, 0) ORDER BY b.account_id LIMIT 1",
    ),
    (
        "hold {} of account {}: {} is stored, and its transfer held {}",
        "SELECT h.id, a.code, h.amount, e.amount"
        " FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id"
        " LEFT JOIN ledger_transfer t ON t.scope = 'hold' AND t.key = h.cause || ':' || h.cause_id"
        " LEFT JOIN ledger_entry e ON e.transfer_id = t.id AND e.account_id = h.account_id AND e.bucket = 'H'"
        " WHERE h.amount IS DISTINCT FROM e.amount ORDER BY 1 LIMIT 1",
    ),
)

_CAUSES: tuple[Law, ...] = (
    (
        "hold {} is open for withdrawal {} of account {}, which needs none",
        "SELECT h.id, h.cause_id, a.code FROM ledger_hold h JOIN ledger_account a ON a.id = h.account_id"
        " LEFT JOIN ledger_withdrawal w ON w.id = h.cause_id AND w.finished_at IS NULL"
        " AND w.status NOT IN ('COMPLETED', 'REFUSED', 'FAILED', 'CANCELED', 'EXPIRED')"
        " AND w.user_id = a.owner_id AND w.asset_id = a.asset_id"
        " WHERE h.is_open AND h.cause = 'WITHDRAWAL' AND w.id IS NULL ORDER BY 1 LIMIT 1",
    ),
    (
        "withdrawal {} of customer {} is not finished, and nothing is held for it",
        "SELECT w.id, w.user_id FROM ledger_withdrawal w LEFT JOIN ledger_hold h"
        " ON h.cause = 'WITHDRAWAL' AND h.cause_id = w.id AND h.is_open"
        " WHERE w.finished_at IS NULL AND h.id IS NULL ORDER BY 1 LIMIT 1",
    ),
)

_SNAPSHOT: Law = (
    "snapshot {} of account {}: {} is stored, and the entries below its horizon sum to {}",
    "SELECT s.snapshot, a.code, s.stored, s.total FROM ("
    " SELECT account_id, snapshot, stored, sum(amount) OVER ("
    " PARTITION BY account_id ORDER BY xid, is_entry ROWS UNBOUNDED PRECEDING) AS total FROM ("
    " SELECT account_id, horizon AS xid, 0 AS is_entry, id AS snapshot, amount AS stored, 0 AS amount"
    " FROM ledger_snapshot UNION ALL"
    " SELECT account_id, xid, 1, NULL, NULL, amount FROM ledger_entry WHERE seq IS NULL) events"
    ") s JOIN ledger_account a ON a.id = s.account_id WHERE s.stored <> s.total ORDER BY 1 LIMIT 1",
)
