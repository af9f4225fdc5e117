"""Deposits that are not final: what came by them stays, as itself and by its worth."""

from decimal import Decimal

from django.conf import settings

from exchange.money import plain
from ledger import queries
from ledger.errors import LockedElsewhere, NoPrice, StillLocked
from ledger.models import Withdrawal


def require_unlocked(
    withdrawal: Withdrawal, prices: queries.Prices, *, not_held: Decimal = Decimal(0)
) -> None:
    """Refuses one after which less stays than came by deposits that are not final; `not_held` yet is of its amount.

    All that is on its way out counts as gone, whichever of them is sent first. Raises NoPrice where it depends on
    prices that nobody says.
    """
    locked = queries.locked(withdrawal.user_id)
    if not locked:
        return
    asset = withdrawal.asset_id
    if queries.available(withdrawal.user_id, asset) - not_held < locked.get(asset, Decimal(0)):
        raise StillLocked(field="amount", locked=f"{plain(locked[asset])} {asset}")
    kept = sum((_priced(code, amount, prices) for code, amount in locked.items()), Decimal(0))
    going = queries.worth(asset, not_held, prices) or Decimal(0)
    if _staying(withdrawal.user_id, prices) - going >= kept:
        return
    if not prices.are_known:
        raise NoPrice(field="amount", asset=asset)
    raise LockedElsewhere(field="amount", locked=plain(kept), reference=settings.REFERENCE_ASSET)


def _priced(asset: str, amount: Decimal, prices: queries.Prices) -> Decimal:
    value = queries.worth(asset, amount, prices)
    if value is None:
        raise NoPrice(field="amount", asset=asset)
    return value


def _staying(user_id: int, prices: queries.Prices) -> Decimal:
    """What everything of theirs is worth that no open withdrawal takes away."""
    gone = queries.leaving(user_id)
    stays = {
        row.asset: row.available + row.held - gone.get(row.asset, Decimal(0))
        for row in queries.balances(user_id)
    }
    return sum(
        (queries.worth(code, amount, prices) or Decimal(0) for code, amount in stays.items()), Decimal(0)
    )
