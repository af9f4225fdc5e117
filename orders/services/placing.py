"""Placing an order: one transaction records and holds, plain code after it relays, once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import IntegrityError, close_old_connections
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import BAD_TIMESTAMP, KEY_REFUSED, NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import Report
from exchange.binance.sending import PlacePair
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.prepared import rows_of
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from orders import queries
from orders.errors import TOO_LATE, Busy, NonceReused, Told, VenuePaused, VenueUnreachable
from orders.models import Order, RouteKind, Source, Status, VenueOrder
from orders.routing import Route
from orders.services import events, house, recorder, routes
from orders.services.alarming import PASSING_SECONDS, is_certain, reason_of
from orders.services.elsewhere import go_elsewhere
from orders.services.ending import reject
from orders.services.limits import require_within_limits
from orders.services.recording import new_at_once, new_order, new_venue_order, order_of, request_of
from orders.services.reports import apply_answer, apply_report
from orders.services.tickets import Plan, Ticket, plan_of
from orders.services.unrouting import without_routing

log = structlog.get_logger()
# Gives the order as what the venue answered left it, when its sender knows that.
Send = Callable[[Sequence[int]], Order | None]
# How often a repeat looks for the answer to the first request, which another process may have.
LOOK_SECONDS = 1 / 20
UNAUTHORIZED = 401


def place_order(*, user: User, ticket: Ticket) -> Order:
    """The order is recorded, its funds are held, and it is relayed; PENDING when the venue takes longer to answer.

    A repeat of the nonce gives the first order, whatever became of it; another body under it NonceReused. Raises
    what tickets, accounts and the ledger refuse, VenuePaused, VenueUnreachable and Busy; nothing is held then.
    """
    try:
        return _placed(user, ticket)
    except (DomainError, IntegrityError):
        # Whatever would be said of it now, a repeat is answered as the first one was.
        first = queries.order_under(user, ticket.nonce)
        if first is None:
            raise
        return answered(same(first, ticket))


def _placed(user: User, ticket: Ticket) -> Order:
    accounts.require_can_trade(user)
    market = markets.market(ticket.symbol)
    ledger.require_asset_open(market.base_id, market.quote_id)
    plan = plan_of(market, ticket)
    require_within_limits(user, market, ticket, plan)
    require_venue()
    route = routes.chosen(user, market, ticket, plan)
    if route is not None and (take := routes.TAKEN_BY.get(route.taken.kind)):
        return take(user, market, ticket, plan, route)
    return in_its_market(user, market, ticket, plan, route)


def in_its_market(user: User, market: Market, ticket: Ticket, plan: Plan, route: Route | None) -> Order:
    """The order is recorded, held for, and relayed to its own market."""
    found = accounts_for(user, market, ticket, plan)
    with room_for(user, ticket.nonce, found) as slot:
        venue_order = _record(user, market, ticket, plan, route, having(slot, found))
    failpoints.hit("order.held")
    applied = relay_and_wait([venue_order.pk], lambda _numbers: _send_once([venue_order]), slot=slot)
    return applied or queries.order_now(venue_order.order_id)


def require_venue() -> None:
    """New orders may go to the venue, and its time is known before anything is signed; VenuePaused or VenueUnreachable
    otherwise."""
    try:
        gate.require_open_way()
        gate.measure_clock()
    except gate.Paused as error:
        raise VenuePaused() from error
    except VenueError as error:
        raise VenueUnreachable() from error


def accounts_for(user: User, market: Market, ticket: Ticket, plan: Plan) -> Sequence[VenueAccount]:
    """The venue accounts to which the order can go, the best first; raises Stopped, NoAccount, which staff hear, and
    Busy where each of them may hold no more of the asset."""
    named: dict[str, Any] = {
        "market": ticket.symbol,
        "side": ticket.side,
        "customer": user.pk,
        "channel": ticket.channel,
    }
    with gate.shortage_told():
        found = gate.accounts_for_order(asset=plan.hold_asset, amount=plan.hold_amount, **named)
    return house.with_room(found, market, side=ticket.side, quantity=plan.quantity)


def room_for(user: User, nonce: str, found: Sequence[VenueAccount], orders: int = 1) -> gate.Slot:
    """One of the accounts takes so many more orders of the user now, in one request; raises Busy, or VenueUnreachable
    while the venue wants to hear nothing for longer. Nothing is held without it."""
    try:
        return gate.take_slot(user.pk, accounts=found, orders=orders, request=nonce)
    except gate.Banned as error:
        if error.retry_after is not None and error.retry_after <= PASSING_SECONDS:
            raise Busy(error.retry_after) from error
        raise VenueUnreachable() from error
    except NotSent as error:
        raise Busy(error.retry_after) from error


def having(slot: gate.Slot, found: Sequence[VenueAccount]) -> VenueAccount:
    """The one of the accounts that has the room."""
    return next(account for account in found if account.name == slot.account)


def _record(
    user: User, market: Market, ticket: Ticket, plan: Plan, route: Route | None, account: VenueAccount
) -> VenueOrder:
    """Nonce, order, what will be sent with its signed timestamp, and the hold: all or nothing."""
    if route is None:
        order = order_of(user, market, ticket, plan, queries.rate_of(user, market))
        if (venue_order := new_at_once(order, plan, account)) is not None:
            events.tell(order, plan.hold_asset)
            return venue_order
    return _record_in_parts(user, market, ticket, plan, route, account)


@transaction_with_retry
def _record_in_parts(
    user: User, market: Market, ticket: Ticket, plan: Plan, route: Route | None, account: VenueAccount
) -> VenueOrder:
    """The same, where a way was chosen, which is kept, or staff have stopped something."""
    kind = route.taken.kind if route else ""
    order = new_order(user, market, ticket, plan, queries.rate_of(user, market), route=kind)
    if route is not None:
        routes.note_decision(order, route)
        plan = replace(plan, by_sor=kind == RouteKind.SOR)
    venue_order = new_venue_order(order, plan, account)
    ledger.hold(
        user_id=user.pk,
        asset=plan.hold_asset,
        amount=plan.hold_amount,
        cause=ledger.Cause.ORDER,
        cause_id=order.pk,
        whole=True,
    )
    events.tell(order, plan.hold_asset)
    return venue_order


def answered(order: Order) -> Order:
    """The order as it is when its first request is answered: a repeat gives the same answer, and waits no longer."""
    until = order.created_at + timedelta(milliseconds=settings.ORDER_WAIT_MS)
    while order.status == Status.PENDING and timezone.now() < until:
        time.sleep(LOOK_SECONDS)
        order.refresh_from_db()
    return order


def same(first: Order, ticket: Ticket) -> Order:
    """The first order under the nonce; NonceReused when this one is another."""
    if first.request_hash != ticket.request_hash:
        raise NonceReused(field="client_order_id")
    return first


# ------------------------------------------------------------------ relaying
@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.RELAY_THREADS, thread_name_prefix="relay")


def relay_and_wait(
    venue_order_ids: Sequence[int], send: Send | None = None, *, slot: gate.Slot | None = None
) -> Order | None:
    """The answer is awaited for a moment; a slower one is applied all the same, after the request has been answered.
    What goes on without a slot finds room when it is sent, or is sent later."""
    send = send or relay
    if settings.RELAY_THREADS == 0:
        with slot.used() if slot else nullcontext():
            return send(venue_order_ids)
    try:
        return gate.answer_within_a_moment(_threads().submit(_in_thread, send, venue_order_ids, slot))
    except Unknown as error:
        log.info("order.slow", venue_orders=venue_order_ids, reason=error.reason)
        return None


def relay_soon(venue_order_ids: Sequence[int], *, slot: gate.Slot | None = None) -> None:
    """The answer is not awaited."""
    if settings.RELAY_THREADS == 0:
        with slot.used() if slot else nullcontext():
            relay(venue_order_ids)
    else:
        _threads().submit(_in_thread, relay, venue_order_ids, slot)


def _in_thread(send: Send, venue_order_ids: Sequence[int], slot: gate.Slot | None = None) -> Order | None:
    close_old_connections()
    try:
        with slot.used() if slot else nullcontext():
            return send(venue_order_ids)
    except Exception:  # the rows stay PENDING and the sweep asks the venue
        log.exception("order.relay_failed", venue_orders=venue_order_ids)
        return None
    finally:
        close_old_connections()


def relay(venue_order_ids: Sequence[int]) -> Order | None:
    """Sends the venue order, or the two that cancel each other, once, unless their time is over or staff stopped them.

    Every outcome but silence ends in the books.
    """
    return _send_once(queries.to_be_sent(venue_order_ids)[0])


def _send_once(sent: Sequence[VenueOrder], refused_by: VenueAccount | None = None) -> Order | None:
    """`refused_by`: the account that could not take them, because of its key."""
    claim = _claim(sent)
    if claim is None:
        return None
    account, order = sent[0].venue_account, sent[0].order
    stopped = gate.stop_against(**order.named) if claim.is_anything_stopped else None
    if stopped is not None or timezone.now() > sent[0].send_by:
        _give_up(sent, Told(stopped.code, str(stopped)) if stopped else TOO_LATE)
        numbers = [venue_order.pk for venue_order in sent]
        VenueOrder.objects.filter(pk__in=numbers, status=Status.REJECTED).update(sent_at=None)
        return None
    failpoints.hit("order.sending")
    try:
        reports = _send(sent)
    except (Rejected, NotSent) as error:
        log.warning("order.rejected", order=order.pk, reason=str(error)[:120])
        recorder.note_error(sent, error, source=Source.ANSWER)
        numbers = [venue_order.pk for venue_order in sent]
        if refused_by is None and _is_of_key(error) and go_elsewhere(numbers, account.pk):
            return _send_once(queries.to_be_sent(numbers)[0], account)
        _refused(sent, error)
    except Unknown as error:
        log.warning("order.unknown", order=order.pk, reason=error.reason)
        recorder.note_error(sent, error, source=Source.ANSWER)
    else:
        failpoints.hit("order.sent")
        if len(sent) == len(reports) == 1:
            return apply_answer(sent[0], reports[0])
        for report in reports:
            apply_report(venue_account=account, report=report, source=Source.ANSWER)
    return None


def _is_of_key(error: Rejected | NotSent) -> bool:
    """The venue does not know who asks: nothing was executed."""
    return isinstance(error, Rejected) and (error.code in KEY_REFUSED or error.http_status == UNAUTHORIZED)


class _Claim(NamedTuple):
    is_anything_stopped: bool


_CLAIM = (
    "UPDATE orders_venueorder SET sent_at = %s WHERE {} AND sent_at IS NULL AND status = 'PENDING'"
    f" RETURNING {gate.IS_ANYTHING_STOPPED}"
)
# Of a list the server would guess how long it is, and might plan anew for each order.
_CLAIM_ONE, _CLAIM_BOTH = _CLAIM.format("id = %s"), _CLAIM.format("id = ANY(%s)")


def _claim(sent: Sequence[VenueOrder]) -> _Claim | None:
    """Something when nobody else has sent them or given them up; from now on they count as sent."""
    numbers = [venue_order.pk for venue_order in sent]
    now = timezone.now()
    is_one = len(numbers) == 1
    claimed = rows_of(_CLAIM_ONE, now, numbers[0]) if is_one else rows_of(_CLAIM_BOTH, now, numbers)
    if len(claimed) != len(numbers):
        log.warning("order.already_sent", venue_orders=numbers)
        return None
    return _Claim(*claimed[0])


def _refused(sent: Sequence[VenueOrder], error: Rejected | NotSent) -> None:
    reason = reason_of(error, order_id=sent[0].order_id)
    if isinstance(error, NotSent) or error.code == BAD_TIMESTAMP:
        _give_up(sent, reason)
    elif is_certain(reason):
        if sent[0].by_sor and (plain := without_routing(sent[0].pk)):
            relay(plain)
            return
        reject([venue_order.pk for venue_order in sent], reason)


def _give_up(sent: Sequence[VenueOrder], reason: Told) -> None:
    """Nothing has left the house, or it came too late. What was asked for just now is rejected, and may be asked for
    again; for what begins later nobody waits: the sweep sends it anew."""
    numbers = [venue_order.pk for venue_order in sent]
    if sent[0].order.is_later:
        VenueOrder.objects.filter(pk__in=numbers, status=Status.PENDING).update(sent_at=None)
    else:
        reject(numbers, reason)


def _send(sent: Sequence[VenueOrder]) -> tuple[Report, ...]:
    account, customer, request = sent[0].venue_account, sent[0].order.user_id, request_of(sent)
    if isinstance(request, PlacePair):
        return gate.call(account, gate.Kind.PLACE, customer, lambda rest: rest.place_pair(request))
    return gate.call(account, gate.Kind.PLACE, customer, lambda rest: (rest.place(request),))
