"""The simulated rest of the world on one market: it quotes, changes its mind, and trades now and then."""

import math
import random
from collections.abc import Callable, Iterator
from decimal import Decimal

from exchange.paper.book import Match, Resting, Side
from exchange.paper.catalogue import Levels
from exchange.paper.market import Market

NEAR = 12
DRIFT = 0.00007  # of the middle, an act of a market that is not busy: about three per cent a day
PULL = 0.000001  # of the way back to where it began, an act
FARTHEST = Decimal("0.4")  # from the middle, as a part of it
USUAL_GAP = Decimal("0.000006")  # between levels of the recorded book, as a part of the price
SIDES: tuple[Side, Side] = ("BUY", "SELL")
NAMES: dict[Side, str] = {"BUY": "bids", "SELL": "asks"}
FACING: dict[Side, Side] = {"BUY": "SELL", "SELL": "BUY"}
Traded = Callable[[Market, Match, Side, object], None]


class Maker:
    """Orders without an owner, laid out in the shape of a recorded book around the market's last price."""

    def __init__(
        self,
        market: Market,
        shape: dict[str, Levels],
        *,
        traded: Traded,
        worth: Decimal,
        levels: int,
        busy: int,
    ) -> None:
        """`worth`: how much of the recording's quote asset one of this market's is; `busy`: how often it acts."""
        self._market, self._shape, self._traded = market, shape, traded
        self._worth, self._levels = worth, levels
        self._dice = random.Random(f"{market.symbol}:{market.trade_ids.last}")
        self._middle = float(market.last)
        self._drift = DRIFT / math.sqrt(busy)
        self._mine: dict[int, Resting] = {}
        self._next = 0

    def open(self, book: dict[str, Levels] | None = None) -> None:
        """Fills the book: as it was recorded when that is given, else in its shape around the last price."""
        for side in SIDES:
            for price, quantity in (book or {}).get(NAMES[side], [])[: self._levels]:
                self._rest(side, price, quantity)
            if book is None:
                for number in range(self._levels):
                    self._lay(side, number)

    def act(self) -> None:
        """One small thing happens; nothing where customers are alone on the book."""
        if not self._levels:
            return
        pull = (float(self._market.first_price) / self._middle - 1) * PULL
        self._middle *= 1 + self._dice.gauss(pull, self._drift)
        self._follow()
        choice = self._dice.random()
        if choice < 0.45:
            self._take()
        elif choice < 0.85:
            self._refresh_near()
        else:
            self._refresh_far()

    # ------------------------------------------------------------------ its quotes
    def _lay(self, side: Side, number: int) -> None:
        """Quotes that level of the shape; where ticks are coarse, levels lie a tick apart and hold more."""
        middle, tick = Decimal(repr(self._middle)), self._market.filters.tick
        away, value = self._shape[NAMES[side]][number]
        distance = max(abs(away) * middle, (number + 1) * tick)
        if distance < middle * FARTHEST:
            coarse = min(max(tick / middle / USUAL_GAP, Decimal(1)), Decimal(50))
            price = middle - distance if side == "BUY" else middle + distance
            self._quote(side, price, value * coarse / self._worth)

    def _resting(self, side: Side) -> Iterator[Resting]:
        """Its own orders on that side, best first."""
        return (order for order in self._market.book.facing(FACING[side], None) if order.owner is None)

    def _follow(self) -> None:
        """Quotes on the wrong side of the new middle are withdrawn, and the gap is filled again."""
        tick = self._market.filters.tick
        middle = Decimal(repr(self._middle)) // tick * tick
        for side in SIDES:
            for order in self._resting(side):
                if order.price < middle if side == "BUY" else order.price > middle:
                    break
                self._withdraw(order)
        for side in SIDES:
            best = self._market.book.best_bid if side == "BUY" else self._market.book.best_ask
            if best is None or abs(middle - best) > tick * 2 + middle * Decimal("0.00003"):
                self._fill_gap(side, middle)

    def _fill_gap(self, side: Side, middle: Decimal) -> None:
        away = max(self._market.filters.tick, middle * Decimal("0.000012"))
        for number in range(1, 4):
            self._quote(side, middle + (-1 if side == "BUY" else 1) * number * away, self._some_value())

    def _some_value(self) -> Decimal:
        return Decimal(repr(round(self._dice.lognormvariate(7.2, 1.1), 2))) / self._worth

    def _quote(self, side: Side, price: Decimal, value: Decimal) -> None:
        """Rests an order of about that value; where it would cross a customer's order it trades with it instead."""
        tick, step = self._market.filters.tick, self._market.filters.step
        ticks = price // tick + (1 if side == "SELL" and price % tick else 0)
        if ticks > 0:
            self._rest(side, ticks * tick, max(value / price // step * step, step))

    def _rest(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        book = self._market.book
        order = Resting(self._number(), side, price, quantity)
        if book.would_take(side, price):
            for match in book.take(side, quantity, price):
                self._settle(match, side, order)
                order.remaining -= match.quantity
        if order.remaining > 0 and not book.would_take(side, price):
            book.rest(order)
            self._mine[order.order_id] = order

    def _number(self) -> int:
        """Ids below zero: they are never shown, and never a customer's."""
        self._next -= 1
        return self._next

    def _settle(self, match: Match, side: Side, taker: object) -> None:
        self._traded(self._market, match, side, taker)
        self.forget(match)

    def forget(self, match: Match) -> None:
        """Somebody took this quote; when nothing of it is left it is gone."""
        if not match.maker.remaining:
            self._mine.pop(match.maker.order_id, None)

    def _withdraw(self, order: Resting) -> None:
        self._mine.pop(order.order_id, None)
        self._market.book.cancel(order.order_id)

    # ------------------------------------------------------------------ what it does
    def _take(self) -> None:
        """A market order from somewhere; it does not sweep the book: two thousandths away is far enough."""
        side = self._dice.choice(SIDES)
        step, price = self._market.filters.step, self._market.last
        quantity = max(self._some_value() / 3 / price // step * step, step)
        edge = price * (Decimal("1.002") if side == "BUY" else Decimal("0.998"))
        taker = object()
        for match in self._market.book.take(side, quantity, edge):
            self._settle(match, side, taker)

    def _refresh_near(self) -> None:
        side = self._dice.choice(SIDES)
        near = [order for order, _number in zip(self._resting(side), range(NEAR), strict=False)]
        if near:
            chosen = self._dice.choice(near)
            self._withdraw(chosen)
            self._quote(side, chosen.price, self._some_value())

    def _refresh_far(self) -> None:
        """The book keeps its depth: what moved too far away goes, what is missing comes back."""
        side = self._dice.choice(SIDES)
        levels = self._market.book.side(side)
        while len(levels.prices) > self._levels:
            farthest = levels.prices[0 if side == "BUY" else -1]
            strangers = [order for order in levels.queues[farthest] if order.owner is None]
            if not strangers:
                return
            for order in strangers:
                self._withdraw(order)
        for _level in range(4 if len(levels.prices) < self._levels else 1):
            self._lay(side, self._dice.randrange(self._levels // 20, self._levels))
