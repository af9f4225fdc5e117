"""The filters of a symbol, as the venue applies them to what was sent."""

from decimal import Decimal
from typing import Any

from exchange.paper.errors import ApiError, filter_failure

ZERO = Decimal(0)


class Filters:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {row["filterType"]: row for row in rows}
        self.tick = self._number("PRICE_FILTER", "tickSize")
        self.step = self._number("LOT_SIZE", "stepSize")

    def _number(self, name: str, key: str) -> Decimal:
        return Decimal(self.rows.get(name, {}).get(key, "0"))

    def check_price(self, side: str, price: Decimal, reference: Decimal | None) -> None:
        low, high = self._number("PRICE_FILTER", "minPrice"), self._number("PRICE_FILTER", "maxPrice")
        off = self.tick and price % self.tick
        if (low and price < low) or (high and price > high) or off:
            raise filter_failure("PRICE_FILTER")
        name = "PERCENT_PRICE_BY_SIDE"
        if reference is None or name not in self.rows:
            return
        who = "bid" if side == "BUY" else "ask"
        down, up = self._number(name, f"{who}MultiplierDown"), self._number(name, f"{who}MultiplierUp")
        if not reference * down <= price <= reference * up:
            raise filter_failure(name)

    def check_quantity(self, quantity: Decimal, *, is_market: bool) -> None:
        for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if is_market else ("LOT_SIZE",):
            low, high, step = (self._number(name, key) for key in ("minQty", "maxQty", "stepSize"))
            if (low and quantity < low) or (high and quantity > high) or (step and quantity % step):
                raise filter_failure(name)

    def check_notional(self, notional: Decimal, *, is_market: bool) -> None:
        old, new = self.rows.get("MIN_NOTIONAL"), self.rows.get("NOTIONAL")
        if old and (not is_market or old.get("applyToMarket")) and notional < Decimal(old["minNotional"]):
            raise filter_failure("MIN_NOTIONAL")
        if new and (not is_market or new.get("applyMinToMarket")) and notional < Decimal(new["minNotional"]):
            raise filter_failure("NOTIONAL")
        if new and (not is_market or new.get("applyMaxToMarket")) and notional > Decimal(new["maxNotional"]):
            raise filter_failure("NOTIONAL")

    def check_count(self, open_orders: int) -> None:
        most = self.rows.get("MAX_NUM_ORDERS", {}).get("maxNumOrders")
        if most is not None and open_orders >= int(most):
            raise filter_failure("MAX_NUM_ORDERS")


def parse(text: str, name: str) -> Decimal:
    """The venue's number of a parameter: plain digits, at most eight decimals, above zero."""
    whole, _, rest = text.partition(".")
    if not (whole.isascii() and whole.isdecimal() and (not rest or (rest.isascii() and rest.isdecimal()))):
        raise ApiError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
        )
    if len(rest.rstrip("0")) > 8:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    value = Decimal(text)
    if value <= 0:
        raise ApiError(-1013, f"Invalid {name}.")
    return value
