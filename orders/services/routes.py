"""Routes: rules of staff, the choice for an order with what it was compared to, and what came of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import User
from exchange.money import EXACT, plain
from exchange.office import services as office
from markets.models import Market
from orders import queries, routing, rules
from orders.models import Fill, Order, RouteDecision, RouteKind, RouteRule, Status, Strategy, Type
from orders.services.tickets import Plan, Ticket

log = structlog.get_logger()
Take = Callable[[User, Market, Ticket, Plan, routing.Route], Order]
# By whom a route is taken that is more than one order at the venue.
TAKEN_BY: dict[RouteKind, Take] = {}
ROUTED = (Type.MARKET, Type.LIMIT)
BATCH = 200


def takes(kind: RouteKind) -> Callable[[Take], Take]:
    """Orders of this kind of route are placed by the function."""

    def register(take: Take) -> Take:
        TAKEN_BY[kind] = take
        return take

    return register


# ------------------------------------------------------------------ rules of staff
@transaction.atomic
def begin_route_rule(
    *,
    name: str,
    symbol: str | None,
    group_id: int | None,
    tier: int | None,
    strategy: str,
    allows_crossing: bool,
    bridges: list[str],
    by: Any,
) -> RouteRule:
    """Orders placed from now on, within seconds in every process, are routed by it. On record with who decided it."""
    rule = RouteRule.objects.create(
        name=name,
        market_id=symbol,
        group_id=group_id,
        tier=tier,
        strategy=strategy,
        allows_crossing=allows_crossing,
        bridges=bridges,
        begun_by=by,
    )
    office.record(by, "route_rule.begun", "route rule", str(rule.pk), before={}, after=_told(rule))
    transaction.on_commit(routing.forget)
    return rule


@transaction.atomic
def end_route_rule(*, rule_id: int, by: Any) -> None:
    """No order placed from now on is routed by it; those that are under way go on as they began."""
    rule = RouteRule.objects.select_for_update().get(pk=rule_id)
    if rule.ended_at is not None:
        return
    rule.ended_at = timezone.now()
    rule.save(update_fields=["ended_at"])
    office.record(by, "route_rule.ended", "route rule", str(rule.pk), before=_told(rule), after={})
    transaction.on_commit(routing.forget)


def _told(rule: RouteRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "market": rule.market_id,
        "group": rule.group_id,
        "tier": rule.tier,
        "strategy": rule.strategy,
        "allows_crossing": rule.allows_crossing,
        "bridges": list(rule.bridges),
    }


# ------------------------------------------------------------------ the choice
def chosen(
    user: User, market: Market, ticket: Ticket, plan: Plan, rate: rules.Rate | None = None
) -> routing.Route | None:
    """The way the order takes; None where it goes to the market itself without a look at others. `rate`: when it is not
    what the customer pays."""
    rule = routing.rule_for(user, market.symbol)
    if rule is None or ticket.type not in ROUTED or ticket.iceberg_quantity is not None:
        return None
    asked = routing.Asked(
        user=user,
        market=market,
        side=ticket.side,
        is_market=ticket.type == Type.MARKET,
        is_total=ticket.quote_quantity is not None,
        time_in_force=plan.time_in_force,
        price=plan.price,
        quantity=plan.quantity,
        quote_quantity=plan.quote_quantity,
        rate=rate or queries.rate_of(user, market),
    )
    return routing.route_of(asked, rule)


def note_decision(order: Order, route: routing.Route) -> None:
    """What was compared, within the transaction that records the order."""
    RouteDecision.objects.create(
        order=order,
        rule_id=route.rule.pk,
        strategy=Strategy(route.rule.strategy),
        kind=route.taken.kind,
        candidates=[way.told() for way in route.ways],
        books=dict(route.books),
        paid_asset=route.asked.paid_asset,
        received_asset=route.asked.received_asset,
        direct_rate=_kept(route.direct.rate),
        chosen_rate=_kept(route.taken.rate),
        at=timezone.now(),
    )


def _kept(rate: Decimal | None) -> Decimal | None:
    """As many digits as the column keeps; a rate beyond them is no rate."""
    if rate is None or rate.adjusted() > 18:
        return None
    return round(rate, 18)


# ------------------------------------------------------------------ what came of it
def realise_routes() -> int:
    """Each order that has ended says what it paid and received beside what was compared; gives how many."""
    due = RouteDecision.objects.filter(realised_at__isnull=True, order__finished_at__isnull=False)
    found = list(due.select_related("order__market").order_by("order_id")[:BATCH])
    for decision in found:
        _realise(decision)
    return len(found)


def _realise(decision: RouteDecision) -> None:
    # What rested before somebody met it is no way's doing, and was in no estimate.
    paid, received = moved(decision.order, only_taken=True)
    if decision.order.route == RouteKind.TWO_LEGS and decision.order.status != Status.FILLED:
        paid = _paid_for_it(decision.order)
    decision.paid, decision.received, decision.realised_at = paid, received, timezone.now()
    if decision.direct_rate is not None and paid:
        usual = round(EXACT.multiply(Decimal(decision.direct_rate), paid), 18)
        decision.saved = EXACT.subtract(received, usual)
    decision.save(update_fields=["paid", "received", "saved", "realised_at"])
    log.info(
        "route.realised",
        order=decision.order_id,
        kind=decision.kind,
        saved=plain(decision.saved or Decimal(0)),
    )


def _paid_for_it(order: Order) -> Decimal:
    """What was paid for what two trades brought in the end: what stayed in the asset between them is not lost."""
    return (
        order.cumulative_quantity if order.paid_asset_id == order.market.base_id else order.cumulative_quote
    )


def moved(order: Order, *, only_taken: bool = False) -> tuple[Decimal, Decimal]:
    """What the order and its parts paid of the one asset and received of the other, our fee taken off."""
    paid = received = Decimal(0)
    pays, gets = order.paid_asset_id, order.received_asset_id
    found = Fill.objects.filter(order__in=parts_of(order)).select_related("order__market")
    for fill in found.exclude(is_maker=True) if only_taken else found:
        for asset, amount in (
            (fill.market.base_id, fill.quantity),
            (fill.market.quote_id, fill.quote_quantity),
        ):
            if asset == fill.order.paid_asset_id and asset == pays:
                paid += amount
            elif asset == fill.order.received_asset_id and asset == gets:
                received += amount - fill.fee
    return paid, received


def parts_of(order: Order) -> list[int]:
    """The order, or the parts it is executed in."""
    if order.route != RouteKind.TWO_LEGS:
        return [order.pk]
    return list(order.parts.values_list("pk", flat=True))


def total_of(order: Order, asset: str) -> Decimal:
    """How much of the asset the order's own trades brought, our fee taken off."""
    sums = order.fills.filter(fee_asset=asset).aggregate(
        quantity=Sum("quantity", default=0), quote=Sum("quote_quantity", default=0), fee=Sum("fee", default=0)
    )
    gross = sums["quantity"] if asset == order.market.base_id else sums["quote"]
    return EXACT.subtract(Decimal(gross), Decimal(sums["fee"]))
