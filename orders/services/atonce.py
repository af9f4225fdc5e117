"""An order that nothing else concerns, in one statement each: recorded with its hold, and booked with what the venue
answered.

Each statement is its own transaction and does all or nothing. The second finds both rows as they were recorded, and
locks them in the order in which everybody does; where anything happened to them meanwhile it does nothing, and the
usual road is taken, which reads and locks first.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from exchange import failpoints
from exchange.binance.models import Report, TradeFill
from exchange.database import with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.prepared import insertion_of, is_written, rows_of, written
from ledger import services as ledger
from orders.models import Fill, Order, Source, Status, VenueOrder
from orders.services import booking, events, known, recorder
from orders.services.shrinking import is_smaller

# What the venue answers of an order that it took, and that goes on or is filled.
TAKEN = (Status.OPEN, Status.PARTIALLY_FILLED, Status.FILLED)
MOST_TRADES = 20
ZERO = Decimal(0)


# ------------------------------------------------------------------ recorded
def record(order: Order, venue_order: VenueOrder, asset: str, amount: Decimal) -> bool:
    """The order, what will be sent for it, and the hold; False while staff have stopped anything: nothing was done
    then. Raises InsufficientFunds, and IntegrityError for a nonce that there is already."""
    values = [
        *written(order),
        *written(venue_order, but="order"),
        *ledger.held_for_new(order.user_id, asset, amount),
    ]
    with ledger.refusals():
        rows = with_retry(lambda: rows_of(_recording(), *values))
    if not rows:
        return False
    failpoints.hit("ledger.posted")
    ((order_id, venue_order_id),) = rows
    is_written(order, order_id)
    is_written(venue_order, venue_order_id)
    venue_order.order = order
    return True


@cache
def _recording() -> str:
    return (
        f"WITH go AS (SELECT WHERE NOT {gate.IS_ANYTHING_STOPPED}),"
        f" o AS ({insertion_of(Order, 'go')} RETURNING id),"
        f" v AS ({insertion_of(VenueOrder, 'o', order='o.id')} RETURNING id),"
        f" h AS MATERIALIZED (SELECT {ledger.hold_of_new('o.id')} FROM o CROSS JOIN v)"
        " SELECT o.id, v.id FROM o CROSS JOIN v CROSS JOIN h"
    )


# ------------------------------------------------------------------ booked
def book_answer(sent: VenueOrder, report: Report, fills: Sequence[TradeFill]) -> Order | None:
    """What the venue answered to who sent it is in the books, and the order as it is then; None when that is not so
    plain, and nothing was done. `fills`: the trades of the answer, as far as they are exact."""
    order, heard_at = sent.order, timezone.now()
    if not _is_plain(order, sent, report, fills):
        return None
    postings = [booking.posting_of(order, sent, fill) for fill in fills]
    rows = [booking.row_of(order, sent, fill, posting) for fill, posting in zip(fills, postings, strict=True)]
    values: list[Any] = [order.pk, sent.pk]
    for number, (row, posting) in enumerate(zip(rows, postings, strict=True), 1):
        values += ledger.covered_fill(posting, is_last=report.status == Status.FILLED and number == len(rows))
        values += written(row, but="transfer_id")
    cost = sum((fill.quote_quantity for fill in fills), ZERO)
    told = [
        report.venue_order_id,
        report.status,
        report.cumulative_quantity,
        report.cumulative_quote,
        sent.pk,
    ]
    values += [*told, report.status, report.cumulative_quantity, cost, order.pk]
    values += recorder.changed_by(order.pk, sent.pk, report, Source.ANSWER, fills, heard_at)
    statement = _booking(len(rows), report.status == Status.FILLED)
    try:
        with ledger.refusals():
            found = with_retry(lambda: rows_of(statement, *values))
    except (DomainError, IntegrityError):
        return None
    if not found:
        return None
    order.status, order.cumulative_quantity, order.cumulative_quote = (
        report.status,
        report.cumulative_quantity,
        cost,
    )
    order.updated_at, order.finished_at, *keys = found[0]
    _tell(order, rows, keys)
    return order


def _is_plain(order: Order, sent: VenueOrder, report: Report, fills: Sequence[TradeFill]) -> bool:
    """No other order, list or customer is concerned, and the answer tells of all that was traded."""
    alone = (order.order_list_id, order.replaces_id, order.route_of_id, order.extra_hold)
    if alone != (None, None, None, None) or order.crossing or sent.by_sor or report.status not in TAKEN:
        return False
    traded = sum((fill.quantity for fill in fills), ZERO)
    is_whole = traded == report.cumulative_quantity and (traded > 0) == (report.status != Status.OPEN)
    is_usual = not report.reason and not is_smaller(sent, report) and report.venue_order_id is not None
    return is_whole and is_usual and len({known.key_of(fill) for fill in fills}) == len(fills) <= MOST_TRADES


def _tell(order: Order, rows: Sequence[Fill], keys: Sequence[int]) -> None:
    failpoints.hit("ledger.posted")
    for row, key, transfer in zip(rows, keys[::2], keys[1::2], strict=True):
        is_written(row, key)
        row.transfer_id = transfer
        events.tell_fill(row)
    events.tell(order, *((order.market.base_id, order.market.quote_id) if rows else ()))


@cache
def _booking(trades: int, is_end: bool) -> str:
    parts, last = [_FOUND], "v"
    for number in range(trades):
        post, fill = f"p{number}", f"f{number}"
        parts.append(f"{post} AS MATERIALIZED (SELECT ({ledger.POST}).transfer_id FROM {last})")
        insertion = insertion_of(Fill, post, transfer_id=f"{post}.transfer_id")
        parts.append(f"{fill} AS ({insertion} RETURNING id, transfer_id)")
        last = fill
    sent = f"{_SENT} FROM {last} WHERE orders_venueorder.id = %s"
    moved = f"{_ENDED if is_end else _MOVED} FROM {last} WHERE orders_order.id = %s"
    parts.append(f"sent AS ({sent}), moved AS ({moved} RETURNING updated_at, finished_at)")
    parts.append(f"heard AS ({recorder.insertion_from(last)})")
    keys = "".join(f", f{number}.id, f{number}.transfer_id" for number in range(trades))
    found = ", ".join(["moved", *(f"f{number}" for number in range(trades))])
    return f"WITH {', '.join(parts)} SELECT moved.updated_at, moved.finished_at{keys} FROM {found}"


_FOUND = (
    "o AS (SELECT id FROM orders_order WHERE id = %s AND status = 'PENDING' AND cumulative_quantity = 0"
    " AND finished_at IS NULL AND cancel_requested_at IS NULL AND amend_asked_at IS NULL AND crossing = 0"
    " AND extra_hold IS NULL AND reason_code = '' FOR UPDATE),"
    " v AS (SELECT v.id FROM o JOIN orders_venueorder v ON v.order_id = o.id WHERE v.id = %s AND v.status = 'PENDING'"
    " AND v.venue_order_id IS NULL AND v.cumulative_quantity = 0 AND v.missing_asks = 0 FOR UPDATE OF v)"
)
# By the clock by which the books are: an order ends after its trades.
_SENT = (
    "UPDATE orders_venueorder SET venue_order_id = %s, status = %s, cumulative_quantity = %s, cumulative_quote = %s,"
    " answered_at = clock_timestamp(), checked_at = clock_timestamp()"
)
_MOVED = (
    "UPDATE orders_order SET status = %s, cumulative_quantity = %s, cumulative_quote = %s,"
    " updated_at = clock_timestamp()"
)
_ENDED = f"{_MOVED}, finished_at = clock_timestamp()"
