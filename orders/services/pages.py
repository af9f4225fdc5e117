"""What the venue lists page by page, read to its end."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from typing import TypeVar

from exchange.binance.errors import Unknown
from exchange.binance.models import MyTrade, Report
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


def trades_of(account: VenueAccount, symbol: str, number: int) -> list[MyTrade]:
    """All trades of the order with this number, but those that smart order routing allotted. Asked for by number alone
    the venue gives the newest ones."""

    def of_order(rest: gate.Rest, first: int | None = None) -> list[MyTrade]:
        return rest.my_trades(symbol, venue_order_id=number, from_id=first)

    newest = gate.call(account, gate.Kind.QUERY, None, of_order)
    if len(newest) < PAGE:
        return newest
    return list(
        _each(
            account,
            partial(of_order, first=0),
            lambda last: partial(of_order, first=(last.fill.trade_id or 0) + 1),
        )
    )


def allotted_to(account: VenueAccount, symbol: str, number: int) -> list[MyTrade]:
    """What smart order routing allotted to the order with this number, all of it; of no list of trades."""

    def of_order(rest: gate.Rest, first: int | None = None) -> list[MyTrade]:
        return rest.my_allocations(symbol, venue_order_id=number, from_id=first)

    once = gate.call(account, gate.Kind.QUERY, None, of_order)
    if len(once) < PAGE:
        return once
    return list(
        _each(
            account, partial(of_order, first=0), lambda last: partial(of_order, first=_after_allotted(last))
        )
    )


def allotted_since(
    account: VenueAccount, symbol: str, start_ms: int, end_ms: int | None = None
) -> Iterator[MyTrade]:
    """The same of all orders since then, oldest first. The venue answers by time for the first page, and by number for
    the next ones; what is behind the end, at most 24 hours later, is read without haste."""
    rows = _each(
        account,
        lambda rest: rest.my_allocations(symbol, start_ms=start_ms, end_ms=end_ms),
        lambda last: lambda rest: rest.my_allocations(symbol, from_id=_after_allotted(last)),
        gate.Kind.QUERY if end_ms is None else gate.Kind.HISTORY,
    )
    return takewhile(lambda row: end_ms is None or row.fill.time_ms <= end_ms, rows)


def _after_allotted(last: MyTrade) -> int:
    assert last.fill.allocation_id is not None, "the venue numbers what it allots"
    return last.fill.allocation_id + 1


def is_listed(account: VenueAccount, number: int, *, start_ms: int, end_ms: int) -> bool:
    """True when the order with this number is in an order list of this time, or of one after it."""
    lists = _each(
        account,
        lambda rest: rest.order_lists(start_ms=start_ms, end_ms=end_ms),
        lambda last: lambda rest: rest.order_lists(from_id=last[0] + 1),
    )
    return any(number in numbers for _list_id, numbers in lists)


def _after(last: Report) -> int:
    assert last.venue_order_id is not None, "the venue numbers what it lists"
    return last.venue_order_id + 1


def _each(
    account: VenueAccount,
    first: Callable[[gate.Rest], list[Row]],
    after: Callable[[Row], Callable[[gate.Rest], list[Row]]],
    kind: gate.Kind = gate.Kind.QUERY,
) -> Iterator[Row]:
    """The rows of the first page, and while a page is full of the one after its last row; raises Unknown when that
    brings the same again."""
    page = gate.call(account, kind, None, first)
    while page:
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]
        page = gate.call(account, kind, None, after(last))
        if page and page[-1] == last:
            raise Unknown("a list that has no end")
