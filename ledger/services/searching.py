"""Withdrawals in the venue's own history: where there is nothing, that must mean something."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from exchange.binance.errors import VenueError
from exchange.binance.wallet import WithdrawRecord
from exchange.errors import Unavailable
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from ledger.errors import HistoryOver, HistoryTooLong
from ledger.models import Withdrawal

LONGEST_MS = 89 * 86_400_000  # the venue answers for less than 90 days (binance.md 15)
PAGE, LONGEST_PAGES = 1000, 20
CLOCKS_APART = timedelta(hours=1)
# The venue dates a withdrawal when our call comes in; one that comes in later than this it refuses as too old.
ARRIVES_WITHIN = timedelta(days=1)


def history_pages(account: VenueAccount, *, start_ms: int, end_ms: int) -> Iterator[list[WithdrawRecord]]:
    """The withdrawals of that time, newest first; half a page overlaps, so that nothing slips by."""
    for page in range(LONGEST_PAGES):
        read = partial(_read, start_ms=start_ms, end_ms=end_ms, offset=page * PAGE // 2)
        records = gate.call(account, gate.Kind.WALLET, None, read)
        yield records
        if len(records) < PAGE:
            return


def _read(
    rest: gate.Rest, *, start_ms: int, end_ms: int, offset: int = 0, client_id: str = ""
) -> list[WithdrawRecord]:
    return rest.withdraw_history(
        start_ms=start_ms, end_ms=end_ms, offset=offset, limit=PAGE, client_id=client_id
    )


def records_of(withdrawal: Withdrawal) -> list[WithdrawRecord]:
    """What the venue has of the withdrawal, by our id and in the time it was sent; none means it never had it.

    The venue is called, so outside any transaction. Raises HistoryOver when the venue no longer answers for that time,
    HistoryTooLong when it has more of it than is read, Unavailable when it does not answer.
    """
    sent_at = withdrawal.sending_at or withdrawal.moved_at
    now_ms = gate.clock().now_ms()
    start_ms = _milliseconds(sent_at - CLOCKS_APART)
    if start_ms < now_ms - LONGEST_MS:
        raise HistoryOver()
    end_ms = min(_milliseconds(sent_at + ARRIVES_WITHIN), now_ms + 60_000)
    try:
        return [r for r in _all_of(withdrawal, start_ms, end_ms) if _may_be(withdrawal, r)]
    except VenueError as error:
        raise Unavailable() from error


def records_within_a_moment(withdrawal: Withdrawal) -> list[WithdrawRecord]:
    """The same for who waits for a page: Unavailable, too, when the venue takes longer than a moment."""
    try:
        return gate.history().carry(partial(records_of, withdrawal))
    except VenueError as error:
        raise Unavailable() from error


def _all_of(withdrawal: Withdrawal, start_ms: int, end_ms: int) -> Iterator[WithdrawRecord]:
    """By our id first: that look-up spans at most seven days, and without a span is of the last seven alone."""
    account = withdrawal.venue_account
    by_name = partial(_read, start_ms=start_ms, end_ms=end_ms, client_id=withdrawal.client_id)
    yield from gate.call(account, gate.Kind.WALLET, None, by_name)
    last: list[WithdrawRecord] = []
    for last in history_pages(account, start_ms=start_ms, end_ms=end_ms):
        yield from last
    if len(last) >= PAGE:
        raise HistoryTooLong()


def _may_be(withdrawal: Withdrawal, record: WithdrawRecord) -> bool:
    """One that bears no id of ours but pays the same address may be ours too."""
    if record.client_id:
        return record.client_id == withdrawal.client_id
    is_like = (record.asset, record.address.casefold()) == (
        withdrawal.asset_id,
        withdrawal.address.casefold(),
    )
    return is_like or bool(withdrawal.venue_id and record.id == withdrawal.venue_id)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
