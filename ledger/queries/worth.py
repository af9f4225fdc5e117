"""What assets are worth in the asset of reference: estimates at the last prices, never a balance."""

import time
from decimal import ROUND_CEILING, Context, Decimal

from django.conf import settings

from exchange.money import EXACT, divide, round_up
from markets import queries as markets

BRIDGES = ("BTC", "ETH", "BNB", "USDC", "FDUSD")
ONE = Decimal(1)
VALUE_SCALE = 8
# Limits and stops are counted with prices. They are said again every ten seconds while the venue's line speaks: one
# that several times in a row was not is no price any more, and who needs one is told that there is none.
OLDEST_PRICE_SECONDS = 60
_UP = Context(prec=60, rounding=ROUND_CEILING)


class Prices:
    """The last prices of one moment, none older than OLDEST_PRICE_SECONDS.

    An asset without a market of its own is priced over another asset.
    """

    def __init__(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._tickers = {
            symbol: ticker
            for symbol, ticker in markets.tickers().items()
            if ticker.is_fresh(now_ms, OLDEST_PRICE_SECONDS)
        }

    @property
    def are_known(self) -> bool:
        """False while the markets say nothing at all, or cannot be asked."""
        return bool(self._tickers)

    def of(self, asset: str) -> Decimal | None:
        """The asset's price in the asset of reference, None when no market says it."""
        reference = settings.REFERENCE_ASSET
        if (direct := self._between(asset, reference)) is not None:
            return direct
        for bridge in BRIDGES:
            first, second = self._between(asset, bridge), self._between(bridge, reference)
            if first is not None and second is not None:
                return EXACT.multiply(first, second)
        return None

    def _between(self, asset: str, quote: str) -> Decimal | None:
        if asset == quote:
            return ONE
        if ticker := self._tickers.get(f"{asset}{quote}"):
            return Decimal(ticker.last)
        if (ticker := self._tickers.get(f"{quote}{asset}")) and Decimal(ticker.last):
            return divide(ONE, Decimal(ticker.last))
        return None

    def worth(self, asset: str, amount: Decimal) -> Decimal | None:
        """The amount in the asset of reference, None when no market says it."""
        price = self.of(asset)
        return None if price is None else EXACT.multiply(price, amount)


def worth(asset: str, amount: Decimal, known: Prices | None = None) -> Decimal | None:
    """As limits count it: rounded up; None when no market says a price, or says none at all."""
    price = (known or Prices()).of(asset)
    return round_up(_UP.multiply(price, amount), VALUE_SCALE) if price else None
