"""What an order has to pass before it may trade: ids, filters, position, the market as it is."""

from decimal import Decimal

from exchange.paper import errors
from exchange.paper.accounts import ZERO, Account, Order
from exchange.paper.market import Market


def require_free_id(account: Account, symbol: str, client_id: str) -> None:
    """A client's id is unique among its open orders of the symbol."""
    known = account.by_client_id.get((symbol, client_id))
    if known is not None and account.orders[known].is_open:
        raise errors.rejected(errors.DUPLICATE)


def check(account: Account, market: Market, order: Order) -> None:
    """Every rule in the venue's order; raises the first that is broken."""
    require_free_id(account, order.symbol, order.client_id)
    check_filters(market, order)
    check_counts(account, market, order)
    if order.side == "BUY":
        market.filters.check_position(position(account, market) + order.quantity)
    check_moment(market, order)


def check_filters(market: Market, order: Order) -> None:
    """Prices, quantities and the notional; an order that waits for a price is measured by that."""
    filters, reference = market.filters, market.average()
    if order.price:
        filters.check_price(order.side, order.price, reference)
    if order.stop_price:
        filters.check_price(order.side, order.stop_price, None)
    if order.trailing_delta:
        filters.check_trailing(order.trailing_delta, is_above=order.waits_above)
    if order.quantity:
        filters.check_quantity(order.quantity, is_market=order.at_any_price)
    if order.iceberg:
        filters.check_iceberg(order.quantity, order.iceberg)
    price = order.price or order.stop_price or reference
    filters.check_notional(order.quote_quantity or order.quantity * price, is_market=order.at_any_price)


def check_counts(account: Account, market: Market, order: Order, more: int = 1) -> None:
    """Room for as many `more` open orders."""
    filters, known = market.filters, list(account.open_orders(order.symbol))
    filters.check_count(len(known) + more - 1)
    if order.is_algo:
        waiting = sum(1 for other in known if other.is_algo)
        filters.check_count(waiting, "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders")
    if order.iceberg:
        icebergs = sum(1 for other in known if other.iceberg)
        filters.check_count(icebergs, "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders")


def check_moment(market: Market, order: Order) -> None:
    """At the prices of now: a maker must not take, and what waits for a price must not have it already."""
    if order.type == "LIMIT_MAKER" and market.book.would_take(order.side, order.price):
        raise errors.rejected(errors.WOULD_TAKE)
    if order.stop_price and has_come(order, market.last):
        raise errors.rejected(errors.WOULD_TRIGGER)


def has_come(order: Order, price: Decimal) -> bool:
    """The price is at the order's stop price or beyond."""
    return price >= order.stop_price if order.waits_above else price <= order.stop_price


def position(account: Account, market: Market) -> Decimal:
    """What the account has of the base asset and what its open orders would still buy."""
    held = account.balance(market.base)
    buying = (o.remaining for o in account.open_orders(market.symbol) if o.side == "BUY")
    return held.free + held.locked + sum(buying, ZERO)
