"""Trades at the venue against ours: what explains a difference now, and every trade of a past day."""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.binance.models import SOR, MyTrade
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import milliseconds_of, moment_of
from exchange.office import services as office
from ledger import queries as books
from ledger import services as ledger
from markets import queries as markets
from markets import services as market_services
from orders import compared
from orders.models import Fill
from orders.rules import trade_name
from orders.services import pages
from orders.services.missed import apply_missed
from orders.services.orphans import text_key
from orders.services.pages import PAGE

PART = "trades:"
# An order that is being placed may have traded before its number at the venue is known here.
UNCERTAIN = timedelta(minutes=10)


@ledger.explains
def trades_under_way(account: VenueAccount, assets: Collection[str]) -> Iterator[ledger.Explanation]:
    """Trades of unfinished orders that the venue has executed and the books do not have yet."""
    for symbol, since in compared.unfinished_symbols(account.pk, assets):
        trades = gate.call(
            account,
            gate.Kind.QUERY,
            None,
            partial(_newest, symbol, milliseconds_of(since)),
        )
        allotted = [trade for trade in _allotted(account, symbol, since) if not is_booked(account, trade, ())]
        numbers = [trade.venue_order_id for trade in [*trades, *allotted]]
        ours = compared.known_orders(account.pk, symbol, numbers)
        for trade in [*_not_booked(account, symbol, trades), *allotted]:
            if trade.venue_order_id in ours:
                yield from _moved(trade, ours[trade.venue_order_id])


def _allotted(
    account: VenueAccount, symbol: str, start: datetime, end: datetime | None = None
) -> list[MyTrade]:
    """What smart order routing allotted to us since then, where the venue has it: those are in no list of trades."""
    if SOR not in markets.market_row(symbol).abilities:
        return []
    last = milliseconds_of(end) - 1 if end else None
    return list(pages.allotted_since(account, symbol, milliseconds_of(start), last))


def _newest(symbol: str, since_ms: int, rest: gate.Rest) -> list[MyTrade]:
    return [trade for trade in rest.my_trades(symbol, limit=PAGE) if trade.fill.time_ms >= since_ms]


def _not_booked(account: VenueAccount, symbol: str, trades: Iterable[MyTrade]) -> list[MyTrade]:
    rows = list(trades)
    booked = compared.fills_by_trade(account.pk, symbol, [trade.fill.trade_id for trade in rows])
    return [trade for trade in rows if trade.fill.trade_id not in booked]


def _moved(trade: MyTrade, order_id: int) -> Iterator[ledger.Explanation]:
    market, fill = markets.market_row(trade.symbol), trade.fill
    sign = 1 if trade.side == "BUY" else -1
    for asset, amount in (
        (market.base_id, sign * fill.quantity),
        (market.quote_id, -sign * fill.quote_quantity),
        (fill.commission_asset, -fill.commission),
    ):
        yield ledger.Explanation(
            ledger.Place.VENUE,
            asset,
            amount,
            _("trade not booked yet"),
            f"ORDER:{order_id} trade {trade_name(fill.trade_id, fill.allocation_id)}",
        )


# ------------------------------------------------------------------ a day, trade by trade
def compare_trades(*, day: date | None = None) -> ledger.Comparison:
    """Every trade of the day, or of every past day not compared yet, is held against ours, market by market.

    A trade that is missing here is booked and put on record; the rest waits for staff.
    """
    found = ledger.Comparison()
    for account in gate.accounts_with_key() or [gate.primary_account()]:
        found += ledger.compare_days(
            day=day, kind=PART, parts_of=_parts_of, compare=_compare, account=account
        )
    return found


def _parts_of(_account: VenueAccount, day: date) -> list[str]:
    return [PART + symbol for symbol in compared.symbols_of(*ledger.span_of(day))]


def _compare(account: VenueAccount, day: date, part: str) -> int | None:
    """How many trades differ; None while nobody can say of which order one is that is missing here."""
    symbol = part.removeprefix(PART)
    start, end = ledger.span_of(day)
    theirs = {trade.fill.trade_id: trade for trade in _trades(account, symbol, start, end)}
    ours = compared.fills_by_trade(account.pk, symbol, list(theirs), start, end)
    told = [*theirs.values(), *_allotted(account, symbol, start, end)]
    missing = [trade for trade in told if not is_booked(account, trade, ours)]
    if any(_may_be_under_way(account, trade) for trade in missing):
        return None
    booked = apply_missed(account=account, symbol=symbol, trades=missing)
    found = [_repaired(account, trade) for trade in booked]
    if len(booked) < len(missing):
        ledger.note_findings(day=day, found=found)
        return None
    found += [_missing_there(account, fill) for number, fill in ours.items() if number not in theirs]
    found += [
        finding
        for number, fill in ours.items()
        if number in theirs and (finding := _differs(account, fill, theirs[number]))
    ]
    return ledger.note_history(account=account, day=day, part=part, compared=len(told), found=found)


def _trades(account: VenueAccount, symbol: str, start: datetime, end: datetime) -> Iterator[MyTrade]:
    """The venue answers by time for the first page, and by number for the next ones."""
    first, last = milliseconds_of(start), milliseconds_of(end) - 1
    page = gate.call(
        account,
        gate.Kind.HISTORY,
        None,
        lambda rest: rest.my_trades(symbol, start_ms=first, end_ms=last, limit=PAGE),
    )
    while page:
        yield from (trade for trade in page if first <= trade.fill.time_ms <= last)
        if len(page) < PAGE or page[-1].fill.time_ms > last:
            return
        page = gate.call(account, gate.Kind.HISTORY, None, partial(_from, symbol, page[-1].fill.trade_id + 1))


def _from(symbol: str, number: int, rest: gate.Rest) -> list[MyTrade]:
    return rest.my_trades(symbol, from_id=number, limit=PAGE)


def is_booked(account: VenueAccount, trade: MyTrade, ours: Collection[int]) -> bool:
    """As a fill of an order, or to suspense as one of an order nobody knows."""
    key = text_key(account.pk, trade.symbol, trade.fill)
    return trade.fill.trade_id in ours or books.has_transfer("fill", key)


def _may_be_under_way(account: VenueAccount, trade: MyTrade) -> bool:
    """True while an order of ours without a number at the venue could still turn out to have made the trade."""
    is_fresh = timezone.now() - moment_of(trade.fill.time_ms) < UNCERTAIN
    return is_fresh or compared.has_unnumbered_order(account.pk, trade.symbol)


def _repaired(account: VenueAccount, trade: MyTrade) -> ledger.Finding:
    """The trade was booked just now: to its order, or to suspense when nobody here knows the order."""
    key = text_key(account.pk, trade.symbol, trade.fill)
    office.record(None, "trade.repaired", "trade", key, after={"venue_order_id": trade.venue_order_id})
    return _finding(
        account,
        trade,
        source=ledger.Source.TRADE_MISSING,
        amount=trade.fill.quantity,
        cause=_("No report of it arrived; it was booked when the day was compared."),
    )


def _missing_there(account: VenueAccount, fill: Fill) -> ledger.Finding:
    return ledger.Finding(
        source=ledger.Source.TRADE_NOT_THERE,
        key=f"trade history:{account.pk}:{fill.market_id}:{fill.trade_id}",
        asset=fill.market.base_id,
        amount=fill.quantity,
        detail={"fill": fill.pk, "order": fill.order_id, "transfer": fill.transfer_id},
        cause=_("It is booked here, and the venue's list of the day does not have it."),
    )


def _differs(account: VenueAccount, fill: Fill, trade: MyTrade) -> ledger.Finding | None:
    theirs = trade.fill
    if (fill.price, fill.quantity, fill.quote_quantity) != (
        theirs.price,
        theirs.quantity,
        theirs.quote_quantity,
    ):
        return _finding(
            account,
            trade,
            source=ledger.Source.TRADE_DIFFERS,
            amount=theirs.quantity - fill.quantity,
            cause=_("Price, quantity or total is another one there."),
        )
    if fill.commission == theirs.commission:
        return None
    short = Decimal(fill.commission) - theirs.commission
    market_services.ensure_asset(theirs.commission_asset)
    return ledger.Finding(
        source=ledger.Source.COMMISSION_DIFFERS,
        key=f"commission history:{account.pk}:{trade.symbol}:{theirs.trade_id}",
        asset=theirs.commission_asset,
        amount=short,
        detail={"fill": fill.pk, "order": fill.order_id},
        cause=_("The report that was booked named another commission."),
        lines=ledger.commission_lines(account.pk, theirs.commission_asset, -short),
    )


def _finding(
    account: VenueAccount, trade: MyTrade, *, source: ledger.Source, amount: Decimal, cause: str
) -> ledger.Finding:
    is_trade = trade.fill.allocation_id is None
    named = trade.fill.trade_id if is_trade else trade_name(None, trade.fill.allocation_id)
    return ledger.Finding(
        source=source,
        key=f"trade history:{account.pk}:{trade.symbol}:{named}",
        asset=markets.market_row(trade.symbol).base_id,
        amount=amount,
        detail={"symbol": trade.symbol, "trade": named, "venue_order_id": trade.venue_order_id},
        cause=cause,
    )
