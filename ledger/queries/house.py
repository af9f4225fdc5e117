"""What the house's own accounts say: the latest snapshot and the entries of the transactions after it.

Exact at any moment: a snapshot holds every transaction below its horizon, all of which had ended when it was taken, and
`ledger_entry_of_the_house` finds the entries of all others.
"""

from decimal import Decimal

from django.db import connection

from ledger.models import Account

_SUMS = """
SELECT {label}, sum(coalesce(s.amount, 0) + coalesce(ledger_house_sum(a.id, coalesce(s.horizon, '0'), NULL), 0))
  FROM ledger_account a
  LEFT JOIN LATERAL (
    SELECT amount, horizon FROM ledger_snapshot WHERE account_id = a.id ORDER BY horizon DESC LIMIT 1) s ON true
 WHERE {which} = %s AND a.owner_id IS NULL
 GROUP BY 1
"""


def house(asset: str) -> dict[str, Decimal]:
    """The house's accounts in the asset, by type."""
    return _sums(_SUMS.format(label="a.type", which="a.asset_id"), asset)


def venue_position(venue_account_id: int) -> dict[str, Decimal]:
    """What the books say the venue account holds for us: minus the sum of its entries, by asset, zero left out."""
    sums = _sums(_SUMS.format(label="a.asset_id", which="a.venue_account_id"), venue_account_id)
    return {asset: -total for asset, total in sums.items() if total}


def custody_position() -> dict[str, Decimal]:
    """What the books say lies in sub-accounts, by asset, zero left out."""
    sums = _sums(_SUMS.format(label="a.asset_id", which="a.type"), Account.Type.CUSTODY)
    return {asset: -total for asset, total in sums.items() if total}


def _sums(sql: str, value: str | int) -> dict[str, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        return dict(cursor.fetchall())
