"""What a customer wants changed of an open order, done in the way that costs it least."""

from decimal import Decimal

from accounts.models import User
from orders import queries
from orders.models import Order
from orders.services.amending import amend_order, can_amend
from orders.services.replacing import replace_order


def change_order(*, user: User, order_id: int, nonce: str, price: Decimal | None, quantity: Decimal) -> Order:
    """So much is still to be traded, at this price: the order itself made smaller, which keeps its place, or the one
    that takes its place. A repeat of the nonce changes nothing more. Raises what those raise."""
    order = queries.order_of(user, order_id)
    if queries.was_amended_under(order, nonce):
        return order
    is_at_same_price = price is None or price == order.price
    if is_at_same_price and order.left and quantity < order.left and can_amend(order):
        whole = quantity + order.cumulative_quantity
        return amend_order(user=user, order_id=order_id, quantity=whole, nonce=nonce)
    return replace_order(user=user, order_id=order_id, nonce=nonce, price=price, quantity=quantity)
