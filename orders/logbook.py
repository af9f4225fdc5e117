"""An order's life as staff read it: everything on record in one line of time, with numbers, words and where to look."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from exchange.moments import moment_of
from ledger import queries as books
from ledger import services as ledger
from markets.templatetags.figures import amount, bps, signed, stamp
from orders import queries
from orders.lifeline import seconds
from orders.models import Fill, Inquiry, Order, OrderEvent, VenueOrder
from orders.services import cause_of_hold

MOST = 300
Kind = OrderEvent.Kind


@dataclass(frozen=True)
class Fact:
    name: str
    value: str
    link: str = ""


@dataclass(frozen=True)
class Line:
    at: datetime
    text: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Logbook:
    """The lines, oldest first; of what there is more of than a page takes, `left_out` says how much."""

    lines: list[Line]
    left_out: int


def logbook(order: Order) -> Logbook:
    """All that is on record of the order."""
    events, transfers = queries.events_of(order), _transfers(order)
    fills = order.fills.order_by("id")
    lines = [_recorded(order)]
    never_sent = queries.never_sent(order)
    for sent in queries.venue_orders_of(order):
        lines += [
            *_sent(sent, is_sent=sent.pk not in never_sent),
            *(_inquiry(asked) for asked in sent.inquiries.all()),
        ]
    lines += [_event(event) for event in events[:MOST]]
    lines += _fills(list(fills[:MOST]))
    lines += [_transfer(transfer) for transfer in transfers[:MOST]]
    lines += _wishes(order)
    lines.sort(key=lambda line: line.at)
    counts = (events.count(), fills.count(), len(transfers))
    return Logbook(lines, sum(max(count - MOST, 0) for count in counts))


def _facts(*named: tuple[str, object] | Fact) -> tuple[Fact, ...]:
    """Those that say something."""
    found = (
        one if isinstance(one, Fact) else Fact(one[0], "" if one[1] is None else str(one[1])) for one in named
    )
    return tuple(fact for fact in found if fact.value)


def _page(model: str, number: object) -> str:
    return reverse(f"admin:{model}_change", args=[number])


# ------------------------------------------------------------------ what was asked and decided
def _recorded(order: Order) -> Line:
    words = {"side": order.side, "type": order.type, "tif": order.time_in_force, "market": order.market_id}
    rate = _("taker %(taker)s, maker %(maker)s") % {
        "taker": bps(order.fee_bps),
        "maker": bps(order.maker_fee_bps),
    }
    facts = _facts(
        Fact(_("Customer"), order.user.email, _page("accounts_user", order.user_id)),
        (_("Quantity"), _amount(order.original_quantity or order.quantity)),
        (_("Total"), _amount(order.quote_quantity)),
        (_("Price"), _amount(order.price)),
        (_("Stop price"), _amount(order.stop_price)),
        (_("Trailing distance"), order.trailing_delta and bps(order.trailing_delta)),
        (_("Shown in the book"), _amount(order.iceberg_quantity)),
        (_("Worst price allowed"), _amount(order.protection_price)),
        (_("Fee rate"), f"{rate} ({order.fee_rule or _('usual')})"),
        (_("The customer's id"), order.nonce),
        (_("Hash of the ticket"), order.request_hash),
        *_relations(order),
    )
    return Line(order.created_at, _("Asked for: %(side)s %(type)s %(tif)s %(market)s") % words, facts)


def _relations(order: Order) -> Iterator[Fact]:
    if order.order_list_id:
        text = f"{order.order_list_id}, {order.get_leg_display()}"
        yield Fact(_("List"), text, _page("orders_orderlist", order.order_list_id))
    if order.replaces_id:
        yield Fact(_("Takes the place of"), f"#{order.replaces_id}", _page("orders_order", order.replaces_id))
    if order.route:
        yield Fact(_("Route"), order.get_route_display(), _page("orders_routedecision", order.pk))
    if order.route_of_id:
        yield Fact(_("Part of"), f"#{order.route_of_id}", _page("orders_order", order.route_of_id))
    for part in queries.parts_of(order):
        yield Fact(_("Part"), f"#{part.pk}, {part.market_id}", _page("orders_order", part.pk))
    for other in order.replacements.order_by("id"):
        yield Fact(_("To be replaced by"), f"#{other.pk}", _page("orders_order", other.pk))


def _sent(sent: VenueOrder, *, is_sent: bool) -> Iterator[Line]:
    yield Line(
        sent.created_at, _("Decided, and recorded to be sent"), _facts(*_decision(sent), *_request(sent))
    )
    if sent.sent_at:
        took = {"seconds": seconds((sent.sent_at - sent.created_at).total_seconds() * 1000)}
        text = _("Sent, %(seconds)s s after it was recorded")
        if not is_sent:
            text = _("Taken up to be sent, %(seconds)s s after it was recorded")
        yield Line(sent.sent_at, text % took)


def _decision(sent: VenueOrder) -> Iterator[tuple[str, object]]:
    """The book as the venue wrote it, and what others said of the price."""
    found: dict[str, Any] = sent.decision or {}
    if book := found.get("book"):
        yield _("Book"), f"epoch {book['epoch']}, u {book['u']}, {book['state']}, {book['age_ms']} ms"
        for name, level in ((_("Best bid"), book["bid"]), (_("Best ask"), book["ask"])):
            yield name, level and f"{level[0]} × {level[1]}"
    elif found:
        yield _("Book"), _("none was known")
    yield _("Last price"), found.get("last")
    yield _("Close of the minute before"), found.get("earlier")


def _request(sent: VenueOrder) -> Iterator[tuple[str, object] | Fact]:
    yield Fact(_("Client order id"), sent.client_order_id, _page("orders_venueorder", sent.pk))
    shape = [sent.type, sent.time_in_force, _amount(sent.quantity), _amount(sent.price)]
    yield _("As sent"), " ".join(word for word in shape if word)
    yield _("Total"), _amount(sent.quote_quantity)
    yield _("Signed time"), f"{stamp(moment_of(sent.timestamp_ms))} + {sent.recv_window_ms} ms"
    yield _("To be sent until"), stamp(sent.send_by)
    yield _("Hash of the request"), sent.request_hash


# ------------------------------------------------------------------ what was heard
def _event(event: OrderEvent) -> Line:
    effects = {
        "": _("nothing new"),
        OrderEvent.Effect.CHANGED: _("the books were changed by it"),
        OrderEvent.Effect.LATE: _("a trade after the order had ended here"),
    }
    words = {"source": event.get_source_display(), "status": event.status, "effect": effects[event.effect]}
    texts = {
        Kind.REPORT: _("Report, %(source)s: %(status)s; %(effect)s"),
        Kind.REFUSED: _("Refused, %(source)s"),
        Kind.NOT_SENT: _("Not sent, in place of the %(source)s"),
        Kind.UNKNOWN: _("No answer, in place of the %(source)s"),
        Kind.ASKED: _("The venue is asked to make it smaller"),
    }
    filled = event.cumulative_quantity is not None and _("%(quantity)s for %(quote)s") % {
        "quantity": amount(event.cumulative_quantity),
        "quote": amount(event.cumulative_quote),
    }
    facts = _facts(
        (_("Size"), _amount(event.quantity)),
        (_("Filled"), filled or None),
        (_("Trades"), ", ".join(event.trades)),
        (_("The venue's time"), event.venue_time_ms and stamp(moment_of(event.venue_time_ms))),
        (_("Code"), event.code),
        (_("The venue's words"), event.message),
        (_("Event"), event.pk),
    )
    return Line(event.at, texts[Kind(event.kind)] % words, facts)


def _inquiry(asked: Inquiry) -> Line:
    words = {"what": asked.get_kind_display(), "outcome": asked.get_outcome_display(), "count": asked.count}
    text = ngettext(
        "Asked once, %(what)s: %(outcome)s", "Asked %(count)s times, %(what)s: %(outcome)s", asked.count
    )
    facts = _facts((_("Last at"), stamp(asked.last_at)), (_("Said the last time"), asked.reason))
    return Line(asked.first_at, text % words, facts)


# ------------------------------------------------------------------ what came of it
def _fills(fills: list[Fill]) -> list[Line]:
    booked = books.booked_at([fill.transfer_id for fill in fills])
    return [_fill(fill, booked.get(fill.transfer_id, fill.at)) for fill in fills]


def _fill(fill: Fill, at: datetime) -> Line:
    words = {
        "quantity": amount(fill.quantity),
        "price": amount(fill.price),
        "quote": amount(fill.quote_quantity),
    }
    facts = _facts(
        Fact(_("Trade"), fill.trade_name, _page("orders_fill", fill.pk)),
        (_("Fee"), f"{amount(fill.fee)} {fill.fee_asset_id}"),
        (_("Commission"), f"{amount(fill.commission)} {fill.commission_asset}"),
        (_("The venue's time"), stamp(fill.at)),
        _transfer_fact(fill.transfer_id),
    )
    return Line(at, _("Filled %(quantity)s at %(price)s, %(quote)s in all") % words, facts)


def _transfers(order: Order) -> list[Any]:
    """Of its own hold or its list's, and of what was held besides for a change."""
    found = list(books.transfers_of_cause(*cause_of_hold(order))[: MOST + 1])
    return [*found, *books.transfers_of_cause(ledger.Cause.CHANGE, order.pk)[:MOST]]


def _transfer(transfer: Any) -> Line:
    lines = (
        (entry.account.code, f"{signed(entry.amount)} {entry.get_bucket_display()}")
        for entry in transfer.entries.all()
    )
    text = _("Booked: %(kind)s") % {"kind": transfer.get_kind_display()}
    return Line(transfer.created_at, text, _facts(_transfer_fact(transfer.pk), *lines))


def _transfer_fact(number: int) -> Fact:
    return Fact(_("Transfer"), str(number), _page("ledger_transfer", number))


def _wishes(order: Order) -> Iterator[Line]:
    if order.cancel_requested_at:
        yield Line(order.cancel_requested_at, _("Cancelling was asked for"))
    if order.finished_at:
        facts = _facts((_("Code"), order.reason_code), (_("As the customer reads it"), order.reason))
        yield Line(order.finished_at, _("Ended: %(status)s") % {"status": order.status}, facts)


def _amount(value: object) -> str:
    return "" if value is None else amount(value)
