"""Why a balance is what it is: what came in and went out by cause, and what is held for what."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce

from django.db import connection
from django.db.models import Max

from exchange.database import same_moment
from exchange.money import EXACT
from ledger.models import Account, Entry, Hold, Transfer
from ledger.queries.books import BalanceRow, balance, require_asset
from ledger.queries.history import PAGE_SECONDS, balance_after, latest

ZERO = Decimal(0)
# A page waits a moment for so many, and not for all of a machine's trades of a year.
MOST_SUMMED = 20_000
ORDER = list(Transfer.Kind.values)


@dataclass(frozen=True)
class Sum:
    """What the transfers of one kind brought or took; trades also by the other asset, and by their direction.

    `fees` is what we kept of what those trades brought: it was never the customer's, and is no part of the amount.
    """

    kind: str
    against: str
    way: str
    amount: Decimal
    entries: int
    fees: Decimal


@dataclass(frozen=True)
class Explanation:
    """The sums since the first entry, the holds that still hold something, and the stored numbers they end in.

    Of an account with very many entries the oldest are not summed anew: `opening` is what was there after them.
    """

    stored: BalanceRow
    opened_at: datetime | None
    opening: Decimal
    sums: list[Sum]
    holds: list[Hold]

    @property
    def total(self) -> Decimal:
        return reduce(EXACT.add, (found.amount for found in self.sums), self.opening)

    @property
    def held(self) -> Decimal:
        return reduce(EXACT.add, (hold.remaining for hold in self.holds), ZERO)

    @property
    def available(self) -> Decimal:
        return EXACT.subtract(self.total, self.held)

    @property
    def is_exact(self) -> bool:
        return (self.available, self.held) == (self.stored.available, self.stored.held)


def explanation(user_id: int, asset: str, most: int = MOST_SUMMED) -> Explanation:
    """Where the customer's balance of the asset comes from, all of it read at one moment; sums `most` entries or so."""
    with same_moment(seconds=PAGE_SECONDS):
        stored = balance(user_id, asset)
        account = Account.objects.filter(type=Account.Type.USER, owner_id=user_id, asset_id=asset).first()
        if account is None:
            require_asset(asset)
            return Explanation(stored, None, ZERO, [], [])
        last = _last_not_summed(account, most)
        opening = balance_after(account, last)
        first = Entry.objects.filter(account=account, seq=last + 1).select_related("transfer").first()
        holds = Hold.objects.filter(account=account, remaining__gt=0).order_by("id")
        return Explanation(
            stored,
            first.transfer.created_at if first else None,
            EXACT.add(opening.available, opening.held),
            _sums(account, last),
            list(holds),
        )


def _last_not_summed(account: Account, most: int) -> int:
    """The number of the last entry before those that are summed; the entries of a transfer stay together."""
    last = latest(account) - most
    if last <= 0:
        return 0
    cut = Entry.objects.filter(account=account, seq=last).values("transfer_id")
    return Entry.objects.filter(account=account, transfer_id__in=cut).aggregate(last=Max("seq"))["last"] or 0


def _sums(account: Account, last: int) -> list[Sum]:
    """Holding and giving back move nothing in or out, so they sum to zero and are left out."""
    wanted = {"account": account.pk, "owner": account.owner_id, "asset": account.asset_id, "last": last}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, wanted)
        found = [Sum(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda each: (ORDER.index(each.kind), each.way, each.against))


_SUMS = """
WITH mine AS (
  SELECT transfer_id, sum(amount) AS net, count(*) AS entries FROM ledger_entry
   WHERE account_id = %(account)s AND seq > %(last)s GROUP BY 1
), named AS (
  SELECT t.kind IN ('FILL', 'CROSS') AS is_trade, t.kind, mine.net, mine.entries, trade.other, trade.fee
    FROM mine JOIN ledger_transfer t ON t.id = mine.transfer_id
    LEFT JOIN LATERAL (
      SELECT min(l.asset_id) FILTER (WHERE a.owner_id = %(owner)s AND a.id <> %(account)s) AS other,
             sum(l.amount) FILTER (WHERE a.type = 'FEES' AND l.asset_id = %(asset)s) AS fee
        FROM ledger_entry l JOIN ledger_account a ON a.id = l.account_id WHERE l.transfer_id = mine.transfer_id
    ) trade ON t.kind IN ('FILL', 'CROSS')
   WHERE mine.net <> 0
)
SELECT CASE WHEN is_trade THEN 'FILL' ELSE kind END,
       CASE WHEN is_trade THEN coalesce(other, '') ELSE '' END,
       CASE WHEN NOT is_trade THEN '' WHEN net > 0 THEN 'in' ELSE 'out' END,
       sum(net), sum(entries)::bigint, coalesce(sum(fee) FILTER (WHERE net > 0), 0)
  FROM named GROUP BY 1, 2, 3
"""
