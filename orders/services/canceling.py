"""Canceling: asked for at the venue; its "unknown order" proves nothing and leads to a question."""

from functools import partial

import structlog
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from markets.rules import GONE, Act, allows
from orders import queries
from orders.errors import MarketGone, OrderIsClosed, TryCancelAgain
from orders.models import FINAL, Order, VenueOrder
from orders.services.alarming import reason_of
from orders.services.reconciling import reconcile
from orders.services.reports import apply_report

log = structlog.get_logger()


def cancel_order(*, user: User, order_id: int) -> Order:
    """The venue is asked to cancel; the order's state afterwards is what the venue says it is.

    Raises UnknownOrder, OrderIsClosed, MarketGone, and TryCancelAgain when the venue could not be asked.
    """
    order = queries.order_of(user, order_id)
    if not allows(order.market.status, Act.CANCEL):
        raise OrderIsClosed() if order.is_final else MarketGone()
    venue_order = _ask(order.pk)
    try:
        gate.cancels().carry(partial(_cancel, order, venue_order))
    except NotSent as error:
        raise TryCancelAgain() from error
    except Unknown as error:
        log.warning("order.cancel_unknown", order=order.pk, reason=error.reason)
    order.refresh_from_db()
    return order


def cancel_orders(*, user: User, symbol: str = "", side: str = "") -> int:
    """The end of every open order, of one market or side if they are named, is asked for; gives how many.

    All are on record at once. What the venue cannot be asked for now is carried out by the sweep.
    """
    asked = _ask_all(user, symbol, side)
    if asked:
        try:
            gate.cancels().carry(partial(_cancel_each, asked))
        except (NotSent, Unknown) as error:
            log.info("orders.cancel_slow", user=user.pk, orders=len(asked), reason=error.reason)
    return len(asked)


def _cancel_each(venue_orders: list[VenueOrder]) -> None:
    for venue_order in venue_orders:
        try:
            _cancel(venue_order.order, venue_order)
        except VenueError as error:
            log.warning("order.cancel_waits", order=venue_order.order_id, reason=str(error)[:120])


def _cancel(order: Order, venue_order: VenueOrder) -> None:
    try:
        report = gate.call(
            venue_order.venue_account,
            gate.Kind.CANCEL,
            order.user_id,
            lambda rest: rest.cancel(order.market_id, venue_order.client_order_id),
        )
    except Rejected as error:
        log.info("order.cancel_rejected", order=order.pk, code=error.code)
        reason_of(error, order_id=order.pk)  # staff hear of it when it is because of us
        _look(venue_order)
    else:
        apply_report(venue_account=venue_order.venue_account, report=report, source="cancel")


def _look(venue_order: VenueOrder) -> None:
    """What became of the order, if the venue says so now; the sweep asks again otherwise."""
    try:
        reconcile(venue_order_id=venue_order.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=venue_order.order_id, reason=str(error)[:120])


@transaction_with_retry
def _ask(order_id: int) -> VenueOrder:
    """The wish is on record, so that the sweep carries it out if this process cannot."""
    order = Order.objects.select_for_update(of=("self",)).get(pk=order_id)
    if order.is_final:
        raise OrderIsClosed()
    order.cancel_requested_at = order.cancel_requested_at or timezone.now()
    order.save(update_fields=["cancel_requested_at", "updated_at"])
    return order.venue_orders.select_related("venue_account").latest("id")


@transaction_with_retry
def _ask_all(user: User, symbol: str, side: str) -> list[VenueOrder]:
    """The wish is on record for each, the newest venue orders are given; those of markets that are gone stay."""
    found = Order.objects.filter(user=user).exclude(status__in=FINAL).exclude(market__status=GONE)
    if symbol:
        found = found.filter(market_id=symbol)
    if side:
        found = found.filter(side=side)
    ids = list(found.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    now = timezone.now()
    Order.objects.filter(pk__in=ids, cancel_requested_at=None).update(cancel_requested_at=now, updated_at=now)
    newest = VenueOrder.objects.filter(order__in=ids).order_by("order_id", "-id").distinct("order_id")
    return list(newest.select_related("venue_account", "order", "order__market"))
