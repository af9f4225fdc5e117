"""The one road for facts: answer, user stream and reconciliation end here, in any order, any number of times."""

from collections.abc import Iterable
from decimal import Decimal

import structlog
from django.db.models import Sum
from django.utils import timezone

from exchange import failpoints
from exchange.binance.errors import VenueError
from exchange.binance.models import MyTrade, Report, TradeFill
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import moment_of
from exchange.money import decimals
from ledger import services as ledger
from markets import queries as markets
from markets import services as market_services
from orders import rules
from orders.errors import REASONS
from orders.models import Fill, Order, Status, VenueOrder
from orders.services import events
from orders.services.ending import ends_hold, finish, locked, take_over
from orders.services.shrinking import is_smaller, shrink

log = structlog.get_logger()


def apply_report(*, venue_account: VenueAccount, report: Report, source: str) -> None:
    """Everything the report says is in the books: each trade once, the status forward only, the rest released at the
    end. When trades are missing they are fetched from the venue."""
    venue_order_id = _known(report)
    if venue_order_id is None:
        _apply_unknown(venue_account, report)
        return
    if report.fills:
        failpoints.hit("order.settling")
    if _apply(venue_order_id, report, _exact(report, venue_order_id)):
        _fetch_missing(venue_account, venue_order_id, report)
    log.info("order.reported", order=venue_order_id, status=report.status, source=source)


def _known(report: Report) -> int | None:
    found = VenueOrder.objects.filter(client_order_id=report.client_order_id, order__market_id=report.symbol)
    return found.values_list("pk", flat=True).first()


def _exact(report: Report, venue_order_id: int) -> tuple[TradeFill, ...]:
    """The report's trades, unless their quote amounts had to be computed and do not add up to what the venue says.

    A placing answer names no quote amount for a trade, and the venue rounds price × quantity to its own precision.
    """
    if not report.fills or report.fills[0].is_maker is not None:
        return report.fills
    total = sum((fill.quote_quantity for fill in report.fills), Decimal(0))
    scale = VenueOrder.objects.values_list("order__market__quote__scale", flat=True).get(pk=venue_order_id)
    is_fine = all(decimals(fill.quote_quantity) <= scale for fill in report.fills)
    return report.fills if is_fine and total == report.cumulative_quote else ()


@transaction_with_retry
def _apply(venue_order_id: int, report: Report, fills: Iterable[TradeFill]) -> bool:
    """True when the venue knows of trades that are not booked yet."""
    order, venue_order = locked(venue_order_id)
    if order.extra_hold is not None and report.status != Status.REJECTED:
        take_over(order)
    if is_smaller(venue_order, report) and order.finished_at is None:
        shrink(order, venue_order, report.quantity)
    booked, changed = _quantity_of(venue_order), False
    for fill in fills:
        # With the trade that fills the order goes back what the hold did not need, unless it still covers another.
        is_whole = report.status == "FILLED" and booked + fill.quantity >= report.cumulative_quantity > 0
        is_last = is_whole and ends_hold(order)
        if _book(order, venue_order, fill, is_last=is_last):
            booked, changed = booked + fill.quantity, True
    _move(venue_order, report)
    return _settle(order, venue_order, report, changed=changed)


def _quantity_of(venue_order: VenueOrder) -> Decimal:
    booked = Fill.objects.filter(venue_order=venue_order).aggregate(quantity=Sum("quantity"))
    return booked["quantity"] or Decimal(0)


def _move(venue_order: VenueOrder, report: Report) -> None:
    venue_order.venue_order_id = venue_order.venue_order_id or report.venue_order_id
    venue_order.status = rules.next_status(venue_order.status, report.status)
    venue_order.cumulative_quantity = max(venue_order.cumulative_quantity, report.cumulative_quantity)
    venue_order.cumulative_quote = max(venue_order.cumulative_quote, report.cumulative_quote)
    venue_order.answered_at = venue_order.answered_at or timezone.now()
    venue_order.checked_at = timezone.now()
    venue_order.save()


def _settle(order: Order, venue_order: VenueOrder, report: Report, *, changed: bool) -> bool:
    """The order is as far as its booked trades are; it ends when the venue order has ended and nothing is missing."""
    sums = order.fills.aggregate(quantity=Sum("quantity"), quote=Sum("quote_quantity"))
    quantity, quote = sums["quantity"] or Decimal(0), sums["quote"] or Decimal(0)
    before = (order.status, order.cumulative_quantity)
    order.cumulative_quantity, order.cumulative_quote = quantity, quote
    missing = quantity < venue_order.cumulative_quantity
    if order.finished_at is not None:
        if changed:
            order.save()
            events.tell(order, order.market.base_id, order.market.quote_id)
        return missing
    if rules.is_closed(venue_order.status) and not missing:
        reason = report.reason if rules.is_closed(report.status) else ""
        finish(order, venue_order.status, reason, str(REASONS.get(reason, "")))
    else:
        reached = "PARTIALLY_FILLED" if quantity else "OPEN"
        order.status = rules.next_status(order.status, reached)
        order.save()
        if changed or (order.status, order.cumulative_quantity) != before:
            events.tell(order)
    if changed:
        events.tell(order, order.market.base_id, order.market.quote_id)
    return missing


def _book(order: Order, venue_order: VenueOrder, fill: TradeFill, *, is_last: bool) -> bool:
    """One trade of ours, once; True when it was new."""
    if Fill.objects.filter(**_venue_key(venue_order.venue_account_id, order.market_id, fill)).exists():
        return False
    market = markets.market_row(order.market_id)
    received_asset = market.base if order.side == "BUY" else market.quote
    received = fill.quantity if order.side == "BUY" else fill.quote_quantity
    # What a placing answer tells of traded at once: it took.
    fee_bps = order.maker_fee_bps if fill.is_maker else order.fee_bps
    fee = rules.fee_of(received, fee_bps, received_asset.scale)
    commission_asset = _commission_asset(fill)
    posted = ledger.post_fill(
        ledger.FillPosting(
            key=text_key(venue_order.venue_account_id, order.market_id, fill),
            user_id=order.user_id,
            venue_account_id=venue_order.venue_account_id,
            order_id=order.pk,
            side=order.side,
            base=market.base_id,
            quote=market.quote_id,
            quantity=fill.quantity,
            quote_quantity=fill.quote_quantity,
            fee=fee,
            commission=fill.commission,
            commission_asset=commission_asset,
            list_id=order.order_list_id if order.is_paired else None,
        ),
        is_last=is_last,
    )
    row = Fill.objects.create(
        venue_order=venue_order,
        order=order,
        **_venue_key(venue_order.venue_account_id, order.market_id, fill),
        price=fill.price,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        fee=fee,
        fee_asset=received_asset,
        commission=fill.commission,
        commission_asset=commission_asset,
        is_maker=fill.is_maker,
        transfer_id=posted.transfer_id,
        at=moment_of(fill.time_ms),
    )
    events.tell_fill(row)
    return True


def _commission_asset(fill: TradeFill) -> str:
    if fill.commission and fill.commission_asset:
        market_services.ensure_asset(fill.commission_asset)
    return fill.commission_asset


def _venue_key(venue_account_id: int, symbol: str, fill: TradeFill) -> dict[str, object]:
    """What names a trade for ever; trades by smart order routing all have trade id -1 and an allocation id."""
    key: dict[str, object] = {"venue_account_id": venue_account_id, "market_id": symbol}
    if fill.allocation_id is not None:
        return {**key, "allocation_id": fill.allocation_id}
    return {**key, "trade_id": fill.trade_id, "allocation_id": None}


def text_key(venue_account_id: int, symbol: str, fill: TradeFill) -> str:
    """The name under which the trade is booked, once."""
    trade = f"a{fill.allocation_id}" if fill.allocation_id is not None else str(fill.trade_id)
    return f"{venue_account_id}:{symbol}:{trade}"


# ------------------------------------------------------------------ what a report alone does not say
def _fetch_missing(venue_account: VenueAccount, venue_order_id: int, report: Report) -> None:
    """The trades of the order by REST; when the venue does not answer, the sweep asks again."""
    if report.venue_order_id is None:
        return
    number = report.venue_order_id
    try:
        trades = gate.call(
            venue_account,
            gate.Kind.QUERY,
            None,
            lambda rest: rest.my_trades(report.symbol, venue_order_id=number),
        )
    except VenueError as error:
        log.warning("order.trades_missing", order=venue_order_id, reason=str(error)[:120])
        return
    _apply(venue_order_id, report, [trade.fill for trade in trades if trade.venue_order_id == number])


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
            _book_orphan(venue_account, trade.symbol, trade.side, trade.fill, detail)


@transaction_with_retry
def _apply_trade(venue_order_id: int, trade: MyTrade) -> None:
    order, venue_order = locked(venue_order_id)
    if order.extra_hold is not None:
        take_over(order)
    if _book(order, venue_order, trade.fill, is_last=False):
        booked = order.fills.aggregate(total=Sum("quantity"), quote=Sum("quote_quantity"))
        order.cumulative_quantity, order.cumulative_quote = booked["total"], booked["quote"]
        order.save()
        events.tell(order, order.market.base_id, order.market.quote_id)


def _apply_unknown(venue_account: VenueAccount, report: Report) -> None:
    """An order nobody here knows moved the account's funds: suspense, an exception, and staff look into it."""
    log.error(
        "order.not_ours", symbol=report.symbol, client_order_id=report.client_order_id, status=report.status
    )
    if markets.market_row_or_none(report.symbol) is None:
        # Nothing says what was traded for what: the comparison of balances finds it, and staff look.
        if report.fills:
            log.error("order.not_bookable", symbol=report.symbol, trades=len(report.fills))
        return
    detail: dict[str, object] = {
        "client_order_id": report.client_order_id,
        "venue_order_id": report.venue_order_id,
    }
    for fill in report.fills:
        _book_orphan(venue_account, report.symbol, report.side, fill, detail)


def _book_orphan(
    venue_account: VenueAccount, symbol: str, side: str, fill: TradeFill, detail: dict[str, object]
) -> None:
    market = markets.market_row(symbol)
    ledger.post_orphan_fill(
        key=text_key(venue_account.pk, symbol, fill),
        venue_account_id=venue_account.pk,
        side=side,
        base=market.base_id,
        quote=market.quote_id,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        commission=fill.commission,
        commission_asset=_commission_asset(fill),
        detail=detail,
    )
