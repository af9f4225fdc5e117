"""A matching order book: price, then time, in exact decimals. Knows nothing of accounts, filters or wires."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Side = Literal["BUY", "SELL"]
ZERO = Decimal(0)


@dataclass(eq=False)
class Resting:
    """Something on the book. `owner` is None for the simulated rest of the world. Of an iceberg `remaining` is what
    is seen; when that is taken, at most `peak` of what is `hidden` follows, behind the others at the price."""

    order_id: int
    side: Side
    price: Decimal
    remaining: Decimal
    owner: int | None = None
    hidden: Decimal = ZERO
    peak: Decimal = ZERO

    @property
    def whole(self) -> Decimal:
        return self.remaining + self.hidden


@dataclass(frozen=True)
class Match:
    maker: Resting
    price: Decimal
    quantity: Decimal


@dataclass
class Levels:
    """One side: prices in ascending order and the queue at each."""

    prices: list[Decimal] = field(default_factory=list)
    queues: dict[Decimal, deque[Resting]] = field(default_factory=dict)
    totals: dict[Decimal, Decimal] = field(default_factory=dict)

    def add(self, order: Resting) -> None:
        if order.price not in self.queues:
            insort(self.prices, order.price)
            self.queues[order.price] = deque()
            self.totals[order.price] = ZERO
        self.queues[order.price].append(order)
        self.totals[order.price] += order.remaining

    def remove(self, order: Resting) -> None:
        self.queues[order.price].remove(order)
        self.lower(order.price, order.remaining)

    def lower(self, price: Decimal, quantity: Decimal) -> None:
        """The level holds that much less; an empty level goes."""
        self.totals[price] -= quantity
        if not self.queues[price]:
            assert self.totals[price] == 0
            del self.queues[price], self.totals[price]
            del self.prices[bisect_left(self.prices, price)]


class Book:
    """Both sides, the orders on them, and which levels changed since they were last asked for."""

    def __init__(self, update_id: int = 0) -> None:
        self.bids, self.asks = Levels(), Levels()
        self.orders: dict[int, Resting] = {}
        self.update_id = update_id
        self.changed: dict[tuple[Side, Decimal], None] = {}

    def side(self, side: Side) -> Levels:
        return self.bids if side == "BUY" else self.asks

    @property
    def best_bid(self) -> Decimal | None:
        return self.bids.prices[-1] if self.bids.prices else None

    @property
    def best_ask(self) -> Decimal | None:
        return self.asks.prices[0] if self.asks.prices else None

    def _touch(self, side: Side, price: Decimal) -> None:
        self.update_id += 1
        self.changed[(side, price)] = None

    def rest(self, order: Resting) -> None:
        """Puts the order behind the others at its price; it must not cross."""
        self.side(order.side).add(order)
        self.orders[order.order_id] = order
        self._touch(order.side, order.price)

    def cancel(self, order_id: int) -> Resting | None:
        order = self.orders.pop(order_id, None)
        if order is not None:
            self.side(order.side).remove(order)
            self._touch(order.side, order.price)
        return order

    def reduce(self, order_id: int, quantity: Decimal) -> None:
        """The order is so much smaller and keeps its place; of an iceberg what is hidden goes first."""
        order = self.orders.get(order_id)
        if order is None:
            return
        hidden = min(order.hidden, quantity)
        order.hidden -= hidden
        if seen := quantity - hidden:
            if seen >= order.remaining:
                self.cancel(order_id)
                return
            order.remaining -= seen
            self.side(order.side).lower(order.price, seen)
            self._touch(order.side, order.price)

    def facing(self, side: Side, limit: Decimal | None) -> Iterator[Resting]:
        """The resting orders an incoming one meets, best price and earliest first, up to its limit."""
        levels = self.asks if side == "BUY" else self.bids
        prices = list(levels.prices) if side == "BUY" else list(reversed(levels.prices))
        for price in prices:
            if limit is not None and (price > limit if side == "BUY" else price < limit):
                return
            yield from list(levels.queues[price])

    def first(self, side: Side, limit: Decimal | None) -> Resting | None:
        """The one an incoming order meets first, when its limit reaches that far."""
        levels, best = (self.asks, self.best_ask) if side == "BUY" else (self.bids, self.best_bid)
        if best is None or (limit is not None and (best > limit if side == "BUY" else best < limit)):
            return None
        return levels.queues[best][0]

    def would_take(self, side: Side, limit: Decimal) -> bool:
        best = self.best_ask if side == "BUY" else self.best_bid
        return best is not None and (best <= limit if side == "BUY" else best >= limit)

    def fill(self, maker: Resting, quantity: Decimal) -> Match:
        """Takes that much from the resting order."""
        assert ZERO < quantity <= maker.remaining
        maker.remaining -= quantity
        levels = self.side(maker.side)
        if not maker.remaining:
            levels.queues[maker.price].remove(maker)
            del self.orders[maker.order_id]
        levels.lower(maker.price, quantity)
        self._touch(maker.side, maker.price)
        if maker.hidden and not maker.remaining:
            maker.remaining = min(maker.peak, maker.hidden)
            maker.hidden -= maker.remaining
            self.rest(maker)
        return Match(maker, maker.price, quantity)

    def take(self, side: Side, quantity: Decimal, limit: Decimal | None = None) -> list[Match]:
        """Trades up to the quantity against what rests, never beyond the limit."""
        matches = []
        while quantity > 0 and (maker := self.first(side, limit)):
            matches.append(self.fill(maker, min(quantity, maker.remaining)))
            quantity -= matches[-1].quantity
        return matches

    def depth(self, side: Side, count: int) -> list[tuple[Decimal, Decimal]]:
        """The best levels with their totals, best first."""
        levels = self.side(side)
        prices = levels.prices[: -count - 1 : -1] if side == "BUY" else levels.prices[:count]
        return [(price, levels.totals[price]) for price in prices]

    def take_changes(self) -> list[tuple[Side, Decimal, Decimal]]:
        """Every level that changed since the last call, with its total now (zero: gone)."""
        changed, self.changed = self.changed, {}
        return [(side, price, self.side(side).totals.get(price, ZERO)) for side, price in changed]
