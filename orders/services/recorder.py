"""The flight recorder: what is heard of an order goes on record, in one statement and without anybody's lock.

A report that is applied is on record in the transaction that applies it; one that says what is known already by itself.
Nothing secret reaches here: of a request there are only its parts that were asked for, of a refusal the venue's words.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Max
from django.utils import timezone

from exchange.binance.errors import NO_SUCH_ORDER, NotSent, Rejected, Unknown, VenueError
from exchange.binance.models import MyTrade, Report, TradeFill
from exchange.gate import services as gate
from exchange.prepared import execute
from orders.models import Inquiry, Order, OrderEvent, Source, VenueOrder
from orders.rules import trade_name

LATEST_MS = 253_402_300_800_000  # the end of the year 9999
Kind, Effect = OrderEvent.Kind, OrderEvent.Effect
# By hand, for each report costs one: a row of the model and `insert` cost 107 µs of CPU, this 64.
_COLUMNS = (
    "order_id, venue_order_id, at, kind, source, effect, status, quantity,"
    " cumulative_quantity, cumulative_quote, venue_time_ms, trades, code, message"
)
_PLACES = ", ".join(["%s"] * 14)
_INSERT = f"INSERT INTO orders_orderevent ({_COLUMNS}) VALUES ({_PLACES})"


@dataclass(frozen=True)
class State:
    """How far an order was before a report was applied, and when that was heard."""

    venue_status: str
    venue_quantity: Decimal
    size: Decimal | None
    status: str
    quantity: Decimal
    finished_at: datetime | None
    heard_at: datetime = field(compare=False)


def state_of(order: Order, venue_order: VenueOrder) -> State:
    return State(
        venue_order.status,
        venue_order.cumulative_quantity,
        venue_order.quantity,
        order.status,
        order.cumulative_quantity,
        order.finished_at,
        timezone.now(),
    )


def note_report(
    order: Order,
    venue_order: VenueOrder,
    report: Report,
    *,
    source: str,
    before: State,
    fills: Iterable[TradeFill],
) -> None:
    """The report and what it changed, within the transaction that applied it."""
    after = state_of(order, venue_order)
    is_late = before.finished_at is not None and after.quantity != before.quantity
    effect = Effect.LATE if is_late else Effect.CHANGED if after != before else ""
    told = (*report.fills, *fills)
    _note_report(order.pk, venue_order.pk, report, source, effect, told, before.heard_at)


def changed_by(
    order_id: int,
    venue_order_id: int,
    report: Report,
    source: str,
    fills: Iterable[TradeFill],
    heard_at: datetime,
) -> list[Any]:
    """What `insertion_from` writes of a report that changed the books."""
    said = _said_by(report, (*report.fills, *fills))
    return _row(order_id, venue_order_id, Kind.REPORT, source, Effect.CHANGED, at=heard_at, **said)


def insertion_from(part: str) -> str:
    """A part of the statement that applies a report: the row, where the part before gave one."""
    return f"INSERT INTO orders_orderevent ({_COLUMNS}) SELECT {_PLACES} FROM {part}"


def note_known(
    order_id: int, venue_order_id: int, report: Report, *, source: str, heard_at: datetime | None = None
) -> None:
    """A report of which the books have everything; heard now unless it is said when."""
    _note_report(order_id, venue_order_id, report, source, "", report.fills, heard_at)


def note_all_known(told: Iterable[tuple[int, int, Report, datetime]], *, source: str) -> None:
    """Many such reports, with order, venue order and when it was heard; from a stream, not from a sweep."""
    rows = [
        _row(order_id, venue_order_id, Kind.REPORT, source, at=heard_at, **_said_by(report, report.fills))
        for order_id, venue_order_id, report, heard_at in told
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)


def note_trade(order: Order, venue_order: VenueOrder, trade: MyTrade) -> None:
    """A trade that was found by asking for trades, and booked."""
    effect = Effect.CHANGED if order.finished_at is None else Effect.LATE
    _insert(
        order.pk, venue_order.pk, Kind.REPORT, Source.RECONCILIATION, effect,
        quantity=(None, order.cumulative_quantity, order.cumulative_quote),
        time_ms=_time(trade.fill.time_ms), trades=[trade_name(trade.fill.trade_id, trade.fill.allocation_id)],
    )  # fmt: skip


def note_error(venue_orders: Iterable[VenueOrder], error: VenueError, *, source: str) -> None:
    """The venue refused what was asked of it for the orders, or did not answer, or was never reached."""
    kind, code, message = _said(error)
    for venue_order in venue_orders:
        _insert(venue_order.order_id, venue_order.pk, kind, source, code=code, message=message)


def note_amend(venue_order: VenueOrder, quantity: Decimal, nonce: str) -> None:
    """The venue is asked to make the order so small, under the customer's own name of the wish."""
    size = (quantity, None, None)
    _insert(venue_order.order_id, venue_order.pk, Kind.ASKED, Source.AMEND, quantity=size, message=nonce)


def note_question(venue_order: VenueOrder, error: VenueError) -> None:
    """The venue was asked for the order, and did not tell of it; what a breaker kept back was no question."""
    if isinstance(error, gate.Paused):
        return
    is_not_found = isinstance(error, Rejected) and error.code == NO_SUCH_ORDER
    outcome = Inquiry.Outcome.NOT_FOUND if is_not_found else _outcome(error)
    _count(venue_order.pk, venue_order.order_id, Inquiry.Kind.QUERY, outcome, str(error))


def note_cancel(venue_order: VenueOrder, error: VenueError) -> None:
    """The venue was asked to cancel the order, and did not; while a breaker is open nobody asks."""
    if isinstance(error, gate.Paused):
        return
    _count(venue_order.pk, venue_order.order_id, Inquiry.Kind.CANCEL, _outcome(error), str(error))


def _said(error: VenueError) -> tuple[OrderEvent.Kind, str, str]:
    if isinstance(error, Rejected):
        return Kind.REFUSED, str(error.code), error.message
    return Kind.NOT_SENT if isinstance(error, NotSent) else Kind.UNKNOWN, "", str(error)


def _outcome(error: VenueError) -> Inquiry.Outcome:
    return Inquiry.Outcome.UNANSWERED if isinstance(error, NotSent | Unknown) else Inquiry.Outcome.REFUSED


def _note_report(
    order_id: int,
    venue_order_id: int,
    report: Report,
    source: str,
    effect: str,
    fills: Iterable[TradeFill],
    heard_at: datetime | None = None,
) -> None:
    """What a sweep asked for and knew already is counted."""
    if source == Source.RECONCILIATION and not effect:
        _count(venue_order_id, order_id, Inquiry.Kind.QUERY, Inquiry.Outcome.UNCHANGED, report.status)
        return
    said = _said_by(report, fills)
    _insert(order_id, venue_order_id, Kind.REPORT, source, effect, at=heard_at, **said)


def _said_by(report: Report, fills: Iterable[TradeFill]) -> dict[str, Any]:
    return {
        "status": report.status,
        "quantity": (report.quantity, report.cumulative_quantity, report.cumulative_quote),
        "time_ms": _time(report.transact_time_ms),
        "trades": list(dict.fromkeys(trade_name(fill.trade_id, fill.allocation_id) for fill in fills)),
        "code": report.reason,
    }


def _insert(*named: Any, **more: Any) -> None:
    execute(_INSERT, *_row(*named, **more))


def _row(
    order_id: int,
    venue_order_id: int,
    kind: str,
    source: str,
    effect: str = "",
    *,
    status: str = "",
    quantity: tuple[Decimal | None, Decimal | None, Decimal | None] = (None, None, None),
    time_ms: int | None = None,
    trades: list[str] | None = None,
    code: str = "",
    message: str = "",
    at: datetime | None = None,
) -> list[Any]:
    named = [str(kind), str(source), str(effect), _text(status, 24)]
    heard = [*quantity, time_ms, trades or [], _text(code, 40), _text(message, 200)]
    return [order_id, venue_order_id, at or timezone.now(), *named, *heard]


def _text(said: str, most: int) -> str:
    """What the venue says, as far as the column reaches: no word of its stops a report."""
    return said.replace("\0", "")[:most]


def _time(milliseconds: int) -> int | None:
    """The venue's time, unless it is none that a calendar has."""
    return milliseconds if 0 < milliseconds < LATEST_MS else None


def _count(venue_order_id: int, order_id: int, kind: str, outcome: str, reason: str) -> None:
    """One question more since the order's last event, with the same outcome."""
    latest = OrderEvent.objects.filter(order=order_id).aggregate(latest=Max("pk"))["latest"]
    now, said = timezone.now(), _text(reason, 200)
    Inquiry.objects.update_or_create(
        venue_order_id=venue_order_id,
        kind=kind,
        outcome=outcome,
        after_event=latest or 0,
        defaults={"count": F("count") + 1, "last_at": now, "reason": said},
        create_defaults={"first_at": now, "last_at": now, "reason": said},
    )
