"""The whole verification of the books: the ledger's laws, holds against orders, the chain, and what left the house."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from exchange.conversions import queries as conversions
from exchange.database import one_moment
from exchange.money import plain
from ledger import queries as books
from ledger.seals import SealLine
from ledger.services import Cause
from orders import queries as orders

Claim = tuple[int, int, str]


@dataclass(frozen=True)
class Verdict:
    """The first broken row in words, empty when nothing is broken, and what was looked at."""

    broken: str
    block: int
    counts: dict[str, int]


def verdict(exported: Iterable[SealLine]) -> Verdict:
    """Whether everything holds at one moment; the exported blocks are compared with the chain too."""
    with one_moment():
        broken = next(_broken(exported, timezone.now()), "")
        end = books.latest_seal()
        return Verdict(broken, end.number if end else 0, books.counts())


def _broken(exported: Iterable[SealLine], now: datetime) -> Iterator[str]:
    yield from books.broken_laws()
    yield from books.broken_causes()
    yield from stray_holds("order", books.held_for(Cause.ORDER), orders.holding_orders())
    yield from stray_holds("order list", books.held_for(Cause.LIST), orders.holding_lists())
    yield from stray_holds("the change of order", books.held_for(Cause.CHANGE), orders.holding_changes())
    yield from stray_holds("trade", books.held_for(Cause.BRIDGE), orders.holding_bridges())
    for asset, amount in conversions.unexplained().items():
        yield f"{plain(amount)} {asset} of the house's position no conversion or cover explains"
    yield from books.broken_links()
    yield from books.broken_snapshots()
    if broken := books.differing_export(exported):
        yield broken
    if broken := books.late_for_seal(now, timedelta(seconds=settings.SEAL_LATE_SECONDS)):
        yield broken


def stray_holds(what: str, held: Iterator[Claim], wanted: Iterator[Claim]) -> Iterator[str]:
    """Where open holds and what is unfinished, both by number, differ; in words."""
    hold, cause = next(held, None), next(wanted, None)
    while hold or cause:
        if cause is None or (hold and hold[0] < cause[0]):
            assert hold
            yield f"{hold[2]} of customer {hold[1]} is held for {what} {hold[0]}, which needs nothing"
            hold = next(held, None)
        elif hold is None or cause[0] < hold[0]:
            yield f"{what} {cause[0]} of customer {cause[1]} is not finished, and no {cause[2]} is held for it"
            cause = next(wanted, None)
        else:
            if hold != cause:
                yield (
                    f"for {what} {cause[0]} {cause[2]} of customer {cause[1]} should be held, "
                    f"and {hold[2]} of customer {hold[1]} is"
                )
            hold, cause = next(held, None), next(wanted, None)
