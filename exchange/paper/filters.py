"""The filters of a symbol, as the venue applies them to what was sent."""

import re
from decimal import Decimal
from typing import Any

from exchange.paper.errors import ApiError, filter_failure, illegal, mandatory

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")


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
        if reference is not None:
            self._check_distance("PERCENT_PRICE", "multiplier", price, reference)
            who = "bidMultiplier" if side == "BUY" else "askMultiplier"
            self._check_distance("PERCENT_PRICE_BY_SIDE", who, price, reference)

    def _check_distance(self, name: str, prefix: str, price: Decimal, reference: Decimal) -> None:
        down, up = self._number(name, f"{prefix}Down"), self._number(name, f"{prefix}Up")
        if (down and price < reference * down) or (up and price > reference * up):
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

    def check_count(self, open_orders: int, name: str = "MAX_NUM_ORDERS", key: str = "maxNumOrders") -> None:
        """`open_orders` are there already; one more has to have room."""
        most = self.rows.get(name, {}).get(key)
        if most is not None and open_orders >= int(most):
            raise filter_failure(name)

    def whole_lots(self, quantity: Decimal, names: list[str]) -> Decimal:
        """As much of it as these filters let pass."""
        for name in names:
            step, high = self._number(name, "stepSize"), self._number(name, "maxQty")
            quantity = min(quantity // step * step if step else quantity, high or quantity)
        return quantity

    def check_iceberg(self, quantity: Decimal, visible: Decimal) -> None:
        self.check_quantity(visible, is_market=False)
        most = self.rows.get("ICEBERG_PARTS", {}).get("limit")
        if most is not None and -(-quantity // visible) > int(most):
            raise filter_failure("ICEBERG_PARTS")

    def check_trailing(self, delta: int, *, is_above: bool) -> None:
        where, row = "Above" if is_above else "Below", self.rows.get("TRAILING_DELTA")
        if row and not int(row[f"minTrailing{where}Delta"]) <= delta <= int(row[f"maxTrailing{where}Delta"]):
            raise filter_failure("TRAILING_DELTA")

    def check_position(self, position: Decimal) -> None:
        """`position` is what the account has and what its open orders would still buy, this one included."""
        most = self._number("MAX_POSITION", "maxPosition")
        if most and position > most:
            raise ApiError(-2010, "Filter failure: MAX_POSITION")


def parse(text: str, name: str) -> Decimal:
    """The venue's number of a parameter: plain digits, at most eight decimals, above zero."""
    if not text:
        raise mandatory(name)
    if not _NUMBER.fullmatch(text):
        raise illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
    if len(text.partition(".")[2].rstrip("0")) > 8:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    value = Decimal(text)
    if value <= 0:
        raise ApiError(-1013, f"Invalid {name}.")
    return value
