"""Making an open order smaller: it keeps its place in the queue, and what it no longer needs is available again.

The venue's word alone counts (binance.md 10): whatever report says first how large the order is now, answer, stream or
question, releases the difference, once. Until then everything stays held.
"""

from datetime import datetime
from decimal import Decimal
from functools import partial

import structlog
from django.utils import timezone

from accounts.models import User
from exchange.binance.errors import BAD_TIMESTAMP, NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import Report
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from markets import rules as filters
from markets.models import Market
from orders import queries
from orders.errors import (
    AlreadyFilled,
    AmendedTooOften,
    ChangeUnderWay,
    InAList,
    MarketClosed,
    NotChanged,
    NothingChanges,
    NotOffered,
    OnlyLess,
    OrderIsClosed,
    TryChangeAgain,
)
from orders.models import FINAL, Crossing, Order, Source, Status, VenueOrder
from orders.services import recorder
from orders.services.alarming import is_certain, reason_of
from orders.services.certainty import note_amend_certain, send_by, signed_at
from orders.services.reconciling import reconcile
from orders.services.reports import apply_report

log = structlog.get_logger()


def amend_order(*, user: User, order_id: int, quantity: Decimal, nonce: str = "") -> Order:
    """The venue is asked to make the order so small; its size afterwards is what the venue says it is. `nonce`: the
    customer's own name of the wish, if it has one.

    Raises UnknownOrder, OrderIsClosed, ChangeUnderWay, Stopped where staff let orders only be canceled, what the
    market's rules refuse, OnlyLess, AlreadyFilled, AmendedTooOften, NotChanged with the venue's reason, and
    TryChangeAgain when it could not be asked.
    """
    order = queries.order_of(user, order_id)
    _require_open(order)
    _require_offered(order.market, order)
    _require_less(order, quantity)
    sent = order.venue_orders.select_related("venue_account").latest("id")
    try:
        gate.cancels().carry(partial(_amend, order, sent, quantity, nonce))
    except NotSent as error:
        raise TryChangeAgain() from error
    except Unknown as error:
        log.warning("order.amend_unknown", order=order.pk, reason=error.reason)
    except Rejected as error:
        _refused(order, error)
    order.refresh_from_db()
    return order


def can_amend(order: Order) -> bool:
    """True where the market lets orders become smaller without losing their place."""
    return order.keeps_place and order.quantity is not None


def has_amends_left(order: Order) -> bool:
    """The venue makes what stands there smaller only so many times."""
    most = filters.most_amends(order.market.filters)
    return not most or order.amends < most


def _require_open(order: Order) -> None:
    if order.is_final:
        raise OrderIsClosed()
    is_changing = order.replacements.exclude(status__in=FINAL).exists()
    is_changing |= order.crossing == Crossing.UNDER_WAY
    if order.status == Status.PENDING or order.cancel_requested_at or is_changing:
        raise ChangeUnderWay()


def _require_offered(market: Market, order: Order) -> None:
    if not market.is_trading:
        raise MarketClosed()
    gate.require_not_cancel_only(market.symbol)
    if order.order_list_id is not None:
        raise InAList()
    if not can_amend(order):
        raise NotOffered(field="quantity")
    if not has_amends_left(order):
        raise AmendedTooOften(field="quantity")


def _require_less(order: Order, quantity: Decimal) -> None:
    assert order.quantity is not None, "what is given by total cannot be amended"
    if quantity == order.quantity:
        raise NothingChanges(field="quantity")
    if quantity > order.quantity:
        raise OnlyLess(nearest=order.quantity)
    iceberg = order.iceberg_quantity
    filters.check(
        order.market.filters,
        side=order.side,
        type=order.type,
        price=order.price,
        quantity=quantity,
        stop_price=order.stop_price,
        iceberg_quantity=None if iceberg is None else min(iceberg, quantity),
    )
    if quantity <= order.cumulative_quantity:
        step = filters.step_size(order.market.filters)
        raise AlreadyFilled(filled=order.cumulative_quantity, nearest=order.cumulative_quantity + step)


def _amend(order: Order, sent: VenueOrder, quantity: Decimal, nonce: str) -> None:
    # What has traded with another customer is not in what stands at the venue.
    assert sent.quantity is not None and order.quantity is not None, (
        "what is given by total cannot be amended"
    )
    smaller = sent.quantity - (order.quantity - quantity)
    asked_at, is_alone = _wish(order.pk, sent, smaller, nonce)
    try:
        report = gate.call(
            sent.venue_account,
            gate.Kind.CANCEL,
            order.user_id,
            partial(_ask, order.market_id, sent.client_order_id, smaller, asked_at),
        )
    except VenueError as error:
        recorder.note_error([sent], error, source=Source.AMEND)
        if is_alone and not isinstance(error, Unknown):
            note_amend_certain(order.pk, asked_at)
        if isinstance(error, Rejected):
            _look(sent)
        raise
    apply_report(venue_account=sent.venue_account, report=report, source=Source.AMEND)
    if is_alone:
        note_amend_certain(order.pk, asked_at)


def _ask(symbol: str, name: str, quantity: Decimal, asked_at: datetime, rest: gate.Rest) -> Report:
    if timezone.now() > send_by(asked_at):
        raise NotSent("too late")
    return rest.amend(symbol, name, quantity, timestamp_ms=signed_at(asked_at))


@transaction_with_retry
def _wish(order_id: int, sent: VenueOrder, quantity: Decimal, nonce: str) -> tuple[datetime, bool]:
    """The wish is on record, so that nobody trades the order away before it is certain what became of it. False where
    an earlier one is not certain: no answer tells of both."""
    order = Order.objects.select_for_update(of=("self",)).get(pk=order_id)
    _require_open(order)
    recorder.note_amend(sent, quantity, nonce)
    is_alone, order.amend_asked_at = order.amend_asked_at is None, timezone.now()
    order.save(update_fields=["amend_asked_at"])
    return order.amend_asked_at, is_alone


def _look(sent: VenueOrder) -> None:
    """What the order is now, if the venue says so: a refusal may only mean that it ended, or was amended before."""
    try:
        reconcile(venue_order_id=sent.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=sent.order_id, reason=str(error)[:120])


def _refused(order: Order, error: Rejected) -> None:
    reason = reason_of(error, order_id=order.pk)
    order.refresh_from_db()
    if order.is_final:
        raise OrderIsClosed() from error
    if error.code == BAD_TIMESTAMP:
        raise TryChangeAgain() from error
    if is_certain(reason):
        raise NotChanged(reason.code, reason.sentence) from error
