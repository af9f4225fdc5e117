"""The laws of the books in SQL of our own, asked in one snapshot; and what the books say, for the auditor."""

from decimal import Decimal

import psycopg

from tests.soak.auditor import Auditor, Discrepancy

LAWS = {
    "trial balance": "SELECT asset_id, sum(amount) FROM ledger_entry GROUP BY asset_id HAVING sum(amount) <> 0",
    "a transfer balances": (
        "SELECT transfer_id, asset_id FROM ledger_entry GROUP BY transfer_id, asset_id HAVING sum(amount) <> 0"
    ),
    "a transfer has entries": (
        "SELECT id FROM ledger_transfer EXCEPT SELECT transfer_id FROM ledger_entry LIMIT 1"
    ),
    "stored is the sum of entries": (
        "SELECT account_id FROM ledger_balance b WHERE NOT (available, held, version) ="
        " (SELECT coalesce(sum(amount) FILTER (WHERE bucket = 'A'), 0), coalesce(sum(amount) FILTER"
        " (WHERE bucket = 'H'), 0), count(*) FROM ledger_entry e WHERE e.account_id = b.account_id)"
    ),
    "nothing is negative": "SELECT account_id FROM ledger_balance WHERE NOT (available >= 0 AND held >= 0)",
    "holds add up": (
        "SELECT account_id FROM ledger_balance b WHERE held <>"
        " (SELECT coalesce(sum(remaining), 0) FROM ledger_hold h WHERE h.account_id = b.account_id)"
    ),
    "a hold holds no more than it was given": (
        "SELECT id FROM ledger_hold WHERE remaining < 0 OR remaining > amount OR (NOT is_open AND remaining <> 0)"
    ),
    "the sequence has no gap and the balance after is right": (
        "SELECT id FROM (SELECT id, seq, balance_after, row_number() OVER (PARTITION BY account_id ORDER BY seq) AS n,"
        " sum(amount) OVER (PARTITION BY account_id, bucket ORDER BY seq) AS s FROM ledger_entry"
        " WHERE bucket <> 'S') e WHERE seq <> n OR balance_after <> s"
    ),
    "customers have numbered entries and the house has none": (
        "SELECT e.id FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
        " WHERE (a.type = 'USER') <> (e.seq IS NOT NULL) OR (a.type = 'USER') <> (e.bucket <> 'S')"
    ),
    "no amount is finer than its asset": (
        "SELECT e.id FROM ledger_entry e JOIN markets_asset s ON s.code = e.asset_id"
        " WHERE e.amount <> round(e.amount, s.scale)"
    ),
}  # fmt: skip


def look(session: psycopg.Connection) -> None:
    """Raises Discrepancy for the first law that is broken, as of one instant."""
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for law, sql in LAWS.items():
            if row := session.execute(sql).fetchone():
                raise Discrepancy(f"{law}: {row}")


def compare(session: psycopg.Connection, auditor: Auditor) -> None:
    """Raises Discrepancy when the books say anything else than the auditor's paper, to the last digit."""
    with session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for what, sql, paper in (
            ("available", POTS.format("available"), auditor.available),
            ("held", POTS.format("held"), auditor.held),
            ("house", HOUSE, auditor.house),
        ):
            require_same(what, amounts(session, sql), dict(paper))
        holds = {
            (cause, number): (Decimal(remaining), is_open)
            for cause, number, remaining, is_open in session.execute(HOLDS)
        }
        paper_holds = {cause: (hold.remaining, hold.is_open) for cause, hold in auditor.holds.items()}
        require_same("holds", holds, paper_holds)
        counts = session.execute(COUNTS).fetchone()
        require_same("transfers and exceptions", counts, (auditor.transfers, auditor.exceptions))


POTS = (
    "SELECT a.owner_id, a.asset_id, b.{} FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id"
)
HOUSE = (
    "SELECT a.type, a.asset_id, sum(e.amount) FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
    " WHERE a.type <> 'USER' GROUP BY 1, 2"
)
HOLDS = "SELECT cause, cause_id, remaining, is_open FROM ledger_hold"
COUNTS = "SELECT (SELECT count(*) FROM ledger_transfer), (SELECT count(*) FROM ledger_ledgerexception)"


def amounts(session: psycopg.Connection, sql: str) -> dict[object, Decimal]:
    return {(who, asset): amount for who, asset, amount in session.execute(sql.encode())}


def require_same(what: str, books: object, paper: object) -> None:
    if isinstance(books, dict) and isinstance(paper, dict):
        keys = [key for key in {*books, *paper} if (books.get(key) or 0) != (paper.get(key) or 0)]
        if keys:
            raise Discrepancy(
                f"{what} of {keys[0]}: books {books.get(keys[0])}, auditor {paper.get(keys[0])}"
            )
    elif books != paper:
        raise Discrepancy(f"{what}: books {books}, auditor {paper}")
