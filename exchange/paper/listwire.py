"""Answers and events about lists of orders, key by key."""

from exchange.paper.accounts import Order
from exchange.paper.orderlist import OrderList
from exchange.paper.wire import Body


def status_of(found: OrderList) -> tuple[str, str]:
    """(listStatusType, listOrderStatus)"""
    return ("EXEC_STARTED", "EXECUTING") if found.is_open else ("ALL_DONE", "ALL_DONE")


def listed(found: OrderList, orders: list[Order]) -> Body:
    kind, status = status_of(found)
    return {
        "orderListId": found.list_id,
        "contingencyType": found.contingency,
        "listStatusType": kind,
        "listOrderStatus": status,
        "listClientOrderId": found.client_id,
        "transactionTime": found.updated_ms,
        "symbol": found.symbol,
        "orders": [
            {"symbol": order.symbol, "orderId": order.order_id, "clientOrderId": order.client_id}
            for order in orders
        ],
    }


def list_status(found: OrderList, orders: list[Order], at_ms: int, kind: str = "") -> Body:
    """A listStatus event; `kind` when it is neither the list's beginning nor its end."""
    usual, status = status_of(found)
    return {
        "e": "listStatus",
        "E": at_ms,
        "s": found.symbol,
        "g": found.list_id,
        "c": found.contingency,
        "l": kind or usual,
        "L": status,
        "r": "NONE",
        "C": found.client_id,
        "T": found.updated_ms,
        "O": [{"s": order.symbol, "i": order.order_id, "c": order.client_id} for order in orders],
    }
