"""The simulated rest of the world on one market: it quotes, changes its mind, and trades now and then."""

import random
from collections.abc import Callable
from decimal import Decimal

from exchange.paper.book import Match, Resting, Side
from exchange.paper.market import Market

LEVELS = 220
NEAR = 12
DRIFT_BPS = 2.2
PULL = 0.0015
Traded = Callable[[Market, Match, Side], None]


class Maker:
    """Orders without an owner. The book starts in the shape of a recorded one, around the market's last price."""

    def __init__(
        self,
        market: Market,
        shape: dict[str, list[tuple[Decimal, Decimal]]],
        *,
        next_id: Callable[[], int],
        traded: Traded,
        value_of_quote: Decimal,
    ) -> None:
        self._market, self._shape, self._next_id, self._traded = market, shape, next_id, traded
        self._value = value_of_quote
        self._dice = random.Random(f"{market.symbol}:{market.trade_id}")
        self._middle = float(market.last)
        self._mine: dict[int, Resting] = {}

    def open(self) -> None:
        """Fill the book in the recorded shape; where a customer's order is in the way, rest behind it."""
        for name, side in (("bids", "BUY"), ("asks", "SELL")):
            for distance, value in self._shape[name][:LEVELS]:
                self._quote(side, self._market.last * (1 + distance), value / self._value)  # type: ignore[arg-type]

    def act(self) -> None:
        """One small thing happens."""
        pull = (float(self._market.first_price) / self._middle - 1) * PULL
        self._middle *= 1 + self._dice.gauss(pull, DRIFT_BPS / 10_000)
        self._follow()
        choice = self._dice.random()
        if choice < 0.45:
            self._take()
        elif choice < 0.8:
            self._refresh_near()
        else:
            self._refresh_far()

    def _follow(self) -> None:
        """Quotes on the wrong side of the new middle are withdrawn, and the gap is filled again."""
        tick = self._market.filters.tick
        middle = Decimal(repr(self._middle)) // tick * tick
        for order in list(self._mine.values()):
            wrong = order.price >= middle if order.side == "BUY" else order.price <= middle
            if wrong:
                self._withdraw(order)
        sides: tuple[Side, Side] = ("BUY", "SELL")
        for side in sides:
            best = self._market.book.best_bid if side == "BUY" else self._market.book.best_ask
            gap = tick * 3 + middle * Decimal("0.00012")
            if best is None or abs(middle - best) > gap:
                sign = -1 if side == "BUY" else 1
                for step in range(1, 4):
                    self._quote(
                        side,
                        middle + sign * step * max(tick, middle * Decimal("0.00004")),
                        self._some_value(),
                    )

    def _some_value(self) -> Decimal:
        return Decimal(repr(round(self._dice.lognormvariate(7.2, 1.1), 2))) / self._value

    def _quote(self, side: Side, price: Decimal, value: Decimal) -> None:
        """Rests an order of about that value; one that would cross a customer's order trades with it instead."""
        tick, step = self._market.filters.tick, self._market.filters.step
        price = price // tick * tick + (tick if side == "SELL" else 0)
        quantity = max(value / price // step * step, step) if price > 0 else Decimal(0)
        if price <= 0 or quantity <= 0:
            return
        book = self._market.book
        if book.would_take(side, price):
            for match in book.take(side, quantity, price):
                self._traded(self._market, match, side)
                self._forget(match)
                quantity -= match.quantity
        if quantity > 0 and not book.would_take(side, price):
            order = Resting(self._next_id(), side, price, quantity)
            book.rest(order)
            self._mine[order.order_id] = order

    def _withdraw(self, order: Resting) -> None:
        self._mine.pop(order.order_id, None)
        self._market.book.cancel(order.order_id)

    def _forget(self, match: Match) -> None:
        if not match.maker.remaining:
            self._mine.pop(match.maker.order_id, None)

    def forget(self, match: Match) -> None:
        """A customer took this quote."""
        self._forget(match)

    def _take(self) -> None:
        side: Side = "BUY" if self._dice.random() < 0.5 else "SELL"
        step = self._market.filters.step
        price = self._market.last
        quantity = max(self._some_value() / 3 / price // step * step, step)
        for match in self._market.book.take(side, quantity, self._edge(side)):
            self._traded(self._market, match, side)
            self._forget(match)

    def _edge(self, side: Side) -> Decimal:
        """It does not sweep the book: two thousandths away is far enough."""
        return self._market.last * (Decimal("1.002") if side == "BUY" else Decimal("0.998"))

    def _refresh_near(self) -> None:
        sides: tuple[Side, Side] = ("BUY", "SELL")
        side = self._dice.choice(sides)
        own = [order for order in self._mine.values() if order.side == side]
        near = sorted(own, key=lambda order: abs(float(order.price) - self._middle))[:NEAR]
        if near:
            chosen = self._dice.choice(near)
            self._withdraw(chosen)
            self._quote(
                side,
                chosen.price if side == "BUY" else chosen.price - self._market.filters.tick,
                self._some_value(),
            )

    def _refresh_far(self) -> None:
        sides: tuple[Side, Side] = ("BUY", "SELL")
        for side in sides:
            own = sorted(
                (o for o in self._mine.values() if o.side == side),
                key=lambda o: abs(float(o.price) - self._middle),
            )
            for order in own[LEVELS:]:
                self._withdraw(order)
            if len(own) < LEVELS:
                away, value = self._dice.choice(self._shape["bids" if side == "BUY" else "asks"][20:LEVELS])
                self._quote(side, Decimal(repr(self._middle)) * (1 + away), value / self._value)
