"""The rows of an order and of what will be sent for it, as they are written with the hold."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from exchange.gate import services as gate
from markets.models import Market
from orders import queries, rules
from orders.models import Order, VenueOrder
from orders.services.tickets import Plan, Ticket


def new_order(user: User, market: Market, ticket: Ticket, plan: Plan, **more: object) -> Order:
    """The order as the customer asked for it, within the transaction that holds its funds."""
    rate = queries.rate_of(user, market)
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
        "protection_price": plan.protection_price,
        "fee_bps": rate.taker_bps,
        "maker_fee_bps": rate.maker_bps,
        "fee_rule_id": rate.rule_id,
    }
    return Order.objects.create(user=user, **{**fields, **more})


def new_venue_order(order: Order, plan: Plan) -> VenueOrder:
    """What will be sent for the order, with the time at which it is signed: nobody sends it later."""
    return VenueOrder.objects.create(
        order=order,
        venue_account=gate.primary_account(),
        client_order_id=rules.new_client_order_id(),
        type=plan.type,
        time_in_force=plan.time_in_force,
        price=plan.price,
        quantity=plan.quantity,
        quote_quantity=plan.quote_quantity,
        stop_price=order.stop_price,
        trailing_delta=order.trailing_delta,
        iceberg_quantity=order.iceberg_quantity,
        timestamp_ms=gate.clock().now_ms(),
        recv_window_ms=settings.RECV_WINDOW_MS,
        send_by=timezone.now() + timedelta(milliseconds=settings.ORDER_SEND_BY_MS),
    )
