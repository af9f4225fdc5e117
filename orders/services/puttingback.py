"""What is left of orders that traded with another customer's goes to the venue, or ends; a taker's rest and what was
taken back of a maker alike."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.binance.errors import VenueError
from exchange.binance.models import Report
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.money import EXACT, plain, round_down
from markets.rules import GONE, min_notional
from orders import routing, rules
from orders.errors import MarketClosed
from orders.models import Cross, Crossing, Order, Source, Status, Type, VenueOrder
from orders.services import crosses, events
from orders.services.certainty import signed_at
from orders.services.ending import finish
from orders.services.placing import require_venue
from orders.services.recording import accounts_that_take, again, new_venue_order
from orders.services.reports import apply_report
from orders.services.tickets import Plan

log = structlog.get_logger()
State = Cross.State
WAITS = "rest_waits"


def go_on(order_id: int) -> list[int]:
    """The venue orders to be sent for the order, when nothing of it is under way any more."""
    order = Order.objects.select_related("market").get(pk=order_id)
    sent = _smaller_than_it_is(order)
    obstacle = _obstacle_to(order, sent)
    if sent is not None and obstacle is None:
        _take_the_rest(sent)
    return _go_on(order_id, obstacle)


def _obstacle_to(order: Order, smaller: VenueOrder | None) -> DomainError | None:
    """What keeps orders from the venue now, and what stands there made smaller from standing there whole again. Of a
    market that is gone the venue has the last word: nobody waits for it."""
    try:
        if crosses.is_closed(order.market) and order.market.status != GONE:
            raise MarketClosed()
        require_venue()
        if smaller is not None:
            _require_room(smaller)
    except DomainError as error:
        return error
    return None


def _require_room(smaller: VenueOrder) -> None:
    """In its account, which has what still stands there, for what was taken back; elsewhere for all of it."""
    order = smaller.order
    plan = _plan(order)
    assert plan.quantity is not None, "a total is never taken back"
    part = replace(plan, quantity=EXACT.subtract(plan.quantity, _stands(smaller)))
    if smaller.venue_account not in accounts_that_take(order, part):
        accounts_that_take(order, plan)


def _smaller_than_it_is(order: Order) -> VenueOrder | None:
    """What still stands at the venue of a maker of which a part was taken back, and is to stand there again."""
    if order.crossing != Crossing.UNDER_WAY or order.finished_at or _is_under_way(order):
        return None
    sent = order.venue_orders.select_related("venue_account").order_by("id").last()
    if sent is None or sent.quantity is None:
        return None
    if rules.is_closed(sent.status) or sent.status == Status.PENDING:
        return None
    return sent if _stands(sent) < (order.left or Decimal(0)) else None


def _stands(sent: VenueOrder) -> Decimal:
    assert sent.quantity is not None, "a total is never taken back"
    return EXACT.subtract(sent.quantity, sent.cumulative_quantity)


def _take_the_rest(sent: VenueOrder) -> None:
    """It is canceled, to be placed again as one with what was taken back; a silent venue is asked again."""
    asked_at = timezone.now()

    def ask(rest: gate.Rest) -> Sequence[Report]:
        crosses.require_way_back(sent.order)
        return rest.cancel(sent.order.market_id, sent.client_order_id, signed_at(asked_at))

    try:
        reports = gate.call(sent.venue_account, gate.Kind.TAKE_BACK, sent.order.user_id, ask)
    except VenueError as error:
        log.warning("cross.rest_not_taken", order=sent.order_id, reason=str(error)[:120])
        return
    for report in reports:
        apply_report(venue_account=sent.venue_account, report=report, source=Source.CANCEL)


def _is_under_way(order: Order) -> bool:
    return Cross.objects.filter(Q(maker=order) | Q(taker=order), state__in=Cross.OPEN).exists()


@transaction_with_retry
def _go_on(order_id: int, obstacle: DomainError | None) -> list[int]:
    found = Order.objects.select_for_update(of=("self",)).select_related(
        "market__base", "market__quote", "user"
    )
    order = found.get(pk=order_id)
    if order.finished_at is not None or order.crossing == Crossing.NEVER or _is_under_way(order):
        return []
    sent = order.venue_orders.select_for_update().order_by("id").last()
    if sent is not None and not rules.is_closed(sent.status):
        if sent.sent_at is None and sent.status == Status.PENDING:
            return _send_anew(order, sent, obstacle)
        if sent.status == Status.PENDING or _stands(sent) >= (order.left or Decimal(0)):
            _is_over(order)
        elif obstacle is not None and order.cancel_requested_at is None:
            _wait(order, obstacle)
        return []
    if sent is not None and crosses.booked_of(order, sent) < sent.cumulative_quantity:
        return []  # a trade of it is not booked yet
    if _has_ended(order, sent):
        return []
    return _send_rest(order, obstacle)


def _is_over(order: Order) -> None:
    if order.crossing == Crossing.UNDER_WAY:
        order.crossing = Crossing.OVER
        order.save(update_fields=["crossing"])


def _is_as_new(order: Order) -> None:
    """What stands at the venue for it was never made smaller there, and waits for nothing."""
    order.amends = 0
    if order.reason_code == WAITS:
        order.reason_code = order.reason = ""
    order.save(update_fields=["amends", "reason_code", "reason", "updated_at"])


def _has_ended(order: Order, sent: VenueOrder | None) -> bool:
    """It ends when nothing is left, when its end was asked for, or when the venue ended it by itself."""
    if order.left == 0:
        _finish(order, Status.FILLED)
    elif order.cancel_requested_at is not None:
        _finish(order, Status.CANCELED)
    elif sent is not None and sent.status in (Status.EXPIRED, Status.REJECTED):
        _finish(order, sent.status)
    elif sent is not None and sent.status == Status.CANCELED and not _was_taken_back(order, sent):
        _finish(order, Status.CANCELED)
    elif (reason := _too_small(order)) is not None:
        is_nothing = order.quantity is None and not reason
        _finish(
            order, Status.FILLED if is_nothing else Status.EXPIRED, "rest_too_small" if reason else "", reason
        )
    else:
        return False
    return True


def _was_taken_back(order: Order, sent: VenueOrder) -> bool:
    """By us: to trade it, or to put it back together with what did not trade."""
    made = Cross.objects.filter(maker=order, sent=sent)
    return made.filter(Q(state=State.RETURNED) | Q(state=State.SETTLED, to_quantity__isnull=True)).exists()


def _too_small(order: Order) -> str | None:
    """What is said of a rest that no market takes, empty for one that is no whole step; None for one that it takes."""
    market = order.market
    price = order.price or order.protection_price or Decimal(1)
    if order.left is not None:
        if routing.is_allowed(market, price, order.left):
            return None
        left, asset = order.left, market.base_id
    else:
        left, asset = _total_left(order), market.quote_id
        last = order.fills.order_by("-id").first()
        if last is not None and routing.is_less_than_a_step(market, last.price, left):
            return ""
        if left >= min_notional(market.filters):
            return None
    text = _("%(amount)s %(asset)s were left, too little for an order at the venue.")
    return text % {"amount": plain(left), "asset": asset}


def _total_left(order: Order) -> Decimal:
    assert order.quote_quantity is not None, "an order is by quantity or by total"
    return EXACT.subtract(order.quote_quantity, order.cumulative_quote)


def _finish(order: Order, status: str, code: str = "", sentence: str = "") -> None:
    order.crossing = Crossing.OVER
    order.save(update_fields=["crossing"])
    order.venue_orders.filter(status=Status.PENDING, sent_at__isnull=True).update(status=Status.REJECTED)
    finish(order, status, code, sentence)


# ------------------------------------------------------------------ to the venue
def _send_rest(order: Order, obstacle: DomainError | None) -> list[int]:
    if obstacle is None:
        try:
            with transaction.atomic():
                sent = new_venue_order(order, _plan(order))
        except DomainError as refusal:
            obstacle = refusal
        else:
            _is_over(order)
            _is_as_new(order)
            return [sent.pk]
    _wait(order, obstacle)
    return []


def _plan(order: Order) -> Plan:
    """As it was to be sent at first, with what is left; its hold is there."""
    nothing = Decimal(0)
    if order.left is None:
        total = round_down(_total_left(order), min(order.market.quote.scale, order.market.quote_precision))
        return Plan(Type.MARKET, "", None, None, total, order.paid_asset_id, nothing)
    is_market = order.type == Type.MARKET
    kind, tif = (Type.LIMIT, "IOC") if is_market else (order.type, order.time_in_force)
    return Plan(
        kind, tif, order.price or order.protection_price, order.left, None, order.paid_asset_id, nothing
    )


def _wait(order: Order, obstacle: DomainError) -> None:
    """What rested waits until it can rest again; who wants to trade now is told soon that it could not be done."""
    since = order.crosses_taken.order_by("-ended_at").values_list("ended_at", flat=True).first()
    patience = timedelta(seconds=settings.ROUTE_SECOND_LEG_SECONDS)
    has_rested = order.venue_orders.filter(venue_order_id__isnull=False).exists()
    if since is not None and not has_rested and timezone.now() - since > patience:
        _finish(order, Status.EXPIRED, obstacle.code, str(obstacle))
        return
    text = _("What is left of it waits to go to the venue: %(why)s") % {"why": str(obstacle)}
    if order.reason != text[:300]:
        order.reason_code, order.reason = WAITS, text[:300]
        order.save(update_fields=["reason_code", "reason", "updated_at"])
        events.tell(order)


def _send_anew(order: Order, sent: VenueOrder, obstacle: DomainError | None) -> list[int]:
    """What never left the house; no sender can take it any more, for its row is locked here."""
    if order.cancel_requested_at is None and sent.send_by >= timezone.now():
        return []
    if order.cancel_requested_at is None and obstacle is not None:
        _wait(order, obstacle)
        return []
    VenueOrder.objects.filter(pk=sent.pk).update(status=Status.REJECTED)
    if order.cancel_requested_at is not None:
        _finish(order, Status.CANCELED)
        return []
    sent.order, old = order, sent.pk
    try:
        with transaction.atomic():
            return [new.pk for new in again([sent])]
    except DomainError as refusal:
        VenueOrder.objects.filter(pk=old).update(status=Status.PENDING)
        _wait(order, refusal)
        return []
