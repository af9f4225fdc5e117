"""What the books have already: read without a lock, for it only moves forward.

Most of what a stream tells the answer has told before. Such reports only go on record, many at once: each alone would
be three statements and a write to the disk for nothing new.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q
from django.utils import timezone

from exchange.binance.models import Report, TradeFill
from exchange.database import transaction_with_retry
from exchange.gate.models import VenueAccount
from exchange.prepared import Given, Prepared
from orders import rules
from orders.models import Fill, Status, VenueOrder
from orders.services import crosses, recorder, standing
from orders.services.ending import Belongs

Heard = tuple[datetime, Report]


class Known(NamedTuple):
    """Of a venue order."""

    pk: int
    belongs: Belongs
    quote_scale: int
    venue_account_id: int
    status: str
    number: int | None
    quantity: Decimal | None
    cumulative_quantity: Decimal
    cumulative_quote: Decimal
    traded: Decimal  # by its order, at the venue or with another customer
    crossing: int
    finished_at: datetime | None
    reason_code: str
    missing_asks: int


_FACTS = (
    "pk", "order_id", "order__order_list_id", "order__replaces_id", "order__extra_hold", "order__route_of_id",
    "by_sor", "order__market__quote__scale", "venue_account_id", "status", "venue_order_id", "quantity",
    "cumulative_quantity", "cumulative_quote", "order__cumulative_quantity", "order__crossing",
    "order__finished_at", "order__reason_code", "missing_asks",
)  # fmt: skip
_KNOWN = Prepared(
    lambda: VenueOrder.objects.filter(
        client_order_id=Given("client_order_id"), order__market=Given("symbol")
    ).values_list(*_FACTS)
)


def of(report: Report) -> Known | None:
    """Of the order that the report is of; None when that is none of ours."""
    row = _KNOWN.first(client_order_id=report.client_order_id, symbol=report.symbol)
    return None if row is None else _as_known(row)


def _as_known(row: Sequence[object]) -> Known:
    return Known(row[0], Belongs(*row[1:7]), *row[7:])  # type: ignore[arg-type]


def has_all(known: Known, report: Report) -> bool:
    """True when the books have all of it, as they do of what the answer and the stream tell alike."""
    if not _says_nothing_new(known, report):
        return False
    return not report.fills or not new_ones(known.venue_account_id, report.symbol, report.fills)


def _says_nothing_new(known: Known, report: Report) -> bool:
    """The same, its trades apart."""
    is_ahead = (
        rules.next_status(known.status, report.status) == known.status != Status.PENDING
        and known.number is not None
        and known.cumulative_quantity >= report.cumulative_quantity
        and known.cumulative_quote >= report.cumulative_quote
    )
    is_settled = (
        known.traded >= known.cumulative_quantity
        and known.belongs.extra_hold is None
        and (known.finished_at is not None) == rules.is_closed(known.status)
    )
    is_smaller_now = known.quantity is not None and 0 < report.quantity < known.quantity
    is_told = not (known.missing_asks or standing.is_against(known.status, known.reason_code, report))
    return is_ahead and is_settled and is_told and not is_smaller_now and _is_booked(known)


def _is_booked(known: Known) -> bool:
    """What an order traded with another customer is not of the venue."""
    return not known.crossing or crosses.booked_at_venue(known.pk) >= known.cumulative_quantity


def looked_at(known: Iterable[Known]) -> None:
    """What is open was heard of just now."""
    if numbers := [one.pk for one in known if one.finished_at is None]:
        VenueOrder.objects.filter(pk__in=numbers).update(checked_at=timezone.now())


# ------------------------------------------------------------------ trades
Key = tuple[int | None, int | None]  # of the trade, or of the allocation


def new_ones(venue_account_id: int, symbol: str, fills: Sequence[TradeFill]) -> list[TradeFill]:
    """Those of the trades that are not booked."""
    if not fills:
        return []
    new: dict[Key, TradeFill] = {}
    for fill in fills:
        new.setdefault(key_of(fill), fill)
    booked = set(_booked(venue_account_id, symbol, list(new)))
    return [fill for key, fill in new.items() if key not in booked]


def key_of(fill: TradeFill) -> Key:
    """By which the venue knows the trade for ever, in its market and account."""
    return (fill.trade_id, None) if fill.allocation_id is None else (None, fill.allocation_id)


def _booked(venue_account_id: int, symbol: str, keys: list[Key]) -> Iterable[Key]:
    if len(keys) == 1 and keys[0][0] is not None:
        return _BOOKED.all(account=venue_account_id, symbol=symbol, trade=keys[0][0])
    trades = Q(trade_id__in=[trade for trade, _allocation in keys if trade is not None], allocation_id=None)
    allocations = Q(allocation_id__in=[allocation for _trade, allocation in keys if allocation is not None])
    found = Fill.objects.filter(trades | allocations, venue_account_id=venue_account_id, market_id=symbol)
    return [
        (trade, None) if allocation is None else (None, allocation)
        for trade, allocation in found.values_list("trade_id", "allocation_id")
    ]


_BOOKED = Prepared(
    lambda: Fill.objects.filter(
        venue_account=Given("account"), market=Given("symbol"), trade_id=Given("trade"), allocation_id=None
    ).values_list("trade_id", "allocation_id")
)


# ------------------------------------------------------------------ many at once
@transaction_with_retry
def note_known(venue_account: VenueAccount, heard: Sequence[Heard], source: str) -> list[Heard]:
    """Of reports that the books have everything of goes on record when they were heard; gives the others, which are to
    be applied, and with each of them all that were heard of its order: these count in their order."""
    found = _all_known(venue_account, heard)
    by_market: dict[str, list[TradeFill]] = {}
    for _at, report in heard:
        by_market.setdefault(report.symbol, []).extend(report.fills)
    new = {
        (symbol, key_of(fill))
        for symbol, fills in by_market.items()
        for fill in new_ones(venue_account.pk, symbol, fills)
    }
    to_apply = {
        _name(report) for _at, report in heard if not _is_on_record(found.get(_name(report)), report, new)
    }
    known = [(at, report, found[_name(report)]) for at, report in heard if _name(report) not in to_apply]
    looked_at(one for _at, _report, one in known)
    recorder.note_all_known(
        [(one.belongs.order_id, one.pk, report, at) for at, report, one in known], source=source
    )
    return [(at, report) for at, report in heard if _name(report) in to_apply]


def _name(report: Report) -> tuple[str, str]:
    return report.client_order_id, report.symbol


def _all_known(venue_account: VenueAccount, heard: Sequence[Heard]) -> dict[tuple[str, str], Known]:
    names = {_name(report) for _at, report in heard}
    rows = VenueOrder.objects.filter(
        venue_account=venue_account,
        client_order_id__in=[client_order_id for client_order_id, _symbol in names],
        order__market__in={symbol for _client_order_id, symbol in names},
    ).values_list("client_order_id", "order__market", *_FACTS)
    return {(row[0], row[1]): _as_known(row[2:]) for row in rows}


def _is_on_record(known: Known | None, report: Report, new: set[tuple[str, Key]]) -> bool:
    """True when nothing in the books moves by it, and nothing waits for what it tells."""
    if known is None or known.belongs.list_id is not None or known.belongs.whole_id is not None:
        return False
    are_booked = all((report.symbol, key_of(fill)) not in new for fill in report.fills)
    return are_booked and _says_nothing_new(known, report)
