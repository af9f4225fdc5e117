"""The venue's filters in exact arithmetic (binance.md 9). A bound or step of zero is no rule; unknown filters pass.

Also what a market's state allows, and where candles begin and end.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from enum import StrEnum
from typing import Any

from exchange.money import MAX_DECIMALS, ceil_to_step, decimals, floor_to_step, is_multiple, multiply, plain
from markets.errors import (
    AboveMaxNotional,
    BelowMinNotional,
    FarFromMarket,
    OddTrailingDelta,
    OffStep,
    OffTick,
    TooHigh,
    TooLow,
    UnknownTimeZone,
)

Filter = Mapping[str, Any]
SCALE = 8
ZERO, SMALLEST = Decimal(0), Decimal("1e-18")
_UP, _DOWN = Context(prec=60, rounding=ROUND_CEILING), Context(prec=60, rounding=ROUND_FLOOR)
# Our word beside the venue's own: its list does not have the market any more.
GONE = "GONE"
# And another: its row of the list says no state that can be read.
UNREADABLE = "UNREADABLE"
INTERVALS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "8h": 28800, "12h": 43200, "1d": 86400, "3d": 259200, "1w": 604800, "1M": 2592000,
}  # fmt: skip
# The intervals whose newest candle is kept up to date by the stream.
LIVE_INTERVALS = ("1m", "15m", "1h", "1d")
QUARTER, DAY = 15, 86_400
_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?")
# Each of these keeps two orders of one account apart; the first ends the one that rests and lets the other trade on.
PREVENTING = ("EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT")
# Those that staff can choose: an order of which a part was prevented would stay open for less than its owner asked.
ENDING = PREVENTING[:3]


class Act(StrEnum):
    """What a customer may want to do in a market."""

    PLACE = "place"
    CANCEL = "cancel"


def allows(status: str, act: Act) -> bool:
    """Only a market that trades takes new orders; any that the venue still has, in whatever state, takes cancels."""
    return status == "TRADING" if act == Act.PLACE else status != GONE


def prevention_to_name(usual: str, allowed: Collection[str], chosen: str = "") -> str:
    """The mode of self-trade prevention that an order has to name: what staff have chosen of those the market allows,
    or one because two orders of one account trade with each other by the market's usual one; empty where that keeps
    them apart, or none is told (binance.md 11).
    """
    if chosen in allowed:
        return chosen if chosen != usual else ""
    if not usual or usual in PREVENTING:
        return ""
    return next((mode for mode in PREVENTING if mode in allowed), PREVENTING[0])


@dataclass(frozen=True)
class _Order:
    filters: Sequence[Filter]
    side: str
    type: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    stop_price: Decimal | None
    trailing_delta: int | None
    iceberg_quantity: Decimal | None
    reference: Decimal | None

    @property
    def is_market(self) -> bool:
        """It trades at whatever the book offers, at once or when it is triggered."""
        return self.type in ("MARKET", "STOP_LOSS", "TAKE_PROFIT")

    @property
    def amount_field(self) -> str:
        return "quantity" if self.quantity is not None else "quote_quantity"

    @property
    def worth(self) -> Decimal | None:
        """What one of it counts as: a market order has no price of its own, its stop or the reference stands in."""
        return (self.stop_price or self.reference) if self.is_market else self.price

    @property
    def notional(self) -> Decimal | None:
        """Price × quantity, or the total itself."""
        if self.quote_quantity is not None:
            return self.quote_quantity
        return None if self.worth is None or self.quantity is None else multiply(self.worth, self.quantity)


def check(
    filters: Iterable[Filter],
    *,
    side: str,
    type: str,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
    quote_quantity: Decimal | None = None,
    stop_price: Decimal | None = None,
    trailing_delta: int | None = None,
    iceberg_quantity: Decimal | None = None,
    reference: Decimal | None = None,
) -> None:
    """Raises the first FilterViolation, naming field and nearest valid value.

    Filters that count what the whole venue account has open or holds (MAX_NUM_…, MAX_POSITION, MAX_ASSET) are the
    house's, not the customer's: the venue's own refusal of them is relayed.
    """
    order = _Order(
        tuple(filters), side, type, price, quantity, quote_quantity, stop_price, trailing_delta, iceberg_quantity,
        reference,
    )  # fmt: skip
    for item in order.filters:
        rule = _RULES.get(str(item.get("filterType")))
        if rule is not None:
            rule(item, order)


def waits_above(type: str, side: str) -> bool:
    """True when a price that rises to its stop triggers the order (binance.md 10)."""
    return type.startswith("STOP_LOSS") == (side == "BUY")


def number(item: Filter, name: str) -> Decimal:
    """The filter's value; zero when it is absent."""
    return Decimal(str(item.get(name, 0) or 0))


def _within_steps(value: Decimal, step: Decimal, low: Decimal, high: Decimal, *, up: bool) -> Decimal:
    """The value moved onto a step, and then as little as possible to stand between the bounds."""
    found = ceil_to_step(value, step) if up else floor_to_step(value, step)
    if high and found > high:
        found = floor_to_step(high, step)
    return ceil_to_step(low, step) if found < low else found


def _price(item: Filter, order: _Order) -> None:
    for field, price in (("price", order.price), ("stop_price", order.stop_price)):
        if price is not None:
            _one_price(item, order, field, price)


def _one_price(item: Filter, order: _Order, field: str, price: Decimal) -> None:
    low, high, tick = number(item, "minPrice"), number(item, "maxPrice"), number(item, "tickSize")
    nearest = _within_steps(price, tick, low, high, up=order.side == "SELL")
    if low and price < low:
        raise TooLow("price_too_low", field, low, nearest)
    if high and price > high:
        raise TooHigh("price_too_high", field, high, nearest)
    if not is_multiple(price, tick):
        raise OffTick(field, tick, nearest)


def _lot(item: Filter, order: _Order) -> None:
    for field, quantity in (("quantity", order.quantity), ("iceberg_quantity", order.iceberg_quantity)):
        if quantity is not None:
            _one_quantity(item, field, quantity)


def _one_quantity(item: Filter, field: str, quantity: Decimal) -> None:
    low, high, step = number(item, "minQty"), number(item, "maxQty"), number(item, "stepSize")
    nearest = _within_steps(quantity, step, low, high, up=False)
    if low and quantity < low:
        raise TooLow("quantity_too_small", field, low, nearest)
    if high and quantity > high:
        raise TooHigh("quantity_too_large", field, high, nearest)
    if not is_multiple(quantity, step):
        raise OffStep(field, step, nearest)


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
        _most(order, number(item, "maxNotional"))


def _least(order: _Order, least: Decimal) -> None:
    value = order.notional
    if least and value is not None and value < least:
        raise BelowMinNotional(order.amount_field, least, value, _amount_worth(order, least, up=True))


def _most(order: _Order, most: Decimal) -> None:
    value = order.notional
    if most and value is not None and value > most:
        raise AboveMaxNotional(order.amount_field, most, value, _amount_worth(order, most, up=False))


def _amount_worth(order: _Order, total: Decimal, *, up: bool) -> Decimal | None:
    """The amount whose value is just within the bound; None without a price to reckon with."""
    if order.quote_quantity is not None:
        return total
    if not order.worth:
        return None
    step = step_size(order.filters) or SMALLEST
    rounded = (_UP if up else _DOWN).divide(total, order.worth)
    return ceil_to_step(rounded, step) if up else floor_to_step(rounded, step)


def _percent(item: Filter, order: _Order) -> None:
    _near(order, number(item, "multiplierDown"), number(item, "multiplierUp"))


def _percent_by_side(item: Filter, order: _Order) -> None:
    who = "bid" if order.side == "BUY" else "ask"
    _near(order, number(item, f"{who}MultiplierDown"), number(item, f"{who}MultiplierUp"))


def _near(order: _Order, down: Decimal, up: Decimal) -> None:
    if order.price is None or order.reference is None:
        return
    low, high, tick = multiply(order.reference, down), multiply(order.reference, up), tick_size(order.filters)
    is_low, is_high = bool(down) and order.price < low, bool(up) and order.price > high
    if is_low or is_high:
        first, last = ceil_to_step(low, tick), floor_to_step(high, tick)
        raise FarFromMarket(first, last if up else None, first if is_low else last)


def _iceberg_parts(item: Filter, order: _Order) -> None:
    most = number(item, "limit")
    if order.iceberg_quantity is None or order.quantity is None or not most:
        return
    if order.iceberg_quantity * most < order.quantity:
        least = ceil_to_step(_UP.divide(order.quantity, most), step_size(order.filters))
        raise TooLow("iceberg_quantity_too_small", "iceberg_quantity", least, least)


def _trailing_delta(item: Filter, order: _Order) -> None:
    if order.trailing_delta is None:
        return
    way = "Above" if waits_above(order.type, order.side) else "Below"
    low, high = number(item, f"minTrailing{way}Delta"), number(item, f"maxTrailing{way}Delta")
    if (low and order.trailing_delta < low) or (high and order.trailing_delta > high):
        raise OddTrailingDelta(low, high, low if order.trailing_delta < low else high)


_RULES: dict[str, Callable[[Filter, _Order], None]] = {
    "PRICE_FILTER": _price,
    "LOT_SIZE": _lot,
    "MARKET_LOT_SIZE": _market_lot,
    "MIN_NOTIONAL": _min_notional,
    "NOTIONAL": _notional,
    "PERCENT_PRICE": _percent,
    "PERCENT_PRICE_BY_SIDE": _percent_by_side,
    "ICEBERG_PARTS": _iceberg_parts,
    "TRAILING_DELTA": _trailing_delta,
}


def _value(filters: Sequence[Filter], filter_type: str, name: str) -> Decimal:
    found = (number(item, name) for item in filters if item.get("filterType") == filter_type)
    return next(found, ZERO)


def tick_size(filters: Sequence[Filter]) -> Decimal:
    """The smallest change of a price; zero when there is no rule."""
    return _value(filters, "PRICE_FILTER", "tickSize")


def group_steps(filters: Sequence[Filter]) -> tuple[str, ...]:
    """How much of the quote one row of a grouped book may be, as plain text."""
    tick = tick_size(filters)
    return tuple(plain(tick * multiple) for multiple in (10, 100, 1000)) if tick else ()


def step_size(filters: Sequence[Filter]) -> Decimal:
    """The smallest change of a quantity; zero when there is no rule."""
    return _value(filters, "LOT_SIZE", "stepSize")


def least_quantity(filters: Sequence[Filter]) -> Decimal:
    """The smallest quantity of an order; zero when there is no rule."""
    return _value(filters, "LOT_SIZE", "minQty")


def min_notional(filters: Sequence[Filter]) -> Decimal:
    """The smallest value of an order, in quote; zero when there is no rule."""
    return max(_value(filters, "NOTIONAL", "minNotional"), _value(filters, "MIN_NOTIONAL", "minNotional"))


def most_amends(filters: Sequence[Filter]) -> int:
    """How often an order may be made smaller; zero when there is no rule."""
    return int(_value(filters, "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends"))


def scales(filters: Sequence[Filter], base_precision: int, quote_precision: int) -> tuple[int, int]:
    """Decimals that amounts of base and quote need: the finest fill is one step at one tick."""
    step, tick = step_size(filters), tick_size(filters)
    base = max(SCALE, base_precision, decimals(step))
    quote = max(SCALE, quote_precision, decimals(multiply(step, tick)))
    return min(base, MAX_DECIMALS), min(quote, MAX_DECIMALS)


# ------------------------------------------------------------------ candles
def zone_minutes(text: str) -> int:
    """Minutes east of UTC, of "0", "8", "-1:00" or "05:45"; from -12:00 to +14:00, in quarters of an hour.

    The venue takes any minute; every clock on earth shows a quarter, and what is kept of candles stays bounded.
    """
    found = _ZONE.fullmatch(text.strip())
    if found is None:
        raise UnknownTimeZone(field="timeZone")
    sign, hours, minutes = found.groups()
    east = (int(hours) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1)
    if not -12 * 60 <= east <= 14 * 60 or east % QUARTER:
        raise UnknownTimeZone(field="timeZone")
    return east


def zone_of(interval: str, zone: int) -> int:
    """Zero where the candles of a zone are those of UTC, as those of hours are in zones of whole hours."""
    return 0 if zone * 60 % INTERVALS[interval] == 0 and INTERVALS[interval] < DAY else zone


def is_live(interval: str, zone: int) -> bool:
    """True when the stream keeps these candles."""
    return zone == 0 and interval in LIVE_INTERVALS


def finer(interval: str, zone: int) -> str | None:
    """The longest streamed interval of which candles of this one are made whole; None for seconds."""
    length = DAY if interval == "1M" else INTERVALS[interval]
    fitting = [
        name for name in LIVE_INTERVALS if length % INTERVALS[name] == 0 and zone * 60 % INTERVALS[name] == 0
    ]
    return fitting[-1] if fitting else None


def next_open(interval: str, opened: datetime, zone: int = 0) -> datetime:
    """When the candle after the one that opened then opens; months are as long as they are."""
    if interval != "1M":
        return opened + timedelta(seconds=INTERVALS[interval])
    east = timedelta(minutes=zone)
    within_next = (opened + east).replace(day=1) + timedelta(days=32)
    return within_next.replace(day=1) - east
