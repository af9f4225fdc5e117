"""Money on its way in as the control door orders it: any status, several outputs, many at once, even while read."""

import hashlib
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import Account
from exchange.paper.errors import ApiError
from exchange.paper.market import now_ms
from exchange.paper.routes import Params, number

if TYPE_CHECKING:
    from exchange.paper.venue import Venue
    from exchange.paper.wallet import Row

IN_THE_ACCOUNT = frozenset({1, 6})
MOST_AT_ONCE = 20_000


@dataclass
class Burst:
    """Deposits of this kind arrive, `each` after every page of the account's history that is read."""

    account_id: int
    params: Params
    left: int
    each: int
    arrived: int = 0


class Arrivals:
    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.bursts: list[Burst] = []

    def order(self, asked: dict[str, Any]) -> "list[Row]":
        """What `POST /paper/deposit` asks for; gives the rows that are on their chains now."""
        outputs = asked.get("outputs") or [{}]
        shared = {name: _text(value) for name, value in asked.items() if name != "outputs"}
        if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
            raise ApiError(-1100, "`outputs` is a list of {amount, address?, tag?}.")
        if len(outputs) > 1:
            shared.setdefault("txId", hashlib.sha256(uuid.uuid4().bytes).hexdigest())
        rows: list[Row] = []
        for output in outputs:
            params = shared | {name: _text(value) for name, value in output.items()}
            rows += self._many(params, min(number(params, "count", 1), MOST_AT_ONCE))
        return rows

    def _many(self, params: Params, count: int) -> "list[Row]":
        if each := number(params, "each", 0):
            account = self._venue.wallet.owner(params)
            self.bursts.append(Burst(account.account_id, params, count, each))
            return []
        return [self._one(params, place) for place in range(count)]

    def _one(self, params: Params, place: int) -> "Row":
        """`spreadMs` scatters many over the time before now, so that they stand between older ones."""
        spread = number(params, "spreadMs", 0)
        at = number(params, "insertTime", now_ms() - number(params, "msAgo", 0))
        at -= place * 7919 % spread if spread else 0
        return self._venue.wallet.arrive(params | {"insertTime": str(at)})

    def was_read(self, account: Account) -> None:
        """A page of this account's history was read: now comes what was ordered to come meanwhile."""
        for burst in [found for found in self.bursts if found.account_id == account.account_id]:
            for _arrival in range(min(burst.each, burst.left)):
                self._one(burst.params, burst.arrived)
                burst.arrived, burst.left = burst.arrived + 1, burst.left - 1
            if not burst.left:
                self.bursts.remove(burst)

    # ------------------------------------------------------------------ what happens to one later
    def force(self, deposit_id: str, status: int, *, confirmations: str = "", shown: str = "") -> "Row":
        """The deposit has this status from now on, whatever it had; its money comes or goes with it."""
        row = self._found(deposit_id)
        row["confirmTimes"], row["amount"] = confirmations or row["confirmTimes"], shown or row["amount"]
        was_there = row["status"] in IN_THE_ACCOUNT and not row.get("_vanished")
        row["status"], row["_vanished"], row["_held"] = status, False, True
        row["completeTime"] = now_ms() if status == 1 else row["completeTime"]
        self._move(row, was_there, status in IN_THE_ACCOUNT)
        return row

    def vanish(self, deposit_id: str) -> "Row":
        """The history does not know the deposit any more, and its money is gone as far as it is still there."""
        row = self._found(deposit_id)
        self._move(row, row["status"] in IN_THE_ACCOUNT and not row.get("_vanished"), is_there=False)
        row["_vanished"] = True
        self._venue.wallet.keep_deposit(row)
        return row

    def _found(self, deposit_id: str) -> "Row":
        row = self._venue.wallet.deposits.get(deposit_id)
        if row is None:
            raise ApiError(-4009, "No such deposit.")
        return row

    def _move(self, row: "Row", was_there: bool, is_there: bool) -> None:
        account, amount = self._venue.accounts[row["_account"]], Decimal(row.get("_gross") or row["amount"])
        moved = amount * (is_there - was_there)
        if moved < 0:
            moved = -min(amount, account.balance(row["coin"]).free)
        if moved:
            account.receive(row["coin"], moved)
            self._venue.moved(account, row["coin"], wire.balance_update(row["coin"], moved, now_ms()))
        self._venue.wallet.keep_deposit(row)


def _text(value: object) -> str:
    return ("true" if value else "") if isinstance(value, bool) else str(value)
