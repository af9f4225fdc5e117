"""What an order of each type has to say and may say (binance.md 10), before any market is asked."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.errors import BadTicket
from orders.models import Side, TimeInForce, Type

if TYPE_CHECKING:
    from orders.services.tickets import Ticket

# The venue counts trailing distances in whole basis points of the price.
MOST_BPS = 10_000


class Priced(Protocol):
    """What an order says of prices."""

    @property
    def side(self) -> str: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def stop_price(self) -> Decimal | None: ...
    @property
    def trailing_delta(self) -> int | None: ...


@dataclass(frozen=True)
class Shape:
    """`has_trigger`: a stop price, a trailing distance, or both; without a price it trades at what the book offers."""

    has_price: bool = True
    has_time: bool = False
    has_trigger: bool = False
    may_be_by_total: bool = False
    may_be_iceberg: bool = False


SHAPES: dict[str, Shape] = {
    Type.LIMIT: Shape(has_time=True, may_be_iceberg=True),
    Type.LIMIT_MAKER: Shape(may_be_iceberg=True),
    Type.MARKET: Shape(has_price=False, may_be_by_total=True),
    Type.STOP_LOSS: Shape(has_price=False, has_trigger=True),
    Type.STOP_LOSS_LIMIT: Shape(has_time=True, has_trigger=True, may_be_iceberg=True),
    Type.TAKE_PROFIT: Shape(has_price=False, has_trigger=True),
    Type.TAKE_PROFIT_LIMIT: Shape(has_time=True, has_trigger=True, may_be_iceberg=True),
}


def check_shape(ticket: "Ticket") -> None:
    """Refuses a ticket whose fields do not make an order, naming the field."""
    if ticket.side not in Side.values:
        raise BadTicket(_("Say BUY or SELL."), field="side")
    if ticket.type not in Type.values:
        raise BadTicket(_("This kind of order is not offered."), field="type")
    shape = SHAPES[ticket.type]
    _check_time(ticket, shape)
    _check_price(ticket, shape)
    _check_amount(ticket, shape)
    _check_trigger(ticket, shape)
    _check_iceberg(ticket, shape)


def _check_time(ticket: "Ticket", shape: Shape) -> None:
    if shape.has_time and ticket.time_in_force not in TimeInForce.values:
        raise BadTicket(_("Say GTC, IOC or FOK."), field="time_in_force")
    if ticket.time_in_force and not shape.has_time:
        raise BadTicket(_("An order of this type has no time in force."), field="time_in_force")


def _check_price(ticket: "Ticket", shape: Shape) -> None:
    if not shape.has_price and ticket.price is not None:
        raise BadTicket(_("An order of this type has no price."), field="price")
    if shape.has_price:
        _require_more_than_zero(ticket.price, "price")


def _check_amount(ticket: "Ticket", shape: Shape) -> None:
    if ticket.quote_quantity is not None and not shape.may_be_by_total:
        raise BadTicket(_("An order of this type is given by amount, not by total."), field="quote_quantity")
    if (ticket.quantity is None) == (ticket.quote_quantity is None):
        sentence: Promise = _("Enter more than zero.")
        if shape.may_be_by_total:
            sentence = _("Give the amount or the total, one of them.")
        raise BadTicket(sentence, field="quantity")
    field = "quantity" if ticket.quantity is not None else "quote_quantity"
    _require_more_than_zero(ticket.quantity or ticket.quote_quantity, field)


def _check_trigger(ticket: "Ticket", shape: Shape) -> None:
    if not shape.has_trigger:
        for field in ("stop_price", "trailing_delta"):
            if getattr(ticket, field) is not None:
                raise BadTicket(_("An order of this type waits for no price."), field=field)
        return
    if ticket.stop_price is None and ticket.trailing_delta is None:
        raise BadTicket(_("Give a stop price, a trailing distance, or both."), field="stop_price")
    if ticket.stop_price is not None:
        _require_more_than_zero(ticket.stop_price, "stop_price")
    if ticket.trailing_delta is not None and not 1 <= ticket.trailing_delta <= MOST_BPS:
        raise BadTicket(_("Give whole basis points, from 1 to 10,000."), field="trailing_delta")
    if ticket.side == Side.BUY and not shape.has_price:
        raise BadTicket(
            _("To buy, give a limit price too: the order may never cost more than is set aside."),
            field="type",
        )


def _check_iceberg(ticket: "Ticket", shape: Shape) -> None:
    if ticket.iceberg_quantity is None:
        return
    if not shape.may_be_iceberg:
        raise BadTicket(_("An order of this type cannot hide a part of itself."), field="iceberg_quantity")
    if shape.has_time and ticket.time_in_force != TimeInForce.GTC:
        raise BadTicket(
            _("Only an order that is good till canceled can hide a part of itself."), field="iceberg_quantity"
        )
    _require_more_than_zero(ticket.iceberg_quantity, "iceberg_quantity")
    if ticket.quantity is not None and ticket.iceberg_quantity > ticket.quantity:
        raise BadTicket(_("The visible part is more than the whole."), field="iceberg_quantity")


def _require_more_than_zero(number: Decimal | None, field: str) -> None:
    if not number:
        raise BadTicket(_("Enter more than zero."), field=field)
