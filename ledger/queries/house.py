"""What the house's own accounts say: the latest snapshot and the entries of the transactions after it.

Exact at any moment: a snapshot holds every transaction below its horizon, all of which had ended when it was taken, and
`ledger_entry_of_the_house` finds the entries of all others.
"""

from decimal import Decimal

from django.db import connection

from ledger.models import Account

Key = tuple[str, str]  # asset and type of account

_SUMS = """
SELECT a.asset_id, a.type,
       sum(coalesce(s.amount, 0) + coalesce(ledger_house_sum(a.id, coalesce(s.horizon, '0'), NULL), 0))
  FROM ledger_account a
  LEFT JOIN LATERAL (
    SELECT amount, horizon FROM ledger_snapshot WHERE account_id = a.id ORDER BY horizon DESC LIMIT 1) s ON true
 WHERE a.owner_id IS NULL AND {which}
 GROUP BY 1, 2
"""


def house() -> dict[Key, Decimal]:
    """The house's accounts, by asset and type."""
    return _sums("true")


def custody_position() -> dict[str, Decimal]:
    """What the books say lies in sub-accounts, by asset, zero left out."""
    return _positions(_sums("a.type = %s", Account.Type.CUSTODY))


def conversion_position() -> dict[str, Decimal]:
    """What the house is long of by conversions that are not covered, and what they have earned; short is negative."""
    return {
        asset: total
        for (asset, _kind), total in _sums("a.type = %s", Account.Type.CONVERSION).items()
        if total
    }


_CORRECTIONS = """
SELECT e.asset_id, e.amount FROM ledger_entry e
  JOIN ledger_account a ON a.id = e.account_id JOIN ledger_transfer t ON t.id = e.transfer_id
 WHERE a.type = 'CONVERSION' AND t.kind NOT IN ('CONVERT', 'COVER')
UNION ALL
SELECT e.asset_id, -e.amount FROM ledger_entry e
  JOIN ledger_account a ON a.id = e.account_id JOIN ledger_transfer t ON t.id = e.transfer_id
 WHERE a.type = 'SLIPPAGE' AND t.kind = 'FILL' AND EXISTS (
   SELECT FROM ledger_entry own JOIN ledger_account mine ON mine.id = own.account_id
    WHERE own.transfer_id = t.id AND mine.owner_id = %s)
"""


def conversion_corrections(house_id: int) -> list[tuple[str, Decimal]]:
    """What else moved the position: corrections by staff, and what the house's own late trades cost as slippage."""
    with connection.cursor() as cursor:
        cursor.execute(_CORRECTIONS, [house_id])
        return list(cursor.fetchall())


def venue_position(venue_account_id: int) -> dict[str, Decimal]:
    """What the books say the venue account holds for us: minus the sum of its entries, by asset, zero left out."""
    return _positions(_sums("a.venue_account_id = %s", venue_account_id))


def _positions(sums: dict[Key, Decimal]) -> dict[str, Decimal]:
    return {asset: -total for (asset, _kind), total in sums.items() if total}


def _sums(which: str, *values: str | int) -> dict[Key, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(_SUMS.format(which=which), values)
        return {(asset, kind): total for asset, kind, total in cursor.fetchall()}
