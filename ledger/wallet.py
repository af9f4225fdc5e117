"""What the wallet's pages show: balances with an estimate of their worth, ways in and out."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import segno
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ledger import queries

COUNTED_IN = settings.REFERENCE_ASSET
CENT = Decimal("0.01")
SMALL = Decimal(1)


@dataclass(frozen=True)
class Holding:
    asset: str
    available: Decimal
    held: Decimal
    value: Decimal | None

    @property
    def is_small(self) -> bool:
        return (self.value or Decimal(0)) < SMALL


def holdings(user: User) -> list[Holding]:
    """The customer's balances, the most valuable first."""
    prices = queries.Prices()
    found = []
    for row in queries.balances(user.pk):
        value = prices.worth(row.asset, row.available + row.held)
        value = None if value is None else value.quantize(CENT, ROUND_HALF_UP)
        found.append(Holding(row.asset, row.available, row.held, value))
    return sorted(found, key=lambda holding: (-(holding.value or Decimal(0)), holding.asset))


def drawing(text: str) -> SafeString:
    """The text as a QR code, drawn in SVG."""
    code = segno.make(text, error="m", micro=False)
    return mark_safe(code.svg_inline(omitsize=True, border=2, svgclass="qr", lineclass=None))
