"""What customers write down by their dice: tickets and lists of every kind around the prices of now, and what must be
refused."""

import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Body = dict[str, Any]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
SIDES = ("BUY", "SELL")
BPS = 10_000
# From the market to where an order waits, in basis points: the paper market moves about so far in a minute.
NEAREST, FARTHEST = 1, 12
# Whole basis points; a market takes none below ten.
TRAILING = (10, 15, 25)
WORTH = (15, 90)  # of an order, in the quote asset
WORTH_TOO_MUCH = 250_000  # more than all that a customer brought
AT_ONCE = ("IOC", "FOK")


def other(side: str) -> str:
    return "SELL" if side == "BUY" else "BUY"


class Tickets:
    """`steps` are tick and step of each market, `best` its best bid and ask as they were last seen."""

    def __init__(
        self,
        dice: random.Random,
        steps: Mapping[str, tuple[Decimal, Decimal]],
        best: Mapping[str, tuple[Decimal, Decimal]],
    ) -> None:
        self.dice, self._steps, self._best = dice, steps, best

    # ------------------------------------------------------------------ prices and amounts
    def _any(self) -> tuple[str, str]:
        return self.dice.choice(SYMBOLS), self.dice.choice(SIDES)

    def own(self, symbol: str, side: str, ticks: int = 0) -> Decimal:
        """The best price of the order's own side, or so many ticks closer to the other."""
        bid, ask = self._best[symbol]
        tick = self._steps[symbol][0]
        return bid + ticks * tick if side == "BUY" else ask - ticks * tick

    def taking(self, symbol: str, side: str, ticks: int = 0) -> Decimal:
        """The best price of the other side, or so many ticks beyond."""
        bid, ask = self._best[symbol]
        tick = self._steps[symbol][0]
        return ask + ticks * tick if side == "BUY" else bid - ticks * tick

    def beyond(self, symbol: str, bps: int) -> Decimal:
        """So far above the market, or below it, and two ticks away at least."""
        (bid, ask), tick = self._best[symbol], self._steps[symbol][0]
        if bps > 0:
            return max(ask * (BPS + bps) / BPS // tick * tick, ask + 2 * tick)
        return min(bid * (BPS + bps) / BPS // tick * tick, bid - 2 * tick)

    def amount(self, symbol: str, worth: int | Decimal | None = None) -> Decimal:
        step, price = self._steps[symbol][1], self._best[symbol][0]
        worth = self.dice.randrange(*WORTH) if worth is None else worth
        return max(worth / price // step, Decimal(1)) * step

    def less(self, symbol: str, quantity: Decimal) -> Decimal:
        """A smaller amount that is still worth what a market asks for, if there is one."""
        step, price = self._steps[symbol][1], self._best[symbol][0]
        least = (Decimal(11) / price // step + 1) * step
        return max(quantity * self.dice.randrange(3, 10) / 10 // step * step, least)

    # ------------------------------------------------------------------ orders
    def market(self) -> Body:
        symbol, side = self._any()
        body = {"symbol": symbol, "side": side, "type": "MARKET"}
        if side == "BUY" and self.dice.random() < 0.7:
            return {**body, "quote_quantity": f"{self.dice.randrange(*WORTH)}"}
        return {**body, "quantity": f"{self.amount(symbol):f}"}

    def _limit(self, symbol: str, side: str, price: Decimal, quantity: Decimal, tif: str = "GTC") -> Body:
        return {
            "side": side, "type": "LIMIT", "time_in_force": tif, "price": f"{price:f}", "quantity": f"{quantity:f}",
        }  # fmt: skip

    def crossing(self) -> Body:
        symbol, side = self._any()
        price = self.taking(symbol, side, self.dice.randrange(3))
        return {"symbol": symbol, **self._limit(symbol, side, price, self.amount(symbol))}

    def resting(self) -> Body:
        symbol, side = self._any()
        price = self.own(symbol, side, self.dice.choice([0, 1, -5, -50]))
        return {"symbol": symbol, **self._limit(symbol, side, price, self.amount(symbol))}

    def post_only(self) -> Body:
        symbol, side = self._any()
        return {"symbol": symbol, **self._maker(side, self.own(symbol, side), self.amount(symbol))}

    def at_once(self) -> Body:
        symbol, side = self._any()
        price, tif = self.taking(symbol, side, self.dice.randrange(-2, 3)), self.dice.choice(AT_ONCE)
        return {"symbol": symbol, **self._limit(symbol, side, price, self.amount(symbol), tif)}

    def iceberg(self) -> Body:
        """Rests or crosses, and shows a part of itself."""
        symbol, side = self._any()
        price = self.dice.choice([self.own(symbol, side), self.taking(symbol, side)])
        quantity, step = self.amount(symbol), self._steps[symbol][1]
        shown = max(quantity / self.dice.randrange(2, 6) // step, Decimal(1)) * step
        return {
            "symbol": symbol, **self._limit(symbol, side, price, quantity), "iceberg_quantity": f"{shown:f}",
        }  # fmt: skip

    def stop(self) -> Body:
        """Waits for a loss or a profit; at any price only where it sells."""
        symbol, side = self._any()
        kinds = ["STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]
        kinds += ["STOP_LOSS", "TAKE_PROFIT"] if side == "SELL" else []
        return {
            "symbol": symbol, **self._waiting(symbol, side, self.dice.choice(kinds), self.amount(symbol)),
        }  # fmt: skip

    def trailing(self) -> Body:
        symbol, side = self._any()
        return {"symbol": symbol, **self._trailing(symbol, side, self.amount(symbol))}

    # ------------------------------------------------------------------ what lists are made of
    def _maker(self, side: str, price: Decimal, quantity: Decimal) -> Body:
        return {"side": side, "type": "LIMIT_MAKER", "price": f"{price:f}", "quantity": f"{quantity:f}"}

    def _bps(self) -> int:
        return self.dice.randrange(NEAREST, FARTHEST)

    def _waiting(self, symbol: str, side: str, kind: str, quantity: Decimal) -> Body:
        """A loss is limited beyond its stop price, a profit on the way to it: either trades once it is triggered."""
        is_loss, bps = kind.startswith("STOP_LOSS"), self._bps()
        sign = 1 if is_loss == (side == "BUY") else -1
        body = {
            "side": side, "type": kind, "stop_price": f"{self.beyond(symbol, sign * bps):f}",
            "quantity": f"{quantity:f}",
        }  # fmt: skip
        if not kind.endswith("LIMIT"):
            return body
        price = self.beyond(symbol, sign * (bps + 4 if is_loss else max(1, bps * 2 // 3)))
        return {**body, "time_in_force": "GTC", "price": f"{price:f}"}

    def _trailing(self, symbol: str, side: str, quantity: Decimal) -> Body:
        """Follows the price, from now or from a stop price on."""
        is_sale = side == "SELL"
        found = self._waiting(symbol, side, "STOP_LOSS" if is_sale else "STOP_LOSS_LIMIT", quantity)
        if self.dice.random() < 0.7:
            del found["stop_price"]
        return {**found, "trailing_delta": f"{self.dice.choice(TRAILING)}"}

    def _pair(self, symbol: str, side: str, quantity: Decimal) -> dict[str, Body]:
        """Who sells takes a profit above and stops a loss below; who buys the other way round."""
        profits = ["LIMIT_MAKER", "TAKE_PROFIT_LIMIT", *(["TAKE_PROFIT"] if side == "SELL" else [])]
        kind = self.dice.choice(profits)
        sign = 1 if side == "SELL" else -1
        profit = (
            self._maker(side, self.beyond(symbol, sign * self._bps()), quantity)
            if kind == "LIMIT_MAKER"
            else self._waiting(symbol, side, kind, quantity)
        )
        if self.dice.random() < 0.2:
            loss = self._trailing(symbol, side, quantity)
        else:
            limited = ["STOP_LOSS_LIMIT", *(["STOP_LOSS"] if side == "SELL" else [])]
            loss = self._waiting(symbol, side, self.dice.choice(limited), quantity)
        above, below = (profit, loss) if side == "SELL" else (loss, profit)
        return {"above": above, "below": below}

    def _working(self, symbol: str, side: str, quantity: Decimal) -> Body:
        """The first order of a list: mostly one that trades at once."""
        if self.dice.random() < 0.6:
            price = self.taking(symbol, side, self.dice.randrange(3))
            return self._limit(symbol, side, price, quantity)
        if self.dice.random() < 0.5:
            return self._maker(side, self.own(symbol, side), quantity)
        return self._limit(symbol, side, self.own(symbol, side, self.dice.choice([0, -5])), quantity)

    # ------------------------------------------------------------------ lists
    def oco(self) -> Body:
        symbol, side = self._any()
        return {"kind": "OCO", "symbol": symbol, **self._pair(symbol, side, self.amount(symbol))}

    def oto(self) -> Body:
        """After it comes what sells what was bought, buys back what was sold, or buys once more."""
        symbol, side = self._any()
        quantity = self.amount(symbol, self.dice.randrange(30, 90))
        side_later = other(side) if self.dice.random() < 0.8 else side
        later: list[Callable[[], Body]] = [
            lambda: self._limit(symbol, side_later, self.own(symbol, side_later, -3), quantity),
            lambda: self._waiting(symbol, side_later, "STOP_LOSS_LIMIT", quantity),
            lambda: {"side": side_later, "type": "MARKET", "quantity": f"{quantity:f}"},
        ]
        pending = self.dice.choice(later)()
        return {
            "kind": "OTO", "symbol": symbol, "working": self._working(symbol, side, quantity), "pending": pending,
        }  # fmt: skip

    def otoco(self) -> Body:
        symbol, side = self._any()
        quantity = self.amount(symbol, self.dice.randrange(30, 90))
        working = self._working(symbol, side, quantity)
        pair = self._pair(symbol, other(side), quantity)
        return {"kind": "OTOCO", "symbol": symbol, "working": working, **pair}

    # ------------------------------------------------------------------ what nobody may take
    def too_much(self) -> Body:
        """An order, or a pair, that costs more than the customer has."""
        symbol, side = self._any()
        quantity = self.amount(symbol, WORTH_TOO_MUCH)
        if self.dice.random() < 0.4:
            return {"kind": "OCO", "symbol": symbol, **self._pair(symbol, side, quantity)}
        return {"symbol": symbol, **self._limit(symbol, side, self.own(symbol, side), quantity)}

    def off_the_filters(self) -> Body:
        """One number is not as the market wants it."""
        symbol, side = self._any()
        tick, step = self._steps[symbol]
        price, quantity = self.own(symbol, side), self.amount(symbol, WORTH[1])
        wrong: list[Body] = [
            {"price": f"{price + tick / 2:f}"},
            {"quantity": f"{quantity + step / 2:f}"},
            {"quantity": f"{step:f}"},
            {"iceberg_quantity": f"{quantity / 20 // step * step:f}"},  # ten parts at most
        ]
        return {"symbol": symbol, **self._limit(symbol, side, price, quantity), **self.dice.choice(wrong)}

    def no_order(self) -> Body:
        """What says too little, too much, or what does not go together."""
        symbol = self.dice.choice(SYMBOLS)
        quantity = self.amount(symbol)
        limit = self._limit(symbol, "BUY", self.own(symbol, "BUY"), quantity)
        pair = self._pair(symbol, "SELL", quantity)
        wrong: list[Body] = [
            {**limit, "quantity": "0"},
            {**limit, "stop_price": limit["price"]},
            {**limit, "time_in_force": "IOC", "iceberg_quantity": limit["quantity"]},
            {"side": "BUY", "type": "STOP_LOSS", "stop_price": limit["price"], "quantity": limit["quantity"]},
            {"kind": "OTO", "working": limit},
            {"kind": "OCO", "above": pair["above"], "below": {**pair["below"], "side": "BUY"}},
            {"kind": "OCO", "above": pair["below"], "below": pair["above"]},
        ]
        return {"symbol": symbol, **self.dice.choice(wrong)}


def is_list(body: Body) -> bool:
    return "kind" in body


def otherwise(body: Body) -> Body:
    """The same but for one number."""
    for leg in ("working", "above"):
        if leg in body:
            return {**body, leg: otherwise(body[leg])}
    field = next(name for name in ("quantity", "quote_quantity", "price") if name in body)
    return {**body, field: f"{Decimal(body[field]) * 2:f}"}
