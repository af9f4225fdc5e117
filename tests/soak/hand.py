"""One pair of hands in the crowd: its dice, its own holds and postings, and how it asks the ledger."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection

from accounts.models import User
from exchange.database import is_loss
from exchange.gate import services as gate
from exchange.money import plain
from ledger import queries as books
from ledger import services as ledger
from ledger.errors import InsufficientFunds
from ledger.models import Account, Transfer
from ledger.services.posting import Line
from tests.soak.auditor import Event

T = TypeVar("T")
Kind = Account.Type
SCALES = {"USDT": 8, "BTC": 8, "BNB": 8, "WEI": 18}
MARKETS = [("BTC", "USDT"), ("BNB", "BTC"), ("WEI", "USDT")]
MOST_LOSSES = 50
ZERO = Decimal(0)


class Surprise(Exception):
    """The ledger answered what it never should."""


@dataclass
class Own:
    """A hold of this hand: an order, a list of orders, or a withdrawal, which has no side."""

    number: int
    user: int
    asset: str
    remaining: Decimal
    side: str = ""
    market: tuple[str, str] = ("", "")
    is_open: bool = True
    cause: str = "ORDER"


@dataclass(frozen=True)
class Booked:
    """A posting of this hand that can be told again, and taken back by staff."""

    transfer_id: int
    again: Callable[[], ledger.Posted]
    customers: tuple[tuple[int, str, Decimal], ...] = ()
    house: tuple[tuple[str, str, Decimal], ...] = ()


class Hand:
    """Acts by its own dice; its causes and keys are its own, the customers are everybody's."""

    def __init__(self, seed: int, number: int, customers: list[int], staff: list[int]) -> None:
        self.dice = random.Random(f"{seed}:{number}")
        self.number, self.customers = number, customers
        self.carol, self.dave = (User.objects.get(pk=pk) for pk in staff)
        self.venue = gate.primary_account().pk
        self.orders: list[Own] = []
        self.withdrawals: list[Own] = []
        self.undoable: list[Booked] = []
        self.in_custody: list[tuple[str, Decimal]] = []
        self.booked: list[Booked] = []
        self.count = 0
        self.figures: Counter[str] = Counter()

    # ------------------------------------------------------------------ dice
    @property
    def key(self) -> str:
        return f"{self.number}:{self.count}"

    @property
    def cause_id(self) -> int:
        return self.number * 10**9 + self.count

    def some(self, asset: str, most: Decimal) -> Decimal:
        """Up to the most, odd to the asset's last digit; now and then a single unit."""
        scale = SCALES[asset]
        units = int(most.scaleb(scale))
        return Decimal(1 if self.dice.random() < 0.1 or units < 1 else self.dice.randint(1, units)).scaleb(
            -scale
        )

    def wish(self, user: int, asset: str) -> Decimal:
        """Mostly less than the customer has, sometimes all of it, sometimes more."""
        has, throw = self.answered(lambda: books.available(user, asset)), self.dice.random()
        if throw < 0.1:
            return has or Decimal(1)
        return has + self.some(asset, Decimal(10)) if throw < 0.2 else self.some(asset, has / 3)

    def fee(self, asset: str, received: Decimal) -> Decimal:
        return (received / 1000).quantize(Decimal(1).scaleb(-SCALES[asset]), rounding="ROUND_FLOOR")

    def commission(self, market: tuple[str, str]) -> tuple[str, Decimal]:
        """The venue takes it in base, quote or a third asset, or not at all."""
        asset = self.dice.choice([*market, "BNB", ""])
        return (asset, self.some(asset, Decimal("0.01"))) if asset else ("BNB", ZERO)

    def somebody(self) -> tuple[int, str]:
        return self.dice.choice(self.customers), self.dice.choice(list(SCALES))

    def pick(self, owns: list[Own], **wanted: object) -> Own | None:
        fitting = [own for own in owns if all(getattr(own, name) == value for name, value in wanted.items())]
        return self.dice.choice(fitting) if fitting else None

    # ------------------------------------------------------------------ asking the ledger
    def answered(self, ask: Callable[[], T]) -> T:
        """Asks until there is an answer: who lost the connection asks the same again."""
        for _loss in range(MOST_LOSSES):
            try:
                return ask()
            except (OperationalError, InterfaceError) as error:
                if not is_loss(error):
                    raise
                connection.close()
                self.figures["lost"] += 1
        raise Surprise("every connection is lost")

    def post(self, post: Callable[[], ledger.Posted], **undo: Any) -> ledger.Posted:
        posted = self.answered(post)
        booked = Booked(posted.transfer_id, post, **undo)
        self.booked.append(booked)
        if undo:
            self.undoable.append(booked)
        return posted

    def lines(self, scope: str, kind: Transfer.Kind, *lines: Line, **undo: Any) -> ledger.Posted:
        key = self.key
        return self.post(lambda: ledger.post(scope=scope, key=key, kind=kind, lines=lines), **undo)

    def may(
        self, act: str, ask: Callable[[], object], pot: tuple[int, str], amount: Decimal, **facts: Any
    ) -> Event:
        """An act that fails when there is not enough."""
        facts |= {"user": pot[0], "asset": pot[1], "amount": plain(amount), "needs": [(*pot, plain(amount))]}
        try:
            self.answered(ask)
        except InsufficientFunds:
            return Event(act, "refused", facts)
        return Event(act, "done", facts)
