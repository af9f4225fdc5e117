"""Canceling: asked for at the venue; its "unknown order" proves nothing and leads to a question."""

from dataclasses import dataclass
from functools import partial

import structlog
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from markets.rules import GONE, Act, allows
from orders import queries
from orders.errors import MarketGone, OrderIsClosed
from orders.models import FINAL, Order, OrderList, Source, VenueOrder
from orders.services import recorder
from orders.services.alarming import reason_of
from orders.services.following import follow_soon
from orders.services.reconciling import reconcile
from orders.services.reports import apply_report

log = structlog.get_logger()


@dataclass(frozen=True)
class Wishes:
    """How many orders are to end, their newest venue orders, and their lists."""

    count: int
    asked: list[VenueOrder]
    lists: list[int]


def cancel_order(*, user: User, order_id: int) -> Order:
    """The venue is asked to cancel; the order's state afterwards is what the venue says it is.

    With an order of a list all of the list end. The wish is on record before anybody is asked: what the venue cannot be
    asked for now the sweep asks for. Raises UnknownOrder, OrderIsClosed and MarketGone.
    """
    order = queries.order_of(user, order_id)
    if not allows(order.market.status, Act.CANCEL):
        raise OrderIsClosed() if order.is_final else MarketGone()
    asked = _ask(order.pk, order.order_list_id)
    try:
        gate.cancels().carry(partial(_cancel_all, asked))
    except NotSent as error:
        log.warning("order.cancel_waits", order=order.pk, reason=error.reason)
    except Unknown as error:
        log.warning("order.cancel_unknown", order=order.pk, reason=error.reason)
    if order.order_list_id is not None:
        follow_soon(order.order_list_id)
    order.refresh_from_db()
    return order


def cancel_order_list(*, user: User, list_id: int) -> OrderList:
    """The end of all its orders is asked for. Raises UnknownOrderList, and what cancel_order does."""
    order_list = queries.order_list_of(user, list_id)
    unfinished = [order for order in order_list.orders.all() if not order.is_final]
    if not unfinished:
        raise OrderIsClosed()
    cancel_order(user=user, order_id=unfinished[0].pk)
    return queries.order_list_of(user, list_id)


def cancel_orders(*, user: User, symbol: str = "", side: str = "") -> int:
    """The end of every open order, of one market or side if they are named, is asked for; gives how many.

    All are on record at once. What the venue cannot be asked for now is carried out by the sweep.
    """
    wishes = wish_cancels(user=user, symbol=symbol, side=side)
    carry_out_wishes(wishes)
    return wishes.count


def carry_out_wishes(wishes: Wishes) -> None:
    """The venue is asked for what is on record; the sweep goes on where this ends."""
    if wishes.asked:
        try:
            gate.cancels().carry(partial(_cancel_each, wishes.asked))
        except (NotSent, Unknown) as error:
            log.info("orders.cancel_slow", orders=len(wishes.asked), reason=error.reason)
    for list_id in wishes.lists:
        follow_soon(list_id)


def _cancel_all(venue_orders: list[VenueOrder]) -> None:
    for venue_order in venue_orders:
        _cancel(venue_order.order, venue_order)


def _cancel_each(venue_orders: list[VenueOrder]) -> None:
    for venue_order in venue_orders:
        try:
            _cancel(venue_order.order, venue_order)
        except VenueError as error:
            log.warning("order.cancel_waits", order=venue_order.order_id, reason=str(error)[:120])


def _cancel(order: Order, venue_order: VenueOrder) -> None:
    if order.is_paired and Order.objects.get(pk=order.pk).is_final:
        return  # the venue ended it with the other one
    try:
        reports = gate.call(
            venue_order.venue_account,
            gate.Kind.CANCEL,
            order.user_id,
            lambda rest: rest.cancel(order.market_id, venue_order.client_order_id),
        )
    except VenueError as error:
        recorder.note_cancel(venue_order, error)
        if not isinstance(error, Rejected):
            raise
        log.info("order.cancel_rejected", order=order.pk, code=error.code)
        reason_of(error, order_id=order.pk)  # staff hear of it when it is because of us
        _look(venue_order)
    else:
        for report in reports:
            apply_report(venue_account=venue_order.venue_account, report=report, source=Source.CANCEL)


def _look(venue_order: VenueOrder) -> None:
    """What became of the order, if the venue says so now; the sweep asks again otherwise."""
    try:
        reconcile(venue_order_id=venue_order.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=venue_order.order_id, reason=str(error)[:120])


@transaction_with_retry
def _ask(order_id: int, list_id: int | None) -> list[VenueOrder]:
    """The wish is on record, so that the sweep carries it out if this process cannot; gives what is at the venue."""
    named = Q(pk=order_id) if list_id is None else Q(order_list=list_id)
    orders = list(Order.objects.select_for_update(of=("self",)).filter(named).order_by("id"))
    if any(order.pk == order_id and order.is_final for order in orders):
        raise OrderIsClosed()
    return _wish([order.pk for order in orders if not order.is_final])


@transaction_with_retry
def wish_cancels(*, user: User, symbol: str = "", side: str = "") -> Wishes:
    """The wish is on record for each and for what is in a list with it; those of markets that are gone stay.

    Joins the caller's transaction; the venue is not asked yet.
    """
    found = Order.objects.filter(user=user).exclude(status__in=FINAL).exclude(market__status=GONE)
    wanted = found
    if symbol:
        wanted = wanted.filter(market_id=symbol)
    if side:
        wanted = wanted.filter(side=side)
    lists = list(wanted.exclude(order_list=None).values_list("order_list", flat=True).distinct())
    both = found.filter(Q(pk__in=wanted.values("pk")) | Q(order_list__in=lists))
    ids = list(both.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    return Wishes(len(ids), _wish(ids), lists)


def _wish(ids: list[int]) -> list[VenueOrder]:
    """Of the locked orders those that wait for another one, or have not left since, have nothing at the venue."""
    now = timezone.now()
    Order.objects.filter(pk__in=ids, cancel_requested_at=None).update(cancel_requested_at=now, updated_at=now)
    newest = VenueOrder.objects.filter(order__in=ids).order_by("order_id", "-id").distinct("order_id")
    found = newest.select_related("venue_account", "order__market", "order__order_list")
    return [sent for sent in found if sent.sent_at is not None or not sent.order.is_later]
