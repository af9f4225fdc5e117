"""The one road for facts: answer, user stream and reconciliation end here, in any order, any number of times."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.utils import timezone

from exchange import failpoints
from exchange.binance.errors import VenueError
from exchange.binance.models import MyTrade, Report, TradeFill
from exchange.database import transaction_with_retry
from exchange.gate.models import VenueAccount
from exchange.money import decimals
from exchange.prepared import insert, update
from ledger import services as ledger
from orders import rules
from orders.errors import LOST, REASONS
from orders.models import Crossing, Order, Source, Status, VenueOrder
from orders.services import atonce, booking, bridges, crosses, events, known, pages, recorder, standing
from orders.services.ending import MOVED, Belongs, ends_hold, finish, locked, take_over
from orders.services.orphans import book_orphan, book_unknown
from orders.services.shrinking import is_smaller, shrink

log = structlog.get_logger()


def apply_report(
    *, venue_account: VenueAccount, report: Report, source: str, heard_at: datetime | None = None
) -> None:
    """Everything the report says is in the books: each trade once, the status forward only, the rest released at the
    end. When trades are missing they are fetched from the venue. `heard_at`: when it came, if not now."""
    apply_and_tell(venue_account=venue_account, report=report, source=source, heard_at=heard_at)


def apply_and_tell(
    *, venue_account: VenueAccount, report: Report, source: str, heard_at: datetime | None = None
) -> Belongs | None:
    """The same; gives what the report belongs to, None when that is nothing of ours."""
    found = known.of(report)
    if found is None:
        book_unknown(venue_account, report)
        return None
    if known.has_all(found, report):
        known.looked_at([found])
        recorder.note_known(found.belongs.order_id, found.pk, report, source=source, heard_at=heard_at)
    else:
        if report.fills:
            failpoints.hit("order.settling")
        fills = _exact(report, found.quote_scale)
        if _apply(found.pk, found.belongs, report, fills, source).is_missing_trades:
            _fetch_missing(venue_account, found.pk, found.belongs, report)
    log.info("order.reported", order=found.pk, status=report.status, source=source)
    return found.belongs


def apply_answer(sent: VenueOrder, report: Report) -> Order | None:
    """The same for what the venue answered to who placed the order, and has it at hand; the order as it is then, unless
    it is still to be looked for."""
    order = sent.order
    if (report.client_order_id, report.symbol) != (sent.client_order_id, order.market_id):
        apply_report(venue_account=sent.venue_account, report=report, source=Source.ANSWER)
        return None
    belongs = Belongs(
        order.pk, order.order_list_id, order.replaces_id, order.extra_hold, order.route_of_id, sent.by_sor
    )
    if report.fills:
        failpoints.hit("order.settling")
    fills = _exact(report, order.market.quote.scale)
    booked = atonce.book_answer(sent, report, fills)
    applied = _Applied(booked, False) if booked else _apply(sent.pk, belongs, report, fills, Source.ANSWER)
    log.info("order.reported", order=sent.pk, status=report.status, source=Source.ANSWER)
    if applied.is_missing_trades:
        _fetch_missing(sent.venue_account, sent.pk, belongs, report)
    return None if applied.is_missing_trades else applied.order


def _exact(report: Report, quote_scale: int) -> tuple[TradeFill, ...]:
    """The report's trades, unless their quote amounts had to be computed and do not add up to what the venue says.

    A placing answer names no quote amount for a trade, and the venue rounds price × quantity to its own precision.
    """
    if not report.fills or report.fills[0].is_maker is not None:
        return report.fills
    total = sum((fill.quote_quantity for fill in report.fills), Decimal(0))
    is_fine = all(decimals(fill.quote_quantity) <= quote_scale for fill in report.fills)
    return report.fills if is_fine and total == report.cumulative_quote else ()


class _Applied(NamedTuple):
    order: Order
    is_missing_trades: bool  # the venue knows of some that are not booked yet


@transaction_with_retry
def _apply(
    number: int, belongs: Belongs, report: Report, fills: Sequence[TradeFill], source: str
) -> _Applied:
    order, venue_order = locked(number, belongs)
    if report.reason == LOST.code and not venue_order.missing_asks:
        return _Applied(order, False)  # it was heard of since that was concluded
    before = recorder.state_of(order, venue_order)
    if venue_order.missing_asks:
        standing.note_seen(order, venue_order)
    if order.extra_hold is not None and report.status != Status.REJECTED:
        take_over(order)
    is_shrinking = is_smaller(venue_order, report) and order.finished_at is None
    if is_shrinking and not crosses.note_smaller(order, venue_order, report.quantity):
        shrink(order, venue_order, report.quantity)
    new = known.new_ones(venue_order.venue_account_id, order.market_id, fills)
    is_released = False
    for fill in new:
        # With the trade that fills the order goes back what the hold did not need, unless it still covers another.
        reached = crosses.booked_of(order, venue_order) + fill.quantity
        is_whole = report.status == "FILLED" and reached >= report.cumulative_quantity > 0
        is_last = is_whole and order.crossing != Crossing.UNDER_WAY and ends_hold(order)
        _book(order, venue_order, fill, is_last=is_last)
        is_released |= is_last
    _move(venue_order, report)
    missing = _settle(order, venue_order, report, before=before, changed=bool(new), is_released=is_released)
    recorder.note_report(order, venue_order, report, source=source, before=before, fills=fills)
    return _Applied(order, missing)


def _move(venue_order: VenueOrder, report: Report) -> None:
    venue_order.venue_order_id = venue_order.venue_order_id or report.venue_order_id
    venue_order.status = rules.next_status(venue_order.status, report.status)
    venue_order.cumulative_quantity = max(venue_order.cumulative_quantity, report.cumulative_quantity)
    venue_order.cumulative_quote = max(venue_order.cumulative_quote, report.cumulative_quote)
    venue_order.answered_at = venue_order.answered_at or timezone.now()
    venue_order.checked_at = timezone.now()
    update(
        venue_order,
        "venue_order_id", "status", "cumulative_quantity", "cumulative_quote", "answered_at", "checked_at",
    )  # fmt: skip


def _settle(
    order: Order,
    venue_order: VenueOrder,
    report: Report,
    *,
    before: recorder.State,
    changed: bool,
    is_released: bool,
) -> bool:
    """The order is as far as its booked trades are; it ends when the venue order has ended and nothing is missing."""
    missing = crosses.booked_of(order, venue_order) < venue_order.cumulative_quantity
    touched = (order.market.base_id, order.market.quote_id) if changed else ()
    if order.finished_at is not None or crosses.is_superseded(order, venue_order):
        standing.note_after_the_end(
            order, venue_order, report, before=before.venue_status, is_booked=not missing
        )
        if changed:
            update(order, *MOVED)
            events.tell(order, *touched)
        return missing
    is_closed = rules.is_closed(venue_order.status) and not missing
    if is_closed and order.crossing == Crossing.UNDER_WAY:
        crosses.note_closed(order, venue_order)
    elif is_closed:
        reason = report.reason if rules.is_closed(report.status) else ""
        finish(order, venue_order.status, reason, str(REASONS.get(reason, "")), is_released=is_released)
        events.tell_balances(order, *touched)
        return missing
    order.status = rules.next_status(
        order.status, "PARTIALLY_FILLED" if order.cumulative_quantity else "OPEN"
    )
    update(order, *MOVED)
    if changed or order.status != before.status:
        events.tell(order, *touched)
    return missing


def _book(order: Order, venue_order: VenueOrder, fill: TradeFill, *, is_last: bool) -> None:
    """One trade of ours that is not booked; the caller holds the locks and saves the order."""
    posting = booking.posting_of(order, venue_order, fill)
    row = booking.row_of(order, venue_order, fill, posting)
    row.transfer_id = ledger.post_fill(posting, is_last=is_last).transfer_id
    insert(row)
    if order.part == 1:
        bridges.keep_for_second(order, row)
    order.cumulative_quantity += fill.quantity
    order.cumulative_quote += fill.quote_quantity
    events.tell_fill(row)


# ------------------------------------------------------------------ what a report alone does not say
def _fetch_missing(
    venue_account: VenueAccount, venue_order_id: int, belongs: Belongs, report: Report
) -> None:
    """The trades of the order by REST; when the venue does not answer, the sweep asks again."""
    if report.venue_order_id is None:
        return
    number = report.venue_order_id
    try:
        trades = pages.trades_of(venue_account, report.symbol, number)
        if belongs.by_sor:
            trades += pages.allotted_to(venue_account, report.symbol, number)
    except VenueError as error:
        log.warning("order.trades_missing", order=venue_order_id, reason=str(error)[:120])
        return
    fills = [trade.fill for trade in trades if trade.venue_order_id == number]
    _apply(venue_order_id, belongs, report, fills, Source.RECONCILIATION)


def apply_trades(*, venue_account: VenueAccount, trades: Iterable[MyTrade]) -> None:
    """Trades found by asking for them: booked to their orders, or to suspense when nobody knows the order."""
    for trade in trades:
        found = VenueOrder.objects.filter(
            venue_account=venue_account, venue_order_id=trade.venue_order_id, order__market_id=trade.symbol
        ).first()
        if found is not None:
            _apply_trade(found.pk, trade)
        else:
            detail: dict[str, object] = {"venue_order_id": trade.venue_order_id}
            book_orphan(venue_account, trade.symbol, trade.side, trade.fill, detail)


@transaction_with_retry
def _apply_trade(venue_order_id: int, trade: MyTrade) -> None:
    order, venue_order = locked(venue_order_id)
    if order.extra_hold is not None:
        take_over(order)
    if known.new_ones(venue_order.venue_account_id, order.market_id, [trade.fill]):
        _book(order, venue_order, trade.fill, is_last=False)
        update(order, *MOVED)
        standing.note_traded(order, is_whole=order.cumulative_quantity == order.quantity)
        recorder.note_trade(order, venue_order, trade)
        events.tell(order, order.market.base_id, order.market.quote_id)
