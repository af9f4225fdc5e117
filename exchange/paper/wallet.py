"""Deposits with confirmations and withdrawals on their way."""

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import coins, wire
from exchange.paper.accounts import MAIN, Account, text
from exchange.paper.errors import ApiError, mandatory
from exchange.paper.filters import parse
from exchange.paper.market import now_ms
from exchange.paper.routes import DAY_MS, Params, number, span

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Row = dict[str, Any]
PENDING, SUCCESS, CREDITED = 0, 1, 6  # of deposits
AWAITING, PROCESSING, FAILURE, COMPLETED = 2, 4, 5, 6  # of withdrawals
BLOCKS_TO_CREDIT = 3  # a deposit of many confirmations is not slower than this many steps


class Wallet:
    """What comes from and goes to the chains; `tick` makes time pass on them, every `pace` seconds a step."""

    def __init__(self, venue: "Venue", pace: float = 1.0) -> None:
        self._venue, self.pace = venue, pace
        self.deposits: dict[str, Row] = {row["id"]: row for row in venue.store.rows("deposit")}
        self.withdrawals: dict[str, Row] = {row["id"]: row for row in venue.store.rows("withdrawal")}
        self._next_step = 0.0
        self.shown_after_ms = 0  # a fault: the history is so much behind

    def config(self, account: Account) -> list[Row]:
        withdrawing: dict[str, Decimal] = {}
        for row in self.withdrawals.values():
            if row["_account"] == account.account_id and row["status"] in (AWAITING, PROCESSING):
                withdrawing[row["coin"]] = withdrawing.get(row["coin"], Decimal(0)) + Decimal(row["_gross"])
        return coins.configuration(account, withdrawing)

    def address(self, account: Account, coin: str, code: str) -> Row:
        """One address an account and network, always the same; where many share one, the tag tells them apart."""
        network = coins.find(coin, code)
        seed = f"{self._venue.seed}:{'' if network.memo else account.account_id}:{network.code}"
        tag = f"{100_000_000 + account.account_id * 7919 % 800_000_000}" if network.memo else ""
        return {"coin": coin, "address": network.address(seed), "tag": tag, "url": ""}

    # ------------------------------------------------------------------ deposits
    def arrive(self, params: Params) -> Row:
        """A transfer to an address appears on its chain: the control door's way to bring money in.

        With `hold` time passes it by; `shown` is what the history calls its amount, however odd.
        """
        account = self.owner(params)
        network = coins.find(params.get("coin", ""), params.get("network", ""))
        amount = parse(params.get("amount", ""), "amount")
        known, status = self.address(account, params["coin"], network.code), number(params, "status", PENDING)
        have = network.unlock if status == SUCCESS else network.confirmations if status == CREDITED else 0
        at = number(params, "insertTime", now_ms())
        row = {
            "id": str(self._venue.next_id()),
            "amount": params.get("shown") or text(amount),
            "coin": params["coin"],
            "network": network.code,
            "status": status,
            "address": known["address"],
            "addressTag": known["tag"],
            "txId": params.get("txId") or hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
            "insertTime": at,
            "completeTime": at if status == SUCCESS else None,
            "transferType": number(params, "transferType", 0),
            "confirmTimes": f"{have}/{network.unlock}",
            "unlockConfirm": network.unlock,
            "walletType": 0,
            "travelRuleStatus": 0,
            "_account": account.account_id,
            "_gross": text(amount),
            "_held": bool(params.get("hold")),
        }
        self.keep_deposit(row)
        if status in (SUCCESS, CREDITED):
            self._give(row)
        return row

    def owner(self, params: Params) -> Account:
        """Whose address and tag these are; the main account's without any."""
        network = coins.find(params.get("coin", ""), params.get("network", ""))
        address, tag = params.get("address", ""), params.get("tag", "")
        if not address:
            return self._venue.accounts[MAIN]
        for account in self._venue.accounts.values():
            known = self.address(account, params["coin"], network.code)
            if known["address"] == address and known["tag"] == tag:
                return account
        raise ApiError(-4005, "No account has this address and tag.")

    def history(self, account: Account, params: Params) -> list[Row]:
        rows = [
            row
            for row in self.deposits.values()
            if row["_account"] == account.account_id and not row.get("_vanished")
        ]
        rows = _matching(rows, params, ("coin", "status", "txId"))
        page = _page(_within(rows, params, lambda row: row["insertTime"]), params)
        self._venue.arrivals.was_read(account)
        return page

    def _confirm(self, row: Row) -> None:
        """Some more blocks: credited at first, free to leave again when all are there; dust is never credited."""
        network = coins.find(row["coin"], row["network"])
        have = int(row["confirmTimes"].partition("/")[0])
        have = min(have + -(-network.confirmations // BLOCKS_TO_CREDIT), network.unlock)
        is_dust = gross(row) < Decimal(network.dust)
        if have >= network.confirmations and row["status"] == PENDING and not is_dust:
            have, row["status"] = network.confirmations, CREDITED
            self._give(row)
        elif row["status"] == CREDITED:
            have = network.unlock
        if have >= network.unlock and not is_dust:
            row["status"], row["completeTime"] = SUCCESS, now_ms()
        row["confirmTimes"] = f"{have}/{network.unlock}"
        self.keep_deposit(row)

    def _give(self, row: Row) -> None:
        account, amount = self._venue.accounts[row["_account"]], gross(row)
        account.receive(row["coin"], amount)
        self._venue.moved(account, row["coin"], wire.balance_update(row["coin"], amount, now_ms()))

    def keep_deposit(self, row: Row) -> None:
        self._keep("deposit", self.deposits, row)

    # ------------------------------------------------------------------ withdrawals
    def withdraw(self, account: Account, params: Params) -> Row:
        for name in ("coin", "address", "amount"):
            if not params.get(name):
                raise mandatory(name)
        coin, amount = params["coin"], parse(params["amount"], "amount")
        network = coins.find(coin, params.get("network", ""))
        self._check(network, amount, params)
        balance = account.balance(coin)
        if balance.free < amount:
            raise ApiError(-4026, "The user has insufficient balance available.")
        balance.free -= amount
        row = _withdrawal(network, amount, params) | {"_account": account.account_id}
        self._keep("withdrawal", self.withdrawals, row)
        self._venue.moved(account, coin, wire.balance_update(coin, -amount, row["_at"]))
        return {"id": row["id"]}

    @staticmethod
    def _check(network: coins.Network, amount: Decimal, params: Params) -> None:
        if not network.accepts(params["address"]):
            raise ApiError(-4007, "The withdrawal address is not valid.")
        tag = params.get("addressTag")
        if tag and not network.memo:
            raise ApiError(-4106, "The address tag is not supported by this network.")
        if tag and not re.fullmatch(network.memo, tag):
            raise ApiError(-4008, "The address tag is not valid.")
        if amount % Decimal(network.multiple):
            raise ApiError(-4014, f"The withdrawal amount must be a multiple of {network.multiple}.")
        if amount < Decimal(network.least):
            raise ApiError(-4011, f"The withdrawal amount must be at least {network.least}.")

    def withdraw_history(self, account: Account, params: Params) -> list[Row]:
        newest = now_ms() - self.shown_after_ms
        rows = [
            row
            for row in self.withdrawals.values()
            if row["_account"] == account.account_id and row["_at"] <= newest
        ]
        rows = _matching(rows, params, ("coin", "status", "withdrawOrderId"))
        if wanted := params.get("idList"):
            rows = [row for row in rows if row["id"] in wanted.split(",")]
        days = 7 if params.get("withdrawOrderId") else 90
        return _page(_within(rows, params, lambda row: row["_at"], days), params)

    def _carry(self, row: Row) -> None:
        if row["status"] == AWAITING:
            row["status"] = PROCESSING
        else:
            row["status"], row["confirmNo"] = COMPLETED, coins.find(row["coin"], row["network"]).confirmations
            row["txId"] = hashlib.sha256(row["id"].encode()).hexdigest()
            row["completeTime"] = _stamp(now_ms())
        self._keep("withdrawal", self.withdrawals, row)

    def fail(self, withdrawal_id: str, why: str) -> Row:
        """The network or a review refused it: the money is back."""
        row = self.withdrawals.get(withdrawal_id)
        if row is None or row["status"] not in (AWAITING, PROCESSING):
            raise ApiError(-4009, "No such withdrawal is on its way.")
        row["status"], row["info"] = FAILURE, why
        account, amount = self._venue.accounts[row["_account"]], Decimal(row["_gross"])
        account.receive(row["coin"], amount)
        self._keep("withdrawal", self.withdrawals, row)
        self._venue.moved(account, row["coin"], wire.balance_update(row["coin"], amount, now_ms()))
        return row

    def charge(self, withdrawal_id: str, fee: str) -> Row:
        """The network takes another fee than the configuration says, from what the account has left."""
        row = self._known(withdrawal_id)
        account, more = (
            self._venue.accounts[row["_account"]],
            parse(fee, "fee") - Decimal(row["transactionFee"]),
        )
        account.receive(row["coin"], -more)
        row["transactionFee"] = fee
        self._keep("withdrawal", self.withdrawals, row)
        return row

    def replace(self, withdrawal_id: str) -> Row:
        """Another transaction carries it; the one told before never confirms."""
        row = self._known(withdrawal_id)
        row["txId"] = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        self._keep("withdrawal", self.withdrawals, row)
        return row

    def _known(self, withdrawal_id: str) -> Row:
        if withdrawal_id not in self.withdrawals:
            raise ApiError(-4009, "There is no such withdrawal.")
        return self.withdrawals[withdrawal_id]

    # ------------------------------------------------------------------ time passes
    def tick(self, now: float) -> None:
        """One step on every chain, when it is due."""
        if now < self._next_step:
            return
        self._next_step = now + self.pace
        for row in self.deposits.values():
            if row["status"] in (PENDING, CREDITED) and not (row.get("_held") or row.get("_vanished")):
                self._confirm(row)
        for row in self.withdrawals.values():
            if row["status"] in (AWAITING, PROCESSING):
                self._carry(row)

    def _keep(self, kind: str, rows: dict[str, Row], row: Row) -> None:
        rows[row["id"]] = row
        self._venue.store.put(kind, row["id"], row)


def _withdrawal(network: coins.Network, amount: Decimal, params: Params) -> Row:
    """The fee comes out of the amount, so that the receiver gets less than what left."""
    at = now_ms()
    return {
        "id": uuid.uuid4().hex,
        "amount": text(amount - Decimal(network.fee)),
        "transactionFee": network.fee,
        "coin": params["coin"],
        "status": AWAITING,
        "address": params["address"],
        "addressTag": params.get("addressTag", ""),
        "txId": "",
        "applyTime": _stamp(at),
        "network": network.code,
        "transferType": 0,
        "withdrawOrderId": params.get("withdrawOrderId", ""),
        "info": "",
        "confirmNo": 0,
        "walletType": number(params, "walletType", 0),
        "txKey": "",
        "completeTime": "",
        "_at": at,
        "_gross": text(amount),
    }


def gross(row: Row) -> Decimal:
    """What a deposit is worth, whatever the history calls it."""
    return Decimal(row.get("_gross") or row["amount"])


def shown(row: Row) -> Row:
    """Without what only the venue knows."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _stamp(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _matching(rows: list[Row], params: Params, names: tuple[str, ...]) -> list[Row]:
    wanted = {name: params[name] for name in names if params.get(name)}
    return [row for row in rows if all(str(row[name]) == value for name, value in wanted.items())]


def _within(rows: list[Row], params: Params, at: Callable[[Row], int], days: int = 90) -> list[Row]:
    """Newest first, of the time asked for; without a start, of the last days."""
    start, end = span(params)
    if params.get("startTime") and params.get("endTime") and end - start >= days * DAY_MS:
        raise ApiError(-4047, f"Time interval must be within 0-{days} days")
    start = start or now_ms() - days * DAY_MS
    return sorted((row for row in rows if start <= at(row) <= end), key=at, reverse=True)


def _page(rows: list[Row], params: Params) -> list[Row]:
    offset, limit = number(params, "offset", 0), number(params, "limit", 1000, 1000)
    return [shown(row) for row in rows[offset : offset + limit]]
