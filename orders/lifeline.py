"""An order's life in sentences with their times, as its customer reads them: told from its rows and its recorder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django.conf import settings
from django.db.models import Count, Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ledger import queries as books
from ledger import services as ledger
from markets.rules import tick_size
from markets.templatetags.figures import amount, at_step, bps
from orders import queries, ways
from orders.errors import LOST, MISSING, REASONS, STANDS, STOOD, Told, told
from orders.models import (
    Inquiry,
    Order,
    OrderEvent,
    RouteKind,
    Side,
    Source,
    Status,
    TimeInForce,
    VenueOrder,
)
from orders.services import cause_of_hold

KINDS = (
    "asked", "seen", "held", "sent", "answered", "checked", "changed", "canceling", "filled", "released", "ended",
    "waiting",
)  # fmt: skip
TOLD_FILLS = 10
TOLD_EVENTS = 100
Kind, Effect = OrderEvent.Kind, OrderEvent.Effect
OF_CHANGES = (Source.AMEND, Source.REPLACE)
AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)


@dataclass(frozen=True)
class Step:
    """`kind` is for programs, one of KINDS."""

    kind: str
    text: str
    at: datetime | None
    is_open: bool = False


def steps(order: Order) -> list[Step]:
    """What has happened, oldest first, and at the end what is waited for."""
    events = list(queries.telling_events_of(order)[:TOLD_EVENTS])
    told_of = [Step("asked", _asked(order), order.created_at), *_held(order), *_changes(order)]
    for sent in queries.venue_orders_of(order):
        own = [event for event in events if event.venue_order_id == sent.pk]
        told_of += [*_sent(order, sent, own), *_heard(order, sent, own), *_checks(sent)]
    if order.route:
        told_of += [Step(kind, text, at) for kind, text, at in ways.steps(order)]
    told_of += _fills(order, events)
    end = _end(order)
    if end.at is not None:
        told_of.append(end)
    told_of.sort(key=lambda step: (step.at or order.created_at, KINDS.index(step.kind)))
    return told_of if end.at is not None else [*told_of, end]


# ------------------------------------------------------------------ what was asked and held
def _asked(order: Order) -> str:
    words = {
        "quantity": amount(order.original_quantity or order.quantity),
        "total": amount(order.quote_quantity),
        "price": amount(order.price),
        "base": order.market.base_id,
        "quote": order.market.quote_id,
    }
    is_buy = order.side == Side.BUY
    if order.price is not None:
        buy = _("You asked to buy %(quantity)s %(base)s at %(price)s %(quote)s or less")
        sell = _("You asked to sell %(quantity)s %(base)s at %(price)s %(quote)s or more")
    elif order.quantity is not None:
        buy = _("You asked to buy %(quantity)s %(base)s at the market's price")
        sell = _("You asked to sell %(quantity)s %(base)s at the market's price")
    else:
        buy = _("You asked to buy %(base)s for %(total)s %(quote)s at the market's price")
        sell = _("You asked to sell %(base)s for %(total)s %(quote)s at the market's price")
    asked = (buy if is_buy else sell) % words
    return " ".join([f"{asked}.", *_conditions(order)])


def _conditions(order: Order) -> Iterator[str]:
    if order.stop_price is not None:
        words = {"price": amount(order.stop_price), "quote": order.market.quote_id}
        yield _("Not before the market reaches %(price)s %(quote)s.") % words
    if order.trailing_delta is not None:
        yield _("Not before the price has turned by %(distance)s.") % {"distance": bps(order.trailing_delta)}
    if order.replaces_id is not None:
        yield _("It is to take the place of order %(id)s.") % {"id": order.replaces_id}
    if order.order_list_id is not None and order.is_later:
        yield _("Not before the first order of its list is filled.")
    elif order.is_paired:
        yield _("It ends when the other order of its list begins to trade.")


def _held(order: Order) -> Iterator[Step]:
    """What was set aside and what of it came back; of two that share a hold, each tells of all of it."""
    moves = books.hold_moves(*cause_of_hold(order), order.user_id)
    for move in moves:
        words = {"amount": amount(move.amount), "asset": move.asset}
        if move.is_release:
            yield _released(move)
        elif not order.is_paired:
            yield Step("held", _("%(amount)s %(asset)s were set aside for it") % words, move.at)
        else:
            text = _("%(amount)s %(asset)s were set aside, once for both orders of the list") % words
            yield Step("held", text, move.at)
    for move in books.hold_moves(ledger.Cause.CHANGE, order.pk, order.user_id) if order.replaces_id else ():
        if not move.is_release:
            words = {"amount": amount(move.amount), "asset": move.asset, "id": str(order.replaces_id)}
            text = _("%(amount)s %(asset)s were set aside besides what order %(id)s holds") % words
            yield Step("held", text, move.at)
        elif not moves:  # else it became part of its own hold
            yield _released(move)


def _released(move: books.HoldMove) -> Step:
    words = {"amount": amount(move.amount), "asset": move.asset}
    return Step(
        "released", _("%(amount)s %(asset)s that it did not need are available again") % words, move.at
    )


def _changes(order: Order) -> Iterator[Step]:
    for other in order.replacements.order_by("id"):
        yield Step(
            "changed", _("You asked for order %(id)s in its place") % {"id": other.pk}, other.created_at
        )
    if order.cancel_requested_at:
        yield Step("canceling", _("Cancelling was asked for"), order.cancel_requested_at)


# ------------------------------------------------------------------ at the venue
def _sent(order: Order, sent: VenueOrder, events: list[OrderEvent]) -> Iterator[Step]:
    seen = _seen(order, sent.decision or {})
    if seen:
        yield Step("seen", seen, sent.created_at)
    if sent.sent_at and not any(event.is_never_sent for event in events):
        yield Step("sent", _("Sent to the venue"), sent.sent_at)


def _seen(order: Order, decision: dict[str, object]) -> str:
    """The price that it was decided upon, empty when no source of now said one."""
    book = decision.get("book")
    level = isinstance(book, dict) and book.get("ask" if order.side == Side.BUY else "bid")
    if isinstance(book, dict) and level and _is_fresh(book):
        price = at_step(level[0], tick_size(order.market.filters))
        words = {"price": price, "quote": order.market.quote_id, "age": seconds(book["age_ms"])}
        if order.side == Side.BUY:
            return _("Best offer %(price)s %(quote)s, as the venue had it %(age)s s before") % words
        return _("Best bid %(price)s %(quote)s, as the venue had it %(age)s s before") % words
    if last := decision.get("last"):
        words = {"price": amount(last), "quote": order.market.quote_id}
        return _("Last price %(price)s %(quote)s; the book was not known at that moment") % words
    return ""


def _is_fresh(book: dict[str, object]) -> bool:
    return book["state"] == "LIVE" and int(str(book["age_ms"])) <= settings.BOOK_STALE_SECONDS * 1000


def _heard(order: Order, sent: VenueOrder, events: list[OrderEvent]) -> Iterator[Step]:
    first = queries.first_change_of(sent)
    if first is not None:
        yield Step("answered", _answer(sent, first), first.at)
    elif sent.answered_at and not events:  # of before there was a recorder
        yield Step("answered", _("Answered by the venue"), sent.answered_at)
    size = order.original_quantity
    for event in events:
        if _is_told_already(event, first):
            continue
        if event.kind != Kind.REPORT:
            yield Step("changed" if event.source in OF_CHANGES else "answered", _said(order, event), event.at)
        elif size is not None and event.quantity and event.quantity < size:
            size = event.quantity
            words = {"quantity": amount(size), "base": order.market.base_id}
            yield Step("changed", _("Its size is %(quantity)s %(base)s now") % words, event.at)


def _is_told_already(event: OrderEvent, first: OrderEvent | None) -> bool:
    """Of an order that the stream told of before its answer was given up nobody has to ask."""
    is_silence = event.kind == Kind.UNKNOWN and event.source == Source.ANSWER
    return is_silence and first is not None and first.pk < event.pk


def _answer(sent: VenueOrder, event: OrderEvent) -> str:
    outcomes: dict[str, str] = {
        Status.OPEN: _("it has the order"),
        Status.PARTIALLY_FILLED: _("partly filled"),
        Status.FILLED: _("filled completely"),
        Status.CANCELED: _("canceled"),
        Status.REJECTED: _("not taken"),
        Status.EXPIRED: _("ended"),
    }
    words = {"outcome": outcomes.get(event.status, _("it has the order"))}
    if event.source == Source.RECONCILIATION:
        return _("The venue was asked what became of it: %(outcome)s") % words
    if sent.sent_at is None:
        return _("The venue answered: %(outcome)s") % words
    words["seconds"] = seconds((event.at - sent.sent_at).total_seconds() * 1000)
    if event.source == Source.STREAM:
        return _("The venue reported after %(seconds)s s: %(outcome)s") % words
    return _("The venue answered after %(seconds)s s: %(outcome)s") % words


def _said(order: Order, event: OrderEvent) -> str:
    """Refusals in the customer's words; the venue's own words, and what is the house's problem, are for staff."""
    if event.kind == Kind.ASKED:
        words = {"quantity": amount(event.quantity), "base": order.market.base_id}
        return _("You asked to make it %(quantity)s %(base)s") % words
    reason = _told(event)
    if event.source in OF_CHANGES:
        if event.kind == Kind.UNKNOWN:
            return _("No answer to the change came; the venue is asked what the order is now")
        return str(reason.sentence) if reason else _("The change could not be sent")
    if event.kind == Kind.UNKNOWN:
        return _("No answer came; it is not sent again, and the venue is asked what became of it")
    if event.kind == Kind.NOT_SENT:
        return _("It could not be sent")
    if reason and reason.is_ours:
        return _("The venue did not take it because of a problem of ours, not of yours")
    return _("The venue did not take it")


def _told(event: OrderEvent) -> Told | None:
    return told(int(event.code), event.message) if event.kind == Kind.REFUSED else None


def _checks(sent: VenueOrder) -> Iterator[Step]:
    """Questions that taught nothing, those since the same event in one sentence."""
    for asked in sent.inquiries.all():
        if asked.outcome == Inquiry.Outcome.UNCHANGED:
            continue
        words = {"count": asked.count, "at": _second(asked.last_at)}
        yield Step("checked", _check(asked) % words, asked.first_at)


def _check(asked: Inquiry) -> str:
    if asked.kind == Inquiry.Kind.CANCEL:
        if asked.outcome == Inquiry.Outcome.REFUSED:
            return ngettext(
                "The venue had nothing to cancel, asked once, at %(at)s",
                "The venue had nothing to cancel, asked %(count)s times, last at %(at)s",
                asked.count,
            )
        return ngettext(
            "Cancelling was not answered by the venue, tried once, at %(at)s",
            "Cancelling was not answered by the venue, tried %(count)s times, last at %(at)s",
            asked.count,
        )
    if asked.outcome == Inquiry.Outcome.NOT_FOUND:
        return ngettext(
            "The venue did not know the order, asked once, at %(at)s",
            "The venue did not know the order, asked %(count)s times, last at %(at)s",
            asked.count,
        )
    return ngettext(
        "The question what became of it was not answered, asked once, at %(at)s",
        "The question what became of it was not answered, asked %(count)s times, last at %(at)s",
        asked.count,
    )


# ------------------------------------------------------------------ what came of it
def _fills(order: Order, events: list[OrderEvent]) -> Iterator[Step]:
    """Each of the first few; the others, however many, in one sentence, for they have a table of their own."""
    first = list(order.fills.order_by("id")[:TOLD_FILLS])
    booked = books.booked_at([fill.transfer_id for fill in first])
    late = {name for event in events if event.effect == Effect.LATE for name in event.trades}
    for fill in first:
        words = {"quantity": amount(fill.quantity), "price": amount(fill.price), "base": order.market.base_id}
        text = _("Filled %(quantity)s %(base)s at %(price)s")
        if fill.trade_name in late:
            text = _(
                "Filled %(quantity)s %(base)s at %(price)s: the venue told of it only after the order had ended"
                " here, and it is in the books all the same"
            )
        yield Step("filled", text % words, booked.get(fill.transfer_id, fill.at))
    later = order.fills.order_by("id")[TOLD_FILLS:].aggregate(count=Count("id"), at=Max("at"))
    if later["count"]:
        text = ngettext("And %(count)s more fill", "And %(count)s more fills", later["count"])
        yield Step("filled", text % {"count": later["count"]}, later["at"])


def _end(order: Order) -> Step:
    if not order.is_final:
        return Step("waiting", _waits(order), None, is_open=True)
    successor = order.replacements.exclude(status=Status.REJECTED).last()
    if order.status == Status.CANCELED and successor is not None:
        text = _("Canceled; order %(id)s has its place") % {"id": successor.pk}
    elif order.reason_code == "OCO_TRIGGER":
        text = _("Ended, because the other order of its list began to trade")
    elif order.reason and _is_told_by_its_reason(order):
        text = _("Ended. %(reason)s") % {"reason": order.reason}
    elif order.status == Status.CANCELED and not order.venue_orders.exists():
        text = _("Canceled before its turn came; nothing was held for it")
    else:
        ends = {
            Status.FILLED: _("Filled completely"),
            Status.CANCELED: _("Canceled"),
            Status.REJECTED: _("Not accepted. %(reason)s") % {"reason": order.reason},
            Status.EXPIRED: _("Ended by its time in force") if order.time_in_force in AT_ONCE else _("Ended"),
        }
        text = ends[Status(order.status)]
    return Step("ended", text, order.finished_at)


def _is_told_by_its_reason(order: Order) -> bool:
    """The reason is one of its end; what has filled completely needs none."""
    if order.route == RouteKind.TWO_LEGS or order.reason_code == LOST.code:
        return True
    if order.reason_code in (STANDS.code, STOOD.code):
        return order.status != Status.FILLED
    return order.status == Status.EXPIRED and order.reason_code in REASONS


def _waits(order: Order) -> str:
    if order.status == Status.WAITING:
        return _("Waiting until the first order of its list is filled")
    if order.route == RouteKind.TWO_LEGS:
        return ways.waits(order)
    if order.status != Status.PENDING:
        if order.venue_orders.filter(missing_asks__gt=0).exists():
            return str(MISSING.sentence)
        wish = order.cancel_requested_at
        return _("Waiting for the venue to cancel it") if wish else _("In the book, waiting")
    sent = order.venue_orders.exclude(sent_at=None).last()
    if sent is None or sent.sent_at is None:
        return _("Being sent to the venue")
    words = {"since": _second(sent.sent_at)}
    return (
        _("No answer has come: the order is being checked since %(since)s, and nothing is sent again") % words
    )


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def seconds(milliseconds: object) -> str:
    """Seconds with two decimals."""
    return f"{Decimal(str(milliseconds)) / 1000:.2f}"


def average_price(order: Order, places: int) -> Decimal | None:
    """What one unit cost on average, for orientation."""
    if not order.cumulative_quantity:
        return None
    return (order.cumulative_quote / order.cumulative_quantity).quantize(
        Decimal(1).scaleb(-places), ROUND_HALF_UP
    )
