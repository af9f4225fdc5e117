"""After a gap in the user data stream: what moved while nobody listened is asked for, market by market."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby

import structlog
from django.utils import timezone

from exchange.binance.errors import VenueError
from exchange.binance.models import MyTrade
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import milliseconds_of
from orders import compared, queries
from orders.services.comparing import is_booked
from orders.services.missed import apply_missed
from orders.services.pages import PAGE
from orders.services.reconciling import look_at

log = structlog.get_logger()
# The line was open for a while before anybody noticed that it was dead, and trades are told a little later.
MARGIN = timedelta(minutes=10)
# Markets in which an order was sent so recently may have trades of orders that have ended meanwhile.
RECENT = timedelta(days=1)


def resume(*, venue_account: VenueAccount, heard_until: datetime | None) -> None:
    """What the venue did with the account's orders since the stream was last heard is in the books.

    Orders that are not finished first, then trades of whichever order. What the venue's weight does not allow now is
    left to the sweeps, which find it by its state.
    """
    unfinished = queries.unfinished_venue_orders().filter(venue_account=venue_account)
    looked = look_at(list(unfinished.select_related("venue_account", "order")))
    since = (heard_until or timezone.now()) - MARGIN
    trades = 0
    for symbol, first in compared.touched_symbols(venue_account.pk, since - RECENT).items():
        try:
            trades += _trades_since(venue_account, symbol, since, first)
        except VenueError as error:
            log.warning("stream.trades_not_asked", symbol=symbol, reason=str(error)[:120])
        except Exception:  # one odd market never stops the next
            log.exception("stream.trades_failed", symbol=symbol)
    log.info("stream.resumed", account=venue_account.name, orders=looked, trades=trades)


def _trades_since(account: VenueAccount, symbol: str, since: datetime, first: datetime) -> int:
    """Trades that are not booked are, from the last one known before the gap, or from the first order that may have
    made one; gives how many."""
    last, found = compared.last_trade_before(account.pk, symbol, since), 0
    read = (
        partial(_first_page, symbol, max(since, first)) if last is None else partial(_page, symbol, last + 1)
    )
    while page := gate.call(account, gate.Kind.HISTORY, None, read):
        missing = _unbooked(account, symbol, page)
        for number, theirs in groupby(missing, key=lambda trade: trade.venue_order_id):
            trades = list(theirs)
            log.warning("stream.trades_missed", symbol=symbol, venue_order=number, trades=len(trades))
            # Where the list of orders lags behind, the comparison of the day finds them.
            apply_missed(account=account, symbol=symbol, trades=trades)
        found += len(missing)
        if len(page) < PAGE:
            break
        read = partial(_page, symbol, page[-1].fill.trade_id + 1)
    return found


def _first_page(symbol: str, since: datetime, rest: gate.Rest) -> list[MyTrade]:
    return rest.my_trades(symbol, start_ms=milliseconds_of(since), limit=PAGE)


def _page(symbol: str, number: int, rest: gate.Rest) -> list[MyTrade]:
    return rest.my_trades(symbol, from_id=number, limit=PAGE)


def _unbooked(account: VenueAccount, symbol: str, page: Iterable[MyTrade]) -> list[MyTrade]:
    rows = sorted(page, key=lambda trade: (trade.venue_order_id, trade.fill.trade_id))
    ours = compared.fills_by_trade(account.pk, symbol, [trade.fill.trade_id for trade in rows])
    return [trade for trade in rows if not is_booked(account, trade, ours)]
