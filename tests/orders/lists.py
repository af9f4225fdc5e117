"""Lists of orders as tests ask for them, and what the venue says of one of their orders."""

from decimal import Decimal
from typing import Any

from accounts.models import User
from exchange.binance.models import Report
from exchange.desk import evidence
from ledger import queries as books
from ledger.models import Hold
from orders import queries, services
from orders.models import Leg, Order, OrderList
from tests.factories import venue_account

D = Decimal
AMOUNTS = ("price", "quantity", "stop_price", "iceberg_quantity")
# Sell 1 BTC for 42,000, or for what it brings once the price has fallen to 38,000.
PROFIT = {"side": "SELL", "type": "LIMIT_MAKER", "price": "42000", "quantity": "1"}
STOP = {"side": "SELL", "type": "STOP_LOSS", "stop_price": "38000", "quantity": "1"}
# Buy 1 BTC for 38,000, or for at most 43,000 once the price has risen to 42,000.
BUY_STOP = {
    "side": "BUY", "type": "STOP_LOSS_LIMIT", "time_in_force": "GTC", "stop_price": "42000", "price": "43000",
    "quantity": "1",
}  # fmt: skip
BUY_LIMIT = {"side": "BUY", "type": "LIMIT_MAKER", "price": "38000", "quantity": "1"}
SELL_ALL = {"side": "SELL", "type": "LIMIT", "time_in_force": "GTC", "price": "41000", "quantity": "1"}
BUY = {"side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "price": "39000", "quantity": "1"}


def ticket(kind: str = "OCO", nonce: str = "n1", **legs: dict[str, Any]) -> services.ListTicket:
    """Legs by name, with amounts as text; None leaves a field out."""
    found = {Leg(name.upper()): _leg(nonce, wanted) for name, wanted in legs.items()}
    return services.ListTicket(kind=kind, symbol="BTCUSDT", nonce=nonce, legs=found)


def _leg(nonce: str, wanted: dict[str, Any]) -> services.Ticket:
    given = {name: value for name, value in wanted.items() if value is not None}
    fields: dict[str, Any] = {name: D(value) if name in AMOUNTS else value for name, value in given.items()}
    return services.Ticket(symbol="BTCUSDT", nonce=nonce, **fields)


def place_oco(
    user: User, above: dict[str, Any] = PROFIT, below: dict[str, Any] = STOP, **more: Any
) -> OrderList:
    return services.place_order_list(user=user, ticket=ticket(above=above, below=below, **more))


def leg(order_list: OrderList, name: str) -> Order:
    return Order.objects.get(order_list=order_list, leg=name)


def statuses(order_list: OrderList) -> list[str]:
    return list(Order.objects.filter(order_list=order_list).order_by("id").values_list("status", flat=True))


def everything_holds() -> bool:
    """The laws of the books, and a hold for exactly what can still cost something."""
    strays = [
        *evidence.stray_holds("order", books.held_for(Hold.Cause.ORDER), queries.holding_orders()),
        *evidence.stray_holds("order list", books.held_for(Hold.Cause.LIST), queries.holding_lists()),
    ]
    return strays == [] and books.first_broken_row() == ""


def event(order: Order, kind: str, status: str, **changes: Any) -> Report:
    """An executionReport of an order of a list."""
    body = {
        "e": "executionReport", "s": order.market_id, "c": order.venue_orders.get().client_order_id, "S": order.side,
        "o": order.type, "f": "GTC", "q": "1.00000000", "p": "0.00000000", "C": "", "x": kind, "X": status,
        "r": "NONE", "i": {"ABOVE": 4711, "BELOW": 4712}.get(order.leg, 4713), "l": "0.00000000",
        "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": 1_700_000_000_000, "t": -1, "m": False,
        "Z": "0.00000000", "Y": "0.00000000",
    }  # fmt: skip
    return Report.from_event({**body, **changes})


def traded(
    order: Order, trade_id: int, quantity: str, price: str, status: str = "FILLED", total: str = ""
) -> Report:
    quote = f"{D(quantity) * D(price):f}"
    so_far = f"{D(total or quantity) * D(price):f}"
    return event(
        order, "TRADE", status, t=trade_id, l=quantity, z=total or quantity, L=price, Y=quote, Z=so_far
    )  # fmt: skip


def tell(report: Report) -> None:
    services.apply_report(venue_account=venue_account(), report=report, source="stream")
