"""An open order becomes smaller, and keeps its place on the book."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.paper import wire
from exchange.paper.accounts import Account, Order, text
from exchange.paper.errors import ApiError
from exchange.paper.market import Market, now_ms
from exchange.paper.orderlist import OrderList
from exchange.paper.trading import funds
from exchange.paper.trading.checks import check_filters, require_free_id
from exchange.paper.trading.lists import Lists
from exchange.paper.trading.reports import Reports

if TYPE_CHECKING:
    from exchange.paper.venue import Venue

INCREASE = "Order amend (quantity increase) is not supported."
NO_CHANGE = "The requested action would change no state; rejecting."
OF_PAYING = "Order amend (pending OPO order) is not supported."


def refused(message: str) -> ApiError:
    return ApiError(-2038, message)


class Amending:
    def __init__(self, venue: "Venue", reports: Reports, lists: Lists) -> None:
        self._venue, self._reports, self._lists = venue, reports, lists

    def amend(
        self, account: Account, market: Market, order: Order, quantity: Decimal, client_id: str
    ) -> dict[str, Any]:
        """The order has this quantity and this id from now on, and the other of its pair this quantity too."""
        found = account.lists.get(order.list_id)
        self._check(account, market, order, quantity, found)
        if client_id != order.client_id:
            require_free_id(account, order.symbol, client_id)
        old_id = order.client_id
        execution = self._change(account, market, order, quantity, client_id)
        for number in found.pair if found and order.order_id in found.pair else []:
            other = account.orders[number]
            if other is not order and other.is_open:
                self._change(account, market, other, quantity, other.client_id)
        body = {
            "transactTime": order.updated_ms,
            "executionId": execution,
            "amendedOrder": wire.amended(order, old_id),
        }
        if found is None:
            return body
        self._lists.resize(account, market, found)
        return body | {"listStatus": self._lists.amended(account, found, is_renamed=old_id != client_id)}

    def _check(
        self, account: Account, market: Market, order: Order, quantity: Decimal, found: OrderList | None
    ) -> None:
        if not market.info["amendAllowed"]:
            raise refused("Order amend is not supported for this symbol.")
        if found and found.pays_other and order.status == "PENDING_NEW":
            raise refused(OF_PAYING)
        if quantity >= order.quantity:
            raise refused(INCREASE if quantity > order.quantity else NO_CHANGE)
        most = market.filters.rows.get("MAX_NUM_ORDER_AMENDS", {}).get("maxNumOrderAmends")
        if most is not None and len(order.amendments) >= int(most):
            raise refused("Filter failure: MAX_NUM_ORDER_AMENDS")
        check_filters(market, order, quantity)

    def _change(
        self, account: Account, market: Market, order: Order, quantity: Decimal, client_id: str
    ) -> int:
        """Gives the number of the execution; an order that has traded as much already is done."""
        before, old_id = order.quantity, order.client_id
        is_done = quantity <= order.executed + order.prevented
        order.quantity = max(quantity, order.executed + order.prevented)
        order.iceberg = min(order.iceberg, order.quantity)
        market.book.reduce(order.order_id, before - order.quantity)
        order.updated_ms = now_ms()
        account.rename(order, client_id)
        if order.locked:
            funds.trim(account, market, order, funds.to_lock(market, order))
        execution = self._reports.report(account, order, "REPLACED", more={"C": old_id})
        order.amendments.append(
            {
                "symbol": order.symbol,
                "orderId": order.order_id,
                "executionId": execution,
                "origClientOrderId": old_id,
                "newClientOrderId": client_id,
                "origQty": text(before),
                "newQty": text(order.quantity),
                "time": order.updated_ms,
            }
        )
        if is_done:
            self._reports.end(account, market, order, "EXPIRED", "EXPIRED")
        self._reports.finish(account, order, market)
        return execution
