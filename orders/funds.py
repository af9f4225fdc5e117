"""What orders need of our venue accounts, and which accounts have to be followed because of them."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from django.db.models import Case, Exists, F, Max, OuterRef, Q, QuerySet, Sum, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from exchange.gate.models import VenueAccount
from orders import queries
from orders.models import Order, OrderEvent, Side, Status, VenueOrder

# What is under way is told by the venue within this; an order whose answer is missing may take as long as its question.
TOLD, ANSWERED = timedelta(seconds=2), timedelta(seconds=30)
MOST_EVENTS = 2000


def need_of(order: Order | VenueOrder) -> tuple[str, Decimal]:
    """What the venue sets aside for it: an asset, and how much of it at most."""
    of = order.order if isinstance(order, VenueOrder) else order
    quantity = order.quantity or Decimal(0)
    if of.side == Side.SELL:
        return of.market.base_id, quantity
    return of.market.quote_id, order.quote_quantity or quantity * (order.price or 0)


def needs_under_way(asset: str) -> dict[int, Decimal]:
    """What orders of the last moments need of the asset, by venue account."""
    now = timezone.now()
    sold = Q(order__side=Side.SELL, order__market__base=asset)
    paid = Q(order__side=Side.BUY, order__market__quote=asset)
    recent = Q(created_at__gt=now - TOLD) | Q(status=Status.PENDING)
    found = VenueOrder.objects.filter(sold | paid, recent, created_at__gt=now - ANSWERED)
    found = found.exclude(status__in=[Status.REJECTED, Status.CANCELED, Status.EXPIRED]).order_by()
    total = Coalesce(F("quote_quantity"), F("quantity") * F("price"))
    need = Sum(Case(When(order__side=Side.SELL, then=F("quantity")), default=total))
    rows = found.values("venue_account").annotate(need=need).values_list("venue_account", "need")
    return {account: needed or Decimal(0) for account, needed in rows}


def moved_lately(asset: str) -> set[int]:
    """Venue accounts in which an order traded some of the asset, or gave it free, so lately that nothing else may have
    told of it yet."""
    newest = OrderEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    found = OrderEvent.objects.filter(pk__gt=newest - MOST_EVENTS, at__gt=timezone.now() - TOLD)
    found = found.filter(effect=OrderEvent.Effect.CHANGED).exclude(status=Status.OPEN)
    named = Q(order__market__base=asset) | Q(order__market__quote=asset)
    return set(found.filter(named).order_by().values_list("venue_order__venue_account", flat=True))


def unsent_needs() -> dict[tuple[int, str], Decimal]:
    """What orders need that the venue has not set aside, by account and asset: those it has not answered, and those
    that wait for another order, in the account where new orders go first."""
    found: defaultdict[tuple[int, str], Decimal] = defaultdict(Decimal)
    silent = VenueOrder.objects.filter(status=Status.PENDING, order__finished_at__isnull=True)
    for sent in silent.select_related("order__market"):
        asset, amount = need_of(sent)
        found[sent.venue_account_id, asset] += amount
    first = VenueAccount.objects.filter(is_enabled=True).order_by("-is_primary", "id").first()
    if first is None:
        return dict(found)
    for order in Order.objects.filter(status=Status.WAITING).select_related("market"):
        asset, amount = need_of(order)
        found[first.pk, asset] += amount
    return dict(found)


def accounts_to_follow() -> QuerySet[VenueAccount]:
    """Venue accounts of which everything has to be heard: those that take orders, and those with something open."""
    is_open = queries.unfinished_venue_orders().filter(venue_account=OuterRef("pk"))
    return VenueAccount.objects.filter(Q(is_enabled=True) | Q(is_primary=True) | Exists(is_open)).order_by(
        "id"
    )
