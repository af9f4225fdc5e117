"""Sub-accounts of the main account, and transfers between them."""

import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import MAIN, Account, text
from exchange.paper.errors import ApiError, mandatory
from exchange.paper.filters import parse
from exchange.paper.market import now_ms
from exchange.paper.routes import Params, number, span

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

Row = dict[str, Any]
MOST_SHOWN = 500
SUCCESS, PROCESS, FAILURE = "SUCCESS", "PROCESS", "FAILURE"


class Transfers:
    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.rows: dict[str, Row] = {row["clientTranId"]: row for row in venue.store.rows("transfer")}
        self.next_status = SUCCESS  # of the next transfer, as the control door orders it

    def create_sub_account(self, name: str) -> Row:
        """A virtual sub-account under a made-up address; asked again for the same name, the same one."""
        if not (name.isascii() and name.isalnum() and len(name) <= 32):
            raise ApiError(-9000, "subAccountString is illegal.") if name else mandatory("subAccountString")
        email = f"{name.lower()}_virtual@{self._venue.seed[:8]}noemail.com"
        if not any(account.email == email for account in self._venue.accounts.values()):
            account = Account(max(self._venue.accounts) + 1, email)
            self._venue.accounts[account.account_id] = account
            self._venue.changed(account)
        return {"email": email}

    def sub_account(self, email: str) -> Account:
        if not email:
            raise mandatory("email")
        for account in self._venue.accounts.values():
            if account.email == email and account.account_id != MAIN:
                return account
        raise ApiError(-9000, "Sub-account does not exist.")

    def transfer(self, params: Params) -> Row:
        """Between accounts, the main one where no email is given; a client id seen before gives the first transfer."""
        client_id = params.get("clientTranId") or uuid.uuid4().hex
        if client_id in self.rows:
            return _answer(self.rows[client_id])
        source, target = self._side(params, "from"), self._side(params, "to")
        if source is target:
            raise ApiError(-9000, "The sender and the recipient are the same account.")
        if not params.get("asset"):
            raise mandatory("asset")
        asset, amount = params["asset"], parse(params.get("amount") or "", "amount")
        if source.balance(asset).free < amount:
            raise ApiError(-9000, "Sub-account transfer failed: insufficient balance.")
        status, self.next_status = self.next_status, SUCCESS
        row = {
            "tranId": self._venue.next_id(),
            "fromEmail": source.email,
            "toEmail": target.email,
            "asset": asset,
            "amount": text(amount),
            "createTimeStamp": now_ms(),
            "fromAccountType": "SPOT",
            "toAccountType": "SPOT",
            "status": status,
            "clientTranId": client_id,
        }
        self._keep(row)
        if status != FAILURE:
            self._move(source, asset, -amount)
        if status == SUCCESS:
            self._move(target, asset, amount)
        return _answer(row)

    def finish(self, client_id: str) -> Row:
        """A transfer that was under way arrives."""
        row = self.rows.get(client_id, {})
        if row.get("status") != PROCESS:
            raise ApiError(-9000, "No such transfer is under way.")
        row["status"] = SUCCESS
        self._keep(row)
        target = next(found for found in self._venue.accounts.values() if found.email == row["toEmail"])
        self._move(target, row["asset"], Decimal(row["amount"]))
        return row

    def _keep(self, row: Row) -> None:
        self.rows[row["clientTranId"]] = row
        self._venue.store.put("transfer", row["clientTranId"], row)

    def _move(self, account: Account, asset: str, amount: Decimal) -> None:
        account.receive(asset, amount)
        self._venue.moved(account, asset, wire.balance_update(asset, amount, now_ms()))

    def _side(self, params: Params, side: str) -> Account:
        if params.get(f"{side}AccountType") != "SPOT":
            raise ApiError(-9000, f"{side}AccountType is not supported.")
        email = params.get(f"{side}Email")
        return self.sub_account(email) if email else self._venue.accounts[MAIN]

    def history(self, params: Params) -> Row:
        start, end = span(params)
        wanted, sender, receiver = (params.get(name) for name in ("clientTranId", "fromEmail", "toEmail"))
        rows = [
            row
            for row in self.rows.values()
            if start <= row["createTimeStamp"] <= end
            and wanted in (None, "", row["clientTranId"])
            and sender in (None, "", row["fromEmail"])
            and receiver in (None, "", row["toEmail"])
        ]
        size, page = number(params, "limit", MOST_SHOWN, MOST_SHOWN), max(1, number(params, "page", 1))
        newest = sorted(rows, key=lambda row: row["tranId"], reverse=True)
        return {"result": newest[(page - 1) * size : page * size], "totalCount": len(rows)}


def _answer(row: Row) -> Row:
    return {"tranId": row["tranId"], "clientTranId": row["clientTranId"]}
