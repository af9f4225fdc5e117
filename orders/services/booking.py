"""What a trade of the venue is in the books: the posting of the ledger, and the fill of its order."""

from exchange.binance.models import TradeFill
from exchange.moments import moment_of
from ledger import services as ledger
from orders import rules
from orders.models import Fill, Order, VenueOrder
from orders.services.orphans import commission_asset, text_key


def posting_of(order: Order, venue_order: VenueOrder, fill: TradeFill) -> ledger.FillPosting:
    market = order.market
    is_buy = order.side == "BUY"
    received, asset = (fill.quantity, market.base) if is_buy else (fill.quote_quantity, market.quote)
    # What a placing answer tells of traded at once: it took.
    fee_bps = order.maker_fee_bps if fill.is_maker else order.fee_bps
    return ledger.FillPosting(
        key=text_key(venue_order.venue_account_id, order.market_id, fill),
        user_id=order.user_id,
        venue_account_id=venue_order.venue_account_id,
        order_id=order.pk,
        side=order.side,
        base=market.base_id,
        quote=market.quote_id,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        fee=rules.fee_of(received, fee_bps, asset.scale),
        commission=fill.commission,
        commission_asset=commission_asset(fill, market),
        list_id=order.order_list_id if order.is_paired else None,
    )


def row_of(order: Order, venue_order: VenueOrder, fill: TradeFill, posting: ledger.FillPosting) -> Fill:
    """Without the transfer, which the ledger names."""
    return Fill(
        venue_order=venue_order,
        order=order,
        **_venue_key(venue_order.venue_account_id, order.market_id, fill),
        price=fill.price,
        quantity=fill.quantity,
        quote_quantity=fill.quote_quantity,
        fee=posting.fee,
        fee_asset=order.market.base if order.side == "BUY" else order.market.quote,
        commission=fill.commission,
        commission_asset=posting.commission_asset,
        is_maker=fill.is_maker,
        at=moment_of(fill.time_ms),
    )


def _venue_key(venue_account_id: int, symbol: str, fill: TradeFill) -> dict[str, object]:
    """What names a trade for ever; trades by smart order routing all have trade id -1 and an allocation id."""
    key: dict[str, object] = {"venue_account_id": venue_account_id, "market_id": symbol}
    if fill.allocation_id is not None:
        return {**key, "allocation_id": fill.allocation_id}
    return {**key, "trade_id": fill.trade_id, "allocation_id": None}
