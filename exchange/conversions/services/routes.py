"""The ways from one asset to another over the books as they are now: a market of the two, or two over a bridge."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from django.conf import settings

from accounts.models import User
from exchange.conversions import queries
from exchange.conversions.errors import BeyondDepth
from exchange.money import MAX_DECIMALS, divide, floor_to_step, multiply, plain, round_down, round_up
from markets import queries as markets
from markets import rules as filters
from markets.models import Market
from markets.walks import Walk
from orders import queries as placed
from orders import services as orders
from orders.errors import NoLiquidity
from orders.rules import protection_price

# One part in so many more than the venue's least, so that a price that moves a little does not strand a cover.
SPARE = Decimal("1.02")
Books = Callable[[Market], markets.PublishedBook]


def books_of_now() -> Books:
    """Each market's book is looked at once for a quote."""
    seen: dict[str, markets.PublishedBook] = {}

    def book_of(market: Market) -> markets.PublishedBook:
        if market.symbol not in seen:
            seen[market.symbol] = orders.sure_book(market)
        return seen[market.symbol]

    return book_of


@dataclass(frozen=True)
class Leg:
    """One market on the way, in which the house will sell what came in or buy what goes out."""

    market: Market
    side: str

    @property
    def asset_in(self) -> str:
        return self.market.base_id if self.side == "SELL" else self.market.quote_id

    @property
    def asset_out(self) -> str:
        return self.market.quote_id if self.side == "SELL" else self.market.base_id

    def best(self, book: markets.PublishedBook) -> Decimal:
        found = book.best_bid if self.side == "SELL" else book.best_ask
        if found is None:
            raise NoLiquidity()
        return found

    def bound(self, book: markets.PublishedBook) -> Decimal:
        """The worst price that a quote, or an order for its cover, may reach."""
        tick = filters.tick_size(self.market.filters)
        return protection_price(self.side, self.best(book), settings.CONVERT_SLIPPAGE_BPS, tick)

    def forward(self, book: markets.PublishedBook, amount: Decimal) -> "Step":
        """What comes out for so much; raises BeyondDepth when the book does not give it within the bound."""
        walk = self._walk(book, amount, is_base=self.side == "SELL")
        out = walk.quote if self.side == "SELL" else walk.quantity
        return Step(self, book, walk, amount, round_down(out, MAX_DECIMALS))

    def backward(self, book: markets.PublishedBook, amount: Decimal) -> "Step":
        """What has to go in for so much to come out."""
        walk = self._walk(book, amount, is_base=self.side == "BUY")
        needed = walk.quote if self.side == "BUY" else walk.quantity
        return Step(self, book, walk, round_up(needed, MAX_DECIMALS), amount)

    def _walk(self, book: markets.PublishedBook, amount: Decimal, *, is_base: bool) -> Walk:
        quantity, quote = (amount, None) if is_base else (None, amount)
        walk = markets.walk_of(book, self.side, quantity=quantity, quote=quote, limit=self.bound(book))
        if not walk.is_complete:
            raise BeyondDepth()
        return walk


@dataclass(frozen=True)
class Step:
    """A leg as it was walked."""

    leg: Leg
    book: markets.PublishedBook
    walk: Walk
    amount_in: Decimal
    amount_out: Decimal


@dataclass(frozen=True)
class Route:
    """One leg, or two over a bridge."""

    legs: tuple[Leg, ...]
    fee_bps: int

    @property
    def name(self) -> str:
        return " + ".join(f"{leg.side} {leg.market.symbol}" for leg in self.legs)

    @cached_property
    def is_direct(self) -> bool:
        return len(self.legs) == 1

    def forward(self, book_of: Books, amount: Decimal) -> list[Step]:
        """Walked from what is given."""
        steps = []
        for leg in self.legs:
            steps.append(leg.forward(book_of(leg.market), amount))
            amount = steps[-1].amount_out
        return steps

    def backward(self, book_of: Books, amount: Decimal) -> list[Step]:
        """Walked from what is wanted."""
        steps = []
        for leg in reversed(self.legs):
            steps.append(leg.backward(book_of(leg.market), amount))
            amount = steps[-1].amount_in
        return steps[::-1]


def routes(user: User, from_asset: str, to_asset: str) -> Iterator[Route]:
    """A market of the two first, then over each bridge; the fee is what the customer pays for taking in each."""
    for leg in _legs(from_asset, to_asset):
        yield _route(user, leg)
    for bridge in settings.CONVERT_BRIDGES:
        if bridge in (from_asset, to_asset):
            continue
        for first in _legs(from_asset, bridge):
            for second in _legs(bridge, to_asset):
                yield _route(user, first, second)


def _legs(asset_in: str, asset_out: str) -> list[Leg]:
    return [
        Leg(market, "SELL" if market.base_id == asset_in else "BUY")
        for market in queries.pairs(asset_in, asset_out)
    ]


def _route(user: User, *legs: Leg) -> Route:
    return Route(legs, sum(placed.rate_of(user, leg.market).taker_bps for leg in legs))


# ------------------------------------------------------------------ what the house will trade for it
@dataclass(frozen=True)
class Planned:
    """So much of a leg's base the house has to sell or buy, and how the leg was walked."""

    step: Step
    quantity: Decimal

    @property
    def shortage(self) -> Decimal | None:
        """By what the amount has to grow for the venue to take its order; None when it is large enough."""
        least = least_quantity(self.step.leg.market, self.step.leg.best(self.step.book))
        step = filters.step_size(self.step.leg.market.filters)
        if floor_to_step(self.quantity, step) >= multiply(least, SPARE):
            return None
        return divide(multiply(least, SPARE) + step, self.quantity)

    def told(self) -> dict[str, object]:
        """For the quote's row: the book by its number, and the walk."""
        leg, book, walk = self.step.leg, self.step.book, self.step.walk
        return {
            "symbol": leg.market.symbol,
            "side": leg.side,
            "quantity": plain(self.quantity),
            "in": plain(round_up(self.step.amount_in, leg_scale(leg.market, leg.asset_in))),
            "in_asset": leg.asset_in,
            "out": plain(round_down(self.step.amount_out, leg_scale(leg.market, leg.asset_out))),
            "out_asset": leg.asset_out,
            "average": plain(round(walk.average or Decimal(0), 12)),
            "best": plain(leg.best(book)),
            "worst": plain(walk.worst or Decimal(0)),
            "slippage_bps": plain(round(walk.slippage_bps or Decimal(0), 2)),
            "epoch": book.epoch,
            "u": book.u,
            "age_ms": book.age_ms,
        }


def leg_scale(market: Market, asset: str) -> int:
    return market.base.scale if asset == market.base_id else market.quote.scale


def least_quantity(market: Market, price: Decimal) -> Decimal:
    """The least of its base that the market trades at this price."""
    step = filters.step_size(market.filters)
    by_worth = round_up(divide(filters.min_notional(market.filters), price), MAX_DECIMALS)
    return max(filters.number(_lot(market), "minQty"), by_worth, step)


def most_quantity(market: Market) -> Decimal:
    """The most of its base that one order may be for; zero: no rule."""
    return filters.number(_lot(market), "maxQty")


def _lot(market: Market) -> filters.Filter:
    return next((item for item in market.filters if item.get("filterType") == "LOT_SIZE"), {})


def planned(steps: list[Step], *, given: Decimal, owed: Decimal) -> list[Planned]:
    """What is sold is what came in; what is bought is what goes out. In between as much as the books say.

    `owed`: what the customer gets, and the fee.
    """
    first, last = steps[0], steps[-1]
    if len(steps) == 1:
        return [Planned(first, given if first.leg.side == "SELL" else owed)]
    between = first.amount_out
    if last.leg.side == "BUY":  # only what is owed is bought with it
        between = divide(multiply(between, owed), last.amount_out)
    scale = leg_scale(first.leg.market, first.leg.asset_out)
    between = round_up(between, scale)
    return [
        Planned(first, given if first.leg.side == "SELL" else between),
        Planned(last, between if last.leg.side == "SELL" else owed),
    ]
