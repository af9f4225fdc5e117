"""What is armed, and for whom."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from exchange.safety.models import Countdown, Panic

if TYPE_CHECKING:
    from accounts.models import User


def countdowns_of(user: "User") -> QuerySet[Countdown]:
    """The customer's that are armed, and those that fired last time."""
    told = Q(deadline_at__isnull=False) | Q(fired_at__isnull=False)
    return Countdown.objects.filter(told, user=user).order_by("market_id", "channel")


def armed_countdowns() -> QuerySet[Countdown]:
    """Everybody's that are armed, the next to fire first."""
    return Countdown.objects.filter(deadline_at__isnull=False).order_by("deadline_at")


def due_countdowns() -> QuerySet[Countdown]:
    """Those whose deadline is over by the database's clock, the longest first."""
    return armed_countdowns().filter(deadline_at__lte=Now())


def unfinished_panics(pressed_before: datetime) -> QuerySet[Panic]:
    """Panics of which something may be left, the oldest first."""
    found = Panic.objects.filter(finished_at__isnull=True, pressed_at__lt=pressed_before)
    return found.select_related("user").order_by("id")


def now() -> datetime:
    """By the database's clock, by which deadlines are kept."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found
