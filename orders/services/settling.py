"""A crossed trade in the books: both customers in one transfer, at the resting price, or not at all."""

from decimal import Decimal

import structlog
from django.utils import timezone

from accounts import services as accounts
from exchange import failpoints
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.money import EXACT, divide, floor_to_step, multiply, round_down
from exchange.prepared import insert, update
from ledger import services as ledger
from markets import queries as markets
from markets.rules import step_size
from orders import routing, rules
from orders.models import Cross, Fill, Order, RouteDecision, Side, Status
from orders.services import crosses, events
from orders.services.ending import MOVED
from orders.services.sanity import is_fresh

log = structlog.get_logger()
State = Cross.State


def settle(cross_id: int) -> None:
    """What was taken back trades now, unless the venue has become better for the taker, or one of the two may not or
    will not trade any more; then it is to go back."""
    seen = Cross.objects.select_related("taker", "maker").get(pk=cross_id)
    if seen.state == State.TAKEN:
        failpoints.hit("cross.settling")
        _settle(cross_id, best_for(seen))


def best_for(cross: Cross) -> Decimal | None:
    """The venue's best price for who takes; None while the book is not of now.

    A book that has not moved since it was decided still has what was taken back, which nobody can trade with there.
    """
    taker = cross.taker
    book = markets.published_book(taker.market_id)
    if book is None or not is_fresh(book):
        return None
    levels = list(book.facing(taker.side))
    decided = RouteDecision.objects.get(order=taker).books.get(taker.market_id, {})
    if (decided.get("epoch"), decided.get("u")) == (book.epoch, book.u):
        levels = routing.without([(cross.maker, cross.taken or Decimal(0))], levels) or levels
    return Decimal(levels[0][0]) if levels else None


@transaction_with_retry
def _settle(cross_id: int, best: Decimal | None) -> None:
    cross = Cross.objects.get(pk=cross_id)
    both = Order.objects.select_for_update(of=("self",)).filter(pk__in=[cross.taker_id, cross.maker_id])
    found = {
        order.pk: order
        for order in both.select_related("market__base", "market__quote", "user").order_by("id")
    }
    cross = Cross.objects.select_for_update().get(pk=cross_id)
    if cross.state != State.TAKEN:
        return
    taker, maker = found[cross.taker_id], found[cross.maker_id]
    quantity = min(cross.quantity, cross.taken or Decimal(0), _wanted(taker, cross.price))
    reason = _obstacle(cross, taker, maker, best) or ("" if quantity else "nothing_left")
    cross.ended_at = timezone.now()
    if reason:
        cross.state, cross.reason = State.RETURNED, reason
        cross.save(update_fields=["state", "reason", "ended_at"])
        log.info("cross.returned", cross=cross.pk, reason=reason)
        return
    cross.state, cross.quantity, cross.best = State.SETTLED, quantity, best
    cross.save(update_fields=["state", "quantity", "best", "ended_at"])
    _book(cross, taker, maker)
    log.info("cross.settled", cross=cross.pk, taker=taker.pk, maker=maker.pk)


def _wanted(taker: Order, price: Decimal) -> Decimal:
    if taker.left is not None:
        return taker.left
    assert taker.quote_quantity is not None, "an order is by quantity or by total"
    total = EXACT.subtract(taker.quote_quantity, taker.cumulative_quote)
    return floor_to_step(divide(total, price), step_size(taker.market.filters))


def _obstacle(cross: Cross, taker: Order, maker: Order, best: Decimal | None) -> str:
    """Why the two do not trade; empty when they do."""
    if maker.finished_at is not None or maker.cancel_requested_at is not None:
        return "maker_canceled"
    if taker.finished_at is not None or taker.cancel_requested_at is not None:
        return "taker_canceled"
    if gate.stop_against(**taker.named) is not None:
        return "stopped"
    if crosses.is_closed(taker.market):
        return "market_closed"
    if best is None:
        return "stale_book"
    limit = taker.price or taker.protection_price
    if not rules.is_no_worse(taker.side, cross.price, best):
        return "venue_is_better"
    if limit is not None and not rules.is_no_worse(taker.side, cross.price, limit):
        return "beyond_limit"
    try:
        for order in (taker, maker):
            accounts.require_can_trade(order.user)
        ledger.require_asset_open(taker.market.base_id, taker.market.quote_id)
    except DomainError as refusal:
        return refusal.code[:40]
    return ""


def _book(cross: Cross, taker: Order, maker: Order) -> None:
    quote = routing.cost(taker.market, maker, cross.quantity)
    fees = {order.pk: _fee(order, order is maker, cross.quantity, quote) for order in (taker, maker)}
    buyer, seller = (taker, maker) if taker.side == Side.BUY else (maker, taker)
    posted = ledger.post_cross(
        key=str(cross.pk),
        buyer=ledger.CrossSide(buyer.user_id, buyer.pk, fees[buyer.pk]),
        seller=ledger.CrossSide(seller.user_id, seller.pk, fees[seller.pk]),
        base=taker.market.base_id,
        quote=taker.market.quote_id,
        quantity=cross.quantity,
        quote_quantity=quote,
    )
    for order in (taker, maker):
        _fill(cross, order, quote, fees[order.pk], posted.transfer_id, is_maker=order is maker)


def _fee(order: Order, is_maker: bool, quantity: Decimal, quote: Decimal) -> Decimal:
    is_buy = order.side == Side.BUY
    bps = order.maker_fee_bps if is_maker else order.fee_bps
    scale = (order.market.base if is_buy else order.market.quote).scale
    return rules.fee_of(quantity if is_buy else quote, bps, scale)


def _fill(
    cross: Cross, order: Order, quote: Decimal, fee: Decimal, transfer_id: int, *, is_maker: bool
) -> None:
    assert cross.ended_at is not None, "it was settled just now"
    row = Fill(
        order=order,
        cross=cross,
        market=order.market,
        price=cross.price,
        quantity=cross.quantity,
        quote_quantity=quote,
        fee=fee,
        fee_asset_id=order.received_asset_id,
        is_maker=is_maker,
        improvement=None if is_maker else _improvement(cross, order),
        transfer_id=transfer_id,
        at=cross.ended_at,
    )
    insert(row)
    order.cumulative_quantity += cross.quantity
    order.cumulative_quote += quote
    order.status = rules.next_status(order.status, Status.PARTIALLY_FILLED)
    update(order, *MOVED)
    events.tell_fill(row)
    events.tell(order, order.market.base_id, order.market.quote_id)


def _improvement(cross: Cross, taker: Order) -> Decimal:
    """In quote, for all of it: against the best that the venue offered at that moment."""
    assert cross.best is not None
    return round_down(multiply(abs(cross.best - cross.price), cross.quantity), taker.market.quote.scale)
