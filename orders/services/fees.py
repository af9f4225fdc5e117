"""The schedule of fees: which line counts for whom, who decided it, and how much each customer trades."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from exchange.money import EXACT, plain
from exchange.office import services as office
from ledger import queries as books
from orders import queries
from orders.models import FeeRule, TradedVolume


@transaction.atomic
def begin_fee_rule(
    *,
    name: str,
    symbol: str | None,
    tier: int,
    min_volume: Decimal,
    maker_bps: int,
    taker_bps: int,
    by: Any,
) -> FeeRule:
    """From the next moment on the line counts for whom it is meant. On record with who decided it."""
    rule = FeeRule.objects.create(
        name=name,
        market_id=symbol,
        tier=tier,
        min_volume=min_volume,
        maker_bps=maker_bps,
        taker_bps=taker_bps,
    )
    office.record(by, "fee_rule.begun", "fee rule", str(rule.pk), before={}, after=_told(rule))
    return rule


@transaction.atomic
def end_fee_rule(*, rule_id: int, by: Any) -> None:
    """No order placed from the next moment on pays by it; those that are there keep their rate."""
    rule = FeeRule.objects.select_for_update().get(pk=rule_id)
    if rule.ended_at is not None:
        return
    rule.ended_at = timezone.now()
    rule.save(update_fields=["ended_at"])
    office.record(by, "fee_rule.ended", "fee rule", str(rule.pk), before=_told(rule), after={})


def _told(rule: FeeRule) -> dict[str, object]:
    return {
        "name": rule.name,
        "market": rule.market_id,
        "tier": rule.tier,
        "min_volume": plain(rule.min_volume),
        "maker_bps": rule.maker_bps,
        "taker_bps": rule.taker_bps,
    }


def count_volumes() -> int:
    """Everybody who traded of late has a volume of the last 30 days at the prices of this moment; gives how many.

    An asset without a price counts for nothing. While no prices are known at all the last count stays.
    """
    prices, now = books.Prices(), timezone.now()
    if not prices.are_known:
        return 0
    found: dict[int, Decimal] = {}
    for user_id, asset, quote in queries.traded_since(now - timedelta(days=settings.FEE_VOLUME_DAYS)):
        worth = prices.worth(asset, quote) or Decimal(0)
        found[user_id] = EXACT.add(found.get(user_id, Decimal(0)), worth)
    rows = [
        TradedVolume(user_id=user, volume=round(volume, 8), counted_at=now) for user, volume in found.items()
    ]
    TradedVolume.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["user"], update_fields=["volume", "counted_at"]
    )
    TradedVolume.objects.exclude(user__in=found).delete()
    return len(rows)
