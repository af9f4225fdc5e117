"""What a customer wants changed of an open order, done in the way that costs it least."""

from decimal import Decimal

from accounts.models import User
from orders import queries
from orders.errors import NonceReused
from orders.models import Crossing, Order, OrderEvent
from orders.services.amending import amend_order, can_amend
from orders.services.replacing import replace_order


def change_order(*, user: User, order_id: int, nonce: str, price: Decimal | None, quantity: Decimal) -> Order:
    """So much is still to be traded, at this price: the order itself made smaller, which keeps its place, or the one
    that takes its place. A repeat of the nonce changes nothing more. Raises what those raise."""
    order = queries.order_of(user, order_id)
    is_at_same_price = price is None or price == order.price
    if wish := queries.amend_under(order, nonce):
        if not is_at_same_price or not _can_be(wish, order, quantity):
            raise NonceReused()
        return order
    if is_at_same_price and order.left and quantity < order.left and can_amend(order):
        whole = quantity + order.cumulative_quantity
        return amend_order(user=user, order_id=order_id, quantity=whole, nonce=nonce)
    return replace_order(user=user, order_id=order_id, nonce=nonce, price=price, quantity=quantity)


def _can_be(wish: OrderEvent, order: Order, quantity: Decimal) -> bool:
    """False when the wish was certainly for another amount: then so much more than that had traded as never did."""
    if wish.quantity is None or order.crossing != Crossing.NEVER:
        return True  # what stands at the venue is only a part of it
    return quantity <= wish.quantity <= quantity + order.cumulative_quantity
