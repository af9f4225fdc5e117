"""Our books against the venue's, asset by asset."""

from dataclasses import dataclass
from decimal import Decimal

from exchange.gate import services as gate
from ledger import queries


@dataclass(frozen=True)
class Difference:
    """What the books say the venue account holds, and what the venue says."""

    asset: str
    ours: Decimal
    theirs: Decimal


def compare_with_venue() -> list[Difference]:
    """Assets in which the two disagree; what is on its way at this moment shows up for that moment."""
    account = gate.primary_account()
    rows = gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.account())
    theirs = {row.asset: row.free + row.locked for row in rows}
    ours = queries.venue_position(account.pk)
    zero = Decimal(0)
    pairs = ((asset, ours.get(asset, zero), theirs.get(asset, zero)) for asset in sorted({*ours, *theirs}))
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
