"""What becomes of an order is stored, and told to its account."""

from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import Account, Order
from exchange.paper.market import Market, now_ms
from exchange.paper.trading import funds

if TYPE_CHECKING:
    from exchange.paper.venue import Venue


class Reports:
    def __init__(self, venue: "Venue") -> None:
        self._venue = venue
        self.touched: list[tuple[Account, int]] = []  # lists of orders to one of which something happened

    def report(
        self,
        account: Account,
        order: Order,
        kind: str,
        *,
        fill: dict[str, Any] | None = None,
        cancel_id: str = "",
        more: dict[str, Any] | None = None,
    ) -> int:
        """An executionReport of that execution type; `more` is what only this one says. Gives its number."""
        at, number = now_ms(), self._venue.next_id()
        event = wire.execution_report(
            order, kind, at_ms=at, execution_id=number, fill=fill, cancel_id=cancel_id
        )
        self._venue.tell(account, event | (more or {}))
        return number

    def end(
        self,
        account: Account,
        market: Market,
        order: Order,
        status: str,
        kind: str,
        *,
        cancel_id: str = "",
        more: dict[str, Any] | None = None,
    ) -> None:
        """The order is in its final state, and what it locked is free."""
        funds.release(account, market, order)
        order.status, order.updated_ms = status, now_ms()
        self.report(account, order, kind, cancel_id=cancel_id, more=more)

    def finish(self, account: Account, order: Order, market: Market) -> None:
        """What was changed is stored, and the account hears of its balances."""
        account.updated_ms = order.updated_ms
        self._venue.store.put("order", order.order_id, order.as_row())
        self.keep_account(account)
        if order.list_id > 0:
            self.touched.append((account, order.list_id))
        bnb = ["BNB"] if self._venue.commission_in == "BNB" else []
        assets = dict.fromkeys([market.base, market.quote, *bnb])
        self._venue.tell(account, wire.account_position(account, list(assets), now_ms()))

    def keep_account(self, account: Account) -> None:
        self._venue.store.put("account", account.account_id, account.as_row())

    def keep_prevention(self, account: Account, row: dict[str, Any]) -> None:
        account.preventions.append(row)
        self._venue.store.put("prevention", row["preventedMatchId"], [account.account_id, row])

    def keep_fill(self, account: Account, market: Market, fill: dict[str, Any]) -> None:
        """A trade, or an allocation, which has an id of its own instead."""
        is_trade = "allocationId" not in fill
        (account.trades if is_trade else account.allocations).append(fill)
        number = fill["id"] if is_trade else f"a{fill['allocationId']}"
        name = f"{account.account_id}:{market.symbol}:{number}:{fill['orderId']}"
        self._venue.store.put("trade", name, [account.account_id, fill])
