"""Orders that the venue had, and of which it says that it does not know them (-2013).

No such answer is a proof: its source may lag, and it is also given of what ended long ago. So what is held stays held,
the customer and staff see that it is being checked, and only when it is certain does the order end: the venue said so
again and again at intervals, the order is in no list of open orders, of all orders or of order lists, and its trades,
read by its number, are with those that are booked all that was ever heard of: it may show none any more.
"""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import structlog
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.binance.models import MyTrade, Report
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.moments import milliseconds_of
from exchange.money import plain
from exchange.prepared import update
from ledger import services as ledger
from orders import rules
from orders.errors import LOST, MISSING
from orders.models import Order, Source, Status, VenueOrder
from orders.services import events, known, pages
from orders.services.ending import cause_of_hold, locked
from orders.services.reports import apply_report

log = structlog.get_logger()
# One answer may be one that lags; with the next one staff are told.
ALARMING = 2
# The venue takes an order list so soon after it was recorded here.
MARGIN = timedelta(hours=1)


def note_missing(venue_order: VenueOrder) -> None:
    """The venue was asked for the order and says that it does not know it; ended once that is certain."""
    number = venue_order.venue_order_id
    if not _count(venue_order.pk) or number is None:
        return
    trades = _trades_of_gone(venue_order, number)
    if trades is not None:
        _end(venue_order, trades)


@transaction_with_retry
def _count(venue_order_id: int) -> bool:
    """True when it was said so often, at intervals, that the venue is to be asked in every other way."""
    order, venue_order = locked(venue_order_id)
    now, interval = timezone.now(), timedelta(seconds=settings.ORDER_LOST_INTERVAL_SECONDS)
    is_over = order.finished_at is not None and rules.is_closed(venue_order.status)
    if is_over or (venue_order.missing_at and now - venue_order.missing_at < interval):
        return False
    venue_order.missing_asks, venue_order.missing_at = venue_order.missing_asks + 1, now
    update(venue_order, "missing_asks", "missing_at")
    log.error(
        "order.lost_at_venue",
        order=order.pk,
        client_order_id=venue_order.client_order_id,
        asks=venue_order.missing_asks,
    )
    if not order.reason_code:
        order.reason_code, order.reason = MISSING.code, str(MISSING.sentence)
        update(order, "reason_code", "reason", "updated_at")
        events.tell(order)
    if venue_order.missing_asks == ALARMING:
        _alarm(order, venue_order)
    return venue_order.missing_asks >= settings.ORDER_LOST_ASKS


def _alarm(order: Order, venue_order: VenueOrder) -> None:
    hold = ledger.lock_hold(*cause_of_hold(order))
    ledger.note_exception(
        source=ledger.Source.LOST_ORDER,
        key=f"lost order:{venue_order.pk}",
        asset=order.paid_asset_id,
        amount=hold.remaining if hold else None,
        detail={
            "order": order.pk,
            "user": order.user_id,
            "symbol": order.market_id,
            "client_order_id": venue_order.client_order_id,
            "venue_order_id": venue_order.venue_order_id,
            "status": venue_order.status,
            "filled": plain(venue_order.cumulative_quantity),
            "booked": plain(order.cumulative_quantity),
            "sent_at": venue_order.sent_at.isoformat() if venue_order.sent_at else None,
        },
        cause=_("The venue does not know order %(order)s, which it had; what is held for it stays held.")
        % {"order": order.pk},
    )


# ------------------------------------------------------------------ whether it is certain
def _trades_of_gone(venue_order: VenueOrder, number: int) -> list[MyTrade] | None:
    """The order's trades when nothing at the venue has it any more; None while anything does, or lacks a trade."""
    account, symbol = venue_order.venue_account, venue_order.order.market_id
    ask = partial(gate.call, account, gate.Kind.QUERY, None)
    told = [
        *ask(lambda rest: rest.open_orders(symbol)),
        *ask(lambda rest: rest.all_orders(symbol, from_number=number, limit=1)),
    ]
    for report in told:
        if report.venue_order_id == number:
            apply_report(venue_account=account, report=report, source=Source.RECONCILIATION)
            return None
    if venue_order.order.order_list_id is not None:
        start, end = (milliseconds_of(venue_order.created_at + margin) for margin in (-MARGIN, MARGIN))
        if pages.is_listed(account, number, start_ms=start, end_ms=end):
            return None
    trades = pages.trades_of(account, symbol, number)
    if venue_order.by_sor:
        trades = trades + pages.allotted_to(account, symbol, number)
    own = [trade for trade in trades if trade.venue_order_id == number]
    return own if _traded(venue_order, own)[0] >= venue_order.cumulative_quantity else None


def _traded(venue_order: VenueOrder, trades: list[MyTrade]) -> tuple[Decimal, Decimal]:
    """Quantity and quote of what it traded: of what is booked, and of these trades that are not yet."""
    booked = venue_order.fills.aggregate(
        quantity=Sum("quantity", default=Decimal(0)), quote=Sum("quote_quantity", default=Decimal(0))
    )
    symbol, fills = venue_order.order.market_id, [trade.fill for trade in trades]
    new = known.new_ones(venue_order.venue_account_id, symbol, fills)
    return (
        sum((fill.quantity for fill in new), Decimal(booked["quantity"])),
        sum((fill.quote_quantity for fill in new), Decimal(booked["quote"])),
    )


def _end(venue_order: VenueOrder, trades: list[MyTrade]) -> None:
    """As if the venue had said so: what was executed is what its trades are, and the rest expired."""
    order, wanted = venue_order.order, venue_order.quantity
    filled, quote = _traded(venue_order, trades)
    report = Report(
        symbol=order.market_id,
        venue_order_id=venue_order.venue_order_id,
        client_order_id=venue_order.client_order_id,
        side=order.side,
        type=venue_order.type,
        time_in_force=venue_order.time_in_force,
        status=Status.FILLED if wanted is not None and filled >= wanted else Status.EXPIRED,
        price=venue_order.price or Decimal(0),
        quantity=wanted or Decimal(0),
        cumulative_quantity=filled,
        cumulative_quote=quote,
        transact_time_ms=gate.clock().now_ms(),
        reason=LOST.code,
        fills=tuple(trade.fill for trade in trades),
    )
    apply_report(venue_account=venue_order.venue_account, report=report, source=Source.RECONCILIATION)
    log.error("order.given_up_as_lost", order=order.pk, filled=plain(filled))
