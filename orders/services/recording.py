"""The rows of an order and of what will be sent for it, as they are written with the hold."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from exchange.binance.sending import CancelReplace, PlaceOrder, PlacePair, fingerprint
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.prepared import insert
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from orders import funds, rules
from orders.models import Leg, Order, OrderList, Status, VenueOrder
from orders.services import atonce, house
from orders.services.listtickets import held_for_pair
from orders.services.tickets import Plan, Ticket


def order_of(
    user: User, market: Market, ticket: Ticket, plan: Plan | None, rate: rules.Rate, **more: object
) -> Order:
    """The order as the customer asked for it, not recorded yet.

    Without a plan it is one that waits for another.
    """
    fields: dict[str, object] = {
        "nonce": ticket.nonce,
        "channel": ticket.channel,
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
    return Order(user=user, **{**fields, **more})


def new_order(
    user: User, market: Market, ticket: Ticket, plan: Plan | None, rate: rules.Rate, **more: object
) -> Order:
    """The same, recorded within the transaction that holds its funds."""
    order = order_of(user, market, ticket, plan, rate, **more)
    insert(order)
    return order


def new_at_once(order: Order, plan: Plan, at: VenueAccount) -> VenueOrder | None:
    """An order that is sent alone and as it is, what will be sent for it, and its hold, by one statement; None while
    staff have stopped anything: nothing was done then. Raises InsufficientFunds, and IntegrityError for a nonce that
    there is already."""
    venue_order = _of_plan(order, plan)
    venue_order.venue_account = at
    _stamp([venue_order])
    is_recorded = atonce.record(order, venue_order, plan.hold_asset, plan.hold_amount)
    return venue_order if is_recorded else None


def new_venue_orders(
    planned: Sequence[tuple[Order, Plan]], at: VenueAccount | None = None
) -> list[VenueOrder]:
    """What will be sent for the orders, with the time at which it is signed: nobody sends it later. Two are sent as
    one request. `at`: the venue account, when it is not to be chosen. Raises Stopped while staff have stopped such
    orders, and NoAccount or Busy when none can take them."""
    found = [_of_plan(order, plan) for order, plan in planned]
    _go_to(found, at)
    return _recorded(found)


def _of_plan(order: Order, plan: Plan) -> VenueOrder:
    return VenueOrder(
        order=order,
        type=plan.type,
        time_in_force=plan.time_in_force,
        price=plan.price,
        quantity=plan.quantity,
        quote_quantity=plan.quote_quantity,
        stop_price=order.stop_price,
        trailing_delta=order.trailing_delta,
        iceberg_quantity=order.iceberg_quantity,
        by_sor=plan.by_sor,
        decision=plan.decision,
    )


def new_venue_order(order: Order, plan: Plan, at: VenueAccount | None = None) -> VenueOrder:
    """The same for an order that is sent alone."""
    return new_venue_orders([(order, plan)], at)[0]


def again(unsent: Sequence[VenueOrder]) -> list[VenueOrder]:
    """The same to be sent under another name and time, in place of what never left and never will; raises Stopped,
    NoAccount and Busy."""
    for venue_order in unsent:
        venue_order.pk, venue_order.status = None, Status.PENDING
    _go_to(unsent)
    return _recorded(unsent)


def _go_to(venue_orders: Sequence[VenueOrder], at: VenueAccount | None = None) -> None:
    """The account to which they go is on them."""
    at = at or accounts_of(venue_orders)[0]
    for venue_order in venue_orders:
        venue_order.venue_account = at


def accounts_of(venue_orders: Sequence[VenueOrder]) -> Sequence[VenueAccount]:
    """The venue accounts that can take them in one request, the best first; raises Stopped, NoAccount and Busy."""
    # The two of a pair need the dearer one's funds, once.
    asset, amount = max(map(funds.need_of, venue_orders), key=lambda need: need[1])
    order, quantity = venue_orders[0].order, venue_orders[0].quantity
    found = gate.accounts_for_order(asset=asset, amount=amount, **order.named)
    return house.with_room(found, order.market, side=order.side, quantity=quantity)


def accounts_that_take(order: Order, plan: Plan) -> Sequence[VenueAccount]:
    """The same for an order of which nothing is recorded yet."""
    return accounts_of([_of_plan(order, plan)])


@gate.counts_needs
def needs_under_way(asset: str) -> dict[int, Decimal]:
    return funds.needs_under_way(asset)


@gate.tells_moves
def moved_lately(asset: str) -> set[int]:
    return funds.moved_lately(asset)


def _stamp(venue_orders: Sequence[VenueOrder]) -> None:
    """They have a name, the time with which they are signed, and the hash of what is signed."""
    now_ms = gate.clock().now_ms()
    send_by = timezone.now() + timedelta(milliseconds=settings.ORDER_SEND_BY_MS)
    for venue_order in venue_orders:
        venue_order.client_order_id = rules.new_client_order_id()
        venue_order.timestamp_ms, venue_order.recv_window_ms = now_ms, settings.RECV_WINDOW_MS
        venue_order.send_by = send_by
    # What takes another's place names that one, and how, when it is sent.
    is_whole = venue_orders[0].order.replaces_id is None
    hashed = fingerprint(request_of(venue_orders)) if is_whole else ""
    for venue_order in venue_orders:
        venue_order.request_hash = hashed


def _recorded(venue_orders: Sequence[VenueOrder]) -> list[VenueOrder]:
    _stamp(venue_orders)
    is_anything_stopped = False
    for venue_order in venue_orders:
        is_anything_stopped |= insert(venue_order, gate.IS_ANYTHING_STOPPED)
    if is_anything_stopped:  # two of a list are alike in all that a switch of staff may name
        gate.require_not_stopped(**venue_orders[0].order.named)
    return list(venue_orders)


def request_of(venue_orders: Sequence[VenueOrder]) -> PlaceOrder | PlacePair:
    """What is sent for them, with the time that was stored with the hold."""
    legs = [_leg(venue_order) for venue_order in venue_orders]
    if len(legs) == 1:
        return legs[0]
    order_list = venue_orders[0].order.order_list
    assert order_list is not None, "two orders in one request are of a list"
    return PlacePair(order_list.client_order_id, *legs)


def change_of(venue_order: VenueOrder, replaced: VenueOrder) -> CancelReplace:
    """What is sent for an order that takes the place of another."""
    only_unfilled = venue_order.order.extra_hold is not None
    return CancelReplace(_leg(venue_order), replaced.client_order_id, only_unfilled)


def _leg(venue_order: VenueOrder) -> PlaceOrder:
    order = venue_order.order
    return PlaceOrder(
        symbol=order.market_id,
        side=order.side,
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
        by_sor=venue_order.by_sor,
        stp_mode=markets.stp_mode_to_name(order.market_id),
    )


def hold_for(order_list: OrderList, orders: dict[Leg, Order], plans: dict[Leg, Plan]) -> None:
    """What the orders that begin now can cost is held: for two that cancel each other once, for the list."""
    if Leg.ABOVE in plans:
        asset, amount = held_for_pair(plans)
        cause, number = ledger.Cause.LIST, order_list.pk
    else:
        ((leg, plan),) = plans.items()
        asset, amount, cause, number = plan.hold_asset, plan.hold_amount, ledger.Cause.ORDER, orders[leg].pk
    ledger.hold(user_id=order_list.user_id, asset=asset, amount=amount, cause=cause, cause_id=number)
