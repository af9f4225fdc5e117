"""The rows of an order and of what will be sent for it, as they are written with the hold."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from exchange.gate import services as gate
from exchange.prepared import insert
from ledger import services as ledger
from markets.models import Market
from orders import rules
from orders.models import Leg, Order, OrderList, Status, VenueOrder
from orders.services.listtickets import held_for_pair
from orders.services.tickets import Plan, Ticket


def new_order(
    user: User, market: Market, ticket: Ticket, plan: Plan | None, rate: rules.Rate, **more: object
) -> Order:
    """The order as the customer asked for it, within the transaction that holds its funds.

    Without a plan it is one that waits for another.
    """
    fields: dict[str, object] = {
        "nonce": ticket.nonce,
        "request_hash": ticket.request_hash,
        "market": market,
        "side": ticket.side,
        "type": ticket.type,
        "time_in_force": ticket.time_in_force,
        "price": ticket.price,
        "quantity": ticket.quantity,
        "quote_quantity": ticket.quote_quantity,
        "stop_price": ticket.stop_price,
        "trailing_delta": ticket.trailing_delta,
        "iceberg_quantity": ticket.iceberg_quantity,
        "protection_price": plan.protection_price if plan else None,
        "fee_bps": rate.taker_bps,
        "maker_fee_bps": rate.maker_bps,
        "fee_rule_id": rate.rule_id,
    }
    order = Order(user=user, **{**fields, **more})
    insert(order)
    return order


def new_venue_order(order: Order, plan: Plan) -> VenueOrder:
    """What will be sent for the order, with the time at which it is signed: nobody sends it later."""
    venue_order = VenueOrder(
        order=order,
        venue_account=gate.primary_account(),
        type=plan.type,
        time_in_force=plan.time_in_force,
        price=plan.price,
        quantity=plan.quantity,
        quote_quantity=plan.quote_quantity,
        stop_price=order.stop_price,
        trailing_delta=order.trailing_delta,
        iceberg_quantity=order.iceberg_quantity,
        **_named_and_timed(),
    )
    insert(venue_order)
    return venue_order


def again(unsent: VenueOrder) -> VenueOrder:
    """The same to be sent under another name and time, in place of what never left and never will."""
    unsent.pk, unsent._state.adding, unsent.status = None, True, Status.PENDING
    for name, value in _named_and_timed().items():
        setattr(unsent, name, value)
    unsent.save(force_insert=True)
    return unsent


def _named_and_timed() -> dict[str, Any]:
    return {
        "client_order_id": rules.new_client_order_id(),
        "timestamp_ms": gate.clock().now_ms(),
        "recv_window_ms": settings.RECV_WINDOW_MS,
        "send_by": timezone.now() + timedelta(milliseconds=settings.ORDER_SEND_BY_MS),
    }


def hold_for(order_list: OrderList, orders: dict[Leg, Order], plans: dict[Leg, Plan]) -> None:
    """What the orders that begin now can cost is held: for two that cancel each other once, for the list."""
    if Leg.ABOVE in plans:
        asset, amount = held_for_pair(plans)
        cause, number = ledger.Cause.LIST, order_list.pk
    else:
        ((leg, plan),) = plans.items()
        asset, amount, cause, number = plan.hold_asset, plan.hold_amount, ledger.Cause.ORDER, orders[leg].pk
    ledger.hold(user_id=order_list.user_id, asset=asset, amount=amount, cause=cause, cause_id=number)
