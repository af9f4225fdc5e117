"""Orders of the house itself: by the road of every other order, without a fee and paid from its own position."""

from collections.abc import Callable
from dataclasses import replace

from accounts.models import User
from exchange import failpoints
from exchange.database import transaction_with_retry
from exchange.gate.models import VenueAccount
from markets import queries as markets
from markets.models import Market
from orders.errors import PricesDelayed
from orders.models import Order, RouteKind
from orders.routing import Route
from orders.rules import Rate
from orders.services import routes
from orders.services.placing import accounts_for, having, relay_soon, require_venue, room_for
from orders.services.recording import new_order, new_venue_order
from orders.services.sanity import is_fresh, prices_of, require_sure
from orders.services.tickets import Plan, Ticket, plan_of

Hold = Callable[[Order, Plan], None]
FREE = Rate(0, 0)


def sure_book(market: Market) -> markets.PublishedBook:
    """The market's book as it is now; raises PricesDelayed while it is not of now, and PricesUnsure while the last
    trades say otherwise."""
    book = markets.published_book(market.symbol)
    if book is None or not is_fresh(book):
        raise PricesDelayed()
    require_sure(prices_of(market, book))
    return book


def place_house_order(*, house: User, ticket: Ticket, hold: Hold) -> Order:
    """The order is recorded, `hold` sets aside what it can cost in the same transaction, and it is relayed; nobody
    waits for the answer. Raises what tickets refuse, VenuePaused, VenueUnreachable, Busy and Stopped."""
    market = markets.market(ticket.symbol)
    plan = plan_of(market, ticket)
    require_venue()
    route = _route(house, market, ticket, plan)
    found = accounts_for(house, market, ticket, plan)
    with room_for(house, ticket.nonce, found) as slot:
        order, venue_order_id = _record(house, market, ticket, plan, route, hold, having(slot, found))
    failpoints.hit("order.held")
    relay_soon([venue_order_id], slot=slot)
    return order


def _route(house: User, market: Market, ticket: Ticket, plan: Plan) -> Route | None:
    """By the rules that count for everybody. The house trades with no customer: it may be routed by the venue, else it
    goes to the market itself."""
    route = routes.chosen(house, market, ticket, plan, FREE)
    if route is None or route.taken.kind == RouteKind.SOR:
        return route
    return replace(route, taken=route.direct)


@transaction_with_retry
def _record(
    house: User,
    market: Market,
    ticket: Ticket,
    plan: Plan,
    route: Route | None,
    hold: Hold,
    account: VenueAccount,
) -> tuple[Order, int]:
    kind = route.taken.kind if route else ""
    order = new_order(house, market, ticket, plan, FREE, route=kind)
    if route is not None:
        routes.note_decision(order, route)
        plan = replace(plan, by_sor=kind == RouteKind.SOR)
    venue_order = new_venue_order(order, plan, account)
    hold(order, plan)
    return order, venue_order.pk
