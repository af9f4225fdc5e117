"""The same orders in two identical paper worlds: one sends each to its own market, one takes the route that is chosen.

Before each order both worlds have the same recorded books, and so has what we publish; what the customer of each has
afterwards, our fee taken off, is compared.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.models import User
from exchange.errors import DomainError
from exchange.money import divide, floor_to_step
from exchange.paper.accounts import MAIN, text
from exchange.paper.book import Book as PaperBook
from exchange.paper.book import Resting
from exchange.paper.errors import ApiError
from exchange.paper.feed import Feed
from exchange.paper.market import Ids
from exchange.paper.market import Market as PaperMarket
from exchange.paper.venue import Venue
from markets import queries as markets
from markets.models import Asset, Market
from markets.rules import step_size, tick_size
from orders import routing, rules
from orders.models import Order, RouteKind, RouteRule, Side, Status, Type
from orders.routing import choice
from orders.services import routes, twolegs
from orders.services.tickets import Plan, Ticket, plan_of
from tests.exchange.paper.people import KEYS
from tests.factories import publish_book, publish_ticker
from tests.orders.quiet import Nobody
from tests.orders.scenes import TRIPLES, Scene, infos, scenes

ZERO, PLENTY = Decimal(0), Decimal(10**14)
BPS = Decimal(10_000)
MARKET, CROSSED = "market", "crossed"


@dataclass(frozen=True)
class Moved:
    """What was paid and received, our fee taken off."""

    paid: Decimal = ZERO
    received: Decimal = ZERO

    @property
    def rate(self) -> Decimal | None:
        return divide(self.received, self.paid) if self.paid and self.received else None


@dataclass
class Kind:
    orders: int = 0
    better: int = 0
    saved: dict[str, Decimal] = field(default_factory=dict)
    usual: dict[str, Decimal] = field(default_factory=dict)

    @property
    def saved_bps(self) -> Decimal:
        """Each asset's saving in basis points, weighed by how much of the orders received it alike."""
        parts = [self.saved[asset] * BPS / usual for asset, usual in self.usual.items() if usual]
        return round(sum(parts, ZERO) / len(parts), 3) + ZERO if parts else ZERO


@dataclass
class Tally:
    """`worst_ticks`: by how many ticks of its market an order's net price was worse at most; `told`: which were."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    out: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    worst_ticks: Decimal = ZERO
    told: list[str] = field(default_factory=list)

    @property
    def orders(self) -> int:
        return sum(kind.orders for kind in self.kinds.values())

    def note(self, scene: Scene, market: Market, side: str, kind: str, direct: Moved, smart: Moved) -> None:
        found = self.kinds.setdefault(kind, Kind())
        found.orders += 1
        if direct.rate is None or smart.rate is None:
            if direct.rate is not None:
                self.told.append(f"{market.symbol} {side} {kind}: nothing instead of {direct}")
            return
        asset = market.base_id if side == Side.BUY else market.quote_id
        usual = direct.rate * smart.paid
        found.usual[asset] = found.usual.get(asset, ZERO) + usual
        found.saved[asset] = found.saved.get(asset, ZERO) + smart.received - usual
        found.better += smart.rate > direct.rate
        ticks = worse_by(market, side, direct.rate, smart.rate)
        if ticks > self.worst_ticks:
            self.worst_ticks = ticks
        if ticks > 1:
            self.told.append(
                f"{market.symbol} {side} {kind}: {direct} {smart}, {round(ticks, 3)} ticks worse"
            )


def worse_by(market: Market, side: str, direct: Decimal, smart: Decimal) -> Decimal:
    """In ticks of the market, of the price of one unit with the fee in it."""
    prices = (direct, smart) if side == Side.SELL else (divide(Decimal(1), direct), divide(Decimal(1), smart))
    lost = prices[0] - prices[1] if side == Side.SELL else prices[1] - prices[0]
    return max(lost / tick_size(market.filters), ZERO)


# ------------------------------------------------------------------ a world
class World:
    """A paper venue in memory with the markets of all scenes, on which nobody trades but the platform."""

    def __init__(self, number: int = 0) -> None:
        """Ids of worlds with different numbers are different: to our books they are one venue."""
        self._first = (number + 1) * 10**9
        self.venue = Venue(None, KEYS, levels=0, deepest=0, symbols=("BTCUSDT", "BNBUSDT"))
        self.venue.limits.orders_10s = self.venue.limits.orders_day = 10**9
        self.venue.makers.update({symbol: Nobody() for symbol in self.venue.makers})
        self.venue._ids = Ids(self.venue.store, "ids", self._first)
        self.venue.sors = []
        for triple in TRIPLES:
            self._list(infos(triple))
        self.venue.feed = Feed(self.venue.live)
        self.main = self.venue.accounts[MAIN]

    def _list(self, rows: dict[str, dict[str, Any]]) -> None:
        for symbol, row in rows.items():
            fact = {"anchor": 1_700_000_000, "first": "1", "last": "1", "update_id": 1000}
            self.venue.store.put_fact(f"market:{symbol}", fact)
            self.venue.store.put_fact(f"trades:{symbol}", self._first)
            market = PaperMarket(row, self.venue.store)
            self.venue.live[symbol] = self.venue.markets[symbol] = market
            self.venue.makers[symbol] = Nobody()
            for asset in (market.base, market.quote):
                self.venue.accounts[MAIN].balance(asset).free = PLENTY
        twins = [symbol for symbol in rows if symbol.endswith("2")]
        base = rows[twins[0]]["baseAsset"]
        self.venue.sors.append({"baseAsset": base, "symbols": [twins[0][:-1], *twins]})

    def lay_out(self, scene: Scene) -> None:
        """The books are those of the scene, and nothing of before stands on them."""
        for order in list(self.main.open_orders()):
            self.venue.trading.cancel(self.main, self.venue.live[order.symbol], order)
        for symbol, levels in scene.books.items():
            market = self.venue.live[symbol]
            market.book, number = PaperBook(market.book.update_id + 1), -1
            for side, name in (("BUY", "bids"), ("SELL", "asks")):
                for price, quantity in levels[name]:
                    number -= 1
                    market.book.rest(Resting(number, side, price, quantity))  # type: ignore[arg-type]

    def place(self, symbol: str, side: str, plan: Plan, *, by_sor: bool = False) -> list[dict[str, Any]]:
        """What is traded of it at once."""
        named = {"price": plan.price, "quantity": plan.quantity, "quoteOrderQty": plan.quote_quantity}
        params = {name: text(value) for name, value in named.items() if value is not None}
        params |= {"symbol": symbol, "side": side, "type": plan.type}
        if plan.time_in_force:
            params["timeInForce"] = plan.time_in_force
        market = self.venue.live[symbol]
        return self.venue.trading.place(self.main, market, params, used_sor=by_sor)[1]

    def rest(self, symbol: str, side: str, price: Decimal, quantity: Decimal) -> Any:
        params = {
            "side": side,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": text(price),
            "quantity": text(quantity),
        }
        return self.venue.trading.place(self.main, self.venue.live[symbol], {"symbol": symbol, **params})[0]


def moved(market: Market, side: str, fills: list[dict[str, Any]], bps: int) -> Moved:
    paid = received = ZERO
    scale = (market.base if side == Side.BUY else market.quote).scale
    for fill in fills:
        quantity, quote = Decimal(fill["qty"]), Decimal(fill["quoteQty"])
        out, gross = (quote, quantity) if side == Side.BUY else (quantity, quote)
        paid, received = paid + out, received + gross - rules.fee_of(gross, bps, scale)
    return Moved(paid, received)


# ------------------------------------------------------------------ the orders
class Contest:
    """One customer orders in both worlds; another one's order rests now and then, where it may be met."""

    def __init__(self, user: User, other: User, seed: int) -> None:
        self.user, self.other, self.dice = user, other, random.Random(seed)
        self.direct, self.smart, self.tally = World(), World(), Tally()
        self.scenes: Iterator[Scene] = scenes(self.dice)
        self._resting: dict[str, Order] = {}

    def play(self, orders: int) -> Tally:
        while self.tally.orders < orders:
            self._one()
        return self.tally

    def _one(self) -> None:
        scene = next(self.scenes)
        kind = self.dice.choices([scene.direct, scene.recorded, CROSSED], [4, 4, 3])[0]
        symbol = scene.recorded if kind == CROSSED else kind
        market, side = markets.market_row(symbol), self.dice.choice([Side.BUY, Side.SELL])
        for world in (self.direct, self.smart):
            world.lay_out(scene)
        own = self._rest(scene, market, side) if kind == CROSSED else None
        publish(scene, self.smart)
        ticket = self.ticket(scene, market, side)
        try:
            plan = plan_of(market, ticket)
            route = routes.chosen(self.user, market, ticket, plan)
            assert route is not None
            usual = self._in_market(self.direct, market, side, plan)
            taken = self._taken(market, side, ticket, plan, route, own)
        except (DomainError, ApiError):
            self.tally.refused += 1
            return
        finally:
            self._forget(market)
        self.tally.note(scene, market, side, str(route.taken.kind), usual, taken)
        self.tally.out.update(f"{way.kind} {way.out}" for way in route.ways if way.out)

    def ticket(self, scene: Scene, market: Market, side: str) -> Ticket:
        """At the market's price or limited, by quantity or by total, from a small part of the best levels to half of
        what is known."""
        levels = scene.books[market.symbol]["asks" if side == Side.BUY else "bids"]
        whole = sum((quantity for _price, quantity in levels), ZERO)
        part = Decimal(repr(0.5 * 10 ** -self.dice.uniform(0, 3.5)))
        quantity = max(floor_to_step(whole * part, step_size(market.filters)), step_size(market.filters))
        named: dict[str, Any] = {"symbol": market.symbol, "side": side, "nonce": "n"}
        how = self.dice.choice(["quantity", "quantity", "total", "limit"])
        if how == "total":
            total = floor_to_step(quantity * levels[0][0], Decimal("1e-8"))
            return Ticket(**named, type=Type.MARKET, quote_quantity=total)
        if how == "limit":
            price, tif = levels[self.dice.randrange(4)][0], self.dice.choice(["GTC", "IOC"])
            return Ticket(**named, type=Type.LIMIT, time_in_force=tif, price=price, quantity=quantity)
        return Ticket(**named, type=Type.MARKET, quantity=quantity)

    def resting_ticket(self, scene: Scene, market: Market, side: str) -> Ticket:
        """The other one's order, at the best price or a tick inside of it."""
        against = Side.SELL if side == Side.BUY else Side.BUY
        book, tick, step = scene.books[market.symbol], tick_size(market.filters), step_size(market.filters)
        bid, ask = book["bids"][0][0], book["asks"][0][0]
        inside = tick if ask - bid > tick and self.dice.random() < 0.6 else ZERO
        price = ask - inside if against == Side.SELL else bid + inside
        quantity = floor_to_step(book["asks"][0][1] * Decimal(repr(self.dice.uniform(0.2, 3))), step)
        return Ticket(
            symbol=market.symbol, side=against, type=Type.LIMIT, nonce="r", time_in_force="GTC", price=price,
            quantity=max(quantity, step * 100),
        )  # fmt: skip

    def _rest(self, scene: Scene, market: Market, side: str) -> tuple[Order, dict[int, Any]]:
        """The other one's order stands in both worlds."""
        ticket = self.resting_ticket(scene, market, side)
        assert ticket.price is not None and ticket.quantity is not None
        order = Order.objects.create(
            user=self.other, nonce=f"rest-{self.dice.random()}", request_hash="", market=market, side=ticket.side,
            type=Type.LIMIT, time_in_force="GTC", price=ticket.price, quantity=ticket.quantity, fee_bps=10,
            maker_fee_bps=10, status=Status.OPEN,
        )  # fmt: skip
        self._resting[market.symbol] = order
        worlds = (self.direct, self.smart)
        named = (market.symbol, ticket.side, ticket.price, ticket.quantity)
        return order, {id(world): world.rest(*named) for world in worlds}

    def _forget(self, market: Market) -> None:
        if order := self._resting.pop(market.symbol, None):
            Order.objects.filter(pk=order.pk).update(status=Status.CANCELED)

    def _in_market(
        self, world: World, market: Market, side: str, plan: Plan, *, by_sor: bool = False
    ) -> Moved:
        fills = world.place(market.symbol, side, plan, by_sor=by_sor)
        return moved(market, side, fills, market.fee_bps)

    def _taken(
        self, market: Market, side: str, ticket: Ticket, plan: Plan, route: routing.Route, own: Any
    ) -> Moved:
        kind = route.taken.kind
        if kind == RouteKind.TWO_LEGS:
            return self._two_legs(side, plan, route.taken)
        if kind == RouteKind.CROSS:
            return self._crossed(market, side, plan, route.taken, own)
        return self._in_market(self.smart, market, side, plan, by_sor=kind == RouteKind.SOR)

    def _two_legs(self, side: str, plan: Plan, way: routing.Way) -> Moved:
        """Each with the plan that is made for it, and the second with what the first brought."""
        given, total = plan.quantity or plan.quote_quantity or ZERO, Moved()
        for number, hop in enumerate(way.hops):
            market = markets.market_row(hop.symbol)
            ticket = Ticket(symbol=hop.symbol, side=hop.side, type=Type.MARKET, nonce="n")
            part = plan_of(market, twolegs.whole_steps(market, ticket, given))
            done = self._in_market(self.smart, market, hop.side, part)
            total, given = (done if not number else Moved(total.paid, done.received)), done.received
        return total

    def _crossed(self, market: Market, side: str, plan: Plan, way: routing.Way, own: Any) -> Moved:
        """What the two trade leaves the venue first; the rest of each stands or goes there."""
        (order, placed), met = own, len(self.smart.main.preventions)
        ((number, part),) = way.makers
        assert number == order.pk
        resting, live = placed[id(self.smart)], self.smart.venue.live[market.symbol]
        if part == order.quantity:
            self.smart.venue.trading.cancel(self.smart.main, live, resting)
        else:
            self.smart.venue.trading.amend(
                self.smart.main, live, resting, order.quantity - part, resting.client_id
            )
        quote = routing.cost(market, order, part)
        fill = {"qty": str(part), "quoteQty": str(quote)}
        fills = [fill]
        left = None if plan.quantity is None else plan.quantity - part
        total = None if plan.quote_quantity is None else plan.quote_quantity - quote
        if left or (total and not routing.is_less_than_a_step(market, order.price, total)):
            rest = Plan(plan.type, plan.time_in_force, plan.price, left, total, "", ZERO)
            fills += self.smart.place(market.symbol, side, rest)
        assert len(self.smart.main.preventions) == met, "two of our own met at the venue"
        return moved(market, side, fills, market.fee_bps)


def publish(scene: Scene, world: World) -> None:
    """As the markets process would tell it, own orders on the books included."""
    for symbol in scene.books:
        book = world.venue.live[symbol].depth(100)
        publish_book(symbol, bids=book["bids"], asks=book["asks"])
    for asset in {row["quoteAsset"] for row in scene.infos.values()}:
        publish_ticker(f"{asset}USDT", "0.0001")  # by which an order's worth is limited


def store() -> None:
    """The markets of all scenes as the catalogue has them, and the rule that has everything compared."""
    for triple in TRIPLES:
        rows = infos(triple)
        twins = {symbol for symbol in rows if symbol.endswith("2")}
        for symbol, row in rows.items():
            for asset in (row["baseAsset"], row["quoteAsset"]):
                Asset.objects.get_or_create(code=asset)
            is_routed = symbol in twins or f"{symbol}2" in twins
            Market.objects.update_or_create(
                symbol=symbol,
                defaults={
                    "base_id": row["baseAsset"], "quote_id": row["quoteAsset"], "filters": row["filters"],
                    "status": "TRADING", "is_listed": True, "allows_quote_quantity": True,
                    "abilities": ["AMEND", "CANCEL_REPLACE", *(["SOR"] if is_routed else [])],
                },
            )  # fmt: skip


def compare_everything(by: User) -> RouteRule:
    bridges = sorted({bridge for _file, _base, _other, bridge in TRIPLES})
    rule = RouteRule.objects.create(
        name="all", strategy="SMART", allows_crossing=True, bridges=bridges, begun_by=by
    )
    choice.forget()
    return rule


__all__ = ["Contest", "Kind", "Moved", "Tally", "World", "compare_everything", "publish", "store"]
