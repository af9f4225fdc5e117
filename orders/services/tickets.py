"""From what the customer filled in to what would be sent for it, or a refusal before the venue ever hears of it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from exchange.money import decimals, divide, floor_to_step, plain, round_down
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from orders import rules
from orders.errors import (
    BadTicket,
    MarketClosed,
    NoLiquidity,
    NotOffered,
    PricesDelayed,
    TooPrecise,
    WouldTrigger,
)
from orders.models import Channel, Side, Type
from orders.services.sanity import decision, is_fresh, last_price, prices_of, require_near, require_sure
from orders.services.shapes import check_shape

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
    stop_price: Decimal | None = None
    trailing_delta: int | None = None
    iceberg_quantity: Decimal | None = None
    replaces: int | None = None
    channel: str = Channel.SITE

    @property
    def request_hash(self) -> str:
        numbers = [None if n is None else plain(n) for n in (self.price, self.quantity, self.quote_quantity)]
        body = [self.symbol, self.side, self.type, self.time_in_force, *numbers]
        # What an order does not say is not in its hash: it stays the same when tickets learn to say more.
        more = {
            "stop_price": self.stop_price,
            "trailing_delta": self.trailing_delta,
            "iceberg_quantity": self.iceberg_quantity,
            "replaces": self.replaces,
        }
        body += [f"{name}={plain(Decimal(value))}" for name, value in more.items() if value is not None]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What would be sent, what it can cost at most, and what it was decided upon."""

    type: str
    time_in_force: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    hold_asset: str
    hold_amount: Decimal
    protection_price: Decimal | None = None
    by_sor: bool = False
    decision: Mapping[str, object] | None = None


def check_ticket(ticket: Ticket) -> None:
    """Refuses a ticket that is no order, naming the field."""
    check_nonce(ticket.nonce)
    check_shape(ticket)


def check_nonce(nonce: str) -> None:
    if not _NONCE.fullmatch(nonce):
        raise BadTicket(
            _("Use 1 to 64 letters, digits, dots, dashes or underscores."), field="client_order_id"
        )


def require_offered(market: Market, ticket: Ticket) -> None:
    """The venue says of each market which types it takes there."""
    is_offered = not market.order_types or ticket.type in market.order_types
    if not is_offered or (ticket.trailing_delta is not None and "TRAILING_STOP" not in market.abilities):
        raise NotOffered(field="type" if not is_offered else "trailing_delta")
    if ticket.iceberg_quantity is not None and "ICEBERG" not in market.abilities:
        raise NotOffered(field="iceberg_quantity")


def plan_of(market: Market, ticket: Ticket) -> Plan:
    """What would be sent for the ticket; refuses what the market's rules or the state of its book refuse."""
    if not market.is_trading:
        raise MarketClosed()
    check_ticket(ticket)
    require_offered(market, ticket)
    book = markets.published_book(market.symbol)
    if ticket.type != Type.MARKET:
        return _waiting_plan(market, ticket, book)
    if book is None or not is_fresh(book):
        raise PricesDelayed()
    prices = prices_of(market, book)
    require_sure(prices)
    return replace(_market_plan(market, ticket, book), decision=decision(book, prices))


def require_filters(market: Market, ticket: Ticket, *, reference: Decimal | None = None) -> None:
    """Of an order that says itself at what price it trades, or from what price on."""
    filters.check(
        market.filters,
        side=ticket.side,
        type=ticket.type,
        price=ticket.price,
        quantity=ticket.quantity,
        stop_price=ticket.stop_price,
        trailing_delta=ticket.trailing_delta,
        iceberg_quantity=ticket.iceberg_quantity,
        reference=reference,
    )


def _waiting_plan(market: Market, ticket: Ticket, book: markets.PublishedBook | None) -> Plan:
    """Of an order that says itself at what price it trades, or from what price on.

    How far that may be from the market is left to the venue while no book here is of now.
    """
    require_filters(market, ticket, reference=book.middle if book and is_fresh(book) else None)
    _require_to_wait(market, ticket)
    prices = prices_of(market, book)
    require_near(market, ticket, prices)
    plan = _plan(
        market,
        ticket,
        type=ticket.type,
        tif=ticket.time_in_force,
        price=ticket.price,
        quantity=ticket.quantity,
    )
    return replace(plan, decision=decision(book, prices))


def _require_to_wait(market: Market, ticket: Ticket) -> None:
    """A stop that the last price has passed already would trigger at once; without a last price nobody can tell."""
    if ticket.stop_price is None:
        return
    price = last_price(market)
    if price is None:
        raise PricesDelayed()
    is_above = filters.waits_above(ticket.type, ticket.side)
    if ticket.stop_price <= price if is_above else ticket.stop_price >= price:
        raise WouldTrigger(is_above=is_above, last=price)


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
    places = min(market.quote.scale, market.quote_precision)
    if total is not None and decimals(total) > places:
        raise TooPrecise(field="quote_quantity", nearest=round_down(total, places))


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
