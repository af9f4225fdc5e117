"""Canceling: asked for at the venue; its "unknown order" proves nothing and leads to a question."""

from functools import partial

import structlog
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from markets.rules import Act, allows
from orders import queries
from orders.errors import MarketGone, OrderIsClosed, TryCancelAgain
from orders.models import Order, VenueOrder
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
