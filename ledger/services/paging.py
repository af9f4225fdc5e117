"""Long histories of the venue, page by page: what is there all the while they are read is never missed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from exchange.binance.wallet import DepositRecord, WithdrawRecord
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount

PAGE = 1000
MOST_ROWS = 20_000  # of one window; a fuller one is read in halves
Record = TypeVar("Record")
# Asked for a page from start to end (milliseconds) that skips so many records.
Ask = Callable[[gate.Rest, int, int, int], list[Record]]


def pages(
    account: VenueAccount, kind: gate.Kind, ask: Ask[Record], start_ms: int, end_ms: int
) -> Iterator[list[Record]]:
    """The records from start to end, each at least once; every page is asked for when it is wanted."""
    for offset in range(0, MOST_ROWS, PAGE // 2):
        # Half a page of overlap: rows that come or go while we read shift the others, and none may slip away.
        rows = gate.call(account, kind, None, partial(_page, ask, start_ms, end_ms, offset))
        yield rows
        if len(rows) < PAGE:
            return
    middle = (start_ms + end_ms) // 2
    yield from pages(account, kind, ask, middle, end_ms)
    yield from pages(account, kind, ask, start_ms, middle)


def _page(ask: Ask[Record], start_ms: int, end_ms: int, offset: int, rest: gate.Rest) -> list[Record]:
    return ask(rest, start_ms, end_ms, offset)


def deposits_of(email: str | None) -> Ask[DepositRecord]:
    """Asks for deposits of the sub-account with this address, or of the trading account."""

    def ask(rest: gate.Rest, start_ms: int, end_ms: int, offset: int) -> list[DepositRecord]:
        if email is None:
            return rest.deposit_history(start_ms=start_ms, end_ms=end_ms, offset=offset, limit=PAGE)
        return rest.sub_deposit_history(email, start_ms=start_ms, end_ms=end_ms, offset=offset, limit=PAGE)

    return ask


def withdrawals(rest: gate.Rest, start_ms: int, end_ms: int, offset: int) -> list[WithdrawRecord]:
    """Asks for withdrawals."""
    return rest.withdraw_history(start_ms=start_ms, end_ms=end_ms, offset=offset, limit=PAGE)
