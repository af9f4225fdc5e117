"""A venue in a few lines, at the platform's wire: what it executed, what it says of that, and when it says nothing."""

import itertools
import random
from decimal import Decimal
from typing import Any

from exchange.binance.models import Report
from tests.venue import Body, Venue, error, fill_body, order_body, trade_body

PRICE, STEP = Decimal(40000), Decimal("0.00001")
SILENCE = (503, "<html>Service Unavailable</html>")
FINAL = ("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")
# The venue takes its commission in what was received, in BNB, or not at all.
RATE = Decimal("0.001")


class RemoteOrder:
    """An order as the venue has it."""

    def __init__(self, number: int, asked: Body) -> None:
        self.number, self.asked = number, asked
        self.client_id, self.side = str(asked["newClientOrderId"]), str(asked["side"])
        self.status, self.reason = "NEW", "NONE"
        self.trades: list[Body] = []

    @property
    def is_open(self) -> bool:
        return self.status not in FINAL

    @property
    def executed(self) -> Decimal:
        return sum((Decimal(row["qty"]) for row in self.trades), Decimal(0))

    @property
    def quote(self) -> Decimal:
        return sum((Decimal(row["quoteQty"]) for row in self.trades), Decimal(0))

    @property
    def wanted(self) -> Decimal:
        if "quantity" in self.asked:
            return Decimal(self.asked["quantity"])
        return Decimal(self.asked["quoteOrderQty"]) / PRICE // STEP * STEP

    def body(self, **changes: Any) -> Body:
        """The order as an answer tells it."""
        return order_body(
            self.asked, orderId=self.number, clientOrderId=self.client_id, status=self.status, expiryReason=self.reason,
            executedQty=f"{self.executed:f}", cummulativeQuoteQty=f"{self.quote:f}", **changes,
        )  # fmt: skip

    def event(self, kind: str, trade: Body | None = None) -> Report:
        """What the account is told of it at this moment."""
        row = trade or {
            "price": "0",
            "qty": "0",
            "quoteQty": "0",
            "commission": "0",
            "commissionAsset": None,
            "id": -1,
        }
        is_cancel = kind == "CANCELED"
        return Report.from_event(
            {
                "e": "executionReport", "s": self.asked["symbol"], "c": "canceling" if is_cancel else self.client_id,
                "C": self.client_id if is_cancel else "", "S": self.side, "o": self.asked["type"], "f": "GTC",
                "q": f"{self.wanted:f}", "p": self.asked.get("price", "0"), "x": kind, "X": self.status, "r": "NONE",
                "i": self.number, "l": row["qty"], "z": f"{self.executed:f}", "L": row["price"], "n": row["commission"],
                "N": row["commissionAsset"], "T": 1_700_000_000_000, "t": row["id"], "m": False, "Y": row["quoteQty"],
                "Z": f"{self.quote:f}", "eR": self.reason,
            }
        )  # fmt: skip


class RemoteVenue:
    """Answers the platform by dice: rightly, late, with an error of its own, or not at all."""

    def __init__(self, wire: Venue, dice: random.Random, first_number: int) -> None:
        self.dice = dice
        self.orders: dict[str, RemoteOrder] = {}
        self.told: list[Report] = []  # by the stream, if it comes through
        self.is_calm = False
        self._numbers = itertools.count(first_number)
        wire.on("POST", "/api/v3/order", self._place)
        wire.on("DELETE", "/api/v3/order", self._cancel)
        wire.on("GET", "/api/v3/order", self._query)
        wire.on("GET", "/api/v3/myTrades", self._trades)
        wire.on("GET", "/api/v3/openOrders", self._open_orders)
        wire.on("GET", "/api/v3/allOrders", self._all_orders)

    def open_orders(self) -> list[RemoteOrder]:
        return [order for order in self.orders.values() if order.is_open]

    # ------------------------------------------------------------------ what happens there
    def trade(self, order: RemoteOrder) -> None:
        """A part of it, or all that is left, is executed at its price or a better one."""
        left = order.wanted - order.executed
        quantity = (
            left
            if self.dice.random() < 0.4
            else max(STEP, left * self.dice.randrange(1, 9) / 10 // STEP * STEP)
        )
        better = self.dice.randrange(3) * (-1 if order.side == "BUY" else 1)
        price = Decimal(order.asked.get("price", PRICE)) + (better if "price" in order.asked else 0)
        commission, asset = self._commission(order, quantity, price)
        row = trade_body(
            order.number, next(self._numbers), f"{price:f}", f"{quantity:f}", f"{price * quantity:f}",
            isBuyer=order.side == "BUY", commission=f"{commission:f}", commissionAsset=asset,
        )  # fmt: skip
        order.trades.append(row)
        order.status = "FILLED" if order.executed == order.wanted else "PARTIALLY_FILLED"
        self.told.append(order.event("TRADE", row))

    def _commission(self, order: RemoteOrder, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        usual = (quantity * RATE, "BTC") if order.side == "BUY" else (quantity * price * RATE, "USDT")
        amount, asset = self.dice.choice([usual, (Decimal("0.00001234"), "BNB"), (Decimal(0), "BTC")])
        return round(amount, 8), asset

    def end(self, order: RemoteOrder, status: str, reason: str = "NONE") -> None:
        order.status, order.reason = status, reason
        kind = {"CANCELED": "CANCELED", "EXPIRED_IN_MATCH": "TRADE_PREVENTION"}.get(status, "EXPIRED")
        self.told.append(order.event(kind))

    # ------------------------------------------------------------------ what it answers
    def _throw(self, **weights: int) -> str:
        return self.dice.choices(list(weights), list(weights.values()))[0]

    def _place(self, asked: Body) -> Any:
        how = self._throw(answered=8, unsaid=3, never_there=1, refused=1)
        if how == "never_there":
            return SILENCE
        if how == "refused":
            return error(-2010, "Market is closed.")
        order = self.orders[asked["newClientOrderId"]] = RemoteOrder(next(self._numbers), asked)
        self.told.append(order.event("NEW"))
        is_at_once = asked["type"] == "MARKET" or asked.get("timeInForce") == "IOC"
        for _trade in range(self.dice.randrange(1, 4) if is_at_once else self.dice.choice([0, 0, 1, 2])):
            if order.is_open:
                self.trade(order)
        if is_at_once and order.is_open:
            self.end(order, "EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")
        fills = [
            fill_body(row["id"], row["price"], row["qty"], row["commission"], row["commissionAsset"])
            for row in order.trades
        ]
        return SILENCE if how == "unsaid" else (200, order.body(fills=fills))

    def _cancel(self, asked: Body) -> Any:
        how = self._throw(answered=6, unsaid=2, never_there=1)
        order = self.orders.get(asked["origClientOrderId"])
        if how == "never_there":
            return SILENCE
        if order is None or not order.is_open:
            return error(-2011, "Unknown order sent.")
        self.end(order, "CANCELED")
        answer = order.body(origClientOrderId=order.client_id) | {"clientOrderId": "canceling"}
        return SILENCE if how == "unsaid" else (200, answer)

    def _query(self, asked: Body) -> Any:
        how = "answered" if self.is_calm else self._throw(answered=6, unsaid=1, lagging=2)
        order = self.orders.get(asked["origClientOrderId"])
        if how == "unsaid":
            return SILENCE
        if how == "lagging" or order is None:
            return error(-2013, "Order does not exist.")
        return 200, order.body()

    def _trades(self, asked: Body) -> Any:
        """The venue's list may lag behind what it tells elsewhere."""
        how = "answered" if self.is_calm else self._throw(answered=6, unsaid=1, lagging=2)
        rows = [
            row
            for order in self.orders.values()
            for row in order.trades
            if row["orderId"] == int(asked["orderId"])
        ]
        return SILENCE if how == "unsaid" else (200, rows[:-1] if how == "lagging" else rows)

    def _open_orders(self, asked: Body) -> Any:
        return 200, [order.body() for order in self.open_orders()]

    def _all_orders(self, asked: Body) -> Any:
        return 200, [order.body() for order in self.orders.values()]
