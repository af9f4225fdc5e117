"""Trades in our accounts at the venue of orders that nobody here placed: suspense, an exception, and staff look."""

import structlog

from exchange.binance.models import Report, TradeFill
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from markets import queries as markets
from markets import services as market_services
from markets.models import Market
from orders import rules

log = structlog.get_logger()


def text_key(venue_account_id: int, symbol: str, fill: TradeFill) -> str:
    """The name under which the trade is booked, once."""
    return f"{venue_account_id}:{symbol}:{rules.trade_name(fill.trade_id, fill.allocation_id)}"


def commission_asset(fill: TradeFill, market: Market) -> str:
    known = (market.base_id, market.quote_id)
    if fill.commission and fill.commission_asset and fill.commission_asset not in known:
        market_services.ensure_asset(fill.commission_asset)
    return fill.commission_asset


def book_unknown(venue_account: VenueAccount, report: Report) -> None:
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
        book_orphan(venue_account, report.symbol, report.side, fill, detail)


def book_orphan(
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
        commission_asset=commission_asset(fill, market),
        detail=detail,
    )
