"""What a list of orders would set aside, before it is placed."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from markets import queries as markets
from markets.models import Market
from markets.rules import tick_size
from orders import rules
from orders.models import Leg, OrderList, Side
from orders.services.listtickets import LEGS, ListTicket, held_for_pair, plans_of
from orders.services.sanity import last_price
from orders.services.tickets import Ticket


@dataclass(frozen=True)
class ListPreview:
    """Held when it is placed, and at most once what waits begins: None when nothing waits, or nobody knows."""

    market: Market
    held: Decimal
    held_asset: str
    later_held: Decimal | None
    later_held_asset: str


def preview_list(ticket: ListTicket) -> ListPreview:
    """Refuses what placing would refuse of the list itself; funds are not looked at."""
    market = markets.market(ticket.symbol)
    plans = plans_of(market, ticket)
    if ticket.kind == OrderList.Kind.OCO:
        asset, amount = held_for_pair(plans)
        return ListPreview(market, amount, asset, None, "")
    first, waiting = plans[Leg.WORKING], [ticket.legs[leg] for leg in LEGS[ticket.kind][1:]]
    costs = [_cost(market, one) for one in waiting]
    known = [cost for cost in costs if cost is not None]
    return ListPreview(
        market,
        first.hold_amount,
        first.hold_asset,
        max(known) if len(known) == len(costs) else None,
        market.quote_id if waiting[0].side == Side.BUY else market.base_id,
    )


def _cost(market: Market, ticket: Ticket) -> Decimal | None:
    """What the order costs at most; of one that buys at the market's price, if it began now."""
    price = ticket.price
    if price is None and ticket.side == Side.BUY:
        last = last_price(market)
        if last is None:
            return None
        price = rules.protection_price(
            ticket.side, last, settings.MARKET_PROTECTION_BPS, tick_size(market.filters)
        )
    scale = market.quote.scale
    return rules.hold_of(
        ticket.side, quantity=ticket.quantity, price=price, quote_quantity=None, quote_scale=scale
    )
