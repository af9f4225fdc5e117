"""What waits for the first order of its list: begun when that is filled, ended when it ended otherwise, once."""

from datetime import datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import services as accounts
from exchange import failpoints
from exchange.binance.errors import VenueError
from exchange.binance.models import Report
from exchange.database import transaction_with_retry
from exchange.errors import DomainError, Unavailable
from exchange.gate.models import VenueAccount
from exchange.money import floor_to_step, plain
from ledger import services as ledger
from markets.rules import step_size
from orders import queries, rules
from orders.errors import FIRST_ENDED
from orders.models import Leg, Order, OrderList, Side, Status, VenueOrder
from orders.services import events, reports
from orders.services.ending import finish
from orders.services.listtickets import plan_pair
from orders.services.placing import relay, relay_soon, require_venue
from orders.services.recording import again, hold_for, new_venue_orders
from orders.services.tickets import Plan, Ticket, plan_of
from orders.services.twolegs import follow_route_soon

log = structlog.get_logger()
BATCH = 50


def apply_report(
    *, venue_account: VenueAccount, report: Report, source: str, heard_at: datetime | None = None
) -> None:
    """Everything the report says is in the books, and what waited for the order begins or ends. `heard_at`: when it
    came, if not now."""
    belongs = reports.apply_and_tell(
        venue_account=venue_account, report=report, source=source, heard_at=heard_at
    )
    if belongs is None or not rules.is_closed(report.status):
        return
    if belongs.list_id is not None:
        follow_soon(belongs.list_id)
    if belongs.whole_id is not None:
        follow_route_soon(belongs.whole_id)


def follow_soon(list_id: int) -> None:
    """What waits in the list begins or ends, if its first order has ended; what cannot be done now the sweep does."""
    unsent = queries.unsent_later_orders(timezone.now()).filter(order__order_list=list_id)
    if not (queries.lists_to_follow().filter(pk=list_id).exists() or unsent.exists()):
        return
    try:
        sent = _follow(list_id)
    except (VenueError, DomainError) as error:
        log.info("list.waits", order_list=list_id, reason=str(error)[:120])
        return
    if sent:
        relay_soon(sent)


def follow_lists() -> int:
    """Whatever waits for an order that has ended is begun or ended, and what never left is sent anew; gives how many
    lists were looked at."""
    # In any order: those of a market that stands still wait on, and must not keep all others from their turn.
    unsent = queries.unsent_later_orders(timezone.now()).values_list("order__order_list", flat=True)
    ended = queries.lists_to_follow().values_list("pk", flat=True)
    found = dict.fromkeys([*ended.order_by("?")[:BATCH], *unsent.order_by("?")[:BATCH]])
    for list_id in found:
        try:
            if sent := _follow(list_id):
                relay(sent)
        except (VenueError, DomainError) as error:
            log.info("list.waits", order_list=list_id, reason=str(error)[:120])
        except Exception:  # one odd list never stops the next
            log.exception("list.follow_failed", order_list=list_id)
    return len(found)


def _follow(list_id: int) -> list[int]:
    """The venue orders to be sent, recorded with their hold."""
    failpoints.hit("list.following")
    require_venue()
    sent = _begin_or_end(list_id)
    failpoints.hit("list.begun")
    return sent


@transaction_with_retry
def _begin_or_end(list_id: int) -> list[int]:
    order_list = OrderList.objects.select_for_update().get(pk=list_id)
    orders = {Leg(order.leg): order for order in _locked_orders(order_list)}
    working = orders.pop(Leg.WORKING)
    waiting = {leg: order for leg, order in orders.items() if order.status == Status.WAITING}
    if not waiting:
        return _send_anew(order_list)
    if working.finished_at is None:
        return []
    is_filled = working.status == Status.FILLED
    if is_filled and not any(order.cancel_requested_at for order in waiting.values()):
        return _begin(order_list, working, waiting)
    why = ("", "") if is_filled else (FIRST_ENDED.code, str(FIRST_ENDED.sentence))
    for order in waiting.values():
        finish(order, Status.CANCELED, *why)
    return []


def _send_anew(order_list: OrderList) -> list[int]:
    """New venue orders for those that never left, unless their end was asked for; no sender can take the old ones any
    more, for their rows are locked here."""
    unsent = queries.unsent_later_orders(timezone.now()).filter(order__order_list=order_list)
    found = list(unsent.select_related("order__market").select_for_update(of=("self",)))
    VenueOrder.objects.filter(pk__in=[old.pk for old in found]).update(status=Status.REJECTED)
    if not any(old.order.cancel_requested_at for old in found):
        return [new.pk for new in again(found)] if found else []
    for old in found:
        finish(old.order, Status.CANCELED)
    return []


def _locked_orders(order_list: OrderList) -> list[Order]:
    found = Order.objects.select_for_update(of=("self",)).filter(order_list=order_list).order_by("id")
    return list(found.select_related("market", "market__base", "market__quote", "user"))


def _begin(order_list: OrderList, working: Order, waiting: dict[Leg, Order]) -> list[int]:
    """Held for and recorded, or refused with the reason; what only cannot be done now is raised and waits on."""
    for order in waiting.values():
        _fit(order, working)
    try:
        with transaction.atomic():
            accounts.require_can_trade(working.user)
            plans = _plans(waiting)
            hold_for(order_list, waiting, plans)
    except Unavailable:
        raise
    except DomainError as refusal:
        for order in waiting.values():
            order.save()
            finish(order, Status.REJECTED, refusal.code, str(refusal))
        return []
    for leg, order in waiting.items():
        order.status, order.protection_price = Status.PENDING, plans[leg].protection_price
        order.save()
        events.tell(order, order.paid_asset_id)
    return [sent.pk for sent in new_venue_orders([(order, plans[leg]) for leg, order in waiting.items()])]


def _plans(waiting: dict[Leg, Order]) -> dict[Leg, Plan]:
    market = next(iter(waiting.values())).market
    ledger.require_asset_open(market.base_id, market.quote_id)
    tickets = {leg: _ticket_of(order) for leg, order in waiting.items()}
    if Leg.ABOVE in waiting:
        return plan_pair(market, tickets)
    return {leg: plan_of(market, ticket) for leg, ticket in tickets.items()}


def _fit(order: Order, working: Order) -> None:
    """Who sells what the first order bought sells no more than came of it: the fee was taken from that."""
    if (working.side, order.side) != (Side.BUY, Side.SELL):
        return
    asset = order.market.base_id
    bought = working.fills.aggregate(all=Sum("quantity"))["all"] or Decimal(0)
    fees = working.fills.filter(fee_asset=asset).aggregate(all=Sum("fee"))["all"] or Decimal(0)
    most = floor_to_step(bought - fees, step_size(order.market.filters))
    assert order.quantity is not None, "what waits is given by amount"
    if most < order.quantity:
        words = {"asked": plain(order.quantity), "came": plain(most), "asset": asset}
        order.reason_code = "reduced"
        order.reason = _("%(came)s %(asset)s instead of %(asked)s: so much came of the first order.") % words
        order.quantity = most
    if order.iceberg_quantity is not None:
        order.iceberg_quantity = min(order.iceberg_quantity, order.quantity)


def _ticket_of(order: Order) -> Ticket:
    return Ticket(
        symbol=order.market_id,
        side=order.side,
        type=order.type,
        nonce="later",
        time_in_force=order.time_in_force,
        price=order.price,
        quantity=order.quantity,
        stop_price=order.stop_price,
        trailing_delta=order.trailing_delta,
        iceberg_quantity=order.iceberg_quantity,
        channel=order.channel,
    )
