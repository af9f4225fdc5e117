"""The same orders through our own services, to a paper venue on a port: first each to its market, then by its route.

And what goes wrong: a second trade that is refused, or not answered.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Max, Sum
from django.test import override_settings

from accounts.models import User
from exchange.errors import DomainError
from exchange.gate import services as gate
from exchange.office.models import Notice
from ledger.models import Account, Entry
from markets import queries as markets
from orders import services
from orders.models import Cross, Fill, Order, RouteKind, RouteRule, Status
from orders.routing import choice
from orders.services import routes
from tests.conftest import forget_the_venue
from tests.exchange.paper.people import TRADE, Caller, serving
from tests.factories import fund
from tests.orders.quiet import QUICK
from tests.orders.scenes import TRIPLES, Scene
from tests.orders.worlds import CROSSED, Contest, Moved, Tally, World, publish

PLENTY = "1000000000000"
TRIES = 20  # for one order that goes in two trades
ROUNDS = 12  # of sweeps until an order has ended
# What strikes a second trade: the refusal is certain, of the others nobody knows.
FAULTS = ("refuse", "503 before", "504 after", "reset after")


@dataclass
class Real:
    """What came of the orders of a run, and what must not be."""

    moved: list[Moved] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    differences: dict[str, str] = field(default_factory=dict)
    met: int = 0
    faults: dict[str, dict[str, int]] = field(default_factory=dict)


class Platform:
    """One customer and another before one world."""

    def __init__(self, user: User, other: User, world: World, url: str) -> None:
        self.user, self.other, self.world = user, other, world
        self.door, self.found = Caller(url), Real()
        self._first = Entry.objects.aggregate(last=Max("pk"))["last"] or 0
        self._had = self._has()
        self._number = 0

    def _has(self) -> dict[str, Decimal]:
        rows = self.world.main.balances.items()
        return {asset: row.free + row.locked for asset, row in rows}

    def order(self, scene: Scene, ticket: services.Ticket, rests: services.Ticket | None) -> Order | None:
        """The order has ended when this returns, and nothing stands at the venue; None when it was refused."""
        self.world.lay_out(scene)
        publish(scene, self.world)
        if rests is not None:
            self._place(self.other, rests)
            publish(scene, self.world)
        before = len(self.world.main.preventions)
        order = self._place(self.user, ticket)
        if order is not None:
            order = self.ended(order)
            if order.route == RouteKind.CROSS:
                self.found.met += len(self.world.main.preventions) - before
        for user in (self.user, self.other):
            services.cancel_orders(user=user)
        self.sweep()
        return order

    def _place(self, user: User, ticket: services.Ticket) -> Order | None:
        self._number += 1
        try:
            found = services.place_order(
                user=user,
                ticket=services.Ticket(**{**ticket.__dict__, "nonce": f"{id(self)}-{self._number}"}),
            )
        except DomainError:
            return None
        return found

    def ended(self, order: Order) -> Order:
        """What can still trade is canceled at the end."""
        for number in range(ROUNDS):
            order.refresh_from_db()
            if order.is_final:
                return order
            if order.status in (Status.OPEN, Status.PARTIALLY_FILLED) and order.route != RouteKind.TWO_LEGS:
                services.cancel_order(user=order.user, order_id=order.pk)
            if number == 2:
                self.let_time_pass()
            self.sweep()
        self.found.unfinished.append(f"{order} {order.reason}")
        return order

    def sweep(self) -> None:
        services.resolve_pending()
        services.follow_routes()
        services.follow_crosses()

    def let_time_pass(self) -> None:
        """So late that no request of before can be accepted any more."""
        time.sleep(0.4)
        self.door.door("fault", do="clock", ms=60_000)
        forget_the_venue()
        gate.measure_clock()

    def time_is_right(self) -> None:
        self.door.door("fault", do="clear")
        self.door.door("fault", do="clock", ms=0)
        forget_the_venue()

    def note(self, order: Order | None) -> None:
        paid, received = routes.moved(order) if order else (Decimal(0), Decimal(0))
        self.found.moved.append(Moved(paid, received))
        self.found.kinds.append(order.way if order else "")
        if order is not None and order.route == RouteKind.TWO_LEGS:
            self.check_told(order)

    def check_told(self, order: Order) -> None:
        """Who has something of the asset in between knows of it, by notice."""
        sold = order.parts.get(part=1)
        left = routes.total_of(sold, sold.received_asset_id) if sold.cumulative_quantity else Decimal(0)
        second = order.parts.filter(part=2).first()
        if second is not None:
            left -= second.cumulative_quantity if second.side == "SELL" else second.cumulative_quote
        is_told = bool(order.reason) and sold.received_asset_id in order.reason
        kinds = ("order.in_between", "order.left_over")
        is_told &= Notice.objects.filter(
            user=order.user, kind__in=kinds, body__contains=f" {order.pk} "
        ).exists()
        if left and not is_told:
            self.found.untold.append(f"{order}: {left} {sold.received_asset_id}, {order.reason}")

    def close(self) -> Real:
        """What the venue did with the account since it began is what the books say, asset by asset."""
        entries = Entry.objects.filter(pk__gt=self._first, account__type=Account.Type.VENUE)
        entries = entries.exclude(transfer__scope="test")
        booked = dict(entries.values_list("asset_id").annotate(total=Sum("amount")))
        for asset, has in self._has().items():
            difference = has - self._had.get(asset, Decimal(0)) + booked.get(asset, Decimal(0))
            if difference:
                self.found.differences[asset] = str(difference)
        return self.found


@contextmanager
def platform(user: User, other: User, world: World) -> Iterator[Platform]:
    keys = {"BINANCE_API_KEY": TRADE["key"], "BINANCE_API_SECRET": TRADE["secret"]}
    quick = {
        **QUICK,
        "ORDER_SEND_BY_MS": 300,
        "RELAY_THREADS": 0,
        "ORDER_VALUE_LIMITS": [Decimal(10**15)] * 2,
    }
    with (
        serving(world.venue) as url,
        override_settings(BINANCE_REST_URL=url, BINANCE_SAPI_URL=url, **keys, **quick),
    ):
        forget_the_venue()
        yield Platform(user, other, world, url)
    forget_the_venue()


def enrich(*users: User) -> None:
    """Each has plenty of every asset of the scenes."""
    for _file, *assets in TRIPLES:
        for asset in dict.fromkeys([*assets, f"{assets[2]}2"]):
            for user in users:
                fund(user, asset, PLENTY)


# ------------------------------------------------------------------ the same orders twice
Planned = tuple[Scene, services.Ticket, services.Ticket | None]


def planned(contest: Contest, count: int) -> list[Planned]:
    """As the worlds in memory draw them."""
    found: list[Planned] = []
    dice = contest.dice
    while len(found) < count:
        scene = next(contest.scenes)
        kind = dice.choices([scene.direct, scene.recorded, CROSSED], [7, 4, 3])[0]
        market = markets.market_row(scene.recorded if kind == CROSSED else kind)
        side = dice.choice(["BUY", "SELL"])
        rests = contest.resting_ticket(scene, market, side) if kind == CROSSED else None
        found.append((scene, contest.ticket(scene, market, side), rests))
    return found


def run_twice(user: User, other: User, rule: RouteRule, orders: list[Planned]) -> tuple[Real, Real, Tally]:
    """Direct, then smart; the tally compares them order by order."""
    results = []
    for is_smart in (False, True):
        RouteRule.objects.filter(pk=rule.pk).update(ended_at=None if is_smart else rule.created_at)
        choice.forget()
        with platform(user, other, World(1 + is_smart)) as at:
            for scene, ticket, rests in orders:
                at.note(at.order(scene, ticket, rests))
            results.append(at.close())
    direct, smart = results
    tally = Tally()
    for (scene, ticket, _rests), usual, taken, kind in zip(
        orders, direct.moved, smart.moved, smart.kinds, strict=True
    ):
        if kind:
            tally.note(scene, markets.market_row(ticket.symbol), ticket.side, kind, usual, taken)
        else:
            tally.refused += 1
    return direct, smart, tally


# ------------------------------------------------------------------ what goes wrong
def strike_second_legs(user: User, other: User, each: int, seed: int) -> Real:
    """So many orders in two trades for each fault, which strikes the second; every one ends, and is told."""
    contest = Contest(user, other, seed)
    with platform(user, other, World(3)) as at:
        for fault in FAULTS:
            ended: dict[str, int] = {}
            at.found.faults[fault] = ended
            for _try in range(each * TRIES):
                if sum(ended.values()) == each:
                    break
                order = _struck(at, contest, fault)
                if order is not None:
                    ended[order.status] = ended.get(order.status, 0) + 1
                    at.note(order)
        return at.close()


def _struck(at: Platform, contest: Contest, fault: str) -> Order | None:
    """None when the draw took another way; the direct market is so wide that this is rare."""
    scene = next(contest.scenes)
    market = markets.market_row(scene.direct)
    ticket = contest.ticket(scene, market, "SELL")
    if ticket.type != "MARKET":
        return None
    second = scene.other + scene.bridge
    at.time_is_right()
    at.world.venue.faults.add({"on": "place", "do": fault, "symbol": second, "ms": 100})
    order = at.order(scene, ticket, None)
    return (
        order
        if order is not None and order.route == RouteKind.TWO_LEGS and order.parts.count() == 2
        else None
    )


def crossed_facts() -> dict[str, Any]:
    """Of the trades between customers: how many, of how many both sides are booked, and with what improvement."""
    settled = Cross.objects.filter(state=Cross.State.SETTLED)
    takers = Fill.objects.filter(cross__isnull=False, is_maker=False)
    return {
        "settled": settled.count(),
        "fills": Fill.objects.filter(cross__isnull=False).count(),
        "with_improvement_said": takers.filter(improvement__isnull=False).count(),
        "improved": takers.filter(improvement__gt=0).count(),
    }


__all__ = ["Real", "crossed_facts", "enrich", "planned", "run_twice", "strike_second_legs"]
