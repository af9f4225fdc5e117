"""Whatever an account does on a market that moves: its books agree with its orders after every step.

`PAPER_FLOWS=200` runs as many flows instead of three; each is of one seed, which is named when it fails.
"""

import os
import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from exchange.paper.accounts import MAIN, ZERO, Account, Order
from exchange.paper.errors import ApiError
from exchange.paper.listapi import READERS
from exchange.paper.trading import funds
from exchange.paper.venue import Venue
from tests.exchange.paper.people import KEYS, D

FLOWS = int(os.environ.get("PAPER_FLOWS", "3"))
STEPS = 150
BEGINS = {"BTC": "50", "USDT": "5000000", "BNB": "10"}
MODES = ("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT")
MOST_OPEN = 12


class Flow:
    """One account that does something at random on a venue with two books of bitcoin that move."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.venue = Venue(None, KEYS, levels=60, deepest=60, routed=True, symbols=("BTCUSDT", "BNBUSDT"))
        self.venue.limits.orders_10s = self.venue.limits.orders_day = 10**9
        self.account, self.market = self.venue.accounts[MAIN], self.venue.live["BTCUSDT"]
        self.market.filters.rows["MAX_NUM_ALGO_ORDERS"]["maxNumAlgoOrders"] = 40
        for asset, amount in BEGINS.items():
            self.account.receive(asset, D(amount))
        self.acts: list[Callable[[dict[str, str]], object]] = [
            self.limit, self.iceberg, self.market_order, self.stop, self.profit, self.trail, self.routed, self.oco,
            self.otoco, self.opoco, self.cancel, self.amend,
        ]  # fmt: skip

    def step(self) -> None:
        """The world acts, then the account; a refusal is an answer too."""
        for symbol in ("BTCUSDT", "BTCUSDC"):
            self.venue.makers[symbol].act()
            self.venue.trading.follow(self.venue.live[symbol])
        self.venue.commission_in = self.dice.choice(["", "BNB", "base", "quote"])
        usual = {"side": self.dice.choice(["BUY", "SELL"]), "quantity": f"{self.dice.randint(1, 400) / 1000}"}
        usual["selfTradePreventionMode"] = self.dice.choice(MODES)
        try:
            self.dice.choice(self.acts)(usual)
            if len(self.open()) > MOST_OPEN:
                self.cancel(usual)
        except ApiError:
            return

    def open(self) -> list[Order]:
        return [order for order in self.account.open_orders() if order.is_open]

    def price(self, *, is_above: bool) -> str:
        """Near enough to be reached."""
        away = D(self.dice.randint(1, 50)) / 100_000
        return f"{self.market.last * (1 + away if is_above else 1 - away):.2f}"

    def anywhere(self) -> str:
        return self.price(is_above=self.dice.random() < 0.5)

    def place(self, params: dict[str, str], **more: str) -> None:
        self.venue.trading.place(self.account, self.market, params | more)

    def limit(self, usual: dict[str, str]) -> None:
        tif = self.dice.choice(["GTC", "GTC", "IOC", "FOK"])
        self.place(usual, type="LIMIT", timeInForce=tif, price=self.anywhere())

    def iceberg(self, usual: dict[str, str]) -> None:
        parts = {"quantity": "0.4", "icebergQty": "0.1"}
        self.place(usual | parts, type="LIMIT", timeInForce="GTC", price=self.anywhere())

    def market_order(self, usual: dict[str, str]) -> None:
        self.place(usual, type="MARKET")

    def stop(self, usual: dict[str, str]) -> None:
        self.place(usual, type="STOP_LOSS", stopPrice=self.price(is_above=usual["side"] == "BUY"))

    def profit(self, usual: dict[str, str]) -> None:
        stop = self.price(is_above=usual["side"] == "SELL")
        self.place(usual, type="TAKE_PROFIT_LIMIT", timeInForce="GTC", stopPrice=stop, price=self.anywhere())

    def trail(self, usual: dict[str, str]) -> None:
        self.place(usual, type="STOP_LOSS", trailingDelta="10")

    def routed(self, usual: dict[str, str]) -> None:
        asked = usual | {"type": "LIMIT", "timeInForce": "GTC", "price": self.anywhere()}
        self.venue.trading.place(self.account, self.market, asked, used_sor=True)

    def cancel(self, usual: dict[str, str]) -> None:
        for order in self.dice.sample(self.open(), min(1, len(self.open()))):
            self.venue.trading.cancel(self.account, self.market, order)

    def amend(self, usual: dict[str, str]) -> None:
        for order in self.dice.sample(self.open(), min(1, len(self.open()))):
            half = (order.quantity / 2).quantize(D("0.001"))
            self.venue.trading.amend(self.account, self.market, order, half, order.client_id)

    # ------------------------------------------------------------------ lists
    def legs(self, side: str) -> dict[str, str]:
        """A limit on the side of profit and a stop on the other."""
        if side == "SELL":
            return {"aboveType": "LIMIT_MAKER", "abovePrice": self.price(is_above=True), "belowType": "STOP_LOSS",
                    "belowStopPrice": self.price(is_above=False)}  # fmt: skip
        return {"belowType": "LIMIT_MAKER", "belowPrice": self.price(is_above=False), "aboveType": "STOP_LOSS_LIMIT",
                "aboveStopPrice": self.price(is_above=True), "abovePrice": self.price(is_above=True),
                "aboveTimeInForce": "GTC"}  # fmt: skip

    def together(self, kind: str, params: dict[str, str]) -> None:
        read = READERS[f"/api/v3/orderList/{kind}"]
        self.venue.trading.place_list(self.account, self.market, read(self.market, params), "RESULT")

    def oco(self, usual: dict[str, str]) -> None:
        self.together("oco", usual | self.legs(usual["side"]))

    def after(self, usual: dict[str, str], working: str, pending: str) -> dict[str, str]:
        """A working order, and a pair that follows when it is filled."""
        pair = {f"pending{name[0].upper()}{name[1:]}": value for name, value in self.legs(pending).items()}
        return usual | pair | {
            "workingType": "LIMIT", "workingSide": working, "workingPrice": self.anywhere(), "pendingSide": pending,
            "workingTimeInForce": "GTC", "workingQuantity": usual["quantity"],
        }  # fmt: skip

    def otoco(self, usual: dict[str, str]) -> None:
        other = "SELL" if usual["side"] == "BUY" else "BUY"
        asked = self.after(usual, usual["side"], other)
        self.together("otoco", asked | {"pendingQuantity": usual["quantity"]})

    def opoco(self, usual: dict[str, str]) -> None:
        self.together("opoco", self.after(usual, "BUY", "SELL"))


def locked_by_orders(flow: Flow) -> dict[str, Decimal]:
    """What all orders and lists say that they have locked, by asset."""
    account, market = flow.account, flow.market
    found = {market.base: ZERO, market.quote: ZERO}
    for order in account.orders.values():
        found[funds.asset_of(market, order)] += order.locked
    for each in account.lists.values():
        found[funds.asset_of(market, account.orders[each.order_ids[-1]])] += each.locked
        found[market.base] += each.reserved
    return found


def held(account: Account) -> dict[str, Decimal]:
    balances = {asset: account.balance(asset) for asset in BEGINS}
    return {asset: balance.free + balance.locked for asset, balance in balances.items()}


def by_fills(account: Account) -> dict[str, Decimal]:
    """What the account has when its trades and allocations are all that ever happened."""
    found = {asset: D(amount) for asset, amount in BEGINS.items()}
    for fill in account.trades + account.allocations:
        sign = 1 if fill["isBuyer"] else -1
        found["BTC"] += sign * D(fill["qty"])
        found["USDT"] -= sign * D(fill["quoteQty"])
        found[fill["commissionAsset"]] -= D(fill["commission"])
    return found


@pytest.mark.parametrize("seed", range(FLOWS))
def test_what_is_locked_and_what_rests_is_what_the_open_orders_say(seed: int) -> None:
    flow = Flow(seed)
    account, book = flow.account, flow.market.book
    for _step in range(STEPS):
        flow.step()
        locked = {asset: account.balance(asset).locked for asset in ("BTC", "USDT")}
        assert locked_by_orders(flow) == locked
        resting = {number: row.whole for number, row in book.orders.items() if row.owner == MAIN}
        assert resting == {order.order_id: order.remaining for order in flow.open() if order.is_working}
    open_lists = {
        each.list_id
        for each in account.lists.values()
        if any(account.orders[number].is_open for number in each.order_ids)
    }
    assert {each.list_id for each in account.lists.values() if each.is_open} == open_lists
    assert held(account) == by_fills(account)
    assert len(account.trades) > STEPS / 10
