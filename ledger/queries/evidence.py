"""Whether the laws of the books hold."""

from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    pass


def first_broken_row() -> str:
    """The first row that breaks a law of the books, in words; empty when none does."""
    for name, sql in _LAWS:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            if row := cursor.fetchone():
                return f"{name}: {' '.join(str(part) for part in row)}"
    return ""


_LAWS = (
    (
        "trial balance of asset",
        "SELECT asset_id, sum(amount) FROM ledger_entry GROUP BY 1 HAVING sum(amount) <> 0",
    ),
    (
        "unbalanced transfer",
        "SELECT transfer_id, asset_id, sum(amount) FROM ledger_entry GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1",
    ),
    (
        "transfer without entries",
        "SELECT id FROM ledger_transfer t WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transfer_id = t.id)",
    ),
    (
        "balance of account",
        "SELECT b.account_id, b.available, b.held FROM ledger_balance b LEFT JOIN ("
        " SELECT account_id, coalesce(sum(amount) FILTER (WHERE bucket = 'A'), 0) AS a,"
        " coalesce(sum(amount) FILTER (WHERE bucket = 'H'), 0) AS h, count(*) AS n FROM ledger_entry GROUP BY 1"
        ") e USING (account_id)"
        " WHERE b.available <> coalesce(e.a, 0) OR b.held <> coalesce(e.h, 0) OR b.version <> coalesce(e.n, 0)",
    ),
    (
        "gap in the sequence of account",
        "SELECT account_id, max(seq), count(*) FROM ledger_entry WHERE seq IS NOT NULL GROUP BY 1"
        " HAVING max(seq) <> count(*) OR min(seq) <> 1",
    ),
    (
        "balance after entry",
        "SELECT id FROM (SELECT id, balance_after, sum(amount) OVER (PARTITION BY account_id, bucket ORDER BY seq) AS s"
        " FROM ledger_entry WHERE seq IS NOT NULL) e WHERE balance_after <> s ORDER BY id",
    ),
    (
        "holds of account",
        "SELECT b.account_id, b.held FROM ledger_balance b LEFT JOIN ("
        " SELECT account_id, sum(remaining) AS r FROM ledger_hold GROUP BY 1) h USING (account_id)"
        " WHERE b.held <> coalesce(h.r, 0)",
    ),
)
