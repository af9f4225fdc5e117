"""Orders that wait for a price: each trade is held against them, and whose price has come begins to work."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange.paper.accounts import Order
from exchange.paper.market import Market, now_ms
from exchange.paper.trading.checks import has_come

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

BIPS = 10_000


class Triggers:
    def __init__(self, venue: "Venue", trigger: Callable[[Market, Order], None]) -> None:
        """`trigger` lets an order work whose price has come."""
        self._venue, self._trigger = venue, trigger
        self._waiting: dict[str, dict[int, Order]] = defaultdict(dict)

    def wait(self, order: Order) -> None:
        self._waiting[order.symbol][order.order_id] = order

    def forget(self, order: Order) -> None:
        self._waiting[order.symbol].pop(order.order_id, None)

    def follow(self, market: Market) -> None:
        """Every trade since the last time, in its order, and those that follow from what it triggered."""
        while market.passed:
            price = market.passed.pop(0)
            for order in list(self._waiting[market.symbol].values()):
                if order.is_open and self._is_met(order, price):
                    self.forget(order)
                    self._trigger(market, order)

    def _is_met(self, order: Order, price: Decimal) -> bool:
        if not order.trailing_delta:
            return has_come(order, price)
        if order.trailing_ms < 0:
            if not order.stop_price or has_come(order, price):
                self._track(order, price)
            return False
        is_better = price < order.extreme if order.side == "BUY" else price > order.extreme
        if is_better:
            self._track(order, price)
            return False
        far = order.extreme * order.trailing_delta / BIPS
        return price >= order.extreme + far if order.side == "BUY" else price <= order.extreme - far

    def _track(self, order: Order, price: Decimal) -> None:
        """The best price so far; the order triggers so far away from it."""
        order.extreme = price
        if order.trailing_ms < 0:
            order.trailing_ms = now_ms()
        self._venue.store.put("order", order.order_id, order.as_row())
