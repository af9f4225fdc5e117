"""From what the customer filled in to what would be sent for it, or a refusal before the venue ever hears of it."""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from exchange.money import decimals, divide, floor_to_step, plain
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from orders import rules
from orders.errors import BadTicket, MarketClosed, NoLiquidity, PricesDelayed
from orders.models import Side, TimeInForce, Type

_NONCE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True)
class Ticket:
    """An order as the customer filled it in; `nonce` is the customer's own id of the request."""

    symbol: str
    side: str
    type: str
    nonce: str
    time_in_force: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None

    @property
    def request_hash(self) -> str:
        numbers = [None if n is None else plain(n) for n in (self.price, self.quantity, self.quote_quantity)]
        body = [self.symbol, self.side, self.type, self.time_in_force, *numbers]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What would be sent, and what it can cost at most."""

    type: str
    time_in_force: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    hold_asset: str
    hold_amount: Decimal
    protection_price: Decimal | None = None


def check_shape(ticket: Ticket) -> None:
    """Refuses a ticket whose fields do not make an order, naming the field."""
    if not _NONCE.fullmatch(ticket.nonce):
        raise BadTicket(
            _("Use 1 to 64 letters, digits, dots, dashes or underscores."), field="client_order_id"
        )
    if ticket.side not in Side.values:
        raise BadTicket(_("Say BUY or SELL."), field="side")
    if ticket.type == Type.LIMIT:
        _check_limit(ticket)
    elif ticket.type == Type.MARKET:
        _check_market(ticket)
    else:
        raise BadTicket(_("This kind of order is not offered."), field="type")


def _check_limit(ticket: Ticket) -> None:
    if ticket.time_in_force not in TimeInForce.values:
        raise BadTicket(_("Say GTC, IOC or FOK."), field="time_in_force")
    if ticket.quote_quantity is not None:
        raise BadTicket(_("A limit order is given by amount, not by total."), field="quote_quantity")
    for name in ("price", "quantity"):
        if not getattr(ticket, name):
            raise BadTicket(_("Enter more than zero."), field=name)


def _check_market(ticket: Ticket) -> None:
    if ticket.time_in_force:
        raise BadTicket(_("A market order has no time in force."), field="time_in_force")
    if ticket.price is not None:
        raise BadTicket(_("A market order has no price."), field="price")
    if (ticket.quantity is None) == (ticket.quote_quantity is None):
        raise BadTicket(_("Give the amount or the total, one of them."), field="quantity")
    if not (ticket.quantity or ticket.quote_quantity):
        raise BadTicket(
            _("Enter more than zero."), field="quantity" if ticket.quantity is not None else "quote_quantity"
        )


def plan_of(market: Market, ticket: Ticket) -> Plan:
    """What would be sent for the ticket; refuses what the market's rules or the state of its book refuse."""
    if not market.is_trading:
        raise MarketClosed()
    check_shape(ticket)
    book = markets.published_book(market.symbol)
    if ticket.type == Type.LIMIT:
        return _limit_plan(market, ticket, book)
    now_ms = time.time_ns() // 1_000_000
    if book is None or not book.is_fresh(now_ms, settings.BOOK_STALE_SECONDS):
        raise PricesDelayed()
    return _market_plan(market, ticket, book)


def _limit_plan(market: Market, ticket: Ticket, book: markets.PublishedBook | None) -> Plan:
    filters.check(
        market.filters,
        side=ticket.side,
        type=ticket.type,
        price=ticket.price,
        quantity=ticket.quantity,
        reference=book.middle if book else None,
    )
    return _plan(
        market, ticket, type="LIMIT", tif=ticket.time_in_force, price=ticket.price, quantity=ticket.quantity
    )


def _market_plan(market: Market, ticket: Ticket, book: markets.PublishedBook) -> Plan:
    best = book.best_ask if ticket.side == Side.BUY else book.best_bid
    if best is None:
        raise NoLiquidity()
    tick = filters.tick_size(market.filters)
    worst = rules.protection_price(ticket.side, best, settings.MARKET_PROTECTION_BPS, tick)
    by_total = ticket.quote_quantity is not None
    filters.check(
        market.filters,
        side=ticket.side,
        type="MARKET",
        quantity=ticket.quantity,
        quote_quantity=ticket.quote_quantity,
        reference=best,
    )
    if by_total and ticket.side == Side.BUY and market.allows_quote_quantity:
        _check_scale(market, ticket.quote_quantity)
        return _plan(market, ticket, type="MARKET", quote_quantity=ticket.quote_quantity)
    quantity = _quantity_for(market, ticket, book, worst) if by_total else ticket.quantity
    return _plan(market, ticket, type="LIMIT", tif="IOC", price=worst, quantity=quantity, protection=worst)


def _quantity_for(market: Market, ticket: Ticket, book: markets.PublishedBook, worst: Decimal) -> Decimal:
    """How much base a total stands for: on a SELL what the book gives it for, on a BUY what it surely pays."""
    assert ticket.quote_quantity is not None
    _check_scale(market, ticket.quote_quantity)
    step = filters.step_size(market.filters)
    if ticket.side == Side.SELL:
        quantity = markets.walk_of(
            book, ticket.side, quote=ticket.quote_quantity, limit=worst, step=step
        ).quantity
    else:
        quantity = floor_to_step(divide(ticket.quote_quantity, worst), step)
    filters.check(market.filters, side=ticket.side, type="MARKET", quantity=quantity, reference=worst)
    return quantity


def _check_scale(market: Market, total: Decimal | None) -> None:
    if total is not None and decimals(total) > min(market.quote.scale, market.quote_precision):
        raise BadTicket(_("Too many decimal places."), field="quote_quantity")


def _plan(
    market: Market,
    ticket: Ticket,
    *,
    type: str,
    tif: str = "",
    price: Decimal | None = None,
    quantity: Decimal | None = None,
    quote_quantity: Decimal | None = None,
    protection: Decimal | None = None,
) -> Plan:
    amount = rules.hold_of(
        ticket.side,
        quantity=quantity,
        price=price,
        quote_quantity=quote_quantity,
        quote_scale=market.quote.scale,
    )
    asset = market.quote_id if ticket.side == Side.BUY else market.base_id
    return Plan(type, tif, price, quantity, quote_quantity, asset, amount, protection)
