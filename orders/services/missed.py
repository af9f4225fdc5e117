"""Trades that no report told of: to the orders they are of, or to suspense when the venue says that those are nobody's
here. A report of the same trades that comes later is a harmless repeat."""

from collections.abc import Sequence

from exchange.binance.errors import NO_SUCH_ORDER, Rejected
from exchange.binance.models import MyTrade, Report
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from orders import compared, queries
from orders.models import Source
from orders.services.following import apply_report
from orders.services.reports import apply_trades


def apply_missed(*, account: VenueAccount, symbol: str, trades: Sequence[MyTrade]) -> list[MyTrade]:
    """Those that are booked: all but the ones of an order that the venue does not show, and that nobody here has the
    number of.

    Such an order is known by the id that we gave it, also one that was given up before its number was heard.
    """
    numbers = {trade.venue_order_id for trade in trades}
    ours, nameless = compared.known_orders(account.pk, symbol, numbers), set()
    for number in sorted(numbers):
        if not compared.is_unsure(account.pk, symbol, number):
            continue
        report = _order_at(account, symbol, number)
        if report is not None and queries.client_order_id_is_known(report.client_order_id):
            apply_report(venue_account=account, report=report, source=Source.RECONCILIATION)
        elif report is None and number not in ours:
            nameless.add(number)
    named = [trade for trade in trades if trade.venue_order_id not in nameless]
    apply_trades(venue_account=account, trades=named)
    return named


def _order_at(account: VenueAccount, symbol: str, number: int) -> Report | None:
    """None while the venue's list of orders lags behind its trades."""
    try:
        return gate.call(account, gate.Kind.QUERY, None, lambda rest: rest.order_by_number(symbol, number))
    except Rejected as error:
        if error.code != NO_SUCH_ORDER:
            raise
        return None
