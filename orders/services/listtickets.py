"""A list of orders as the customer filled it in, and what would be sent for it, or a refusal before the venue."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from exchange.errors import DomainError
from markets.models import Market
from orders.errors import BadTicket, NotOffered, PricesCross
from orders.models import PAIR, Leg, OrderList, Side, Type
from orders.services.sanity import last_price
from orders.services.tickets import (
    Plan,
    Ticket,
    check_nonce,
    check_ticket,
    plan_of,
    require_filters,
    require_offered,
)

# In the order in which they are recorded; of a pair the upper one first.
LEGS: dict[str, tuple[Leg, ...]] = {
    OrderList.Kind.OCO: (Leg.ABOVE, Leg.BELOW),
    OrderList.Kind.OTO: (Leg.WORKING, Leg.PENDING),
    OrderList.Kind.OTOCO: (Leg.WORKING, Leg.ABOVE, Leg.BELOW),
}
STOPS = (Type.STOP_LOSS, Type.STOP_LOSS_LIMIT)
PROFITS = (Type.LIMIT_MAKER, Type.TAKE_PROFIT, Type.TAKE_PROFIT_LIMIT)
WORKING = (Type.LIMIT, Type.LIMIT_MAKER)


@dataclass(frozen=True)
class ListTicket:
    """`legs` by what they are in the list; `nonce` is the customer's own id of the request."""

    kind: str
    symbol: str
    nonce: str
    legs: Mapping[Leg, Ticket]

    @property
    def request_hash(self) -> str:
        legs = [[str(leg), self.legs[leg].request_hash] for leg in sorted(self.legs)]
        return hashlib.sha256(json.dumps([self.kind, self.symbol, legs]).encode()).hexdigest()


def first_legs(kind: str) -> tuple[Leg, ...]:
    """Those that are sent at once; the others wait for them."""
    return LEGS[kind] if kind == OrderList.Kind.OCO else LEGS[kind][:1]


def plans_of(market: Market, ticket: ListTicket) -> dict[Leg, Plan]:
    """What would be sent at once; refuses the list for whatever is wrong with any of its orders, naming its field.

    Of orders that wait, what the market will refuse only then is not asked now.
    """
    _check_list(market, ticket)
    if ticket.kind == OrderList.Kind.OCO:
        return plan_pair(market, ticket.legs)
    _check_later(market, ticket)
    with said_of(Leg.WORKING):
        return {Leg.WORKING: plan_of(market, ticket.legs[Leg.WORKING])}


def plan_pair(market: Market, legs: Mapping[Leg, Ticket]) -> dict[Leg, Plan]:
    """What would be sent for two orders of which one cancels the other."""
    _check_pair(legs)
    plans = {}
    for leg in PAIR:
        with said_of(leg):
            plans[leg] = plan_of(market, legs[leg])
    _require_apart(market, legs)
    return plans


def held_for_pair(plans: Mapping[Leg, Plan]) -> tuple[str, Decimal]:
    """Asset and amount: only one of the two ever trades, so it is as much as the dearer one can cost."""
    found = [plans[leg] for leg in PAIR]
    return found[0].hold_asset, max(plan.hold_amount for plan in found)


@contextmanager
def said_of(leg: str) -> Iterator[None]:
    """A refusal names the order of the list that it is about."""
    try:
        yield
    except DomainError as error:
        if error.field:
            error.field = f"{leg.lower()}.{error.field}"
        raise


# ------------------------------------------------------------------ what makes a list
def _check_list(market: Market, ticket: ListTicket) -> None:
    check_nonce(ticket.nonce)
    wanted = LEGS.get(ticket.kind)
    if wanted is None:
        raise BadTicket(_("Say OCO, OTO or OTOCO."), field="kind")
    for leg in Leg:
        if (leg in ticket.legs) != (leg in wanted):
            sentence = _("This order is missing.") if leg in wanted else _("A list of this kind has none.")
            raise BadTicket(sentence, field=leg.lower())
    # What waits for another order waits here, so the venue need not know of such lists.
    if ticket.kind != OrderList.Kind.OTO and "OCO" not in market.abilities:
        raise NotOffered(field="kind")


def _check_pair(legs: Mapping[Leg, Ticket]) -> None:
    above, below = legs[Leg.ABOVE], legs[Leg.BELOW]
    if above.side != below.side:
        raise BadTicket(_("Both orders buy or both sell."), field="below.side")
    if above.quantity != below.quantity:
        raise BadTicket(_("Both orders have the same amount."), field="below.quantity")
    # Who sells takes a profit above and stops a loss below; who buys the other way round (binance.md 11).
    is_sell = above.side == Side.SELL
    for leg, types in (
        (Leg.ABOVE, PROFITS if is_sell else STOPS),
        (Leg.BELOW, STOPS if is_sell else PROFITS),
    ):
        if legs[leg].type not in types:
            names = ", ".join(types)
            raise BadTicket(_("Here it is one of: %(names)s."), field=f"{leg.lower()}.type", names=names)


def _require_apart(market: Market, legs: Mapping[Leg, Ticket]) -> None:
    """The last price lies between the two; while it is not known, at least each lies on its side of the other."""
    last = last_price(market)
    lower = [price for _field, price in _waited_for(legs[Leg.BELOW])]
    for field, price in _waited_for(legs[Leg.ABOVE]):
        least = max([*lower, *([last] if last is not None else [])], default=None)
        if least is not None and price <= least:
            raise PricesCross(is_above=True, last=least, field=f"above.{field}")
    for field, price in _waited_for(legs[Leg.BELOW]):
        if last is not None and price >= last:
            raise PricesCross(is_above=False, last=last, field=f"below.{field}")


def _waited_for(ticket: Ticket) -> list[tuple[str, Decimal]]:
    """What an order of a pair waits for; a profit with a limit must lie beyond the last price with that too."""
    named = {"stop_price": ticket.stop_price}
    if ticket.type in PROFITS:
        named["price"] = ticket.price
    return [(field, price) for field, price in named.items() if price is not None]


# ------------------------------------------------------------------ what waits for the first order
def _check_later(market: Market, ticket: ListTicket) -> None:
    working = ticket.legs[Leg.WORKING]
    if working.type not in WORKING:
        names = ", ".join(WORKING)
        raise BadTicket(_("Here it is one of: %(names)s."), field="working.type", names=names)
    for leg in LEGS[ticket.kind][1:]:
        with said_of(leg):
            _check_waiting(market, working, ticket.legs[leg])
    if ticket.kind == OrderList.Kind.OTOCO:
        _check_pair(ticket.legs)


def _check_waiting(market: Market, working: Ticket, ticket: Ticket) -> None:
    """All that does not depend on where the market stands when its turn comes."""
    check_ticket(ticket)
    require_offered(market, ticket)
    if ticket.quantity is None:
        raise BadTicket(_("Say how much of it."), field="quantity")
    spends_what_came = (working.side, ticket.side) == (Side.BUY, Side.SELL)
    if spends_what_came and working.quantity is not None and ticket.quantity > working.quantity:
        raise BadTicket(_("This is more than the first order brings."), field="quantity")
    require_filters(market, ticket)
