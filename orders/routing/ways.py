"""What is compared: an order, the ways it could take, and what each would bring after our fees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exchange.money import divide, plain
from markets.models import Market
from markets.queries import PublishedBook
from orders.models import RouteKind, Side
from orders.rules import BPS, Rate

if TYPE_CHECKING:
    from accounts.models import User
    from orders.routing.choice import Rule

ZERO = Decimal(0)


class Out(Exception):
    """This way cannot be taken now; the word says why."""


@dataclass(frozen=True)
class Asked:
    """An order that is to be routed, as it would be sent to its own market."""

    user: "User"
    market: Market
    side: str
    is_market: bool
    is_total: bool
    time_in_force: str
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    rate: Rate

    @property
    def paid_asset(self) -> str:
        return self.market.quote_id if self.side == Side.BUY else self.market.base_id

    @property
    def received_asset(self) -> str:
        return self.market.base_id if self.side == Side.BUY else self.market.quote_id


@dataclass(frozen=True)
class Hop:
    """One trade of a way: what it takes and gives by the books of this moment, our fee taken off."""

    symbol: str
    side: str
    paid_asset: str
    received_asset: str
    paid: Decimal
    received: Decimal
    fee: Decimal
    average: Decimal | None
    share: Decimal

    def told(self) -> dict[str, str]:
        average = "" if self.average is None else plain(round(self.average, 12))
        return {
            "symbol": self.symbol,
            "side": self.side,
            "paid": f"{plain(self.paid)} {self.paid_asset}",
            "received": f"{plain(self.received)} {self.received_asset}",
            "fee": plain(self.fee),
            "average": average,
        }


@dataclass(frozen=True)
class Way:
    """One of the ways; `out` says why it is none, `over` is the asset in between, `makers` whom it would meet."""

    kind: RouteKind
    hops: tuple[Hop, ...] = ()
    out: str = ""
    over: str = ""
    makers: tuple[tuple[int, Decimal], ...] = ()

    @property
    def paid(self) -> Decimal:
        return self.hops[0].paid if self.hops else ZERO

    @property
    def received(self) -> Decimal:
        return self.hops[-1].received if self.hops else ZERO

    @property
    def share(self) -> Decimal:
        return min((hop.share for hop in self.hops), default=ZERO)

    @property
    def rate(self) -> Decimal | None:
        """Received for one paid; None when it would get nothing."""
        return divide(self.received, self.paid) if self.paid and self.received else None

    def told(self) -> dict[str, Any]:
        if self.out:
            return {"kind": str(self.kind), "over": self.over, "out": self.out}
        found: dict[str, Any] = {
            "kind": str(self.kind),
            "over": self.over,
            "share": plain(round(self.share, 8)),
        }
        if self.makers:
            found["makers"] = [[number, plain(quantity)] for number, quantity in self.makers]
        return {**found, "hops": [hop.told() for hop in self.hops]}


@dataclass(frozen=True)
class Route:
    """What a strategy found: every way that was looked at, the market itself first, and the one that is taken."""

    rule: "Rule"
    asked: Asked
    ways: tuple[Way, ...]
    taken: Way
    books: Mapping[str, dict[str, object]] = field(default_factory=dict)

    @property
    def direct(self) -> Way:
        return self.ways[0]


def better_by(way: Way, other: Way) -> Decimal | None:
    """By how many basis points more is received for what is paid; None without both."""
    if way.rate is None or other.rate is None:
        return None
    return divide((way.rate - other.rate) * BPS, other.rate)


def told_of(book: PublishedBook) -> dict[str, object]:
    """By which a book can be named later."""
    return {"epoch": book.epoch, "u": book.u, "age_ms": book.age_ms}
