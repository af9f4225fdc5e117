"""A day of the venue's history against ours, record by record: deposits and withdrawals."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from exchange.binance.errors import NotSent, Rejected, VenueError
from exchange.binance.wallet import DepositRecord, WithdrawRecord
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import milliseconds_of
from exchange.money import plain
from ledger import queries, rules
from ledger.models import Account, Deposit, Entry, HistoryCheck, LedgerException, SubAccount, Withdrawal
from ledger.services.deposits.crediting import where_it_lies
from ledger.services.exceptions import note_exception
from ledger.services.paging import Ask, Record, deposits_of, pages, withdrawals
from ledger.services.posting import Line, system

log = structlog.get_logger()
# The venue needs a while to show the last minutes of a day, and so do we.
SETTLED = timedelta(hours=1)
LOOK_BACK_DAYS = 3
MOST_DAYS = 88  # the venue answers for less than 90 (binance.md 15)
DEPOSITS, WITHDRAWALS = "deposits", "withdrawals"
PartsOf = Callable[[VenueAccount, date], Iterable[str]]
Compare = Callable[[VenueAccount, date, str], int | None]
Missed = tuple[date, str, bool]  # a part of a day, and whether the venue refuses it


@dataclass(frozen=True)
class Finding:
    """One record that one side lacks, or has with another amount; `lines` would book it to suspense."""

    source: LedgerException.Source
    key: str
    asset: str | None
    amount: Decimal | None
    detail: dict[str, object]
    cause: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """How many records differ, and which parts of which days could not be compared, such as "2026-03-01 deposits"."""

    differing: int = 0
    left_out: tuple[str, ...] = ()

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(self.differing + other.differing, self.left_out + other.left_out)


def past_days(now: datetime, *, since: date | None = None) -> list[date]:
    """Days that are over and settled, the oldest first: the latest few, or all since an earlier one.

    At most so many as the venue answers for.
    """
    last = (now - SETTLED).astimezone(UTC).date() - timedelta(days=1)
    days = max(LOOK_BACK_DAYS, (last - since).days + 1 if since else 0)
    return [last - timedelta(days=back) for back in reversed(range(min(days, MOST_DAYS)))]


def span_of(day: date) -> tuple[datetime, datetime]:
    """From midnight to midnight, UTC."""
    start = datetime.combine(day, time.min, UTC)
    return start, start + timedelta(days=1)


@transaction_with_retry
def note_history(
    *, account: VenueAccount, day: date, part: str, compared: int, found: Iterable[Finding]
) -> int:
    """The part of the day is on record as compared, each finding is before staff; gives how many there were."""
    findings = list(found)
    _note_each(day, findings)
    HistoryCheck.objects.update_or_create(
        venue_account=account,
        day=day,
        part=part,
        defaults={"at": timezone.now(), "compared": compared, "differing": len(findings)},
    )
    log.info("history.compared", day=str(day), part=part, compared=compared, differing=len(findings))
    return len(findings)


@transaction_with_retry
def note_findings(*, day: date, found: Sequence[Finding]) -> None:
    """Each is before staff, while the rest of its part of the day cannot be compared yet."""
    _note_each(day, found)


def _note_each(day: date, found: Sequence[Finding]) -> None:
    for finding in found:
        note_exception(
            source=finding.source,
            key=finding.key[:120],
            asset=finding.asset,
            amount=finding.amount,
            detail={**finding.detail, "day": day.isoformat()},
            cause=finding.cause,
            suggestion=finding.lines,
        )


def compare_history(*, day: date | None = None) -> Comparison:
    """Deposits and withdrawals of the day, or of every past day not compared yet, are held against ours.

    What the venue does not answer now is left out, and asked again by the next sweep.
    """
    if not settings.BINANCE_SAPI_URL:
        return Comparison()  # a venue without a wallet has no such history
    return compare_days(day=day, kind=DEPOSITS, parts_of=_places, compare=_deposits) + compare_days(
        day=day, kind=WITHDRAWALS, parts_of=lambda _account, _day: [WITHDRAWALS], compare=_withdrawals
    )


def compare_days(
    *, day: date | None, kind: str, parts_of: PartsOf, compare: Compare, account: VenueAccount | None = None
) -> Comparison:
    """Every part of the day is compared, or every part of the past days that was not yet.

    Of the account, or of the primary one, which alone has deposits and withdrawals. `kind` is what the parts' names
    begin with; `compare` gives how many records differ, or None while that cannot be told. A part that is left out is
    asked for again by the next sweep, or put before staff when none would ask again.
    """
    account = account or gate.primary_account()
    if gate.key_of(account) is None:
        return Comparison(left_out=(_("no key for the venue is set"),))
    days = [day] if day else _due_days(account, kind)
    missed: list[Missed] = []
    is_away, differing = False, 0
    for wanted, part in _due_parts(account, days, parts_of, again=day is not None):
        found, is_refused = None, False
        try:
            found = None if is_away else compare(account, wanted, part)
        except NotSent as error:  # it wants to be left alone
            log.info("history.later", part=part, reason=error.reason)
            is_away = True
        except VenueError as error:  # a market the venue no longer has, for instance
            log.warning("history.not_compared", part=part, reason=str(error)[:120])
            is_refused = isinstance(error, Rejected)
        if found is None:
            missed.append((wanted, part, is_refused))
        differing += found or 0
    if day is None:
        _give_up_the_late(account, kind, days, missed)
    return Comparison(differing, tuple(f"{wanted} {part}" for wanted, part, _is_refused in missed))


def _due_parts(
    account: VenueAccount, days: list[date], parts_of: PartsOf, *, again: bool
) -> Iterator[tuple[date, str]]:
    for day in days:
        compared = set() if again else queries.compared_parts(account.pk, day)
        yield from ((day, part) for part in parts_of(account, day) if part not in compared)


def _since(account: VenueAccount, kind: str) -> date:
    """The latest day that was compared, wholly or in part; the account's first before that."""
    return queries.compared_until(account.pk, kind) or account.created_at.date()


def _due_days(account: VenueAccount, kind: str) -> list[date]:
    """From the latest day that was compared, however long ago that was."""
    since = _since(account, kind)
    days = past_days(timezone.now(), since=since)
    if since < days[0]:
        _give_up(account, f"{since}:{kind}")
    return days


def _give_up_the_late(account: VenueAccount, kind: str, days: list[date], missed: list[Missed]) -> None:
    """What the venue refuses on the last of its days, or lies before what the next sweep begins with, is staff's."""
    since, last_time = _since(account, kind), days[-LOOK_BACK_DAYS]
    for wanted, part, is_refused in missed:
        if account.created_at.date() <= wanted <= last_time and (is_refused or wanted < since):
            _give_up(account, f"{wanted}:{part}")


@transaction_with_retry
def _give_up(account: VenueAccount, what: str) -> None:
    note_exception(
        source=LedgerException.Source.NOT_COMPARED,
        key=f"history not compared:{account.pk}:{what}"[:120],
        asset=None,
        amount=None,
        detail={"since": what},
        cause=_(
            "It could not be compared in time, and no sweep asks for it again; ledger_compare --day does."
        ),
    )


# ------------------------------------------------------------------ deposits
def _places(account: VenueAccount, day: date) -> list[str]:
    """The trading account, and every sub-account there was: a part each, so that one of many does not undo the rest."""
    _start, end = span_of(day)
    known = SubAccount.objects.filter(venue_account=account, created_at__lt=end).exclude(email="")
    return [DEPOSITS, *(f"{DEPOSITS}:{pk}" for pk in known.order_by("id").values_list("pk", flat=True))]


def _deposits(account: VenueAccount, day: date, part: str) -> int:
    start, end = span_of(day)
    margin = timedelta(days=1)
    number = part.removeprefix(DEPOSITS).removeprefix(":")
    place = SubAccount.objects.get(pk=number) if number else None
    ask = deposits_of(place.email if place else None)
    theirs = {record.id: record for record in _all(account, ask, start - margin, end + margin)}
    found_here = queries.deposits_with(account.pk, place.pk if place else None, theirs, start, end)
    ours = {deposit.venue_id: deposit for deposit in found_here}
    span = range(milliseconds_of(start), milliseconds_of(end))
    of_the_day = [record for record in theirs.values() if record.inserted_ms in span]
    found = [
        finding for record in of_the_day if (finding := _missing_here(account, record, ours.get(record.id)))
    ]
    found += [_missing_there(deposit) for deposit in ours.values() if deposit.venue_id not in theirs]
    return note_history(account=account, day=day, part=part, compared=len(of_the_day), found=found)


def _all(account: VenueAccount, ask: Ask[Record], start: datetime, end: datetime) -> Iterator[Record]:
    span = milliseconds_of(start), milliseconds_of(end) - 1
    for records in pages(account, gate.Kind.HISTORY, ask, *span):
        yield from records


def _missing_here(account: VenueAccount, record: DepositRecord, ours: Deposit | None) -> Finding | None:
    if record.status not in rules.DEPOSIT_CREDITED:
        return None
    # What waits for its asset, or is smaller than the books keep, is known and needs no booking.
    if ours is not None and ours.status in (Deposit.Status.UNLISTED, Deposit.Status.DUST):
        return None
    booked = ours is not None and ours.transfer_id is not None
    if booked and ours is not None and ours.amount == record.amount:
        return None
    words = (
        _("The amount differs from ours.")
        if booked
        else _("The venue has credited it, and it is not booked here.")
    )
    return Finding(
        source=LedgerException.Source.DEPOSIT_DIFFERS,
        key=f"deposit history:{account.pk}:{record.id}",
        asset=record.asset if queries.is_asset(record.asset) else None,
        amount=record.amount - (ours.amount if booked and ours else 0),
        detail={"venue_id": record.id, "tx_id": record.tx_id, "deposit": ours.pk if ours else None},
        cause=words,
    )


def _missing_there(deposit: Deposit) -> Finding:
    amount = deposit.booked
    return Finding(
        source=LedgerException.Source.DEPOSIT_NOT_THERE,
        key=f"deposit history:{deposit.venue_account_id}:{deposit.venue_id}",
        asset=deposit.coin,
        amount=-amount,
        detail={"deposit": deposit.pk, "tx_id": deposit.tx_id},
        cause=_("It is booked here, and the venue's history does not have it."),
        lines=(
            where_it_lies(deposit, amount),
            system(Account.Type.SUSPENSE, deposit.coin, -amount),
        ),
    )


# ------------------------------------------------------------------ withdrawals
def _withdrawals(account: VenueAccount, day: date, part: str) -> int:
    start, end = span_of(day)
    read = _all(account, withdrawals, start, end)
    theirs = list({(record.id, record.client_id, record.tx_id): record for record in read}.values())
    ours = {
        row.client_id: row for row in Withdrawal.objects.filter(client_id__in=[r.client_id for r in theirs])
    }
    found = [finding for r in theirs if (finding := _withdrawal_differs(account, r, ours.get(r.client_id)))]
    known = {record.client_id for record in theirs}
    # An hour at both ends of the day may belong to the neighbours by the venue's clock.
    inside = queries.withdrawals_completed(account.pk, start + SETTLED, end - SETTLED)
    found += [_withdrawal_missing_there(row) for row in inside if row.client_id not in known]
    return note_history(account=account, day=day, part=part, compared=len(theirs), found=found)


def _withdrawal_differs(
    account: VenueAccount, record: WithdrawRecord, ours: Withdrawal | None
) -> Finding | None:
    if record.status in rules.WITHDRAW_FAILED:
        return None
    cost = rules.venue_cost(record.amount, record.fee)
    if ours is None:
        return _not_ours(account, record, cost)
    if ours.status != Withdrawal.Status.COMPLETED or (booked := _booked(ours)) == cost:
        return None
    return Finding(
        source=LedgerException.Source.WITHDRAWAL_DIFFERS,
        key=f"withdrawal history:{account.pk}:{record.id}",
        asset=ours.asset_id,
        amount=None if record.is_odd else booked - cost,
        detail={"withdrawal": ours.pk, "booked": plain(booked), "venue": plain(cost)},
        cause=_("The venue took another amount than was booked."),
        lines=() if record.is_odd else _venue_to_suspense(account, ours.asset_id, booked - cost),
    )


def _not_ours(account: VenueAccount, record: WithdrawRecord, cost: Decimal) -> Finding:
    is_known = queries.is_asset(record.asset)
    return Finding(
        source=LedgerException.Source.WITHDRAWAL_NOT_OURS,
        key=f"withdrawal history:{account.pk}:{record.id}",
        asset=record.asset if is_known else None,
        amount=None if record.is_odd else -cost,
        detail={"venue_id": record.id, "tx_id": record.tx_id, "address": record.address},
        cause=_("It was made by hand at the venue, or by somebody who has our key. Look at once."),
        lines=_venue_to_suspense(account, record.asset, -cost) if is_known and not record.is_odd else (),
    )


def _withdrawal_missing_there(row: Withdrawal) -> Finding:
    return Finding(
        source=LedgerException.Source.WITHDRAWAL_NOT_THERE,
        key=f"withdrawal history:{row.venue_account_id}:{row.client_id}",
        asset=row.asset_id,
        amount=row.amount,
        detail={"withdrawal": row.pk, "tx_id": row.tx_id},
        cause=_("It is booked as completed, and the venue's history of the day does not have it."),
    )


def _booked(row: Withdrawal) -> Decimal:
    entries = Entry.objects.filter(
        transfer__scope="withdrawal", transfer__key=str(row.pk), account__type=Account.Type.VENUE
    )
    return sum((entry.amount for entry in entries), Decimal(0))


def _venue_to_suspense(account: VenueAccount, asset: str, difference: Decimal) -> tuple[Line, ...]:
    """The lines after which the books' position is the difference higher."""
    return (
        system(Account.Type.VENUE, asset, -difference, account.pk),
        system(Account.Type.SUSPENSE, asset, difference),
    )
