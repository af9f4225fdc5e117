"""The sweep that guarantees: every record the venue has is on record here, whatever moves while it is read."""

from datetime import datetime, timedelta

import structlog
from django.db.models import F

from exchange.binance.errors import NotSent, Rejected, Unknown
from exchange.binance.wallet import DepositRecord
from exchange.gate import services as gate
from exchange.gate.models import VenueAccount
from exchange.moments import milliseconds_of, moment_of
from ledger.models import Deposit, DepositReading, SubAccount
from ledger.rules import windows
from ledger.services.deposits.crediting import Page, credit_listed, is_news, see_deposit
from ledger.services.deposits.reversing import note_missing
from ledger.services.deposits.sweeping import sweep_to_trading
from ledger.services.networks import has_wallet
from ledger.services.paging import deposits_of, pages

log = structlog.get_logger()

MOST_READ = 500  # accounts a sweep, the longest unread first
RECENT = timedelta(days=2)
UNFINISHED = timedelta(days=14)  # a younger one that still waits is read every time
WIDE_EVERY, WIDE = timedelta(hours=1), timedelta(days=89)
WAITING = (
    Deposit.Status.SEEN,
    Deposit.Status.HELD_UP,
    Deposit.Status.CHECKING,
    Deposit.Status.LOCKED,
)


def poll_deposits() -> int:
    """Every deposit the venue knows of is on record, credited when final, and swept; gives how many changed."""
    if not has_wallet():
        return 0
    account = gate.primary_account()
    changed = 0
    for reading in _due(account):
        try:
            changed += _read(account, reading)
        except NotSent as error:
            log.warning("deposit.not_asked", reason=str(error)[:120])
            break
        except (Rejected, Unknown) as error:
            log.warning("deposit.not_read", reading=reading.pk, reason=str(error)[:120])
    changed += credit_listed()
    sweep_to_trading(account)
    return changed


def _due(account: VenueAccount) -> list[DepositReading]:
    """The trading account, and sub-accounts with an address, the longest unread first."""
    with_address = SubAccount.objects.filter(venue_account=account, addresses__isnull=False)
    unknown = with_address.exclude(email="").exclude(
        pk__in=DepositReading.objects.filter(sub_account__isnull=False).values("sub_account_id")
    )
    fresh = [DepositReading(venue_account=account, sub_account=found) for found in unknown.distinct()]
    if not DepositReading.objects.filter(venue_account=account, sub_account=None).exists():
        fresh.append(DepositReading(venue_account=account))
    DepositReading.objects.bulk_create(fresh, ignore_conflicts=True)
    known = DepositReading.objects.filter(venue_account=account).select_related("sub_account__user")
    return list(known.order_by(F("tried_at").asc(nulls_first=True), "id")[:MOST_READ])


def _read(account: VenueAccount, reading: DepositReading) -> int:
    """The account's history since the last complete reading, with an overlap; once an hour all the venue shows."""
    now = _venue_time()
    DepositReading.objects.filter(pk=reading.pk).update(tried_at=now)
    is_wide = reading.wide_at is None or now - reading.wide_at >= WIDE_EVERY
    start = _start(account, reading, now, is_wide)
    changed = 0
    for start_ms, end_ms in windows(milliseconds_of(start), milliseconds_of(now)):
        changed += _read_window(account, reading.sub_account, start_ms, end_ms)
    DepositReading.objects.filter(pk=reading.pk).update(read_to=now)
    if is_wide:
        DepositReading.objects.filter(pk=reading.pk).update(wide_at=now)
    return changed


def _start(account: VenueAccount, reading: DepositReading, now: datetime, is_wide: bool) -> datetime:
    """The account's first day when it was never read: nothing could arrive before it was made."""
    first = (reading.sub_account or account).created_at - timedelta(days=1)
    if reading.read_to is None:
        return min(first, now - RECENT)
    start = min(reading.read_to - RECENT, now - WIDE) if is_wide else reading.read_to - RECENT
    unfinished = Deposit.objects.filter(
        venue_account=account,
        sub_account=reading.sub_account,
        status__in=WAITING,
        inserted_at__gt=now - UNFINISHED,
    )
    oldest = unfinished.order_by("inserted_at").values_list("inserted_at", flat=True).first()
    return min(start, oldest - timedelta(minutes=1)) if oldest else start


def _read_window(account: VenueAccount, sub_account: SubAccount | None, start_ms: int, end_ms: int) -> int:
    """Every record of the window is seen, and what should be among them and is not is noted."""
    there: dict[str, int] = {}
    changed = 0
    read_at = page_at = _venue_time()
    ask = deposits_of(sub_account.email if sub_account else None)
    for records in pages(account, gate.Kind.WALLET, ask, start_ms, end_ms):
        changed += _see(account, sub_account, records, page_at)
        there.update((record.id, record.status) for record in records)
        page_at = _venue_time()  # the next page is asked for now
    span = (moment_of(start_ms), moment_of(end_ms))
    return changed + note_missing(account, sub_account, span=span, there=there, read_at=read_at)


def _see(
    account: VenueAccount, sub_account: SubAccount | None, records: list[DepositRecord], read_at: datetime
) -> int:
    """The page's news are ours; a record that says what we know costs nothing."""
    ids = {name for record in records for name in (record.id, record.fallback_id)}
    rows = Deposit.objects.filter(venue_account=account, venue_id__in=ids)
    by_id = {row.venue_id: row for row in rows}
    page, changed = Page(account, sub_account, read_at), 0
    for record in reversed(records):  # the earliest gets the lowest number
        # A record that had no id before keeps its row.
        known = by_id.get(record.id) or by_id.get(record.fallback_id)
        if known is not None and not is_news(known, record):
            continue
        try:
            changed += see_deposit(record, page, known.pk if known else None)
        except Exception:  # one odd record never stops the next
            log.exception("deposit.failed", venue_id=record.id)
    return changed


def _venue_time() -> datetime:
    return moment_of(gate.clock().now_ms())
