"""Withdrawals from the moment they are sent: once, and a silent venue is asked, never told again."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.binance.wallet import WithdrawRecord
from exchange.database import transaction_with_retry
from exchange.gate import services as gate
from exchange.money import plain
from exchange.office import services as office
from ledger import queries, rules
from ledger.models import Account, Hold, Transfer, Withdrawal
from ledger.services.exceptions import note_exception
from ledger.services.posting import ConsumeHold, ReleaseHold, customer, held, post, system
from ledger.services.withdrawals import give_back, tell_pages

log = structlog.get_logger()
Status = Withdrawal.Status

# A withdrawal the venue's history does not show after this long is for a person to look into.
SILENT = timedelta(minutes=10)


def send_next_withdrawal() -> bool:
    """The oldest approved withdrawal is sent, once; False when there is none. Only `payouts` calls this."""
    if not _knows_the_time():
        return False
    withdrawal = _take()
    if withdrawal is None:
        return False
    if withdrawal.status != Status.SENDING:
        return True
    failpoints.hit("withdrawal.taken")
    try:
        venue_id = gate.call(
            withdrawal.venue_account,
            gate.Kind.WITHDRAW,
            withdrawal.user_id,
            lambda rest: _apply(rest, withdrawal),
        )
    except NotSent as error:
        _put_back(withdrawal.pk, str(error))
        return False
    except Rejected as error:
        log.warning("withdrawal.refused_by_venue", withdrawal=withdrawal.pk, code=error.code)
        _fail(withdrawal.pk, _("The network's operator refused it; please check the address."))
    except Unknown as error:
        log.warning("withdrawal.unknown", withdrawal=withdrawal.pk, reason=error.reason)
    else:
        failpoints.hit("withdrawal.sent")
        _mark_sent(withdrawal.pk, venue_id)
    return True


def _knows_the_time() -> bool:
    """The venue's time is asked for before anything is marked as being sent: its silence then says nothing of money."""
    try:
        gate.measure_clock()
    except VenueError as error:
        log.warning("withdrawal.no_time", reason=str(error)[:120])
        return False
    return True


def _apply(rest: gate.Rest, withdrawal: Withdrawal) -> str:
    return rest.withdraw(
        asset=withdrawal.asset_id,
        network=withdrawal.network.code,
        address=withdrawal.address,
        tag=withdrawal.tag,
        amount=withdrawal.amount,
        client_id=withdrawal.client_id,
    )


@transaction.atomic
def _take() -> Withdrawal | None:
    """The oldest approved row, marked SENDING before anything leaves; a frozen customer's waits for staff again.

    One of an asset in which the books and the venue differ too much waits until they agree.
    """
    waiting = Withdrawal.objects.filter(status=Status.APPROVED).exclude(asset__in=queries.stopped_assets())
    waiting = waiting.select_for_update(skip_locked=True, of=("self",))
    withdrawal = waiting.select_related("user", "network", "venue_account").order_by("id").first()
    if withdrawal is None:
        return None
    if withdrawal.user.is_frozen:
        withdrawal.status, withdrawal.decided_by = Status.REQUESTED, None
        office.record(
            None, "withdrawal.stopped", "withdrawal", withdrawal.pk, reason="the customer is frozen"
        )
    else:
        withdrawal.status, withdrawal.sending_at = Status.SENDING, timezone.now()
    withdrawal.save()
    return withdrawal


@transaction.atomic
def _put_back(withdrawal_id: int, reason: str) -> None:
    """It provably never left: it may be sent later."""
    Withdrawal.objects.filter(pk=withdrawal_id, status=Status.SENDING).update(
        status=Status.APPROVED, sending_at=None, reason=reason[:300]
    )


@transaction.atomic
def _mark_sent(withdrawal_id: int, venue_id: str) -> None:
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.status == Status.SENDING:
        withdrawal.status, withdrawal.venue_id, withdrawal.reason = Status.SENT, venue_id, ""
        withdrawal.save()
        tell_pages(withdrawal)


@transaction_with_retry
def _fail(withdrawal_id: int, reason: str) -> None:
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.status in (Status.SENDING, Status.SENT):
        give_back(withdrawal, Status.FAILED, reason)


# ------------------------------------------------------------------ asked again until certain
def poll_withdrawals() -> int:
    """Every withdrawal the venue was told of is as its history says; gives how many are still open."""
    unfinished = list(queries.unfinished_withdrawals().select_related("venue_account"))
    if not unfinished or not settings.BINANCE_SAPI_URL:
        return len(unfinished)
    start = min(w.sending_at or w.requested_at for w in unfinished) - timedelta(hours=1)
    start_ms, end_ms = int(start.timestamp() * 1000), gate.clock().now_ms() + 60_000
    records = gate.call(
        unfinished[0].venue_account,
        gate.Kind.WALLET,
        None,
        lambda rest: rest.withdraw_history(start_ms=max(start_ms, end_ms - 89 * 86_400_000), end_ms=end_ms),
    )
    by_client_id = {record.client_id: record for record in records if record.client_id}
    for withdrawal in unfinished:
        _settle_one(withdrawal, by_client_id.get(withdrawal.client_id))
    return len(unfinished)


def _settle_one(withdrawal: Withdrawal, record: WithdrawRecord | None) -> None:
    try:
        if record is not None:
            see_withdrawal(withdrawal_id=withdrawal.pk, record=record)
        elif timezone.now() - (withdrawal.sending_at or withdrawal.requested_at) > SILENT:
            _ask_staff(withdrawal)
    except Exception:  # one odd record never stops the next
        log.exception("withdrawal.failed", withdrawal=withdrawal.pk)


@transaction_with_retry
def see_withdrawal(*, withdrawal_id: int, record: WithdrawRecord) -> Withdrawal:
    """The venue's record is ours: on its way, completed and settled, or failed and refunded."""
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.status not in (Status.SENDING, Status.SENT):
        return withdrawal
    withdrawal.venue_id = withdrawal.venue_id or record.id
    if record.status == rules.WITHDRAW_COMPLETED:
        _settle(withdrawal, record)
    elif record.status in rules.WITHDRAW_FAILED:
        give_back(withdrawal, Status.FAILED, _("The network's operator could not send it."))
    elif withdrawal.status == Status.SENDING:
        withdrawal.status = Status.SENT
        withdrawal.save()
        tell_pages(withdrawal)
    return withdrawal


def _settle(withdrawal: Withdrawal, record: WithdrawRecord) -> None:
    """What was held leaves; what the venue took is booked as it reports it, the difference is the house's."""
    asset = withdrawal.asset_id
    cost = rules.venue_cost(record.amount, record.fee)
    ours = withdrawal.amount - cost
    payer = customer(withdrawal.user_id, asset)
    post(
        scope="withdrawal",
        key=str(withdrawal.pk),
        kind=Transfer.Kind.WITHDRAWAL,
        reference=f"WITHDRAWAL:{withdrawal.pk}",
        lines=[
            held(withdrawal.user_id, asset, -withdrawal.amount),
            system(Account.Type.VENUE, asset, cost, withdrawal.venue_account_id),
            system(Account.Type.FEES if ours > 0 else Account.Type.NETWORK_FEES, asset, ours),
        ],
        holds=[
            ConsumeHold(payer, Hold.Cause.WITHDRAWAL, withdrawal.pk, withdrawal.amount),
            ReleaseHold(payer, Hold.Cause.WITHDRAWAL, withdrawal.pk),
        ],
    )
    failpoints.hit("withdrawal.settling")
    withdrawal.status, withdrawal.tx_id = Status.COMPLETED, record.tx_id[:200]
    withdrawal.finished_at = timezone.now()
    withdrawal.save()
    words = {"amount": plain(withdrawal.net), "asset": asset, "tx": record.tx_id}
    office.notify(
        User.objects.get(pk=withdrawal.user_id),
        "withdrawal.completed",
        _("Your withdrawal of %(amount)s %(asset)s is completed") % words,
        _("Transaction %(tx)s.") % words,
    )
    tell_pages(withdrawal)


def _ask_staff(withdrawal: Withdrawal) -> None:
    note_exception(
        source="withdrawal the venue does not show",
        key=f"silent withdrawal:{withdrawal.pk}",
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={"withdrawal": withdrawal.pk, "client_id": withdrawal.client_id},
    )
