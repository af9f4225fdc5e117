"""What routes were worth: what orders got beyond what the market itself would have given them, by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet, Sum

from exchange.money import divide
from orders.models import RouteDecision, RouteKind
from orders.rules import BPS

ZERO = Decimal(0)


@dataclass(frozen=True)
class Saving:
    """Of the orders of one kind that received the same asset, since then; figures in basis points of the whole.

    `estimated_bps` is what was expected of those that have ended when they were decided, `saved_bps` what came of it;
    None while nothing can be said.
    """

    kind: RouteKind
    asset: str
    orders: int
    ended: int
    received: Decimal
    saved: Decimal
    saved_bps: Decimal | None
    estimated_bps: Decimal | None
    worst: Decimal


def savings(since: datetime, until: datetime | None = None) -> list[Saving]:
    """By the way that was taken in the end and asset, the largest number of orders first."""
    found = _decided(since, until).values("received_asset", way=F("order__route")).annotate(
        orders=Count("pk"),
        ended=Count("pk", filter=Q(realised_at__isnull=False)),
        got=Sum("received", default=ZERO),
        gain=Sum("saved", default=ZERO),
        worst=Min("saved", default=ZERO),
        usual=Sum(F("direct_rate") * F("paid"), default=ZERO),
        expected=Sum((F("chosen_rate") - F("direct_rate")) * F("paid"), default=ZERO),
    )  # fmt: skip
    return [_saving(row) for row in found.order_by("-orders", "way", "received_asset")]


def _saving(row: Mapping[str, Any]) -> Saving:
    usual, gain, expected = (Decimal(str(row[name])) for name in ("usual", "gain", "expected"))
    return Saving(
        kind=RouteKind(str(row["way"])),
        asset=str(row["received_asset"]),
        orders=int(str(row["orders"])),
        ended=int(str(row["ended"])),
        received=Decimal(str(row["got"])),
        saved=gain,
        saved_bps=round(divide(gain * BPS, usual), 3) if usual else None,
        estimated_bps=round(divide(expected * BPS, usual), 3) if usual else None,
        worst=Decimal(str(row["worst"])),
    )


def _decided(since: datetime, until: datetime | None) -> QuerySet[RouteDecision]:
    found = RouteDecision.objects.filter(at__gte=since)
    return found if until is None else found.filter(at__lt=until)
