"""What an order would do right now, before it is placed."""

from dataclasses import dataclass
from decimal import Decimal

from accounts.models import User
from markets import queries as markets
from markets.models import Market
from markets.rules import step_size
from markets.walks import Walk
from orders import queries, routing, rules
from orders.models import Side
from orders.services import routes
from orders.services.tickets import Plan, Ticket, plan_of


@dataclass(frozen=True)
class PreviewedRoute:
    """The way the order would take now. What it is expected to save is beside its own market, our fees taken off: in
    basis points and in the asset it receives; None where that market has nobody to trade with. `over`: the asset in
    between."""

    kind: str
    over: str
    saving_bps: Decimal | None
    saving: Decimal | None
    saving_asset: str


@dataclass(frozen=True)
class Preview:
    """Estimates from the book of this moment, no further than the order's own worst price.

    `filled_share`, from 0 to 1, is how much of it this book fills at once, None without a book. `route` is None where
    ways are not compared.
    """

    average: Decimal | None
    worst: Decimal | None
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    held: Decimal
    held_asset: str
    slippage_bps: Decimal | None
    filled_share: Decimal | None
    is_complete: bool
    limit_price: Decimal | None
    route: PreviewedRoute | None


def preview(ticket: Ticket, *, user: User | None = None) -> Preview:
    """Refuses what placing would refuse of the ticket itself; funds are not looked at, the fee is a taker's."""
    market = markets.market(ticket.symbol)
    plan, rate = plan_of(market, ticket), queries.rate_of(user, market)
    book = markets.published_book(ticket.symbol)
    walk = _walk(market, ticket, plan, book) if book else None
    average: Decimal | None = None
    quantity, quote = Decimal(0), Decimal(0)
    if ticket.price is not None and ticket.quantity is not None:
        average, quantity, quote = ticket.price, ticket.quantity, ticket.price * ticket.quantity
    elif walk:
        average = None if walk.average is None else _shown(walk.average)
        quantity, quote = walk.quantity, _shown(walk.quote)
    received = market.base if ticket.side == Side.BUY else market.quote
    gained = quantity if ticket.side == Side.BUY else quote
    return Preview(
        average=average,
        worst=walk.worst if walk else None,
        quantity=quantity,
        quote=quote,
        fee=rules.fee_of(gained, rate.taker_bps, received.scale),
        fee_asset=received.code,
        held=plan.hold_amount,
        held_asset=plan.hold_asset,
        slippage_bps=round(walk.slippage_bps, 2) if walk and walk.slippage_bps is not None else None,
        filled_share=_shown(walk.share) if walk else None,
        is_complete=walk.is_complete if walk else False,
        limit_price=plan.price,
        route=_route(user, market, ticket, plan),
    )


def _route(user: User | None, market: Market, ticket: Ticket, plan: Plan) -> PreviewedRoute | None:
    found = routes.chosen(user, market, ticket, plan) if user else None
    if found is None:
        return None
    way, usual = found.taken, found.direct
    bps, saving = routing.better_by(way, usual), None
    if usual.rate is not None and way.rate is not None:
        saving = _shown(way.received - usual.rate * way.paid)
    return PreviewedRoute(
        way.kind, way.over, None if bps is None else round(bps, 2), saving, found.asked.received_asset
    )


def _walk(market: Market, ticket: Ticket, plan: Plan, book: markets.PublishedBook) -> Walk:
    return markets.walk_of(
        book,
        ticket.side,
        quantity=plan.quantity,
        quote=plan.quote_quantity,
        limit=plan.price,
        step=step_size(market.filters),
        scale=market.quote.scale,
    )


def _shown(estimate: Decimal) -> Decimal:
    """Eight decimals are enough for an estimate."""
    return round(estimate, 8)
