"""What customers and sweeps ask about orders."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q, QuerySet

from orders.errors import UnknownOrder
from orders.models import FINAL, Fill, Order, Status, VenueOrder

if TYPE_CHECKING:
    from accounts.models import User


def orders_of(user: "User") -> QuerySet[Order]:
    """The customer's orders, newest first."""
    return (
        Order.objects.filter(user=user)
        .select_related("market", "market__base", "market__quote")
        .order_by("-id")
    )


def open_orders(user: "User") -> QuerySet[Order]:
    """The customer's orders that can still trade, newest first."""
    return orders_of(user).exclude(status__in=FINAL)


def order_of(user: "User", order_id: int) -> Order:
    """Raises UnknownOrder, for somebody else's too."""
    found = orders_of(user).filter(pk=order_id).first()
    if found is None:
        raise UnknownOrder()
    return found


def fills_of(user: "User") -> QuerySet[Fill]:
    """The customer's trades, newest first."""
    found = Fill.objects.filter(order__user=user)
    return found.select_related("order", "market", "market__base", "market__quote").order_by("-id")


def silent_venue_orders(now: datetime, patience: timedelta) -> QuerySet[VenueOrder]:
    """Venue orders still PENDING, or asked to be canceled and not closed, that nobody looked at for a moment."""
    quiet = Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience)
    silent = Q(status=Status.PENDING) | Q(order__cancel_requested_at__isnull=False)
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
    return VenueOrder.objects.filter(status__in=FINAL, order__finished_at__isnull=True).filter(
        Q(checked_at__isnull=True) | Q(checked_at__lt=now - patience)
    )


def unfinished_venue_orders() -> QuerySet[VenueOrder]:
    """Every venue order that may have moved while nobody listened."""
    return VenueOrder.objects.filter(order__finished_at__isnull=True).order_by("id")


def find(text: str, number: int | None = None) -> QuerySet[Order]:
    """Orders with this number, client order id or venue order id, or of this customer, newest first."""
    named = Q(venue_orders__client_order_id=text) | Q(nonce=text) | Q(user__email__iexact=text)
    by_number = Q(pk=number) | Q(venue_orders__venue_order_id=number) if number else Q(pk=None)
    return Order.objects.filter(named | by_number).select_related("user").distinct().order_by("-id")
