"""What customers and sweeps ask about orders."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Exists, F, Max, OuterRef, Prefetch, Q, QuerySet, Sum, When

from exchange.errors import OUTAGES
from exchange.facts import for_a_moment
from exchange.gate import queries as gate
from exchange.gate.errors import Stopped
from exchange.prepared import Given, Prepared
from markets.models import Market
from markets.rules import GONE
from orders import rules
from orders.errors import GIVEN_UP, LOST, UnknownOrder, UnknownOrderList
from orders.models import (
    FINAL,
    PAIR,
    Crossing,
    FeeRule,
    Fill,
    Leg,
    Order,
    OrderEvent,
    OrderList,
    RouteKind,
    RouteRule,
    Side,
    Source,
    Status,
    TimeInForce,
    TradedVolume,
    Type,
    VenueOrder,
)

# An order that the venue has after all is there by then.
GIVEN_UP_LATELY = timedelta(days=1)

if TYPE_CHECKING:
    from accounts.models import User


def orders_of(user: "User") -> QuerySet[Order]:
    """The customer's orders, newest first; parts of one are read with it."""
    return _with_parts(user).filter(route_of__isnull=True)


def _with_parts(user: "User") -> QuerySet[Order]:
    found = Order.objects.filter(user=user).select_related("market", "market__base", "market__quote")
    return found.order_by("-id")


def open_orders(user: "User") -> QuerySet[Order]:
    """The customer's orders that can still trade, newest first."""
    return orders_of(user).exclude(status__in=FINAL)


def unwished_orders(user_id: int) -> QuerySet[Order]:
    """The customer's orders that can still trade and whose end nobody has asked for."""
    found = Order.objects.filter(user=user_id, cancel_requested_at__isnull=True).exclude(status__in=FINAL)
    return found.exclude(market__status=GONE)


def order_of(user: "User", order_id: int) -> Order:
    """Raises UnknownOrder, for somebody else's too."""
    found = _with_parts(user).filter(pk=order_id).first()
    if found is None:
        raise UnknownOrder()
    return found


def parts_of(order: Order) -> list[Order]:
    """The orders it is executed in, the first one first."""
    if order.route != RouteKind.TWO_LEGS:
        return []
    return list(order.parts.select_related("market", "market__base", "market__quote").order_by("part"))


def route_rules() -> QuerySet[RouteRule]:
    """The rules of routes that count now."""
    return RouteRule.objects.filter(ended_at__isnull=True).order_by("id")


def routes_to_follow() -> QuerySet[Order]:
    """Orders in two trades of which the first has ended."""
    ended = Order.objects.filter(route_of=OuterRef("pk"), part=1, finished_at__isnull=False)
    found = Order.objects.filter(Exists(ended), route=RouteKind.TWO_LEGS, status__in=rules.OPENING)
    return found.order_by("?")


def resting_against(user: "User", market: Market, side: str, limit: Decimal) -> QuerySet[Order]:
    """Orders of others that rest at the venue at the limit or better for who takes, and can be taken back from there;
    best first, of the same price the first that came."""
    against = Side.SELL if side == Side.BUY else Side.BUY
    is_in_reach = Q(price__lte=limit) if side == Side.BUY else Q(price__gte=limit)
    found = Order.objects.filter(
        is_in_reach,
        Q(type=Type.LIMIT, time_in_force=TimeInForce.GTC) | Q(type=Type.LIMIT_MAKER),
        market=market,
        side=against,
        status__in=[Status.OPEN, Status.PARTIALLY_FILLED],
        order_list__isnull=True,
        iceberg_quantity__isnull=True,
        cancel_requested_at__isnull=True,
        amend_asked_at__isnull=True,
        user__is_active=True,
        user__is_frozen=False,
    )
    changing = Order.objects.filter(replaces=OuterRef("pk")).exclude(status__in=FINAL)
    found = found.exclude(user=user).exclude(crossing=Crossing.UNDER_WAY).exclude(Exists(changing))
    best = F("price").asc() if side == Side.BUY else F("price").desc()
    return found.order_by(best, "id")


def crosses_to_follow() -> QuerySet[Order]:
    """Takers of crossed trades that have not ended, and orders of which something is to go to the venue again."""
    found = Order.objects.filter(status__in=rules.OPENING).exclude(crossing=Crossing.NEVER)
    unsent = VenueOrder.objects.filter(order=OuterRef("pk"), sent_at__isnull=True, status=Status.PENDING)
    # In any order: those that have to wait must not keep all others from their turn.
    return found.filter(Q(crossing=Crossing.UNDER_WAY) | Exists(unsent)).order_by("?")


def order_under(user: "User", nonce: str) -> Order | None:
    """The customer's order under the nonce, of which there is never a second one."""
    return _UNDER.first(user=user.pk, nonce=nonce)


def order_now(order_id: int) -> Order:
    """The order as it is by now."""
    return _NOW.get(pk=order_id)


_UNDER = Prepared(lambda: Order.objects.filter(user=Given("user"), nonce=Given("nonce")))
_NOW = Prepared(lambda: Order.objects.filter(pk=Given("pk")).select_related("market__base", "market__quote"))


def order_lists_of(user: "User") -> QuerySet[OrderList]:
    """The customer's lists with their orders, newest first."""
    orders = Order.objects.select_related("market", "market__base", "market__quote").order_by("id")
    found = OrderList.objects.filter(user=user).select_related("market", "market__base", "market__quote")
    return found.prefetch_related(Prefetch("orders", orders)).order_by("-id")


def order_list_of(user: "User", list_id: int) -> OrderList:
    """Raises UnknownOrderList, for somebody else's too."""
    found = order_lists_of(user).filter(pk=list_id).first()
    if found is None:
        raise UnknownOrderList()
    return found


def siblings(order: Order) -> list[Order]:
    """The other orders of its list."""
    if order.order_list_id is None:
        return []
    return list(Order.objects.filter(order_list=order.order_list_id).exclude(pk=order.pk).order_by("id"))


def venue_orders_of(order: Order) -> QuerySet[VenueOrder]:
    """What was sent for the order, oldest first, with what was asked about it in vain."""
    return order.venue_orders.prefetch_related("inquiries").order_by("id")


def events_of(order: Order) -> QuerySet[OrderEvent]:
    """All that was heard of the order, oldest first."""
    return OrderEvent.objects.filter(order=order).order_by("id")


def amend_under(order: Order, nonce: str) -> OrderEvent | None:
    """The customer's wish under this name to make the order smaller; None when nobody had it, or it came to nothing."""
    wish = events_of(order).filter(kind=OrderEvent.Kind.ASKED, message=nonce).last()
    if wish is None:
        return None
    answer = events_of(order).filter(source=Source.AMEND, pk__gt=wish.pk).first()
    nothing = (OrderEvent.Kind.REFUSED, OrderEvent.Kind.NOT_SENT)
    return None if answer is not None and answer.kind in nothing else wish


def telling_events_of(order: Order) -> QuerySet[OrderEvent]:
    """What was heard of it and is told by nothing else: not what was known already, nor each of its trades."""
    known = Q(kind=OrderEvent.Kind.REPORT, effect="")
    traded = Q(effect=OrderEvent.Effect.CHANGED, trades__len__gt=0)
    return events_of(order).exclude(known | traded)


def never_sent(order: Order) -> set[int]:
    """Numbers of what was to be sent for the order, and did not leave the house or was turned away unread."""
    found = events_of(order).filter(kind=OrderEvent.Kind.NOT_SENT, source=Source.ANSWER)
    return set(found.values_list("venue_order_id", flat=True))


def first_change_of(sent: VenueOrder) -> OrderEvent | None:
    """The first report of it that told something new."""
    found = OrderEvent.objects.filter(order=sent.order_id, venue_order=sent, kind=OrderEvent.Kind.REPORT)
    return found.exclude(effect="").order_by("id").first()


def lists_to_follow() -> QuerySet[OrderList]:
    """Lists whose first order has ended while others still wait for it."""
    waiting = Order.objects.filter(status=Status.WAITING, order_list=OuterRef("pk"))
    ended = Order.objects.filter(leg=Leg.WORKING, finished_at__isnull=False, order_list=OuterRef("pk"))
    return OrderList.objects.filter(Exists(waiting), Exists(ended)).order_by("id")


def unsent_later_orders(now: datetime) -> QuerySet[VenueOrder]:
    """What began after another order, never left the house, and is too old to leave it now or not wanted any more."""
    later = Q(order__order_list__isnull=False) & ~Q(order__leg=Leg.WORKING)
    later &= ~Q(order__order_list__kind=OrderList.Kind.OCO)
    found = VenueOrder.objects.filter(later, order__status=Status.PENDING, status=Status.PENDING)
    is_over = Q(send_by__lt=now) | Q(order__cancel_requested_at__isnull=False)
    return found.filter(is_over, sent_at__isnull=True).order_by("id")


_TO_BE_SENT: Prepared[Any] = Prepared(
    lambda: (
        VenueOrder.objects.filter(pk=Given("pk"))
        .select_related("venue_account", "order", "order__order_list")
        .annotate(is_anything_stopped=gate.is_anything_stopped())
    )
)


def to_be_sent(venue_order_ids: Collection[int]) -> tuple[Sequence[VenueOrder], Stopped | None]:
    """The venue orders with all that sending needs, and what staff have stopped of them meanwhile; a statement each
    while nothing is."""
    rows = [_TO_BE_SENT.get(pk=number) for number in sorted(venue_order_ids)]
    if not any(row.is_anything_stopped for row in rows):
        return rows, None
    stops = (gate.stop_against(**row.order.named) for row in rows)
    return rows, next((stop for stop in stops if stop is not None), None)


def fills_of(user: "User") -> QuerySet[Fill]:
    """The customer's trades, newest first."""
    found = Fill.objects.filter(order__user=user)
    return found.select_related("order", "market", "market__base", "market__quote").order_by("-id")


def fee_rules() -> QuerySet[FeeRule]:
    """The lines of the schedule that count now."""
    return FeeRule.objects.filter(ended_at__isnull=True).select_related("market")


def volume_of(user: "User") -> TradedVolume | None:
    """What the customer has traded within 30 days, None while nothing was counted."""
    return TradedVolume.objects.filter(user=user).first()


def rate_of(user: "User | None", market: Market) -> rules.Rate:
    """What an order of the customer placed now pays in this market; a visitor's is that of who has not traded yet.

    A market with a fee or lines of its own is governed by these alone.
    """
    usual = rules.Rate(market.fee_bps, market.fee_bps)
    lines = _lines_of(market.pk)
    own = [line for line in lines if line.market_id]
    if not own and market.own_fee_bps is None:
        own = lines
    if not own:
        return usual
    traded = volume_of(user) if user else None
    volume, tier = (traded.volume if traded else 0), (user.tier if user else 0)
    meant = [line for line in own if line.tier <= tier and line.min_volume <= volume]
    return rules.best_rate(usual, [rules.Rate(one.maker_bps, one.taker_bps, one.pk) for one in meant])


@for_a_moment
def _lines_of(symbol: str) -> list[FeeRule]:
    return _FEE_RULES.all(market=symbol)


_FEE_RULES = Prepared(
    lambda: FeeRule.objects.filter(Q(market=Given("market")) | Q(market__isnull=True), ended_at__isnull=True)
)


def shown_rate(user: "User | None", market: Market) -> rules.Rate:
    """The same for a page, which is readable while the database is away: then what is usual in the market."""
    try:
        return rate_of(user, market)
    except OUTAGES:
        return rules.Rate(market.fee_bps, market.fee_bps)


def traded_since(since: datetime) -> Iterator[tuple[int, str, Decimal]]:
    """By customer and quote asset how much was traded since then."""
    found = Fill.objects.filter(at__gte=since).values_list("order__user_id", "market__quote_id")
    yield from found.annotate(total=Sum("quote_quantity")).order_by()


def silent_venue_orders(now: datetime, patience: timedelta) -> QuerySet[VenueOrder]:
    """Venue orders still PENDING, asked to be canceled and not closed, or asked to be made smaller without a certain
    answer, that nobody looked at for a moment."""
    quiet = Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience)
    silent = Q(status=Status.PENDING) | Q(order__cancel_requested_at__isnull=False)
    silent |= Q(order__amend_asked_at__isnull=False)
    unfinished = VenueOrder.objects.exclude(status__in=FINAL).filter(
        silent, quiet, created_at__lt=now - patience
    )
    return unfinished.order_by(F("checked_at").asc(nulls_first=True), "id")


def unsettled_venue_orders(now: datetime, patience: timedelta) -> QuerySet[VenueOrder]:
    """Venue orders that can still trade and were not compared with the venue for a while."""
    quiet = Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience)
    unfinished = VenueOrder.objects.exclude(status__in=FINAL).filter(quiet)
    return unfinished.order_by(F("checked_at").asc(nulls_first=True), "id")


def unreleased_venue_orders(now: datetime, patience: timedelta) -> QuerySet[VenueOrder]:
    """Venue orders that ended at the venue while a trade of theirs is still missing here."""
    ended = [status for status in FINAL if status != Status.REJECTED]
    later = VenueOrder.objects.filter(order=OuterRef("order"), pk__gt=OuterRef("pk"))
    found = VenueOrder.objects.filter(status__in=ended, order__finished_at__isnull=True)
    return found.exclude(Exists(later)).filter(Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience))


def unfinished_venue_orders() -> QuerySet[VenueOrder]:
    """Every venue order that may have moved while nobody listened."""
    return VenueOrder.objects.filter(order__finished_at__isnull=True).order_by("id")


def given_up_venue_orders(client_order_ids: Collection[str]) -> QuerySet[VenueOrder]:
    """Those of them that were taken for never arrived or gone, so that nothing is held for them any more."""
    given_up = Q(status=Status.REJECTED) | Q(status=Status.EXPIRED, order__reason_code=LOST.code)
    found = VenueOrder.objects.filter(
        given_up, client_order_id__in=list(client_order_ids), order__finished_at__isnull=False
    )
    return found.select_related("venue_account", "order").order_by("id")


def lately_given_up(now: datetime, patience: timedelta) -> QuerySet[VenueOrder]:
    """Venue orders of the last day that were given up, and that nobody has looked for at the venue for a while."""
    given_up = Q(status=Status.REJECTED) | Q(status=Status.EXPIRED)
    quiet = Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience)
    found = VenueOrder.objects.filter(
        given_up, quiet, order__reason_code__in=GIVEN_UP, order__finished_at__gt=now - GIVEN_UP_LATELY
    )
    found = found.select_related("venue_account", "order")
    return found.order_by(F("checked_at").asc(nulls_first=True), "id")


def client_order_id_is_known(client_order_id: str) -> bool:
    return VenueOrder.objects.filter(client_order_id=client_order_id).exists()


def newest_venue_order() -> int:
    """The number of the venue order that was recorded last; 0 when there is none."""
    return VenueOrder.objects.aggregate(newest=Max("pk"))["newest"] or 0


def venue_order_states(
    venue_account_id: int, *, ids: Collection[int], after: int
) -> list[tuple[int, str, str, Decimal, str]]:
    """Number, client order id, status and cumulative quantity of these venue orders and of all with later numbers, and
    how their orders' ends are told."""
    found = VenueOrder.objects.filter(
        Q(pk__in=list(ids)) | Q(pk__gt=after), venue_account_id=venue_account_id
    )
    told = ("pk", "client_order_id", "status", "cumulative_quantity", "order__reason_code")
    return list(found.order_by("pk").values_list(*told))


# ------------------------------------------------------------------ for comparing with the books
def holding_orders() -> Iterator[tuple[int, int, str]]:
    """Order, customer and asset of every order that something must be held for, by number; read bit by bit."""
    found = _holding().exclude(leg__in=PAIR).filter(extra_hold__isnull=True).order_by("id")
    return found.values_list("id", "user_id", _PAID_ASSET).iterator()


def holding_lists() -> Iterator[tuple[int, int, str]]:
    """The same of every list that holds for two orders of which one cancels the other, by the list's number."""
    found = _holding().filter(leg__in=PAIR).order_by("order_list_id").distinct()
    return found.values_list("order_list_id", "user_id", _PAID_ASSET).iterator()


def holding_changes() -> Iterator[tuple[int, int, str]]:
    """The same of every order for which more is held than for the one whose place it takes."""
    found = _holding().filter(extra_hold__gt=0).order_by("id")
    return found.values_list("id", "user_id", _PAID_ASSET).iterator()


_PAID_ASSET = Case(When(side=Side.BUY, then=F("market__quote_id")), default=F("market__base_id"))


def holding_bridges() -> Iterator[tuple[int, int, str]]:
    """The same of every fill of a first part for which the second has not begun, by the fill's number."""
    second = Order.objects.filter(route_of=OuterRef("order__route_of"), part=2)
    found = Fill.objects.filter(order__part=1, order__route_of__finished_at__isnull=True)
    asset = Case(When(order__side=Side.BUY, then=F("market__base_id")), default=F("market__quote_id"))
    return found.exclude(Exists(second)).order_by("id").values_list("id", "order__user_id", asset).iterator()


def _holding() -> QuerySet[Order]:
    found = Order.objects.filter(finished_at__isnull=True).exclude(status__in=(*FINAL, Status.WAITING))
    return found.exclude(route=RouteKind.TWO_LEGS)  # its parts hold


def find(text: str, number: int | None = None) -> QuerySet[Order]:
    """Orders with this number, client order id or venue order id, or of this customer, newest first."""
    named = Q(venue_orders__client_order_id=text) | Q(nonce=text) | Q(user__email__iexact=text)
    by_number = Q(pk=number) | Q(venue_orders__venue_order_id=number) if number else Q(pk=None)
    return Order.objects.filter(named | by_number).select_related("user").distinct().order_by("-id")
