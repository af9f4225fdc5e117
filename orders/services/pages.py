"""What the venue lists page by page, read to its end."""

from collections.abc import Callable, Iterator
from functools import partial
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
) -> Iterator[Row]:
    """The rows of the first page, and while a page is full of the one after its last row; raises Unknown when that
    brings the same again."""
    page = gate.call(account, gate.Kind.QUERY, None, first)
    while page:
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1]
        page = gate.call(account, gate.Kind.QUERY, None, after(last))
        if page and page[-1] == last:
            raise Unknown("a list that has no end")
