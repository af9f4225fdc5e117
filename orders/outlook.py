"""What can happen to a list of orders, in words, before it is placed."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from markets.models import Market
from markets.rules import waits_above
from markets.templatetags.figures import amount, bps
from orders import services
from orders.models import PAIR, Leg, OrderList, Side


@dataclass(frozen=True)
class Outlook:
    held: Decimal
    held_asset: str
    later_held: Decimal | None
    later_held_asset: str
    sentences: list[str]


def outlook(ticket: services.ListTicket) -> Outlook:
    """Refuses what placing would refuse of the list itself."""
    found = services.preview_list(ticket)
    told = _sentences(found, ticket)
    return Outlook(found.held, found.held_asset, found.later_held, found.later_held_asset, list(told))


def _sentences(found: services.ListPreview, ticket: services.ListTicket) -> Iterator[str]:
    words = {"amount": amount(found.held), "asset": found.held_asset}
    if ticket.kind == OrderList.Kind.OCO:
        yield _("Set aside now, once for both: %(amount)s %(asset)s.") % words
        yield from _pair(found.market, ticket)
        return
    yield _("Set aside now, for the first order: %(amount)s %(asset)s.") % words
    yield _act(found.market, ticket.legs[Leg.WORKING])
    yield _later(found, ticket)
    if Leg.PENDING in ticket.legs:
        yield _act(found.market, ticket.legs[Leg.PENDING])
    else:
        yield from _pair(found.market, ticket)
    yield _("If the first order ends before it is filled completely, what waits ends with it.")
    yield _(
        "What cannot begin then, because too little is available or the market refuses it, ends, and you are told."
    )


def _later(found: services.ListPreview, ticket: services.ListTicket) -> str:
    """What is set aside once the first order is filled."""
    pending = ticket.legs.get(Leg.PENDING)
    words = {"amount": amount(found.later_held), "asset": found.later_held_asset}
    if found.later_held is None:
        text = _("Once it is filled completely, what waits begins, and what it costs is set aside.")
    elif pending is None:
        text = _(
            "Once it is filled completely, two orders begin, and at most %(amount)s %(asset)s are set aside."
        )
    elif pending.side == Side.BUY and pending.price is None:
        text = _(
            "Once it is filled completely, the second begins, and about %(amount)s %(asset)s are set aside."
        )
    else:
        text = _(
            "Once it is filled completely, the second begins, and at most %(amount)s %(asset)s are set aside."
        )
    return text % words


def _pair(market: Market, ticket: services.ListTicket) -> Iterator[str]:
    for leg in PAIR:
        yield _act(market, ticket.legs[leg])
    yield _("As soon as one of the two begins to trade, the other ends.")


def _act(market: Market, ticket: services.Ticket) -> str:
    """What one order does, and when."""
    words = {
        "quantity": amount(ticket.quantity),
        "price": amount(ticket.price),
        "base": market.base_id,
        "quote": market.quote_id,
        "when": _when(market, ticket),
    }
    if words["when"] and ticket.price is None:
        buy = sell = _("%(when)s it sells %(quantity)s %(base)s at the market's price.")
    elif words["when"]:
        buy = _("%(when)s it buys %(quantity)s %(base)s at %(price)s %(quote)s or less.")
        sell = _("%(when)s it sells %(quantity)s %(base)s at %(price)s %(quote)s or more.")
    elif ticket.price is None:
        buy = _("It buys %(quantity)s %(base)s at the market's price.")
        sell = _("It sells %(quantity)s %(base)s at the market's price.")
    else:
        buy = _("It buys %(quantity)s %(base)s at %(price)s %(quote)s or less.")
        sell = _("It sells %(quantity)s %(base)s at %(price)s %(quote)s or more.")
    return (buy if ticket.side == Side.BUY else sell) % words


def _when(market: Market, ticket: services.Ticket) -> str:
    """The beginning of a sentence; empty for an order that waits for no price."""
    is_above = waits_above(ticket.type, ticket.side)
    words = {"stop": amount(ticket.stop_price), "quote": market.quote_id}
    if ticket.trailing_delta is None:
        if ticket.stop_price is None:
            return ""
        rises = _("When the last price rises to %(stop)s %(quote)s,")
        falls = _("When the last price falls to %(stop)s %(quote)s,")
        return (rises if is_above else falls) % words
    words["distance"] = bps(ticket.trailing_delta)
    rises = _("When the last price has risen by %(distance)s from its lowest,")
    falls = _("When the last price has fallen by %(distance)s from its highest,")
    if ticket.stop_price is not None:
        rises = _(
            "When the last price, from %(stop)s %(quote)s on, has risen by %(distance)s from its lowest,"
        )
        falls = _(
            "When the last price, from %(stop)s %(quote)s on, has fallen by %(distance)s from its highest,"
        )
    return (rises if is_above else falls) % words
