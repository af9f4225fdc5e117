"""What the wallet's pages show: balances with an estimate of their worth, ways in and out."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import segno
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ledger import queries
from markets import queries as markets

COUNTED_IN = "USDT"
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


def price_of(asset: str, tickers: dict[str, markets.Ticker]) -> Decimal | None:
    """The asset's last price in the currency of account, or None when no market says it."""
    if asset == COUNTED_IN:
        return Decimal(1)
    ticker = tickers.get(f"{asset}{COUNTED_IN}")
    return Decimal(ticker.last) if ticker else None


def holdings(user: User) -> list[Holding]:
    """The customer's balances, the most valuable first."""
    tickers = markets.tickers()
    found = []
    for row in queries.balances(user.pk):
        price = price_of(row.asset, tickers)
        value = None if price is None else (price * (row.available + row.held)).quantize(CENT, ROUND_HALF_UP)
        found.append(Holding(row.asset, row.available, row.held, value))
    return sorted(found, key=lambda holding: (-(holding.value or Decimal(0)), holding.asset))


def drawing(text: str) -> SafeString:
    """The text as a QR code, drawn in SVG."""
    code = segno.make(text, error="m", micro=False)
    return mark_safe(code.svg_inline(omitsize=True, border=2, svgclass="qr", lineclass=None))
