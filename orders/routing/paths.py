"""The ways from one asset to another, for who names no market: the one between them, and two over each bridge."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from markets import queries as markets
from orders import queries
from orders.routing.estimates import Books, hop_giving
from orders.routing.ways import Hop, Out

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Path:
    """One or two trades after each other; `received` is what is left after our fees."""

    hops: tuple[Hop, ...]
    books: dict[str, dict[str, object]]

    @property
    def paid(self) -> Decimal:
        return self.hops[0].paid

    @property
    def received(self) -> Decimal:
        return self.hops[-1].received

    @property
    def over(self) -> str:
        return self.hops[0].received_asset if len(self.hops) == 2 else ""

    @property
    def is_complete(self) -> bool:
        """The books that are known take all of it."""
        return all(hop.share == 1 for hop in self.hops)


def paths(*, user: "User", give: str, get: str, amount: Decimal, bridges: Sequence[str] = ()) -> list[Path]:
    """Every way that can be taken now, the one that brings the most first; none while no book of them is of now."""
    books, found = Books(), []
    for over in ("", *bridges):
        if over in (give, get):
            continue
        try:
            hops = (
                two_hops(books, user, give, over, get, amount)
                if over
                else (_one(books, user, give, get, amount),)
            )
        except Out:
            continue
        found.append(hops)
    told = books.told()
    whole = [Path(hops, told) for hops in found]
    return sorted(whole, key=lambda path: (path.is_complete, path.received), reverse=True)


def two_hops(books: Books, user: "User", give: str, over: str, get: str, amount: Decimal) -> tuple[Hop, Hop]:
    """All that the first trade brings goes into the second; raises Out when one of them cannot be made."""
    first = _one(books, user, give, over, amount)
    return first, _one(books, user, over, get, first.received)


def _one(books: Books, user: "User", give: str, get: str, amount: Decimal) -> Hop:
    market = markets.market_between(give, get)
    if market is None:
        raise Out("no_market")
    return hop_giving(books, give, get, amount, queries.rate_of(user, market), market)
