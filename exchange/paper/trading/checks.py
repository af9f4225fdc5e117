"""What an order has to pass before it may trade: ids, filters, position, the book."""

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
    is_market = order.type == "MARKET"
    reference = market.average()
    if order.price:
        market.filters.check_price(order.side, order.price, reference)
    if order.quantity:
        market.filters.check_quantity(order.quantity, is_market=is_market)
    notional = order.quote_quantity or order.quantity * (reference if is_market else order.price)
    market.filters.check_notional(notional, is_market=is_market)
    market.filters.check_count(sum(1 for _order in account.open_orders(order.symbol)))
    if order.side == "BUY":
        market.filters.check_position(position(account, market) + order.quantity)
    if order.type == "LIMIT_MAKER" and market.book.would_take(order.side, order.price):
        raise errors.rejected(errors.WOULD_TAKE)


def position(account: Account, market: Market) -> Decimal:
    """What the account has of the base asset and what its open orders would still buy."""
    held = account.balance(market.base)
    buying = (o.remaining for o in account.open_orders(market.symbol) if o.side == "BUY")
    return held.free + held.locked + sum(buying, ZERO)
