"""Placing orders that belong together: recorded, and held for, all or none."""

import time
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from exchange import failpoints
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.gate.models import VenueAccount
from ledger import services as ledger
from markets import queries as markets
from markets.models import Market
from orders import queries, rules
from orders.errors import NonceReused
from orders.models import Leg, Order, OrderList, Status
from orders.services import events
from orders.services.following import follow_soon
from orders.services.limits import require_list_within_limits
from orders.services.listtickets import LEGS, ListTicket, first_legs, plans_of
from orders.services.placing import (
    LOOK_SECONDS,
    accounts_for,
    having,
    relay_and_wait,
    require_venue,
    room_for,
)
from orders.services.recording import hold_for, new_order, new_venue_orders
from orders.services.tickets import Plan

# A list and its first order have the customer's own id, so that no other order can have it; the others one after it.
SECOND = "/"


def place_order_list(*, user: User, ticket: ListTicket) -> OrderList:
    """The list is recorded, what it can cost is held, and what begins at once is relayed.

    A repeat of the nonce gives the first list, whatever became of it; another body under it NonceReused. Raises
    what tickets, accounts and the ledger refuse, VenueUnreachable and Busy; nothing is held then.
    """
    try:
        return _placed(user, ticket)
    except DomainError:
        # Whatever would be said of it now, a repeat is answered as the first one was.
        first = OrderList.objects.filter(user=user, nonce=ticket.nonce).first()
        if first is None:
            raise
        return _answered(_same(first, ticket))


def _placed(user: User, ticket: ListTicket) -> OrderList:
    if first := OrderList.objects.filter(user=user, nonce=ticket.nonce).first():
        return _answered(_same(first, ticket))
    accounts.require_can_trade(user)
    market = markets.market(ticket.symbol)
    ledger.require_asset_open(market.base_id, market.quote_id)
    plans = plans_of(market, ticket)
    require_list_within_limits(user, market, ticket, plans)
    require_venue()
    legs = first_legs(ticket.kind)
    dearest = max(legs, key=lambda leg: plans[leg].hold_amount)
    found = accounts_for(user, market, ticket.legs[dearest], plans[dearest])
    with room_for(user, ticket.nonce, found, len(legs)) as slot:
        order_list, sent = _record(user, market, ticket, plans, having(slot, found))
    if not sent:
        slot.leave()
        return _answered(order_list)
    failpoints.hit("order.held")
    relay_and_wait(sent, slot=slot)
    follow_soon(order_list.pk)
    return queries.order_list_of(user, order_list.pk)


@transaction_with_retry
def _record(
    user: User, market: Market, ticket: ListTicket, plans: dict[Leg, Plan], account: VenueAccount
) -> tuple[OrderList, list[int]]:
    """Nonce, orders, what will be sent with its signed timestamp, and the hold: all or nothing."""
    try:
        with transaction.atomic():
            order_list = OrderList.objects.create(
                user=user,
                nonce=ticket.nonce,
                request_hash=ticket.request_hash,
                kind=ticket.kind,
                market=market,
                client_order_id=rules.new_client_order_id() if ticket.kind != OrderList.Kind.OTO else "",
            )
            orders = _orders(order_list, ticket, plans)
    except IntegrityError:
        first = OrderList.objects.filter(user=user, nonce=ticket.nonce).first()
        if first is None:
            raise NonceReused(field="client_order_id") from None
        return _same(first, ticket), []
    sent = new_venue_orders([(orders[leg], plans[leg]) for leg in first_legs(ticket.kind)], account)
    hold_for(order_list, orders, plans)
    for order in orders.values():
        events.tell(order, order.paid_asset_id)
    return order_list, [venue_order.pk for venue_order in sent]


def _orders(order_list: OrderList, ticket: ListTicket, plans: dict[Leg, Plan]) -> dict[Leg, Order]:
    found, rate = {}, queries.rate_of(order_list.user, order_list.market)
    for number, leg in enumerate(LEGS[ticket.kind], 1):
        plan = plans.get(leg)
        found[leg] = new_order(
            order_list.user,
            order_list.market,
            ticket.legs[leg],
            plan,
            rate,
            nonce=ticket.nonce if number == 1 else f"{ticket.nonce}{SECOND}{number}",
            request_hash=ticket.request_hash,
            order_list=order_list,
            leg=leg,
            status=Status.PENDING if plan else Status.WAITING,
        )
    return found


def _answered(order_list: OrderList) -> OrderList:
    """As it is when its first request is answered: a repeat gives the same answer, and waits no longer."""
    until = order_list.created_at + timedelta(milliseconds=settings.ORDER_WAIT_MS)
    while order_list.orders.filter(status=Status.PENDING).exists() and timezone.now() < until:
        time.sleep(LOOK_SECONDS)
    return queries.order_list_of(order_list.user, order_list.pk)


def _same(first: OrderList, ticket: ListTicket) -> OrderList:
    if first.request_hash != ticket.request_hash:
        raise NonceReused(field="client_order_id")
    return first
