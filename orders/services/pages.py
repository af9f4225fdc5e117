"""What the venue lists page by page, read to its end."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from exchange.binance.models import Report
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount

PAGE = 1000
Row = TypeVar("Row")


def orders_since(account: VenueAccount, symbol: str, start_ms: int) -> Iterator[Report]:
    """Orders of every state that the venue took since then, oldest first."""
    return _each(
        account,
        lambda rest: rest.all_orders(symbol, start_ms=start_ms),
        lambda last: lambda rest: rest.all_orders(symbol, from_number=_after(last)),
    )


def _after(last: Report) -> int:
    assert last.venue_order_id is not None, "the venue numbers what it lists"
    return last.venue_order_id + 1


def _each(
    account: VenueAccount,
    first: Callable[[gate.Rest], list[Row]],
    after: Callable[[Row], Callable[[gate.Rest], list[Row]]],
) -> Iterator[Row]:
    """The rows of the first page, and while a page is full of the one after its last row."""
    page = gate.call(account, gate.Kind.QUERY, None, first)
    while page:
        yield from page
        if len(page) < PAGE:
            return
        page = gate.call(account, gate.Kind.QUERY, None, after(page[-1]))
