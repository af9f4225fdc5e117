"""Placing an order: one transaction records and holds, plain code after it relays, once."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import IntegrityError, close_old_connections, transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import PlaceOrder
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from orders import queries, rules
from orders.errors import TOO_LATE, NonceReused, VenueUnreachable
from orders.models import Order, Status, VenueOrder
from orders.services import events
from orders.services.alarming import is_certain, reason_of
from orders.services.ending import reject
from orders.services.reports import apply_report
from orders.services.tickets import Plan, Ticket, plan_of

log = structlog.get_logger()
# How often a repeat looks for the answer to the first request, which another process may have.
LOOK_SECONDS = 1 / 20


def place_order(*, user: User, ticket: Ticket) -> Order:
    """The order is recorded, its funds are held, and it is relayed; PENDING when the venue takes longer to answer.

    A repeat of the nonce gives the first order, whatever became of it; another body under it NonceReused. Raises
    what tickets, accounts and the ledger refuse, and VenueUnreachable; nothing is held then.
    """
    if first := Order.objects.filter(user=user, nonce=ticket.nonce).first():
        return _answered(_same(first, ticket))
    accounts.require_can_trade(user)
    market = markets.market(ticket.symbol)
    ledger.require_asset_open(market.base_id, market.quote_id)
    plan = plan_of(market, ticket)
    _know_the_time()
    order, venue_order = _record(user, market, ticket, plan)
    if venue_order is None:
        return _answered(order)
    failpoints.hit("order.held")
    _relay_and_wait(venue_order.pk)
    order.refresh_from_db()
    return order


def _know_the_time() -> None:
    try:
        gate.measure_clock()
    except VenueError as error:
        raise VenueUnreachable() from error


@transaction_with_retry
def _record(user: User, market: Market, ticket: Ticket, plan: Plan) -> tuple[Order, VenueOrder | None]:
    """Nonce, order, what will be sent with its signed timestamp, and the hold: all or nothing."""
    rate = queries.rate_of(user, market)
    try:
        with transaction.atomic():
            order = Order.objects.create(
                user=user,
                nonce=ticket.nonce,
                request_hash=ticket.request_hash,
                market=market,
                side=ticket.side,
                type=ticket.type,
                time_in_force=ticket.time_in_force,
                price=ticket.price,
                quantity=ticket.quantity,
                quote_quantity=ticket.quote_quantity,
                stop_price=ticket.stop_price,
                trailing_delta=ticket.trailing_delta,
                iceberg_quantity=ticket.iceberg_quantity,
                protection_price=plan.protection_price,
                fee_bps=rate.taker_bps,
                maker_fee_bps=rate.maker_bps,
                fee_rule_id=rate.rule_id,
            )
    except IntegrityError:
        return _same(Order.objects.get(user=user, nonce=ticket.nonce), ticket), None
    venue_order = VenueOrder.objects.create(
        order=order,
        venue_account=gate.primary_account(),
        client_order_id=rules.new_client_order_id(),
        type=plan.type,
        time_in_force=plan.time_in_force,
        price=plan.price,
        quantity=plan.quantity,
        quote_quantity=plan.quote_quantity,
        stop_price=ticket.stop_price,
        trailing_delta=ticket.trailing_delta,
        iceberg_quantity=ticket.iceberg_quantity,
        timestamp_ms=gate.clock().now_ms(),
        recv_window_ms=settings.RECV_WINDOW_MS,
        send_by=timezone.now() + timedelta(milliseconds=settings.ORDER_SEND_BY_MS),
    )
    ledger.hold(
        user_id=user.pk,
        asset=plan.hold_asset,
        amount=plan.hold_amount,
        cause=ledger.Cause.ORDER,
        cause_id=order.pk,
    )
    events.tell(order, plan.hold_asset)
    return order, venue_order


def _answered(order: Order) -> Order:
    """The order as it is when its first request is answered: a repeat gives the same answer, and waits no longer."""
    until = order.created_at + timedelta(milliseconds=settings.ORDER_WAIT_MS)
    while order.status == Status.PENDING and timezone.now() < until:
        time.sleep(LOOK_SECONDS)
        order.refresh_from_db()
    return order


def _same(first: Order, ticket: Ticket) -> Order:
    if first.request_hash != ticket.request_hash:
        raise NonceReused(field="client_order_id")
    return first


# ------------------------------------------------------------------ relaying
@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.RELAY_THREADS, thread_name_prefix="relay")


def _relay_and_wait(venue_order_id: int) -> None:
    """The answer is awaited for a moment; a slower one is applied all the same, after the request has been answered."""
    if settings.RELAY_THREADS == 0:
        relay(venue_order_id)
        return
    try:
        gate.answer_within_a_moment(_threads().submit(_relay_in_thread, venue_order_id))
    except Unknown as error:
        log.info("order.slow", venue_order=venue_order_id, reason=error.reason)


def _relay_in_thread(venue_order_id: int) -> None:
    close_old_connections()
    try:
        relay(venue_order_id)
    except Exception:  # the row stays PENDING and the sweep asks the venue
        log.exception("order.relay_failed", venue_order=venue_order_id)
    finally:
        close_old_connections()


def relay(venue_order_id: int) -> None:
    """Sends the venue order, once, unless its time is over; every outcome but silence ends in the books."""
    venue_order = VenueOrder.objects.select_related("venue_account", "order").get(pk=venue_order_id)
    order = venue_order.order
    if timezone.now() > venue_order.send_by:
        reject(venue_order_id, TOO_LATE)
        return
    VenueOrder.objects.filter(pk=venue_order_id).update(sent_at=timezone.now())
    try:
        report = gate.call(
            venue_order.venue_account,
            gate.Kind.PLACE,
            order.user_id,
            lambda rest: rest.place(_request(venue_order, order.market_id)),
        )
    except (Rejected, NotSent) as error:
        log.warning("order.rejected", order=order.pk, reason=str(error)[:120])
        reason = reason_of(error, order_id=order.pk)
        if is_certain(reason):
            reject(venue_order_id, reason)
    except Unknown as error:
        log.warning("order.unknown", order=order.pk, reason=error.reason)
    else:
        failpoints.hit("order.sent")
        apply_report(venue_account=venue_order.venue_account, report=report, source="answer")


def _request(venue_order: VenueOrder, symbol: str) -> PlaceOrder:
    return PlaceOrder(
        symbol=symbol,
        side=venue_order.order.side,
        type=venue_order.type,
        client_order_id=venue_order.client_order_id,
        timestamp_ms=venue_order.timestamp_ms,
        recv_window_ms=venue_order.recv_window_ms,
        time_in_force=venue_order.time_in_force,
        price=venue_order.price,
        quantity=venue_order.quantity,
        quote_quantity=venue_order.quote_quantity,
        stop_price=venue_order.stop_price,
        trailing_delta=venue_order.trailing_delta,
        iceberg_quantity=venue_order.iceberg_quantity,
    )
