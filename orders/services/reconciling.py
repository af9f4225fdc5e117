"""Asking the venue what became of an order, until it is certain. Nothing is ever sent again."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import partial
from itertools import islice

import structlog
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from exchange.binance.errors import CANCEL_REJECTED, NO_SUCH_ORDER, Rejected, VenueError
from exchange.binance.models import Report
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from orders import queries, rules
from orders.errors import NEVER_ARRIVED
from orders.models import FINAL, Order, Source, Status, VenueOrder
from orders.services import crosses, pages, recorder
from orders.services.certainty import certain_from, note_amend_certain
from orders.services.ending import reject
from orders.services.missing import note_missing
from orders.services.reports import apply_report

log = structlog.get_logger()
BATCH = 50
OPEN_BATCH = 1000
# Weights (binance.md 7): 4 for one order, 6 for what is open in one market, 80 for what is open in all.
FEW, MANY_MARKETS = 2, 13
# Markets a turn in which only orders that were given up may stand.
LONE_MARKETS = 5


def reconcile(*, venue_order_id: int) -> bool:
    """The venue is asked for the order and what it says is applied; "no such order" counts only once no request with
    its timestamp can be accepted any more. True when it told of the order."""
    venue_order = VenueOrder.objects.select_related("venue_account", "order__order_list").get(
        pk=venue_order_id
    )
    _note_check(venue_order)
    symbol, asked_at = venue_order.order.market_id, venue_order.order.amend_asked_at
    tells_outcome = asked_at is not None and timezone.now() > certain_from(asked_at)
    if venue_order.status == Status.PENDING and venue_order.order.replaces_id:
        _look_at_the_replaced(venue_order.order)
    try:
        report = gate.call(
            venue_order.venue_account,
            gate.Kind.QUERY,
            venue_order.order.user_id,
            lambda rest: rest.order(symbol, venue_order.client_order_id),
        )
    except VenueError as error:
        recorder.note_question(venue_order, error)
        if not isinstance(error, Rejected) or error.code != NO_SUCH_ORDER:
            raise
        _not_found(venue_order)
        return False
    apply_report(venue_account=venue_order.venue_account, report=report, source=Source.RECONCILIATION)
    if asked_at is not None and tells_outcome:
        note_amend_certain(venue_order.order_id, asked_at)
    if not rules.is_closed(report.status):
        _carry_out_cancel(venue_order_id)
    return True


def reconcile_each(venue_order_ids: Collection[int]) -> dict[str, str]:
    """The same for each of them, whatever becomes of the others; gives why it failed by the name of what was sent."""
    failed = {}
    for number in venue_order_ids:
        try:
            reconcile(venue_order_id=number)
        except VenueError as error:
            failed[VenueOrder.objects.values_list("client_order_id", flat=True).get(pk=number)] = str(error)
    return failed


def _look_at_the_replaced(order: Order) -> None:
    """Of a change that was not answered the cancel alone may have been carried out."""
    open_ones = VenueOrder.objects.filter(order=order.replaces_id).exclude(status__in=FINAL)
    for replaced in open_ones.exclude(status=Status.PENDING):
        reconcile(venue_order_id=replaced.pk)


def _note_check(venue_order: VenueOrder) -> None:
    VenueOrder.objects.filter(pk=venue_order.pk).update(
        checked_at=timezone.now(), checks=venue_order.checks + 1
    )


def _not_found(venue_order: VenueOrder) -> None:
    """-2013 is no proof at once: the query's source may lag, and a request on its way may still be accepted."""
    if venue_order.sent_at is None and venue_order.order.is_later:
        return  # it never left the house, and will be sent anew
    if venue_order.status != Status.PENDING:
        note_missing(venue_order)
        return
    last_moment = venue_order.timestamp_ms + venue_order.recv_window_ms + settings.ORDER_RESOLVE_MARGIN_MS
    if gate.clock().now_ms() <= last_moment or timezone.now() <= venue_order.send_by:
        return
    report = _listed(venue_order)
    if report is None:
        reject([venue_order.pk], NEVER_ARRIVED)
    else:
        apply_report(venue_account=venue_order.venue_account, report=report, source=Source.RECONCILIATION)


def _listed(venue_order: VenueOrder) -> Report | None:
    """The order as the venue's lists have it: what trades at once or ends is never among the open ones."""
    account, symbol = venue_order.venue_account, venue_order.order.market_id
    still_open = gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.open_orders(symbol))
    # Its clock is known to a few seconds at worst: what is further away is refused.
    taken = pages.orders_since(account, symbol, venue_order.timestamp_ms - settings.ORDER_RESOLVE_MARGIN_MS)
    both = (report for reports in (still_open, taken) for report in reports)
    return next((report for report in both if report.client_order_id == venue_order.client_order_id), None)


def _carry_out_cancel(venue_order_id: int) -> None:
    """The end of an order that was found open is asked for, by its customer or because nothing is held for it: cancel
    it; a repeated cancel is harmless."""
    venue_order = VenueOrder.objects.select_related("venue_account", "order").get(pk=venue_order_id)
    order = venue_order.order
    if order.cancel_requested_at is None or rules.is_closed(venue_order.status):
        return
    try:
        reports = gate.call(
            venue_order.venue_account,
            gate.Kind.CANCEL,
            order.user_id,
            lambda rest: rest.cancel(order.market_id, venue_order.client_order_id),
        )
    except VenueError as error:
        recorder.note_cancel(venue_order, error)
        if not isinstance(error, Rejected) or error.code != CANCEL_REJECTED:
            raise
        return  # it ended meanwhile: the next look finds out how
    for report in reports:
        apply_report(venue_account=venue_order.venue_account, report=report, source=Source.CANCEL)


def resolve_pending() -> int:
    """Orders the venue is silent about are asked for; gives how many were looked at."""
    patience = timedelta(seconds=settings.SWEEP_SECONDS)
    now = timezone.now()
    found = [
        *queries.silent_venue_orders(now, patience)[:BATCH],
        *queries.unreleased_venue_orders(now, patience)[:BATCH],
    ]
    return _each(found)


def reconcile_open() -> int:
    """Orders that can still trade are compared with the venue now and then, whatever the stream said."""
    patience = timedelta(seconds=3 * settings.POLL_SECONDS)
    found = queries.unsettled_venue_orders(timezone.now(), patience)[:OPEN_BATCH]
    looked = look_at(list(found.select_related("venue_account", "order")))
    if gate.has_spare_weight():
        _look_for_given_up(queries.lately_given_up(timezone.now(), patience)[:OPEN_BATCH])
    return looked


def look_at(venue_orders: Collection[VenueOrder]) -> int:
    """Each is as the venue says it is: what is open there is asked for by market, only the rest one by one.

    Stops when the weight of the minute is for other calls; who was not looked at stays due.
    """
    found: dict[str, Report] = {}
    for account, symbols in _places(venue_orders).items():
        found |= _open_at(account, symbols)
    _note_standing(found.keys() - {order.client_order_id for order in venue_orders}, found)
    looked = [order for order in venue_orders if order.client_order_id in found]
    for venue_order in looked:
        _apply_open(venue_order, found[venue_order.client_order_id])
    looked_at = VenueOrder.objects.filter(pk__in=[order.pk for order in looked])
    looked_at.update(checked_at=timezone.now(), checks=F("checks") + 1)
    return len(looked) + _each([order for order in venue_orders if order.client_order_id not in found])


def _places(venue_orders: Collection[VenueOrder]) -> dict[VenueAccount, set[str]]:
    """Markets in which a question for all is cheaper than one for each."""
    counts = Counter((order.venue_account, order.order.market_id) for order in venue_orders)
    places: dict[VenueAccount, set[str]] = {}
    for (account, symbol), count in counts.items():
        if count >= FEW:
            places.setdefault(account, set()).add(symbol)
    return places


def _open_at(account: VenueAccount, symbols: Collection[str]) -> dict[str, Report]:
    """What the venue has open in these markets, by client order id; what it does not answer is not in it."""
    found: dict[str, Report] = {}
    for symbol in [None] if len(symbols) > MANY_MARKETS else sorted(symbols):
        try:
            reports = gate.call(account, gate.Kind.QUERY, None, partial(_open_orders, symbol))
        except VenueError as error:
            log.warning("orders.open_not_asked", symbol=symbol or "all", reason=str(error)[:120])
        else:
            found |= {report.client_order_id: report for report in reports}
    return found


def _open_orders(symbol: str | None, rest: gate.Rest) -> list[Report]:
    return rest.open_orders(symbol)


def _note_standing(others: Collection[str], found: Mapping[str, Report]) -> None:
    """Of what the venue has open besides, what was given up here is told as any other fact."""
    given_up = queries.given_up_venue_orders(others) if others else ()
    for venue_order in given_up:
        _apply_open(venue_order, found[venue_order.client_order_id])


def _look_for_given_up(due: Iterable[VenueOrder]) -> None:
    """What was given up may stand in a market where nothing else of ours does: a few are asked a turn, each in its
    turn."""
    by_place: dict[tuple[VenueAccount, str], list[int]] = {}
    for venue_order in due:
        by_place.setdefault((venue_order.venue_account, venue_order.order.market_id), []).append(
            venue_order.pk
        )
    for (account, symbol), numbers in islice(by_place.items(), LONE_MARKETS):
        VenueOrder.objects.filter(pk__in=numbers).update(checked_at=timezone.now())
        found = _open_at(account, [symbol])
        _note_standing(found, found)


def _apply_open(venue_order: VenueOrder, report: Report) -> None:
    """What is new of an open order is applied; most have nothing new, and cost nothing."""
    try:
        if not _is_as_told(venue_order, report):
            apply_report(venue_account=venue_order.venue_account, report=report, source=Source.RECONCILIATION)
        if venue_order.order.cancel_requested_at is not None:
            _carry_out_cancel(venue_order.pk)
    except VenueError as error:
        log.warning("order.not_reconciled", order=venue_order.order_id, reason=str(error)[:120])
    except Exception:  # one odd order never stops the next
        log.exception("order.reconcile_failed", order=venue_order.order_id)


def _is_as_told(venue_order: VenueOrder, report: Report) -> bool:
    """True when it stands so in the books, with all that it traded."""
    known = (venue_order.status, venue_order.cumulative_quantity)
    is_sure = venue_order.venue_order_id is not None and not venue_order.missing_asks
    is_booked = crosses.booked_of(venue_order.order, venue_order) >= report.cumulative_quantity
    return known == (report.status, report.cumulative_quantity) and is_sure and is_booked


def _each(venue_orders: list[VenueOrder]) -> int:
    for number, venue_order in enumerate(venue_orders):
        if not gate.has_spare_weight():
            log.warning("orders.not_looked_at", left=len(venue_orders) - number)
            return number
        try:
            reconcile(venue_order_id=venue_order.pk)
        except VenueError as error:
            log.warning("order.not_reconciled", order=venue_order.order_id, reason=str(error)[:120])
        except Exception:  # one odd order never stops the next
            log.exception("order.reconcile_failed", order=venue_order.order_id)
    return len(venue_orders)
