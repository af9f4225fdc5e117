"""Which way an order takes, in sentences: why it was chosen, and what its parts did."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from markets.templatetags.figures import amount, bps
from orders import queries
from orders.models import Cross, Order, RouteDecision, RouteKind, Side
from orders.rules import BPS

Told = tuple[str, str, datetime]  # kind of step, sentence, time


def steps(order: Order) -> Iterator[Told]:
    """What is to be told of an order that does not simply go to its market."""
    decision = RouteDecision.objects.filter(order=order).first()
    if decision is not None and order.route != RouteKind.DIRECT:
        yield "seen", _chosen(order, decision), decision.at
    if order.route == RouteKind.CROSS:
        yield from _not_traded(order)
    for part in queries.parts_of(order):
        yield from _part(part)


def foretold(kind: str, over: str, saving_bps: Decimal | None) -> str:
    """How an order would be executed now, in one short line."""
    ways = {
        RouteKind.DIRECT: _("The market itself"),
        RouteKind.SOR: _("Routed by the venue"),
        RouteKind.TWO_LEGS: _("Two trades over %(asset)s") % {"asset": over},
        RouteKind.CROSS: _("With another customer of ours"),
    }
    way = ways[RouteKind(kind)]
    if not saving_bps or saving_bps < 0:
        return way
    return _("%(way)s, about %(percent)s better") % {"way": way, "percent": bps(saving_bps)}


def _chosen(order: Order, decision: RouteDecision) -> str:
    ways = {
        RouteKind.SOR: _("Routed by the venue over several of its books, at whichever has the best price"),
        RouteKind.TWO_LEGS: _("In two trades over another asset"),
        RouteKind.CROSS: _("First with another customer of ours; what is left of it goes to the venue"),
    }
    sentence = ways.get(RouteKind(order.route), "")
    expected = _expected(decision)
    if expected is None or expected <= 0:
        return sentence
    return _(
        "%(way)s: expected to bring %(bps)s basis points more than the market itself, fees taken off"
    ) % {
        "way": sentence,
        "bps": amount(round(expected, 2)),
    }


def _not_traded(order: Order) -> Iterator[Told]:
    for cross in order.crosses_taken.filter(state__in=[Cross.State.MISSED, Cross.State.RETURNED]):
        if cross.ended_at is None:
            continue
        if cross.reason == "venue_is_better":
            yield (
                "changed",
                _("Not traded with another customer: the venue's price was better"),
                cross.ended_at,
            )
        else:
            yield "changed", _("The trade with another customer did not come about"), cross.ended_at


def _expected(decision: RouteDecision) -> Decimal | None:
    if not decision.direct_rate or decision.chosen_rate is None:
        return None
    return (decision.chosen_rate - decision.direct_rate) * BPS / decision.direct_rate


def _part(part: Order) -> Iterator[Told]:
    words = {"part": part.part, "id": part.pk, "market": part.market_id, "asset": part.market.base_id}
    if part.side == Side.BUY:
        begun = _("Trade %(part)s of two: order %(id)s buys %(asset)s in %(market)s")
    else:
        begun = _("Trade %(part)s of two: order %(id)s sells %(asset)s in %(market)s")
    yield "sent", begun % words, part.created_at
    if part.finished_at is None:
        return
    if not part.cumulative_quantity:
        ended = _("Trade %(part)s of two was not made. %(reason)s")
        yield "filled", (ended % {**words, "reason": part.reason}).strip(), part.finished_at
        return
    traded = _("Trade %(part)s of two: %(quantity)s %(asset)s for %(quote)s %(against)s")
    more = {
        "quantity": amount(part.cumulative_quantity),
        "quote": amount(part.cumulative_quote),
        "against": part.market.quote_id,
    }
    yield "filled", traded % {**words, **more}, part.finished_at


def waits(order: Order) -> str:
    """What an order in two trades is waiting for."""
    return order.reason or _("The first of two trades is under way")
