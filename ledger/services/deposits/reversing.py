"""What the venue takes back after it was credited: an alarm, a freeze, an exception; the books wait for four eyes."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from accounts import services as accounts
from exchange import push
from exchange.database import transaction_with_retry
from exchange.gate.models import VenueAccount
from exchange.office import services as office
from ledger import rules
from ledger.models import Deposit, LedgerException, SubAccount
from ledger.services.exceptions import note_exception

log = structlog.get_logger()
Status = Deposit.Status
BOOKED = (Status.LOCKED, Status.CREDITED, Status.UNATTRIBUTED)
GONE_READS = 3  # complete ones, in a row
UNBOOKED = (Status.SEEN, Status.HELD_UP, Status.CHECKING)


def reverse(deposit: Deposit, why: str) -> None:
    """The deposit is in review and its owner frozen; joins the caller's transaction, which saves the row."""
    if deposit.status == Status.REVERSED:
        return
    deposit.status, deposit.reversed_at = Status.REVERSED, timezone.now()
    log.error("deposit.reversed", deposit=deposit.pk, user_id=deposit.user_id, reason=why)
    office.record(None, "deposit.reversed", "deposit", deposit.pk, reason=why)
    note_exception(
        source=LedgerException.Source.REVERSED,
        key=f"reversed:{deposit.pk}:{deposit.reversed_at:%Y%m%d%H%M%S}",
        asset=deposit.asset_id,
        amount=deposit.booked,
        detail={"deposit": deposit.pk, "tx_id": deposit.tx_id, "why": why},
    )
    if deposit.user_id:
        accounts.freeze(deposit.user_id, f"deposit {deposit.pk} was reversed by the venue")


def note_missing(
    account: VenueAccount,
    sub_account: SubAccount | None,
    *,
    span: tuple[datetime, datetime],
    there: dict[str, int],
    read_at: datetime,
) -> int:
    """Each deposit of the span that a complete reading lacks is counted; gives how many ended by it.

    A booked one that is there and not final any more is as good as absent.
    """
    expected = Deposit.objects.filter(
        venue_account=account,
        sub_account=sub_account,
        status__in=(*BOOKED, *UNBOOKED),
        inserted_at__range=span,
    )
    rows = expected.values_list("pk", "venue_id", "status")
    absent = [pk for pk, venue_id, status in rows if not _is_there(status, there.get(venue_id))]
    return sum(_miss(deposit_id, read_at) for deposit_id in absent)


def _is_there(status: str, venue_status: int | None) -> bool:
    if status in UNBOOKED:
        return venue_status is not None
    return venue_status in rules.DEPOSIT_CREDITED


@transaction_with_retry
def _miss(deposit_id: int, read_at: datetime) -> bool:
    deposit = Deposit.objects.select_for_update(of=("self",)).get(pk=deposit_id)
    if deposit.status not in (*BOOKED, *UNBOOKED) or read_at < deposit.changed_at:
        return False
    has_ended = _count(deposit, read_at)
    deposit.save()
    if has_ended and deposit.user_id:
        push.to_user(deposit.user_id, "deposit", {"id": deposit.pk, "status": deposit.status})
    return has_ended


def _count(deposit: Deposit, read_at: datetime) -> bool:
    """One more reading in a row lacks it. Only so many, over so long, are evidence; True when they are now."""
    deposit.missing_reads += 1
    deposit.missing_since = deposit.missing_since or read_at
    lasted = read_at - deposit.missing_since
    enough = timedelta(seconds=settings.DEPOSIT_GONE_SECONDS)
    if deposit.missing_reads < GONE_READS or lasted < enough:
        return False
    if deposit.transfer_id is None:
        deposit.status = Status.GONE
    else:
        since = f"{deposit.missing_since:%Y-%m-%d %H:%M}"
        reverse(
            deposit,
            f"not in the venue's history, or not final there: {deposit.missing_reads} times since {since}",
        )
    return True
