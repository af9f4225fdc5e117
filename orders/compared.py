"""What of our orders is held against the venue and the books."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Max, Min, Q

from markets import queries as markets
from orders.errors import LOST
from orders.models import (
    Fill,
    VenueOrder,
)
from orders.queries import unfinished_venue_orders


def touched_symbols(venue_account_id: int, since: datetime) -> dict[str, datetime]:
    """Markets with an order that is not finished, or that was sent since then; from when their trades matter."""
    sent = VenueOrder.objects.filter(venue_account_id=venue_account_id).order_by()
    unfinished = sent.filter(order__finished_at__isnull=True)
    return {
        symbol: first
        for found in (sent.filter(created_at__gte=since), unfinished)
        for symbol, first in found.values_list("order__market_id").annotate(first=Min("created_at"))
    }


def last_trade_before(venue_account_id: int, symbol: str, moment: datetime) -> int | None:
    """The number of our last trade in the market before the moment, as far as we know."""
    fills = Fill.objects.filter(venue_account_id=venue_account_id, market_id=symbol, at__lt=moment)
    found: int | None = fills.filter(allocation_id__isnull=True).aggregate(last=Max("trade_id"))["last"]
    return found


def unfinished_symbols(venue_account_id: int, assets: Collection[str]) -> list[tuple[str, datetime]]:
    """Markets of these assets in which an order may have traded unheard, and since when."""
    found = unfinished_venue_orders().filter(venue_account_id=venue_account_id).order_by()
    touching = Q(order__market__base__in=list(assets)) | Q(order__market__quote__in=list(assets))
    rows = found.filter(touching).values_list("order__market_id").annotate(since=Min("created_at"))
    return list(rows.order_by("order__market_id"))


def known_orders(venue_account_id: int, symbol: str, numbers: Collection[int]) -> dict[int, int]:
    """Our orders by their number at the venue."""
    found = VenueOrder.objects.filter(
        venue_account_id=venue_account_id, order__market_id=symbol, venue_order_id__in=list(numbers)
    )
    return {number: order for number, order in found.values_list("venue_order_id", "order_id") if number}


def is_unsure(venue_account_id: int, symbol: str, number: int) -> bool:
    """True when the venue has to say what the order with its number is: nobody here knows it, or it was taken for
    gone."""
    found = VenueOrder.objects.filter(
        venue_account_id=venue_account_id, order__market_id=symbol, venue_order_id=number
    )
    return not found.exclude(order__reason_code=LOST.code).exists()


def fills_by_trade(
    venue_account_id: int,
    symbol: str,
    trade_ids: Collection[int],
    start: datetime | None = None,
    end: datetime | None = None,
) -> dict[int, Fill]:
    """Our fills of these trades, and with a time those of that time too, by the trade's number."""
    wanted = Q(trade_id__in=list(trade_ids))
    if start is not None and end is not None:
        wanted |= Q(at__gte=start, at__lt=end)
    found = Fill.objects.filter(
        wanted, venue_account_id=venue_account_id, market_id=symbol, allocation_id__isnull=True
    )
    return {fill.trade_id: fill for fill in found.select_related("market") if fill.trade_id is not None}


def symbols_of(start: datetime, end: datetime) -> list[str]:
    """Markets that traded or could have traded for us in the time: those with orders, and every listed one."""
    sent = VenueOrder.objects.filter(created_at__gte=start, created_at__lt=end).order_by()
    filled = Fill.objects.filter(at__gte=start, at__lt=end).order_by()
    traded = sent.values_list("order__market_id", flat=True).union(filled.values_list("market_id", flat=True))
    return sorted({*traded, *markets.followed().values_list("symbol", flat=True)})


def has_unnumbered_order(venue_account_id: int, symbol: str) -> bool:
    """True while an order in the market has no number at the venue yet and may have traded."""
    found = VenueOrder.objects.filter(venue_account_id=venue_account_id, order__market_id=symbol)
    return found.filter(venue_order_id__isnull=True, order__finished_at__isnull=True).exists()
