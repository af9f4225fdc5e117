"""The venue's filters in exact arithmetic (binance.md 9). A bound or step of zero is no rule; unknown filters pass."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.money import ceil_to_step, floor_to_step, is_multiple
from markets.errors import (
    AboveMaxNotional,
    BelowMinNotional,
    FarFromMarket,
    OffStep,
    OffTick,
    TooHigh,
    TooLow,
)

Filter = Mapping[str, Any]
ZERO = Decimal(0)
INTERVALS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800, "1M": 2592000,
}  # fmt: skip


@dataclass(frozen=True)
class _Order:
    side: str
    type: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    reference: Decimal | None

    @property
    def is_market(self) -> bool:
        return self.type == "MARKET"

    @property
    def amount_field(self) -> str:
        return "quantity" if self.quantity is not None else "quote_quantity"

    @property
    def notional(self) -> Decimal | None:
        """Price × quantity; for a market order with the reference as price, or the total itself."""
        if self.quote_quantity is not None:
            return self.quote_quantity
        price = self.reference if self.is_market else self.price
        return None if price is None or self.quantity is None else price * self.quantity


def check(
    filters: Iterable[Filter],
    *,
    side: str,
    type: str,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
    quote_quantity: Decimal | None = None,
    reference: Decimal | None = None,
) -> None:
    """Raises the first FilterViolation, naming field and nearest valid value."""
    order = _Order(side, type, price, quantity, quote_quantity, reference)
    for item in filters:
        rule = _RULES.get(str(item.get("filterType")))
        if rule is not None:
            rule(item, order)


def number(item: Filter, name: str) -> Decimal:
    """The filter's value; zero when it is absent."""
    return Decimal(str(item.get(name, 0) or 0))


def _price(item: Filter, order: _Order) -> None:
    if order.price is None:
        return
    low, high, tick = number(item, "minPrice"), number(item, "maxPrice"), number(item, "tickSize")
    if low and order.price < low:
        raise TooLow("price_too_low", "price", low)
    if high and order.price > high:
        raise TooHigh("price_too_high", "price", high)
    if not is_multiple(order.price, tick):
        nearest = floor_to_step(order.price, tick) if order.side == "BUY" else ceil_to_step(order.price, tick)
        raise OffTick(tick, nearest)


def _lot(item: Filter, order: _Order) -> None:
    if order.quantity is None:
        return
    low, high, step = number(item, "minQty"), number(item, "maxQty"), number(item, "stepSize")
    if low and order.quantity < low:
        raise TooLow("quantity_too_small", "quantity", low)
    if high and order.quantity > high:
        raise TooHigh("quantity_too_large", "quantity", high)
    if not is_multiple(order.quantity, step):
        raise OffStep(step, floor_to_step(order.quantity, step))


def _market_lot(item: Filter, order: _Order) -> None:
    if order.is_market:
        _lot(item, order)


def _min_notional(item: Filter, order: _Order) -> None:
    if not order.is_market or item.get("applyToMarket", True):
        _least(order, number(item, "minNotional"))


def _notional(item: Filter, order: _Order) -> None:
    if not order.is_market or item.get("applyMinToMarket", True):
        _least(order, number(item, "minNotional"))
    if not order.is_market or item.get("applyMaxToMarket", False):
        most, value = number(item, "maxNotional"), order.notional
        if most and value is not None and value > most:
            raise AboveMaxNotional(order.amount_field, most, value)


def _least(order: _Order, least: Decimal) -> None:
    value = order.notional
    if least and value is not None and value < least:
        raise BelowMinNotional(order.amount_field, least, value)


def _percent(item: Filter, order: _Order) -> None:
    _within(order, number(item, "multiplierDown"), number(item, "multiplierUp"))


def _percent_by_side(item: Filter, order: _Order) -> None:
    who = "bid" if order.side == "BUY" else "ask"
    _within(order, number(item, f"{who}MultiplierDown"), number(item, f"{who}MultiplierUp"))


def _within(order: _Order, down: Decimal, up: Decimal) -> None:
    if order.price is None or order.reference is None:
        return
    low, high = order.reference * down, order.reference * up
    if down and order.price < low:
        raise FarFromMarket(low, high, low)
    if up and order.price > high:
        raise FarFromMarket(low, high, high)


_RULES: dict[str, Callable[[Filter, _Order], None]] = {
    "PRICE_FILTER": _price,
    "LOT_SIZE": _lot,
    "MARKET_LOT_SIZE": _market_lot,
    "MIN_NOTIONAL": _min_notional,
    "NOTIONAL": _notional,
    "PERCENT_PRICE": _percent,
    "PERCENT_PRICE_BY_SIDE": _percent_by_side,
}


def _value(filters: Sequence[Filter], filter_type: str, name: str) -> Decimal:
    found = (number(item, name) for item in filters if item.get("filterType") == filter_type)
    return next(found, ZERO)


def tick_size(filters: Sequence[Filter]) -> Decimal:
    """The smallest change of a price; zero when there is no rule."""
    return _value(filters, "PRICE_FILTER", "tickSize")


def step_size(filters: Sequence[Filter]) -> Decimal:
    """The smallest change of a quantity; zero when there is no rule."""
    return _value(filters, "LOT_SIZE", "stepSize")


def min_notional(filters: Sequence[Filter]) -> Decimal:
    """The smallest value of an order, in quote; zero when there is no rule."""
    return max(_value(filters, "NOTIONAL", "minNotional"), _value(filters, "MIN_NOTIONAL", "minNotional"))
