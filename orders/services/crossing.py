"""An order that trades with another customer's: taken back from the venue first, settled here, never both.

A taker's order waits, its money held, until the venue has said of each resting order what became of it. A silent venue
leaves both as they are. What was taken back and cannot be traded goes to the venue again.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import structlog
from django.utils import timezone

from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import Report
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.money import EXACT
from ledger import services as ledger
from markets.models import Market
from orders import queries, routing, rules
from orders.errors import Busy, NobodyThere
from orders.models import Cross, Crossing, Order, RouteKind, Source, Status, VenueOrder
from orders.services import crosses, events, recorder, routes
from orders.services.amending import has_amends_left
from orders.services.certainty import certain_from, send_by, signed_at
from orders.services.placing import accounts_for, in_its_market, relay, relay_and_wait, room_for
from orders.services.puttingback import go_on
from orders.services.reconciling import reconcile
from orders.services.recording import new_order
from orders.services.reports import apply_report
from orders.services.settling import settle
from orders.services.tickets import Plan, Ticket

log = structlog.get_logger()
BATCH = 50
State = Cross.State


@routes.takes(RouteKind.CROSS)
def place(user: User, market: Market, ticket: Ticket, plan: Plan, route: routing.Route) -> Order:
    """The order is recorded and held for; relayed, it trades with whom it can, and the rest of it goes to the venue.
    What keeps it from that sends it to the venue whole."""
    try:
        with room_for(user, ticket.nonce, accounts_for(user, market, ticket, plan)) as slot:
            order = _record(user, market, ticket, plan, route)
    except Busy:
        raise
    except DomainError as refusal:
        log.info("route.not_taken", kind=route.taken.kind, market=market.symbol, reason=refusal.code)
        return in_its_market(user, market, ticket, plan, replace(route, taken=route.direct))
    failpoints.hit("order.held")
    relay_and_wait([order.pk], _carry_out, slot=slot)
    return queries.order_now(order.pk)


@transaction_with_retry
def _record(user: User, market: Market, ticket: Ticket, plan: Plan, route: routing.Route) -> Order:
    """The order and its hold, and whom it is to trade with: they are as they were seen, and nobody else takes them."""
    wanted = dict(route.taken.makers)
    found = Order.objects.select_for_update(of=("self",), skip_locked=True).filter(pk__in=wanted)
    makers = [maker for maker in found.select_related("market").order_by("id") if _still_rests(maker)]
    if not makers:
        raise NobodyThere()
    order = new_order(
        user, market, ticket, plan, route.asked.rate, route=RouteKind.CROSS, crossing=Crossing.UNDER_WAY
    )
    gate.require_not_stopped(**order.named)
    routes.note_decision(order, route)
    ledger.hold(
        user_id=user.pk,
        asset=plan.hold_asset,
        amount=plan.hold_amount,
        cause=ledger.Cause.ORDER,
        cause_id=order.pk,
        whole=True,
    )
    in_turn = sorted(makers, key=lambda maker: list(wanted).index(maker.pk))
    if not [cross for maker in in_turn if (cross := _asked(order, maker, wanted[maker.pk]))]:
        raise NobodyThere()
    events.tell(order, plan.hold_asset)
    return order


def _still_rests(maker: Order) -> bool:
    is_open = maker.status in (Status.OPEN, Status.PARTIALLY_FILLED) and maker.cancel_requested_at is None
    is_changing = maker.amend_asked_at is not None
    is_changing |= maker.replacements.filter(finished_at__isnull=True).exists()
    return is_open and not is_changing and maker.crossing != Crossing.UNDER_WAY


def _asked(order: Order, maker: Order, wanted: Decimal) -> Cross | None:
    """What is asked of the venue: a smaller order, where that keeps its place, or none of it at all."""
    sent = maker.venue_orders.latest("id")
    assert maker.left is not None and maker.price is not None, "a limit order has both"
    quantity = min(wanted, maker.left)
    if sent.status not in (Status.OPEN, Status.PARTIALLY_FILLED) or quantity <= 0 or sent.quantity is None:
        return None
    rest = EXACT.subtract(maker.left, quantity)
    if not routing.is_allowed(maker.market, maker.price, rest):
        return None
    is_part = rest > 0 and maker.keeps_place and has_amends_left(maker)
    maker.crossing = Crossing.UNDER_WAY
    maker.save(update_fields=["crossing"])
    return Cross.objects.create(
        taker=order,
        maker=maker,
        sent=sent,
        price=maker.price,
        quantity=quantity,
        to_quantity=EXACT.subtract(sent.quantity, quantity) if is_part else None,
        asked_at=timezone.now(),
    )


# ------------------------------------------------------------------ at the venue
def _carry_out(order_ids: Sequence[int]) -> None:
    """Whom the orders are to trade with is taken back, in turn, and they go on as far as that got."""
    for cross_id in Cross.objects.filter(taker__in=order_ids).order_by("id").values_list("pk", flat=True):
        _take_back(cross_id)
    for order_id in order_ids:
        _go_on(order_id)


def _take_back(cross_id: int) -> None:
    """The venue is asked for it once; nobody knows what a silent one has done."""
    cross = Cross.objects.select_related("sent__venue_account", "maker", "taker").get(pk=cross_id)
    if cross.state != State.ASKED:
        return
    failpoints.hit("cross.asking")
    sent = cross.sent
    try:
        reports = gate.call(
            sent.venue_account, gate.Kind.TAKE_BACK, cross.taker.user_id, lambda rest: _ask(rest, cross)
        )
    except Unknown as error:
        recorder.note_error([sent], error, source=Source.AMEND if cross.to_quantity else Source.CANCEL)
        log.warning("cross.unknown", cross=cross.pk, reason=error.reason)
        return
    except NotSent:
        _missed(cross.pk, "not_sent")
        return
    except Rejected as error:
        recorder.note_error([sent], error, source=Source.AMEND if cross.to_quantity else Source.CANCEL)
        _look(sent)  # it may have ended meanwhile
        _missed(cross.pk, "refused")
        return
    failpoints.hit("cross.answered")
    source = Source.AMEND if cross.to_quantity else Source.CANCEL
    for report in reports:
        apply_report(venue_account=sent.venue_account, report=report, source=source)


def _ask(rest: gate.Rest, cross: Cross) -> Sequence[Report]:
    if timezone.now() > send_by(cross.asked_at):
        raise NotSent("too late")
    crosses.require_way_back(cross.taker, cross.maker)
    symbol, name, at = cross.maker.market_id, cross.sent.client_order_id, signed_at(cross.asked_at)
    if cross.to_quantity is None:
        return rest.cancel(symbol, name, at)
    return (rest.amend(symbol, name, cross.to_quantity, timestamp_ms=at),)


def _look(sent: VenueOrder) -> bool:
    """What stands there now, if the venue says so; that it does not know it is no answer."""
    try:
        return reconcile(venue_order_id=sent.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=sent.order_id, reason=str(error)[:120])
        return False


@transaction_with_retry
def _missed(cross_id: int, reason: str) -> None:
    """Unless a report said meanwhile that it was taken back."""
    cross = Cross.objects.get(pk=cross_id)
    Order.objects.select_for_update(of=("self",)).get(pk=cross.maker_id)
    cross = Cross.objects.select_for_update().get(pk=cross_id)
    if cross.state == State.ASKED:
        crosses.miss(cross, reason)


# ------------------------------------------------------------------ until it has ended
def follow_crosses() -> int:
    """Orders that trade with other customers' go on wherever they stopped; gives how many were looked at."""
    found = list(queries.crosses_to_follow().values_list("pk", flat=True)[:BATCH])
    for order_id in found:
        try:
            _go_on(order_id)
        except (VenueError, DomainError) as error:
            log.info("cross.waits", order=order_id, reason=str(error)[:120])
        except Exception:  # one odd order never stops the next
            log.exception("cross.follow_failed", order=order_id)
    return len(found)


def _go_on(order_id: int) -> None:
    """Each of its crossed trades is settled or ended, as far as that is certain, and what is left goes on: the taker's
    when all are, a maker's when nothing of it is under way."""
    for cross in Cross.objects.filter(taker=order_id, state__in=Cross.OPEN).order_by("id"):
        _ask_again(cross)
        settle(cross.pk)
    touched = list(Cross.objects.filter(taker=order_id).values_list("maker_id", flat=True).distinct())
    for number in dict.fromkeys([*touched, order_id]):
        if sent := go_on(number):
            relay(sent)


def _ask_again(cross: Cross) -> None:
    """What the venue left without an answer is looked at, until no request for it can be accepted any more."""
    if cross.state != State.ASKED:
        return
    is_certain = timezone.now() > certain_from(cross.asked_at)
    sent = VenueOrder.objects.get(pk=cross.sent_id)
    if timezone.now() <= send_by(cross.asked_at) or not _look(sent) or not is_certain:
        return
    sent.refresh_from_db(fields=["status"])
    if not rules.is_closed(sent.status):  # else it is ours once all its trades are booked
        _missed(cross.pk, "unanswered")
