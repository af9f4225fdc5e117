"""The fee schedule as a customer reads it: every line, which of them count, and what is missing to the others."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.models import User
from ledger import queries as books
from markets import queries as markets
from markets.models import Market
from orders import queries
from orders.models import FeeRule

EXAMPLE_QUANTITY = Decimal("0.5")


@dataclass(frozen=True)
class Line:
    """`reached` is None for a visitor, else whether the customer has the tier and the volume."""

    rule: FeeRule
    reached: bool | None
    missing_volume: Decimal


@dataclass(frozen=True)
class Schedule:
    """`volume` is None while nothing was counted; special markets have a fee or lines of their own."""

    usual_bps: int
    lines: list[Line]
    special: list[tuple[Market, int, list[Line]]]
    volume: Decimal | None
    counted_at: datetime | None

    @property
    def rules(self) -> list[FeeRule]:
        """Every line that counts for an order placed now."""
        lines = [*self.lines, *(line for _market, _fee, own in self.special for line in own)]
        return [line.rule for line in lines]


def schedule(user: User | None) -> Schedule:
    """What counts for orders placed now."""
    traded = queries.volume_of(user) if user else None
    volume = traded.volume if traded else None
    lines = [_line(rule, user, volume or Decimal(0)) for rule in queries.fee_rules()]
    by_market: dict[str, list[Line]] = {}
    for line in lines:
        by_market.setdefault(line.rule.market_id or "", []).append(line)
    special = [
        (market, market.fee_bps, by_market.get(market.pk, []))
        for market in markets.shown()
        if market.own_fee_bps is not None or market.pk in by_market
    ]
    return Schedule(
        settings.PLATFORM_FEE_BPS,
        by_market.get("", []),
        special,
        volume,
        traded.counted_at if traded else None,
    )


def _line(rule: FeeRule, user: User | None, volume: Decimal) -> Line:
    missing = max(rule.min_volume - volume, Decimal(0))
    return Line(rule, None if user is None else user.tier >= rule.tier and not missing, missing)


def page(user: User | None) -> dict[str, Any]:
    """What the fees page shows."""
    found = schedule(user)
    return {
        "schedule": found,
        "fee_bps": found.usual_bps,
        "days": settings.FEE_VOLUME_DAYS,
        "counted_in": settings.REFERENCE_ASSET,
        "protection_bps": settings.MARKET_PROTECTION_BPS,
        "example": EXAMPLE_QUANTITY * found.usual_bps / 10_000,
        "networks": books.networks().filter(withdraw_enabled=True),
    }
