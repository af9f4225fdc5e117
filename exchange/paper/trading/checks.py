"""What an order has to pass before it may trade: ids, filters, position, the market as it is."""

from decimal import Decimal

from exchange.paper import errors
from exchange.paper.accounts import ZERO, Account, Order
from exchange.paper.listticket import Draft, require_prices_apart
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
    check_counts(market, order, list(account.open_orders(order.symbol)))
    if order.side == "BUY":
        market.filters.check_position(position(account, market) + order.quantity)
    check_moment(market, order)


def check_filters(market: Market, order: Order, quantity: Decimal = ZERO) -> None:
    """Prices, quantities and the notional; an order that waits for a price is measured by that. Another `quantity`
    is what the order is about to have."""
    filters, reference = market.filters, market.average()
    quantity = quantity or order.quantity
    if order.price:
        filters.check_price(order.side, order.price, reference)
    if order.stop_price:
        filters.check_price(order.side, order.stop_price, None)
    if order.trailing_delta:
        filters.check_trailing(order.trailing_delta, is_above=order.waits_above)
    if quantity:
        filters.check_quantity(quantity, is_market=order.at_any_price)
    if order.iceberg:
        filters.check_iceberg(quantity, min(order.iceberg, quantity))
    price = order.price or order.stop_price or reference
    filters.check_notional(order.quote_quantity or quantity * price, is_market=order.at_any_price)


def check_list(account: Account, market: Market, draft: Draft) -> None:
    """Each of its orders and all of them together, before any is placed."""
    open_lists = [found for found in account.lists.values() if found.is_open]
    if draft.client_id in {found.client_id for found in open_lists}:
        raise errors.rejected(errors.DUPLICATE)
    if len({order.client_id for order in draft.orders}) < len(draft.orders):
        raise errors.rejected(errors.DUPLICATE)
    known = list(account.open_orders(market.symbol))
    bought = ZERO
    for order in draft.orders:
        require_free_id(account, order.symbol, order.client_id)
        if order.quantity:
            check_filters(market, order)
        check_counts(market, order, known)
        known.append(order)
        bought += order.quantity if order.side == "BUY" else ZERO
    if bought:
        market.filters.check_position(position(account, market) + bought)
    lists = sum(1 for found in open_lists if found.symbol == market.symbol)
    market.filters.check_count(lists, "MAX_NUM_ORDER_LISTS", "maxNumOrderLists")
    if draft.contingency == "OCO":
        require_prices_apart(draft.pair, market.last)
    for order in draft.orders if draft.contingency == "OCO" else draft.orders[:1]:
        check_moment(market, order)


def check_counts(market: Market, order: Order, known: list[Order]) -> None:
    """Room for one more open order beside those that are known."""
    filters = market.filters
    filters.check_count(len(known))
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
