"""What an order locks of its account's balances, pays from that, and gives back."""

from decimal import Decimal

from exchange.paper.accounts import ZERO, Account, Order, up
from exchange.paper.market import Market


def asset_of(market: Market, order: Order) -> str:
    """What the order pays with."""
    return market.quote if order.side == "BUY" else market.base


def needed(order: Order) -> Decimal:
    """What has to stay locked for what is left of it; a market order locks only what it pays, as it pays it."""
    if order.side == "BUY":
        return up(order.price * order.remaining)
    return ZERO if order.type == "MARKET" else order.remaining


def to_lock(market: Market, order: Order) -> Decimal:
    """A limit order locks what it can cost, and a stop that will buy at any price what it would cost now.

    The latter is said by the exchange's staff alone (dev.binance.vision/t/35604): the rest is paid from what is free
    when it is triggered.
    """
    if order.is_algo and order.at_any_price and order.side == "BUY":
        return up(market.last * order.quantity)
    return needed(order)


def lock(account: Account, market: Market, order: Order) -> None:
    amount = to_lock(market, order)
    account.lock(asset_of(market, order), amount)
    order.locked = amount


def trim(account: Account, market: Market, order: Order, most: Decimal) -> None:
    """No more than that stays locked."""
    rest = min(most, order.locked)
    account.unlock(asset_of(market, order), order.locked - rest)
    order.locked = rest


def pay(account: Account, market: Market, order: Order, cost: Decimal) -> None:
    """From what the order locked; the part that a better price left over is free again."""
    asset = asset_of(market, order)
    if not order.locked:
        account.lock(asset, cost)
        order.locked = cost
    account.pay_locked(asset, cost)
    order.locked -= cost
    trim(account, market, order, needed(order))


def release(account: Account, market: Market, order: Order) -> None:
    if order.locked:
        account.unlock(asset_of(market, order), order.locked)
        order.locked = ZERO
