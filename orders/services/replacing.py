"""Changing an open order: by one request (binance.md 10) a new one takes its place, and the two never live together.

While the old order has not traded, its hold is the new one's too: no more is held besides than the new one can cost
more. That is exact, because the venue cancels an order of which it was told so only if it has not traded.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import structlog
from django.db import IntegrityError
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import Report
from exchange.binance.sending import Halves, fingerprint
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from orders import queries
from orders.errors import (
    TOO_LATE,
    ChangeUnderWay,
    InAList,
    NothingChanges,
    NotOffered,
    OrderIsClosed,
    OrderMoved,
    Told,
    TryChangeAgain,
    told,
)
from orders.models import FINAL, Channel, Crossing, Order, Source, Status, Type, VenueOrder
from orders.rules import CANCEL_REPLACE
from orders.services import events, recorder
from orders.services.alarming import is_certain, reason_of
from orders.services.ending import reject
from orders.services.limits import require_value
from orders.services.placing import answered, relay_and_wait, require_venue, room_for, same
from orders.services.reconciling import reconcile
from orders.services.recording import change_of, new_order, new_venue_order
from orders.services.reports import apply_report
from orders.services.tickets import Plan, Ticket, plan_of

log = structlog.get_logger()
NOT_NOW = Told(TryChangeAgain.code, TryChangeAgain.message)


def replace_order(
    *,
    user: User,
    order_id: int,
    nonce: str,
    price: Decimal | None = None,
    quantity: Decimal | None = None,
    channel: str = Channel.SITE,
) -> Order:
    """A new order with this price and quantity takes the place of the open one, or nothing changes.

    What is not given stays: the price, and of the quantity what has not traded. A repeat of the nonce gives the first
    answer. Raises what placing does, UnknownOrder, OrderIsClosed, ChangeUnderWay, NothingChanges, and OrderMoved when
    it traded meanwhile.
    """
    replaced = queries.order_of(user, order_id)
    if first := _first(user, replaced, nonce, price, quantity):
        return first
    try:
        return _placed(user, replaced, nonce, price, quantity, channel)
    except (DomainError, IntegrityError):
        # Whatever would be said of it now, a repeat is answered as the first one was.
        first = _first(user, replaced, nonce, price, quantity)
        if first is None:
            raise
        return first


def _first(
    user: User, replaced: Order, nonce: str, price: Decimal | None, quantity: Decimal | None
) -> Order | None:
    """The answer to the first request under the nonce; NonceReused when that was another."""
    first = Order.objects.filter(user=user, nonce=nonce).first()
    if first is None:
        return None
    return answered(same(first, _ticket(replaced, nonce, price, quantity, first)))


def _placed(
    user: User,
    replaced: Order,
    nonce: str,
    price: Decimal | None,
    quantity: Decimal | None,
    channel: str,
) -> Order:
    accounts.require_can_trade(user)
    market = markets.market(replaced.market_id)
    ledger.require_asset_open(market.base_id, market.quote_id)
    ticket = replace(_ticket(replaced, nonce, price, quantity), channel=channel)
    _require_a_change(market, replaced, ticket)
    plan = plan_of(market, ticket)
    require_value(user, market, ticket, plan)
    require_venue()
    account = replaced.venue_orders.select_related("venue_account").latest("id").venue_account
    with room_for(user, nonce, [account]) as slot:
        order, venue_order = _record(user, replaced, market, ticket, plan)
    failpoints.hit("order.held")
    relay_and_wait([venue_order.pk], send_change, slot=slot)
    order.refresh_from_db()
    return order


def _ticket(
    replaced: Order, nonce: str, price: Decimal | None, quantity: Decimal | None, first: Order | None = None
) -> Ticket:
    """What the new order says; of a repeat without a quantity, what the first one said then."""
    left = first.quantity if first else replaced.left
    return Ticket(
        symbol=replaced.market_id,
        side=replaced.side,
        type=replaced.type,
        nonce=nonce,
        time_in_force=replaced.time_in_force,
        price=price or replaced.price,
        quantity=quantity or left,
        stop_price=replaced.stop_price,
        trailing_delta=replaced.trailing_delta,
        iceberg_quantity=replaced.iceberg_quantity,
        replaces=replaced.pk,
    )


def _require_a_change(market: Market, replaced: Order, ticket: Ticket) -> None:
    # All of it may have been booked before a report says that it is filled.
    if replaced.is_final or replaced.left == 0:
        raise OrderIsClosed()
    if CANCEL_REPLACE not in market.abilities or replaced.type == Type.MARKET:
        raise NotOffered()
    if replaced.order_list_id is not None:
        raise InAList()
    if (ticket.price, ticket.quantity) == (replaced.price, replaced.quantity):
        raise NothingChanges()


@transaction_with_retry
def _record(user: User, seen: Order, market: Market, ticket: Ticket, plan: Plan) -> tuple[Order, VenueOrder]:
    """Nonce, new order, what will be sent for it, and what is held besides: all or nothing."""
    replaced = Order.objects.select_for_update(of=("self",)).get(pk=seen.pk)
    sent = replaced.venue_orders.select_for_update().latest("id")
    extra = _extra_hold(replaced, sent, plan)
    rate = queries.rate_of(user, market)
    order = new_order(user, market, ticket, plan, rate, replaces=replaced, extra_hold=extra)
    _require_open(replaced, sent, seen, order)
    amount, cause = (plan.hold_amount, ledger.Cause.ORDER) if extra is None else (extra, ledger.Cause.CHANGE)
    if amount:
        ledger.hold(user_id=user.pk, asset=plan.hold_asset, amount=amount, cause=cause, cause_id=order.pk)
    venue_order = new_venue_order(order, plan, sent.venue_account)  # one request does both
    events.tell(order, plan.hold_asset)
    return order, venue_order


def _extra_hold(replaced: Order, sent: VenueOrder, plan: Plan) -> Decimal | None:
    """What the new order can cost more than is held for the old one; None when that has traded, for then what it holds
    is its own until it is known how much it traded."""
    if replaced.cumulative_quantity or sent.cumulative_quantity:
        return None
    found = ledger.lock_hold(ledger.Cause.ORDER, replaced.pk)
    return max(plan.hold_amount - (found.remaining if found else 0), Decimal(0))


def _require_open(replaced: Order, sent: VenueOrder, seen: Order, new: Order) -> None:
    """The old order, locked, is still as it was when the change was thought out, and nobody else changes it."""
    if replaced.is_final or sent.status in FINAL:
        raise OrderIsClosed()
    is_changing = replaced.replacements.exclude(status__in=FINAL).exclude(pk=new.pk).exists()
    is_changing |= replaced.crossing == Crossing.UNDER_WAY
    if replaced.status == Status.PENDING or replaced.cancel_requested_at or is_changing:
        raise ChangeUnderWay()
    if replaced.cumulative_quantity != seen.cumulative_quantity or replaced.quantity != seen.quantity:
        raise OrderMoved()


# ------------------------------------------------------------------ relaying
def send_change(venue_order_ids: Sequence[int]) -> None:
    """Sends the change, once, unless its time is over or staff stopped it; each half ends in the books by itself."""
    (venue_order,), stopped = queries.to_be_sent(venue_order_ids)
    order = venue_order.order
    if stopped is not None or timezone.now() > venue_order.send_by:
        reject(venue_order_ids, Told(stopped.code, str(stopped)) if stopped else TOO_LATE)
        return
    replaced = VenueOrder.objects.filter(order=order.replaces_id).latest("id")
    change = change_of(venue_order, replaced)
    VenueOrder.objects.filter(pk=venue_order.pk).update(
        sent_at=timezone.now(), request_hash=fingerprint(change)
    )
    try:
        halves = gate.call(
            venue_order.venue_account,
            gate.Kind.PLACE,
            order.user_id,
            lambda rest: rest.cancel_replace(change),
        )
    except VenueError as error:  # neither half was tried, or nobody knows
        _failed(venue_order, error)
    else:
        failpoints.hit("order.sent")
        _apply(halves, replaced, venue_order)


def _apply(halves: Halves, replaced: VenueOrder, new: VenueOrder) -> None:
    """What is certain of each half is in the books; what is not is asked for."""
    if isinstance(halves.canceled, Report):
        apply_report(venue_account=new.venue_account, report=halves.canceled, source=Source.REPLACE)
    else:
        recorder.note_error([replaced], halves.canceled, source=Source.REPLACE)
    if halves.placed is None:
        reject([new.pk], _why_not_attempted(halves.canceled))
    elif isinstance(halves.placed, Report):
        apply_report(venue_account=new.venue_account, report=halves.placed, source=Source.ANSWER)
    else:
        _failed(new, halves.placed)
    if not isinstance(halves.canceled, Report):
        _look(replaced)


def _why_not_attempted(canceled: Report | VenueError) -> Told:
    """The new order was not tried because the old one was not canceled: it has ended, or moved on and stands."""
    if not isinstance(canceled, Rejected):
        return NOT_NOW
    reason = told(canceled.code, canceled.message)
    return reason if is_certain(reason) else NOT_NOW


def _failed(venue_order: VenueOrder, error: VenueError) -> None:
    recorder.note_error([venue_order], error, source=Source.ANSWER)
    if isinstance(error, Unknown):
        log.warning("order.unknown", order=venue_order.order_id, reason=error.reason)
        return
    assert isinstance(error, Rejected | NotSent)
    log.warning("order.rejected", order=venue_order.order_id, reason=str(error)[:120])
    reason = reason_of(error, order_id=venue_order.order_id)
    if is_certain(reason):
        reject([venue_order.pk], reason)


def _look(venue_order: VenueOrder) -> None:
    """What became of the old order, if the venue says so now; the sweep asks again otherwise."""
    try:
        reconcile(venue_order_id=venue_order.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=venue_order.order_id, reason=str(error)[:120])
