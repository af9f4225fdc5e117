"""The end of an order: its state is final and what it still held is available again, or held for its successor."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from exchange.database import transaction_with_retry
from exchange.office import services as office
from exchange.prepared import Given, Prepared, update
from ledger import services as ledger
from ledger.errors import InsufficientFunds
from orders import rules
from orders.errors import Told
from orders.models import FINAL, PAIR, Leg, Order, OrderList, RouteKind, Status, VenueOrder
from orders.services import events

log = structlog.get_logger()
# What reports move of an order.
MOVED = ("status", "cumulative_quantity", "cumulative_quote", "updated_at")


@transaction_with_retry
def reject(venue_order_ids: Sequence[int], reason: Told) -> None:
    """Venue orders the venue never took end their orders; nothing happens to one of which anything was heard before."""
    for venue_order_id in venue_order_ids:
        order, venue_order = locked(venue_order_id)
        if venue_order.status == Status.PENDING:
            venue_order.status, venue_order.answered_at = Status.REJECTED, timezone.now()
            venue_order.save(update_fields=["status", "answered_at"])
            # What is left of an order that has traded ends, and was no refusal of all of it.
            status = Status.EXPIRED if order.cumulative_quantity else Status.REJECTED
            finish(order, status, reason.code, str(reason.sentence))
            if order.crossing and order.route != RouteKind.CROSS:
                _tell_it_is_not_back(order)


def finish(
    order: Order, status: str, code: str = "", sentence: str = "", *, is_released: bool = False
) -> None:
    """The caller holds the order's lock; releases what is left, unless it is already, and says so."""
    order.status, order.finished_at = status, timezone.now()
    if code or sentence:
        order.reason_code, order.reason = code[:40], sentence[:300]
    is_covered_by_another, order.extra_hold = order.extra_hold is not None, None
    update(order, *MOVED, "reason_code", "reason", "finished_at", "extra_hold")
    if not is_released and ends_hold(order):
        cause, number = cause_of_hold(order)
        ledger.release(cause=cause, cause_id=number)
    if is_covered_by_another:
        ledger.release(cause=ledger.Cause.CHANGE, cause_id=order.pk)
    if status == Status.REJECTED and order.order_list_id and order.is_later and order.leg != Leg.BELOW:
        _tell_who_does_not_look(order)
    events.tell(order, order.paid_asset_id)
    if status == Status.CANCELED and not order.cumulative_quantity:
        _hand_over(order)


def _tell_it_is_not_back(order: Order) -> None:
    """What rested was taken back to trade with another customer, and could not go to the venue again."""
    office.notify(
        order.user,
        "order.not_back",
        _("The rest of your order has ended"),
        _("What was left of your order %(order)s in %(market)s could not go back to the market: %(reason)s"),
        {"order": order.pk, "market": order.market_id, "reason": order.reason},
    )


def _tell_who_does_not_look(order: Order) -> None:
    """What was given long ago begins now, and cannot: the customer hears of it, of two orders once."""
    office.notify(
        order.user,
        "order.not_begun",
        _("An order that waited could not begin"),
        _(
            "Your first order %(first)s in %(market)s was filled, and order %(order)s that waited for it was not"
            " placed: %(reason)s Nothing is held for it."
        ),
        {
            "first": order.order_list.orders.get(leg=Leg.WORKING).pk if order.order_list else "",
            "order": order.pk,
            "market": order.market_id,
            "reason": order.reason,
        },
    )


def ends_hold(order: Order) -> bool:
    """False while another order is paid from the same hold; the caller holds the lock of both."""
    if not order.is_paired:
        return True
    pair = Order.objects.filter(order_list=order.order_list_id, leg__in=PAIR, finished_at__isnull=True)
    return not pair.exclude(pk=order.pk).exists()


def cause_of_hold(order: Order) -> tuple[ledger.Cause, int]:
    """What the order is paid from: a hold of its own, or its list's."""
    if order.is_paired:
        assert order.order_list_id is not None
        return ledger.Cause.LIST, order.order_list_id
    return ledger.Cause.ORDER, order.pk


class Belongs(NamedTuple):
    """What a venue order belongs to: of ever, but that an extra hold ends."""

    order_id: int
    list_id: int | None
    replaced_id: int | None
    extra_hold: Decimal | None
    whole_id: int | None  # the order of which it is one of two trades
    by_sor: bool


def locked(venue_order_id: int, belongs: Belongs | None = None) -> tuple[Order, VenueOrder]:
    """The order and its venue order, locked in this order everywhere; `belongs` is asked for when it is not known.

    Before them the list they belong to, or the order whose hold it takes over.
    """
    assert transaction.get_connection().in_atomic_block, "locks need a transaction"
    belongs = belongs or Belongs(*_BELONGS.get(pk=venue_order_id))
    if belongs.list_id is not None:
        OrderList.objects.select_for_update().get(pk=belongs.list_id)
    if belongs.extra_hold is not None and belongs.replaced_id is not None:
        Order.objects.select_for_update(of=("self",)).get(pk=belongs.replaced_id)
    return _LOCKED_ORDER.get(pk=belongs.order_id), _LOCKED_VENUE_ORDER.get(pk=venue_order_id)


_BELONGS = Prepared(
    lambda: VenueOrder.objects.filter(pk=Given("pk")).values_list(
        "order_id",
        "order__order_list_id",
        "order__replaces_id",
        "order__extra_hold",
        "order__route_of_id",
        "by_sor",
    )
)
_LOCKED_ORDER = Prepared(
    lambda: (
        Order.objects.select_for_update(of=("self",))
        .select_related("market__base", "market__quote")
        .filter(pk=Given("pk"))
    )
)
_LOCKED_VENUE_ORDER = Prepared(lambda: VenueOrder.objects.select_for_update().filter(pk=Given("pk")))


# ------------------------------------------------------------------ one order takes the place of another
def take_over(order: Order) -> None:
    """The order is at the venue, so the one it replaces is canceled there and has not traded: its hold becomes this
    order's. The caller holds the locks of both."""
    assert order.replaces_id is not None
    replaced = Order.objects.select_related("market").get(pk=order.replaces_id)
    if replaced.finished_at is None:
        replaced.venue_orders.exclude(status__in=FINAL).update(status=Status.CANCELED)
        finish(replaced, Status.CANCELED)
    order.refresh_from_db(fields=["extra_hold"])
    if order.extra_hold is not None:
        _hold_late(order)


def _hand_over(replaced: Order) -> None:
    """What the canceled order held and what was held besides is held for its successor, before anybody can take it."""
    found = Order.objects.select_for_update(of=("self",)).filter(replaces=replaced, extra_hold__isnull=False)
    successor = found.select_related("market__quote").first()
    if successor is not None:
        _hold_alone(successor)


def _hold_alone(order: Order) -> None:
    """The order has a hold of its own, of all that it can cost."""
    ledger.release(cause=ledger.Cause.CHANGE, cause_id=order.pk)
    amount = rules.hold_of(
        order.side,
        quantity=order.quantity,
        price=order.price,
        quote_quantity=None,
        quote_scale=order.market.quote.scale,
    )
    ledger.hold(
        user_id=order.user_id,
        asset=order.paid_asset_id,
        amount=amount,
        cause=ledger.Cause.ORDER,
        cause_id=order.pk,
    )
    order.extra_hold = None
    order.save(update_fields=["extra_hold"])


def _hold_late(order: Order) -> None:
    """The venue has it although the order it replaces ended otherwise: what cannot be held is booked as it trades."""
    log.error("order.lives_beside_the_one_it_replaces", order=order.pk, replaces=order.replaces_id)
    try:
        with transaction.atomic():
            _hold_alone(order)
    except InsufficientFunds:
        ledger.release(cause=ledger.Cause.CHANGE, cause_id=order.pk)
        order.extra_hold, order.cancel_requested_at = None, timezone.now()
        order.save(update_fields=["extra_hold", "cancel_requested_at"])
