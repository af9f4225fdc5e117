"""Deposits with confirmations, withdrawals on their way, sub-accounts and transfers between them."""

import hashlib
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import MAIN, Account, text
from exchange.paper.errors import INSUFFICIENT, ApiError, mandatory
from exchange.paper.filters import parse
from exchange.paper.market import now_ms

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Row = dict[str, Any]
EVM, TRON, BASE58 = (
    "^(0x)[0-9A-Fa-f]{40}$",
    "^T[1-9A-HJ-NP-Za-km-z]{33}$",
    "^[13][a-km-zA-HJ-NP-Z1-9]{25,34}$|^(bc1q).{38}$",
)
LITECOIN = "^(L|M)[A-Za-z0-9]{33}$|^(ltc1)[0-9A-Za-z]{39}$"
# coin: name, networks as (code, name, address regex, memo regex, confirmations, fee, minimum)
COINS: dict[str, tuple[str, list[tuple[str, str, str, str, int, str, str]]]] = {
    "USDT": ("TetherUS", [
        ("TRX", "Tron (TRC20)", TRON, "", 1, "1", "10"), ("ETH", "Ethereum (ERC20)", EVM, "", 6, "4", "10"),
        ("BSC", "BNB Smart Chain (BEP20)", EVM, "", 5, "0.3", "10")]),
    "BTC": ("Bitcoin", [("BTC", "Bitcoin", BASE58, "", 1, "0.00015", "0.001"),
                        ("BSC", "BNB Smart Chain (BEP20)", EVM, "", 5, "0.0000066", "0.0000132")]),
    "ETH": ("Ethereum", [("ETH", "Ethereum", EVM, "", 6, "0.0012", "0.01")]),
    "BNB": ("BNB", [("BSC", "BNB Smart Chain (BEP20)", EVM, "", 5, "0.0005", "0.01")]),
    "SOL": ("Solana", [("SOL", "Solana", "^[1-9A-HJ-NP-Za-km-z]{32,44}$", "", 1, "0.005", "0.1")]),
    "XRP": ("XRP", [("XRP", "XRP Ledger", "^r[1-9A-HJ-NP-Za-km-z]{25,34}$", "^((?!0)[0-9]{1,10})$", 1, "0.2", "20")]),
    "ADA": ("Cardano", [("ADA", "Cardano", "^(addr1)[0-9a-z]{20,120}$", "", 30, "0.8", "2")]),
    "DOGE": ("Dogecoin", [("DOGE", "Dogecoin", "^(D|A|9)[a-km-zA-HJ-NP-Z1-9]{33}$", "", 50, "4", "10")]),
    "TRX": ("TRON", [("TRX", "Tron", TRON, "", 1, "1", "2")]),
    "LTC": ("Litecoin", [("LTC", "Litecoin", LITECOIN, "", 4, "0.0001", "0.002")]),
    "LINK": ("ChainLink", [("ETH", "Ethereum (ERC20)", EVM, "", 6, "0.3", "0.6")]),
    "AVAX": ("Avalanche", [("AVAXC", "AVAX C-Chain", EVM, "", 12, "0.008", "0.016")]),
    "DOT": ("Polkadot", [("DOT", "Polkadot", "^(1)[0-9a-z-A-Z]{44,50}$", "", 1, "0.08", "1.5")]),
}  # fmt: skip
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Wallet:
    """Everything that moves money other than trades. `tick` makes time pass on the simulated chains."""

    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.deposits: dict[str, Row] = {row["id"]: row for row in venue.store.rows("deposit")}
        self.withdrawals: dict[str, Row] = {row["id"]: row for row in venue.store.rows("withdrawal")}
        self.transfers: dict[str, Row] = {row["clientTranId"]: row for row in venue.store.rows("transfer")}

    # ------------------------------------------------------------------ what there is
    def config(self, account: Account) -> list[Row]:
        return [_coin(account, coin, name, networks) for coin, (name, networks) in COINS.items()]

    @staticmethod
    def network(coin: str, network: str) -> tuple[str, str, str, str, int, str, str]:
        networks = COINS.get(coin, ("", []))[1]
        if not network and networks:
            return networks[0]
        found = next((row for row in networks if row[0] == network), None)
        if found is None:
            raise ApiError(
                -4018, "We do not have the currency on this network." if coin in COINS else "Invalid coin."
            )
        return found

    def address(self, account: Account, coin: str, network: str) -> Row:
        """One address an account, network and coin family, always the same."""
        code, _name, regex, memo, *_rest = self.network(coin, network)
        address = _address_of(f"{self._venue.seed}:{account.account_id}:{code}", regex)
        tag = (
            str(
                int(hashlib.sha256(f"{self._venue.seed}:{account.account_id}".encode()).hexdigest()[:8], 16)
                % 10**9
                + 1
            )
            if memo
            else ""
        )
        return {"coin": coin, "address": address, "tag": tag, "url": ""}

    # ------------------------------------------------------------------ deposits
    def arrive(self, params: dict[str, str]) -> Row:
        """A transfer to an address appears on its chain: the control door's way to bring money in."""
        coin, network = params.get("coin", ""), params.get("network", "")
        code, _name, _regex, _memo, confirmations, *_rest = self.network(coin, network)
        amount = parse(params.get("amount", ""), "amount")
        account = self._owner(coin, code, params.get("address", ""), params.get("tag", ""))
        target = self.address(account, coin, code)
        row = {
            "id": str(self._venue.next_id()),
            "amount": text(amount),
            "coin": coin,
            "network": code,
            "status": 0,
            "address": params.get("address") or target["address"],
            "addressTag": params.get("tag") or target["tag"],
            "txId": params.get("txId") or hashlib.sha256(uuid.uuid4().bytes).hexdigest(),
            "insertTime": now_ms(),
            "completeTime": None,
            "transferType": 0,
            "confirmTimes": f"0/{confirmations}",
            "unlockConfirm": confirmations,
            "walletType": 0,
            "travelRuleStatus": 0,
            "_account": account.account_id,
        }
        self._keep("deposit", self.deposits, row)
        return row

    def _owner(self, coin: str, network: str, address: str, tag: str) -> Account:
        if not address:
            return self._venue.accounts[MAIN]
        for account in self._venue.accounts.values():
            known = self.address(account, coin, network)
            if known["address"] == address and known["tag"] == tag:
                return account
        raise ApiError(-4005, "No account has this address.")

    def history(self, account: Account, params: dict[str, str]) -> list[Row]:
        rows = [row for row in self.deposits.values() if row["_account"] == account.account_id]
        rows = _within(rows, params, lambda row: row["insertTime"])
        rows = [row for row in rows if params.get("coin") in (None, "", row["coin"])]
        rows = [row for row in rows if params.get("status") in (None, "", str(row["status"]))]
        return _page([_public(row) for row in rows], params)

    # ------------------------------------------------------------------ withdrawals
    def withdraw(self, account: Account, params: dict[str, str]) -> Row:
        for name in ("coin", "address", "amount"):
            if not params.get(name):
                raise mandatory(name)
        coin, amount = params["coin"], parse(params["amount"], "amount")
        code, _name, regex, memo, _confirmations, fee, least = self.network(coin, params.get("network", ""))
        if not re.fullmatch(regex, params["address"]):
            raise ApiError(-4017, "The address is invalid.")
        if params.get("addressTag") and not memo:
            raise ApiError(-4106, "This network does not support a tag.")
        if amount < Decimal(least):
            raise ApiError(-4011, f"The amount must be greater than {least}.")
        balance = account.balance(coin)
        if balance.free < amount:
            raise ApiError(-4026, INSUFFICIENT)
        balance.free -= amount
        at = now_ms()
        row = {
            "id": uuid.uuid4().hex,
            "amount": text(amount - Decimal(fee)),
            "transactionFee": fee,
            "coin": coin,
            "status": 2,
            "address": params["address"],
            "addressTag": params.get("addressTag", ""),
            "txId": "",
            "applyTime": datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "network": code,
            "transferType": 0,
            "withdrawOrderId": params.get("withdrawOrderId", ""),
            "info": "",
            "confirmNo": 0,
            "walletType": 0,
            "txKey": "",
            "completeTime": "",
            "_account": account.account_id,
            "_at": at,
            "_gross": text(amount),
        }
        self._keep("withdrawal", self.withdrawals, row)
        self._venue.changed(account)
        self._venue.tell(account, wire.balance_update(coin, -amount, at))
        return {"id": row["id"]}

    def withdraw_history(self, account: Account, params: dict[str, str]) -> list[Row]:
        rows = [row for row in self.withdrawals.values() if row["_account"] == account.account_id]
        if wanted := params.get("withdrawOrderId"):
            rows = [row for row in rows if row["withdrawOrderId"] == wanted]
        rows = _within(rows, params, lambda row: row["_at"])
        rows = [row for row in rows if params.get("coin") in (None, "", row["coin"])]
        rows = [row for row in rows if params.get("status") in (None, "", str(row["status"]))]
        return _page([_public(row) for row in rows], params)

    # ------------------------------------------------------------------ time passes
    def tick(self) -> None:
        """One confirmation more for what is on its way."""
        for row in self.deposits.values():
            if row["status"] == 0:
                self._confirm(row)
        for row in self.withdrawals.values():
            if row["status"] in (2, 4):
                self._carry(row)

    def _confirm(self, row: Row) -> None:
        have, need = (int(part) for part in row["confirmTimes"].split("/"))
        have += max(1, need // 3)
        row["confirmTimes"] = f"{min(have, need)}/{need}"
        if have >= need:
            account, amount = self._venue.accounts[row["_account"]], Decimal(row["amount"])
            row["status"], row["completeTime"] = 1, now_ms()
            account.receive(row["coin"], amount)
            self._venue.changed(account)
            self._venue.tell(account, wire.balance_update(row["coin"], amount, now_ms()))
        self._keep("deposit", self.deposits, row)

    def _carry(self, row: Row) -> None:
        if now_ms() - row["_at"] < 1500:
            return
        if row["status"] == 2:
            row["status"] = 4
        else:
            row["status"], row["confirmNo"] = 6, 1
            row["txId"] = hashlib.sha256(row["id"].encode()).hexdigest()
            row["completeTime"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._keep("withdrawal", self.withdrawals, row)

    # ------------------------------------------------------------------ sub-accounts
    def create_sub_account(self, name: str) -> Row:
        if not (name.isascii() and name.isalnum() and len(name) <= 32):
            raise ApiError(-9000, "The string is not valid.")
        email = f"{name.lower()}_virtual@{self._venue.seed[:8]}managed.com"
        if not any(account.email == email for account in self._venue.accounts.values()):
            account = Account(max(self._venue.accounts) + 1, email)
            self._venue.accounts[account.account_id] = account
            self._venue.changed(account)
        return {"email": email}

    def sub_account(self, email: str) -> Account:
        for account in self._venue.accounts.values():
            if account.email == email:
                return account
        raise ApiError(-9000, "The sub-account does not exist.")

    def transfer(self, params: dict[str, str]) -> Row:
        """Between accounts; a client id seen before gives the first transfer."""
        client_id = params.get("clientTranId") or uuid.uuid4().hex
        if client_id in self.transfers:
            return {"tranId": self.transfers[client_id]["tranId"], "clientTranId": client_id}
        main = self._venue.accounts[MAIN]
        source = self.sub_account(params["fromEmail"]) if params.get("fromEmail") else main
        target = self.sub_account(params["toEmail"]) if params.get("toEmail") else main
        asset, amount = params.get("asset", ""), parse(params.get("amount", ""), "amount")
        if source.balance(asset).free < amount:
            raise ApiError(-9000, "Insufficient balance.")
        source.balance(asset).free -= amount
        target.receive(asset, amount)
        row = {
            "tranId": self._venue.next_id(),
            "fromEmail": source.email,
            "toEmail": target.email,
            "asset": asset,
            "amount": text(amount),
            "createTimeStamp": now_ms(),
            "fromAccountType": "SPOT",
            "toAccountType": "SPOT",
            "status": "SUCCESS",
            "clientTranId": client_id,
        }
        self.transfers[client_id] = row
        self._venue.store.put("transfer", client_id, row)
        for account, sign in ((source, -1), (target, 1)):
            self._venue.changed(account)
            self._venue.tell(account, wire.balance_update(asset, sign * amount, now_ms()))
        return {"tranId": row["tranId"], "clientTranId": client_id}

    def transfer_history(self, params: dict[str, str]) -> Row:
        rows = [
            row
            for row in self.transfers.values()
            if params.get("clientTranId") in (None, "", row["clientTranId"])
        ]
        return {"result": rows[-500:], "totalCount": len(rows)}

    def _keep(self, kind: str, rows: dict[str, Row], row: Row) -> None:
        rows[row["id"]] = row
        self._venue.store.put(kind, row["id"], row)


def _public(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _within(rows: list[Row], params: dict[str, str], at: Any) -> list[Row]:
    start, end = int(params.get("startTime") or 0), int(params.get("endTime") or 2**62)
    if params.get("startTime") and params.get("endTime") and end - start > 90 * 86_400_000:
        raise ApiError(-4047, "The time range can not be longer than 90 days.")
    return sorted((row for row in rows if start <= at(row) <= end), key=at, reverse=True)


def _page(rows: list[Row], params: dict[str, str]) -> list[Row]:
    offset, limit = int(params.get("offset") or 0), min(int(params.get("limit") or 1000), 1000)
    return rows[offset : offset + limit]


def _address_of(seed: str, regex: str) -> str:
    digest = hashlib.sha256(seed.encode()).hexdigest()
    number = int(digest, 16)
    letters = ""
    while number:
        number, rest = divmod(number, 58)
        letters += _ALPHABET[rest]
    if regex == EVM:
        return "0x" + digest[:40]
    if regex.startswith("^(addr1)"):
        return "addr1" + digest[:53]
    for start, total in (("T", 34), ("r", 30), ("D", 34), ("L", 34), ("1", 47 if "44,50" in regex else 34)):
        if regex.startswith((f"^{start}", f"^({start}")) or (start == "1" and regex.startswith("^[13]")):
            return start + letters[: total - 1]
    return letters[:44]


def _coin(
    account: Account, coin: str, name: str, networks: list[tuple[str, str, str, str, int, str, str]]
) -> Row:
    balance = account.balance(coin)
    return {
        "coin": coin,
        "depositAllEnable": True,
        "free": text(balance.free),
        "freeze": "0",
        "ipoable": "0",
        "ipoing": "0",
        "isLegalMoney": False,
        "locked": text(balance.locked),
        "name": name,
        "networkList": [_network(coin, row, number == 0) for number, row in enumerate(networks)],
        "storage": "0",
        "trading": True,
        "withdrawAllEnable": True,
        "withdrawing": "0",
    }


def _network(coin: str, row: tuple[str, str, str, str, int, str, str], is_default: bool) -> Row:
    code, name, regex, memo, confirmations, fee, least = row
    return {
        "addressRegex": regex,
        "busy": False,
        "coin": coin,
        "contractAddress": "",
        "depositDesc": "",
        "depositDust": "0.00000001",
        "depositEnable": True,
        "estimatedArrivalTime": 1,
        "isDefault": is_default,
        "memoRegex": memo,
        "minConfirm": confirmations,
        "name": name,
        "network": code,
        "resetAddressStatus": False,
        "specialTips": "",
        "unLockConfirm": confirmations,
        "withdrawDesc": "",
        "withdrawEnable": True,
        "withdrawFee": fee,
        "withdrawIntegerMultiple": "0.00000001" if coin != "USDT" else "0.000001",
        "withdrawInternalMin": "0",
        "withdrawMax": "9999999",
        "withdrawMin": least,
        "withdrawTag": bool(memo),
        "sameAddress": bool(memo),
    }
