"""An auditor with pencil and paper: told what people did and what they were answered, knowing nothing of our code.

Amounts that only the moment decides (who was refused, what a late trade found available) are taken from the answers,
and checked against what was possible at any moment of the round; everything else the auditor reckons alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, localcontext
from typing import Any

EXACT = Context(prec=60, traps=[Inexact])
ZERO = Decimal(0)
Pot = tuple[int, str]  # a customer and an asset
HouseAccount = tuple[str, str]  # type and asset
Cause = tuple[str, int]


class Discrepancy(Exception):
    """The books, or an answer, differ from what the auditor reckons."""


# What the venue may round up in each trade of an order: no exception is made of it.
ROUNDED_UP = Decimal("0.00000001")


@dataclass(frozen=True)
class Event:
    """One act and its answer; `facts` are what was asked, `told` what came back, amounts as text."""

    act: str
    answer: str
    facts: dict[str, Any]
    told: dict[str, str] = field(default_factory=dict)

    def amount(self, name: str) -> Decimal:
        return Decimal(self.facts[name])


@dataclass
class Held:
    pot: Pot
    remaining: Decimal
    is_open: bool = True


class Auditor:
    def __init__(self) -> None:
        self.available: dict[Pot, Decimal] = defaultdict(Decimal)
        self.held: dict[Pot, Decimal] = defaultdict(Decimal)
        self.house: dict[HouseAccount, Decimal] = defaultdict(Decimal)
        self.holds: dict[Cause, Held] = {}
        self.transfers = 0
        self.exceptions = 0
        # Trades of each order, and what of their cost its hold did not cover.
        self._trades: dict[Cause, list[Decimal]] = defaultdict(list)
        self._least: dict[Pot, Decimal] = defaultdict(Decimal)
        self._most: dict[Pot, Decimal] = defaultdict(Decimal)

    def hear(self, events: Iterable[Event]) -> None:
        """Books a round: acts that went on at the same time, those of one hand in their order."""
        events = list(events)
        self._least, self._most = defaultdict(Decimal, self.available), defaultdict(Decimal, self.available)
        with localcontext(EXACT):
            for event in events:
                if event.answer == "done":
                    getattr(self, f"_{event.act}")(event)
            for event in events:
                self._require_possible(event)
        self._require_sense()

    # ------------------------------------------------------------------ pencil strokes
    def _give(self, pot: Pot, amount: Decimal) -> None:
        self.available[pot] += amount
        bound = self._most if amount > 0 else self._least
        bound[pot] += amount

    def _move(self, kind: str, asset: str, amount: Decimal) -> None:
        self.house[kind, asset] += amount

    def _take_hold(self, cause: Cause, cost: Decimal) -> Decimal:
        """What the hold can pay of the cost."""
        hold = self.holds.get(cause)
        taken = min(hold.remaining, cost) if hold else ZERO
        if hold:
            hold.remaining -= taken
            self.held[hold.pot] -= taken
        return taken

    def _close(self, cause: Cause) -> Decimal:
        """What the hold still held is available again."""
        hold = self.holds.get(cause)
        if hold is None or not hold.is_open:
            return ZERO
        rest, hold.remaining, hold.is_open = hold.remaining, ZERO, False
        self.held[hold.pot] -= rest
        self._give(hold.pot, rest)
        return rest

    # ------------------------------------------------------------------ acts
    def _deposit(self, event: Event) -> None:
        amount, asset = event.amount("amount"), event.facts["asset"]
        self.transfers += 1
        self._give((event.facts["user"], asset), amount)
        self._move(event.facts["place"], asset, -amount)

    def _sweep(self, event: Event) -> None:
        self.transfers += 1
        self._move("VENUE", event.facts["asset"], -event.amount("amount"))
        self._move("CUSTODY", event.facts["asset"], event.amount("amount"))

    def _hold(self, event: Event) -> None:
        pot, amount = (event.facts["user"], event.facts["asset"]), event.amount("amount")
        self.transfers += 1
        self._give(pot, -amount)
        self.held[pot] += amount
        self.holds[event.facts["cause"], event.facts["cause_id"]] = Held(pot, amount)

    def _release(self, event: Event) -> None:
        rest = self._close((event.facts["cause"], event.facts["cause_id"]))
        self.transfers += rest > 0
        if Decimal(event.told["amount"]) != rest:
            raise Discrepancy(f"{event}: {rest} should have been released")

    def _fill(self, event: Event) -> None:
        """A trade at the venue: the hold pays first, then what is available, then the house."""
        self.transfers += 1
        user, cause = event.facts["user"], (event.facts["cause"], event.facts["order"])
        legs = [
            (event.facts["quote"], event.amount("quote_quantity")),
            (event.facts["base"], event.amount("quantity")),
        ]
        (paid, cost), (got, amount) = legs if event.facts["side"] == "BUY" else reversed(legs)
        short, slippage = cost - self._take_hold(cause, cost), Decimal(event.told["slippage"])
        if Decimal(event.told["short"]) != short or not 0 <= slippage <= short:
            raise Discrepancy(f"{event}: {short} was not covered by the hold")
        trades = self._trades[cause]
        trades.append(short)
        self.exceptions += short > 0 and sum(trades) > len(trades) * ROUNDED_UP
        if short > slippage:
            self._give((user, paid), slippage - short)
        self._move("SLIPPAGE", paid, -slippage)
        self._move("VENUE", paid, cost)
        self._receive(user, got, amount, event.amount("fee"))
        self._move("VENUE", got, -amount)
        self._pay_commission(event)
        if event.facts["is_last"]:
            self._close(cause)

    def _receive(self, user: int, asset: str, amount: Decimal, fee: Decimal) -> None:
        self._give((user, asset), amount - fee)
        self._move("FEES", asset, fee)

    def _pay_commission(self, event: Event) -> None:
        self._move("VENUE", event.facts["commission_asset"], event.amount("commission"))
        self._move("COMMISSION", event.facts["commission_asset"], -event.amount("commission"))

    def _commission(self, event: Event) -> None:
        self.transfers += 1
        self._pay_commission(event)

    def _orphan(self, event: Event) -> None:
        self.transfers += 1
        self.exceptions += 1
        sign = 1 if event.facts["side"] == "BUY" else -1
        for asset, amount in (
            (event.facts["base"], sign * event.amount("quantity")),
            (event.facts["quote"], -sign * event.amount("quote_quantity")),
        ):
            self._move("VENUE", asset, -amount)
            self._move("SUSPENSE", asset, amount)
        self._pay_commission(event)

    def _cross(self, event: Event) -> None:
        """Two customers trade with each other; each pays from a hold and is charged in what they receive."""
        self.transfers += 1
        base, quote = event.facts["base"], event.facts["quote"]
        quantity, total = event.amount("quantity"), event.amount("quote_quantity")
        for side, cost in (("buyer", total), ("seller", quantity)):
            if self._take_hold(("ORDER", event.facts[f"{side}_order"]), cost) != cost:
                raise Discrepancy(f"{event}: the {side}'s hold did not cover it")
            if event.facts[f"{side}_is_last"]:
                self._close(("ORDER", event.facts[f"{side}_order"]))
        self._receive(event.facts["buyer"], base, quantity, event.amount("buyer_fee"))
        self._receive(event.facts["seller"], quote, total, event.amount("seller_fee"))

    def _charge(self, event: Event) -> None:
        """A fee or dust."""
        self.transfers += 1
        self._give((event.facts["user"], event.facts["asset"]), -event.amount("amount"))
        self._move(event.facts["to"], event.facts["asset"], event.amount("amount"))

    def _sent(self, event: Event) -> None:
        """A withdrawal that left: all that was held is gone, the venue took its cost, the rest is ours or our loss."""
        self.transfers += 1
        cause, cost, asset = (
            ("WITHDRAWAL", event.facts["cause_id"]),
            event.amount("cost"),
            event.facts["asset"],
        )
        amount = self._take_hold(cause, event.amount("amount"))
        self._close(cause)
        self._move("VENUE", asset, cost)
        self._move("FEES" if amount > cost else "NETWORK_FEES", asset, amount - cost)

    def _correct(self, event: Event) -> None:
        """An adjustment, or a reversal, that two people wanted."""
        self.transfers += 1
        for user, asset, amount in event.facts["customers"]:
            self._give((user, asset), Decimal(amount))
        for kind, asset, amount in event.facts["house"]:
            self._move(kind, asset, Decimal(amount))

    # ------------------------------------------------------------------ what cannot be
    def _require_possible(self, event: Event) -> None:
        """Nobody is refused what they had at every moment of the round, nobody gets what they had at none."""
        for user, asset, amount in event.facts.get("needs", ()):
            wanted, pot = Decimal(amount), (user, asset)
            if event.answer == "refused" and wanted <= self._least[pot]:
                raise Discrepancy(
                    f"{event}: refused, though at least {self._least[pot]} was there all the time"
                )
            if event.answer == "done" and wanted > self._most[pot]:
                raise Discrepancy(f"{event}: granted, though at most {self._most[pot]} was ever there")
        if event.act == "fill" and Decimal(event.told["slippage"]):
            paid = event.facts["quote" if event.facts["side"] == "BUY" else "base"]
            if self._least[event.facts["user"], paid] > 0:
                raise Discrepancy(f"{event}: the house paid while the customer could")

    def _require_sense(self) -> None:
        for pot in {*self.available, *self.held}:
            if self.available[pot] < 0 or self.held[pot] < 0:
                raise Discrepancy(f"{pot} is negative: {self.available[pot]} + {self.held[pot]}")
        for pot, held in self.held.items():
            if held != sum((hold.remaining for hold in self.holds.values() if hold.pot == pot), ZERO):
                raise Discrepancy(f"the holds of {pot} do not add up to {held}")
        for asset in {asset for _kind, asset in self.house}:
            owed = sum(
                (a for (_u, name), a in [*self.available.items(), *self.held.items()] if name == asset), ZERO
            )
            if owed + sum((a for (_k, name), a in self.house.items() if name == asset), ZERO):
                raise Discrepancy(f"{asset} does not sum to zero")
