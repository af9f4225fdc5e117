"""What the customer's open pages hear of an order."""

from decimal import Decimal

from exchange import push
from exchange.money import plain
from orders.models import Fill, Order


def tell(order: Order, *assets: str) -> None:
    """The order's new state, and which balances changed with it; of a part only the whole is shown in lists."""
    if order.route_of_id is None:
        push.to_user(order.user_id, "order", described(order))
    tell_balances(order, *assets)


def tell_balances(order: Order, *assets: str) -> None:
    for asset in dict.fromkeys(assets):
        push.to_user(order.user_id, "balance", {"asset": asset})


def tell_fill(fill: Fill) -> None:
    push.to_user(
        fill.order.user_id,
        "fill",
        {
            "id": fill.pk,
            "order": fill.order_id,
            "symbol": fill.market_id,
            "side": fill.order.side,
            "price": plain(fill.price),
            "quantity": plain(fill.quantity),
            "fee": plain(fill.fee),
            "fee_asset": fill.fee_asset_id,
            "route": fill.route,
            "at": fill.at.isoformat(),
        },
    )


def described(order: Order) -> dict[str, object]:
    """The order as pages and API show it, amounts as plain text."""
    return {
        "id": order.pk,
        "client_order_id": order.nonce,
        "order_list": order.order_list_id,
        "symbol": order.market_id,
        "side": order.side,
        "order_type": order.type,
        "status": order.status,
        "route": order.way,
        "price": _text(order.price),
        "quantity": _text(order.quantity),
        "quote_quantity": _text(order.quote_quantity),
        "cumulative_quantity": plain(order.cumulative_quantity),
        "cumulative_quote": plain(order.cumulative_quote),
        "reason": order.reason,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
