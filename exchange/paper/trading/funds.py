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


def lock(account: Account, market: Market, order: Order) -> None:
    """A limit order locks what it can cost."""
    order.locked = needed(order)
    account.lock(asset_of(market, order), order.locked)


def pay(account: Account, market: Market, order: Order, cost: Decimal) -> None:
    """From what the order locked; the part that a better price left over is free again."""
    asset = asset_of(market, order)
    if not order.locked:
        account.lock(asset, cost)
        order.locked = cost
    account.pay_locked(asset, cost)
    rest = needed(order)
    account.unlock(asset, order.locked - cost - rest)
    order.locked = rest


def release(account: Account, market: Market, order: Order) -> None:
    if order.locked:
        account.unlock(asset_of(market, order), order.locked)
        order.locked = ZERO
