"""An order that is executed in two trades over another asset: the second begins when the first has ended.

Each trade is an order of its own, a part of the customer's, and takes every road an order takes. What the first brings
is held for the second in the transaction that books it; what cannot be traded on is the customer's, who is told.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import VenueError
from exchange.database import transaction_with_retry
from exchange.errors import DomainError, Unavailable
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.money import EXACT, divide, floor_to_step, multiply, round_down
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from markets.rules import step_size
from orders import queries, routing
from orders.errors import Busy, PartUnsent, UnknownPair
from orders.models import Order, RouteKind, Side, Status, Type, VenueOrder
from orders.services import bridges, events, routes, telling
from orders.services.ending import finish
from orders.services.placing import (
    accounts_for,
    having,
    in_its_market,
    relay,
    relay_and_wait,
    relay_soon,
    require_venue,
    room_for,
)
from orders.services.recording import again, new_order, new_venue_order
from orders.services.tickets import Plan, Ticket, plan_of

log = structlog.get_logger()
BATCH = 50


# ------------------------------------------------------------------ the first part
@routes.takes(RouteKind.TWO_LEGS)
def place(user: User, market: Market, ticket: Ticket, plan: Plan, route: routing.Route) -> Order:
    """The order is recorded with its first part, which is relayed; what keeps that from being done sends the whole
    order to its own market instead."""
    first = route.taken.hops[0]
    try:
        bridge, given = markets.market(first.symbol), plan.quantity or plan.quote_quantity
        assert given is not None, "a way in two trades is for what is given"
        part = _first(ticket, first, given)
        ledger.require_asset_open(bridge.base_id, bridge.quote_id, first.received_asset)
        planned = plan_of(bridge, part)
        found = accounts_for(user, bridge, part, planned)
    except DomainError as refusal:
        return _directly(user, market, ticket, plan, route, refusal)
    try:
        with room_for(user, ticket.nonce, found) as slot:
            order, sent = _record(user, market, ticket, route, bridge, part, planned, having(slot, found))
    except Busy:
        raise
    except DomainError as refusal:
        return _directly(user, market, ticket, plan, route, refusal)
    failpoints.hit("order.held")
    relay_and_wait([sent.pk], slot=slot)
    if second := _followed(order.pk):
        relay_and_wait(second)
        _followed(order.pk)
    return queries.order_now(order.pk)


def _directly(
    user: User, market: Market, ticket: Ticket, plan: Plan, route: routing.Route, refusal: DomainError
) -> Order:
    log.info("route.not_taken", kind=route.taken.kind, market=route.taken.hops[0].symbol, reason=refusal.code)
    return in_its_market(user, market, ticket, plan, replace(route, taken=route.direct))


def _first(ticket: Ticket, hop: routing.Hop, given: Decimal) -> Ticket:
    """The first part at its market's price: so much is sold, or spent."""
    part = Ticket(
        symbol=hop.symbol, side=hop.side, type=Type.MARKET, nonce=ticket.nonce, channel=ticket.channel
    )
    return whole_steps(markets.market(hop.symbol), part, given)


@transaction_with_retry
def _record(
    user: User,
    market: Market,
    ticket: Ticket,
    route: routing.Route,
    bridge: Market,
    part: Ticket,
    plan: Plan,
    account: VenueAccount,
) -> tuple[Order, VenueOrder]:
    """The whole, which holds nothing itself, and its first part with what will be sent and the hold."""
    order = new_order(user, market, ticket, None, route.asked.rate, route=RouteKind.TWO_LEGS)
    routes.note_decision(order, route)
    first = _new_part(order, bridge, part, plan, number=1)
    sent = new_venue_order(first, plan, account)
    _hold(first, plan)
    events.tell(order, plan.hold_asset)
    return order, sent


def _new_part(order: Order, market: Market, ticket: Ticket, plan: Plan, *, number: int) -> Order:
    more = {"nonce": f"{order.nonce}/{number}", "request_hash": order.request_hash}
    rate = queries.rate_of(order.user, market)
    return new_order(order.user, market, ticket, plan, rate, route_of=order, part=number, **more)


def _hold(part: Order, plan: Plan) -> None:
    ledger.hold(
        user_id=part.user_id,
        asset=plan.hold_asset,
        amount=plan.hold_amount,
        cause=ledger.Cause.ORDER,
        cause_id=part.pk,
        whole=True,
    )


# ------------------------------------------------------------------ what comes after it
def follow_route_soon(order_id: int) -> None:
    """The next part begins, or the order ends, if its time has come; what cannot be done now the sweep does."""
    if sent := _followed(order_id):
        relay_soon(sent)


def follow_routes() -> int:
    """Orders in two trades go on wherever they stopped; gives how many were looked at."""
    found = list(queries.routes_to_follow().values_list("pk", flat=True)[:BATCH])
    for order_id in found:
        try:
            if sent := _followed(order_id):
                relay(sent)
        except Exception:  # one odd order never stops the next
            log.exception("route.follow_failed", order=order_id)
    return len(found)


def _followed(order_id: int) -> list[int]:
    """The venue orders to be sent, recorded with their hold."""
    if not queries.routes_to_follow().filter(pk=order_id).exists():
        return []
    failpoints.hit("route.following")
    try:
        obstacle = _obstacle()
        sent = _go_on(order_id, obstacle)
    except (VenueError, DomainError) as error:
        log.info("route.waits", order=order_id, reason=str(error)[:120])
        return []
    failpoints.hit("route.begun")
    return sent


def _obstacle() -> DomainError | None:
    """Why nothing can be sent to the venue now; what has ended ends all the same."""
    try:
        require_venue()
    except DomainError as obstacle:
        return obstacle
    return None


@transaction_with_retry
def _go_on(order_id: int, obstacle: DomainError | None) -> list[int]:
    (order,) = _locked(Order.objects.filter(pk=order_id))
    parts = _locked(Order.objects.filter(route_of=order))
    if order.finished_at is not None or parts[0].finished_at is None:
        return []
    if len(parts) == 1:
        return _begin_or_end(order, parts[0], obstacle)
    first, second = parts
    if second.finished_at is None:
        return _send_anew(order, first, second, obstacle)
    _end(order, first, second)
    return []


def _locked(found: QuerySet[Order]) -> list[Order]:
    rows = found.select_for_update(of=("self",)).order_by("id")
    return list(rows.select_related("market__base", "market__quote", "user"))


def _begin_or_end(order: Order, first: Order, obstacle: DomainError | None) -> list[int]:
    if not first.cumulative_quantity:
        order.reason_code, order.reason = "", ""
        finish(order, first.status, first.reason_code, first.reason)
        return []
    if order.cancel_requested_at:
        _stop_in_between(order, first, None)
        return []
    try:
        if obstacle is not None:
            raise obstacle
        return _begin(order, first)
    except Unavailable as refusal:
        if _is_over(first):
            _stop_in_between(order, first, refusal)
        else:
            telling.waits_in_between(order, first, refusal)
    except DomainError as refusal:
        _stop_in_between(order, first, refusal)
    return []


def _is_over(first: Order) -> bool:
    """The second part was waited for long enough."""
    assert first.finished_at is not None, "asked of a part that has ended"
    return timezone.now() - first.finished_at > timedelta(seconds=settings.ROUTE_SECOND_LEG_SECONDS)


@transaction.atomic
def _begin(order: Order, first: Order) -> list[int]:
    """All that the first brought goes into the second: out of what is held for it and into its hold, at once."""
    accounts.require_can_trade(order.user)
    give, get = first.received_asset_id, order.received_asset_id
    market = markets.market_between(give, get)
    if market is None:
        raise UnknownPair()
    ledger.require_asset_open(market.base_id, market.quote_id)
    amount = routes.total_of(first, give)
    side = Side.SELL if market.base_id == give else Side.BUY
    ticket = whole_steps(market, Ticket(symbol=market.symbol, side=side, type=Type.MARKET, nonce="2"), amount)
    plan = plan_of(market, replace(ticket, channel=order.channel))
    bridges.kept(first)
    second = _new_part(order, market, ticket, plan, number=2)
    sent = new_venue_order(second, plan)
    _hold(second, plan)
    telling.goes_on(order, first)
    events.tell_balances(order, give)
    return [sent.pk]


def whole_steps(market: Market, ticket: Ticket, amount: Decimal) -> Ticket:
    """As much of the amount as the market takes; the rest is too little to be traded."""
    if ticket.side == Side.SELL:
        return replace(ticket, quantity=floor_to_step(amount, step_size(market.filters)))
    return replace(ticket, quote_quantity=round_down(amount, min(market.quote.scale, market.quote_precision)))


def _send_anew(order: Order, first: Order, second: Order, obstacle: DomainError | None) -> list[int]:
    """What never left the house is sent under another name, or given up; no sender can take the old one any more,
    for its row is locked here. Of what was sent the venue is asked by others."""
    now = timezone.now()
    unsent = VenueOrder.objects.filter(order=second, status=Status.PENDING, sent_at__isnull=True)
    found = list(unsent.select_related("order__market").select_for_update(of=("self",)))
    if not found:
        telling.is_checked(order, first, second)
        return []
    is_wanted = not (order.cancel_requested_at or second.cancel_requested_at or _is_over(first))
    if is_wanted and found[0].send_by >= now:
        return []
    if is_wanted and obstacle is None:
        try:
            gate.require_not_stopped(**second.named)
        except Unavailable as refusal:
            obstacle = refusal
    if is_wanted and obstacle is not None:
        telling.waits_in_between(order, first, obstacle)
        return []
    unsent.update(status=Status.REJECTED)
    if is_wanted:
        return [new.pk for new in again(found)]
    asked = order.cancel_requested_at or second.cancel_requested_at
    why = obstacle or PartUnsent()
    finish(second, Status.CANCELED, "" if asked else why.code, "" if asked else str(why))
    _end(order, first, second)
    return []


# ------------------------------------------------------------------ the end
def _stop_in_between(order: Order, first: Order, refusal: DomainError | None) -> None:
    """There is no second part: what the first brought is the customer's, in the asset between, and they are told."""
    amount = bridges.kept(first)
    telling.ends_in_between(order, first, amount, str(refusal) if refusal else "")
    finish(order, Status.EXPIRED if refusal else Status.CANCELED)
    events.tell_balances(order, first.received_asset_id)


def _end(order: Order, first: Order, second: Order) -> None:
    """The order got what its second part got; what of the first went no further is told."""
    got = second.cumulative_quantity if second.side == Side.BUY else second.cumulative_quote
    between = routes.total_of(first, first.received_asset_id)
    left = EXACT.subtract(between, _paid(second))
    if order.side == Side.SELL:
        order.cumulative_quantity, order.cumulative_quote = _gone_through(order, first, second, between), got
    else:
        order.cumulative_quantity, order.cumulative_quote = got, _gone_through(order, first, second, between)
    telling.ends(order, first, second, left)
    is_whole = first.status == Status.FILLED and second.status == Status.FILLED
    is_canceled = order.cancel_requested_at is not None and not second.cumulative_quantity
    finish(order, Status.FILLED if is_whole else Status.CANCELED if is_canceled else Status.EXPIRED)


def _paid(part: Order) -> Decimal:
    """In the asset that it pays with."""
    return part.cumulative_quantity if part.side == Side.SELL else part.cumulative_quote


def _gone_through(order: Order, first: Order, second: Order, between: Decimal) -> Decimal:
    """How much of what the first part paid has come out at the end: all of it when the second is filled."""
    paid = _paid(first)
    if second.status == Status.FILLED or not between:
        return paid
    scale = (order.market.base if order.side == Side.SELL else order.market.quote).scale
    return round_down(divide(multiply(paid, _paid(second)), between), scale)
