"""Withdrawals at the moment they are sent: looked at once more, sent once, and a silent venue is never told again."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import queries as people
from exchange import failpoints
from exchange.binance.errors import NotSent, Rejected, Unknown, VenueError
from exchange.database import transaction_with_retry
from exchange.errors import Text
from exchange.gate import services as gate
from exchange.office import services as office
from ledger import queries
from ledger.errors import AddressCooling, LockedElsewhere, NoPrice, NotInBook, StillLocked
from ledger.models import Hold, Withdrawal
from ledger.services import seals
from ledger.services.destinations import require_allowed
from ledger.services.exceptions import note_exception
from ledger.services.holds import lock_hold
from ledger.services.locked import require_unlocked
from ledger.services.withdrawals import give_back, stop, tell_pages

log = structlog.get_logger()
Status = Withdrawal.Status
Reason = Withdrawal.Reason
# Key, clock and balance are the house's (binance.md 12): nothing was executed, and it is no fault of the customer.
HOUSE_CODES = frozenset({-1002, -1021, -1022, -2014, -2015, -4026})
HOUSE_PAUSE = timedelta(minutes=5)
ADDRESS_CODES = frozenset({-4007, -4008, -4106})


def send_next_withdrawal() -> bool:
    """The oldest approved withdrawal is sent, once; False when there is none. Only `payouts` calls this.

    Nothing at all is sent while any balance is negative. The signed time is from before it is marked as being sent:
    who falls asleep after that is refused by the venue, and people may give back what it never had.
    """
    if not queries.sendable_withdrawals().exists() or not _knows_the_time() or _owes_the_impossible():
        return False
    prices = queries.Prices()
    timestamp_ms = gate.clock().now_ms()
    withdrawal = _take(prices)
    if withdrawal is None:
        return False
    if withdrawal.status != Status.SENDING:
        return True
    try:
        venue_id = gate.call(
            withdrawal.venue_account,
            gate.Kind.WITHDRAW,
            withdrawal.user_id,
            lambda rest: _apply(rest, withdrawal, timestamp_ms),
        )
    except NotSent as error:
        log.warning("withdrawal.not_sent", withdrawal=withdrawal.pk, reason=error.reason)
        _put_back(withdrawal.pk)
        return False
    except Rejected as error:
        log.warning("withdrawal.refused_by_venue", withdrawal=withdrawal.pk, code=error.code)
        if error.code in HOUSE_CODES:
            _wait_for_house(withdrawal.pk, error)
            return False
        _fail(withdrawal.pk, _words_of(error.code))
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


def _owes_the_impossible() -> bool:
    """A negative balance means that somebody has more than they own: nothing leaves until people have looked."""
    wrong = queries.negative_balance()
    if not wrong:
        return False
    log.error("withdrawal.negative_balance", account=wrong)
    note_exception(
        source="negative balance", key=f"negative:{wrong}", asset=None, amount=None, detail={"account": wrong}
    )
    return True


def _apply(rest: gate.Rest, withdrawal: Withdrawal, timestamp_ms: int) -> str:
    if gate.clock().now_ms() - timestamp_ms > settings.ORDER_SEND_BY_MS:
        raise NotSent("too late")
    failpoints.hit("withdrawal.taken")
    return rest.withdraw(
        asset=withdrawal.asset_id,
        network=withdrawal.network.code,
        address=withdrawal.address,
        tag=withdrawal.tag,
        amount=withdrawal.amount,
        client_id=withdrawal.client_id,
        timestamp_ms=timestamp_ms,
    )


# ------------------------------------------------------------------ looked at once more
@transaction.atomic
def _take(prices: queries.Prices) -> Withdrawal | None:
    """The oldest approved row, marked SENDING before anything leaves, unless something speaks against it now.

    One of an asset in which the books and the venue differ too much waits until they agree, and one that depends on
    prices until somebody says them.
    """
    waiting = queries.sendable_withdrawals().select_for_update(skip_locked=True, of=("self",))
    waiting = waiting.select_related("user", "network", "venue_account").order_by("id")
    passed_over: list[int] = []
    while withdrawal := waiting.exclude(pk__in=passed_over).first():
        try:
            _look_once_more(withdrawal, prices)
        except NoPrice as error:
            log.warning("withdrawal.no_price", withdrawal=withdrawal.pk, reason=str(error))
            passed_over.append(withdrawal.pk)
        else:
            return withdrawal
    return None


def _look_once_more(withdrawal: Withdrawal, prices: queries.Prices) -> None:
    if _is_not_what_was_confirmed(withdrawal):
        stop(withdrawal)
    elif withdrawal.network.withdraw_fee > withdrawal.fee:
        give_back(withdrawal, Status.REFUSED, _("The network's fee rose meanwhile; please ask again."))
    elif found := _doubts(withdrawal, prices):
        _back_to_staff(withdrawal, found)
    elif until := people.held_until(withdrawal.user):
        withdrawal.not_before = until
        withdrawal.save()
    else:
        withdrawal.status, withdrawal.sending_at = Status.SENDING, timezone.now()
        withdrawal.save()


def _is_not_what_was_confirmed(withdrawal: Withdrawal) -> bool:
    hold = lock_hold(Hold.Cause.WITHDRAWAL, withdrawal.pk)
    is_held = hold is not None and hold.is_open and hold.remaining == withdrawal.amount
    is_approved = withdrawal.approvals.count() >= withdrawal.needs
    return not (is_held and is_approved and seals.is_sealed(withdrawal))


def _doubts(withdrawal: Withdrawal, prices: queries.Prices) -> list[Reason]:
    """What changed about the customer since people said yes."""
    user, confirmed_at = withdrawal.user, withdrawal.confirmed_at
    changed_at = user.security_changed_at
    found = {
        Reason.FROZEN: user.is_frozen or user.is_locked or not user.is_active or not user.is_verified,
        Reason.CHANGED_SINCE: bool(changed_at and confirmed_at and changed_at > confirmed_at)
        and not _was_approved_after(withdrawal),
        Reason.OVER_LIMIT: withdrawal.value > queries.limits_when_asked(withdrawal).left,
        Reason.NOT_IN_BOOK: not _is_allowed(withdrawal),
        Reason.DEPOSIT_LOCKED: not _is_unlocked(withdrawal, prices),
    }
    return [reason for reason, holds in found.items() if holds]


def _was_approved_after(withdrawal: Withdrawal) -> bool:
    """People who said yes after the change knew of it; and it waits for the time that follows a change."""
    changed_at = withdrawal.user.security_changed_at
    return changed_at is not None and withdrawal.approvals.filter(at__gt=changed_at).exists()


def _is_allowed(withdrawal: Withdrawal) -> bool:
    try:
        require_allowed(withdrawal.user, withdrawal.network, withdrawal.address, withdrawal.tag)
    except (NotInBook, AddressCooling):
        return False
    return True


def _is_unlocked(withdrawal: Withdrawal, prices: queries.Prices) -> bool:
    try:
        require_unlocked(withdrawal, prices)
    except (StillLocked, LockedElsewhere):
        return False
    return True


def _back_to_staff(withdrawal: Withdrawal, found: list[Reason]) -> None:
    """The approvals no longer stand: staff look again, and see why."""
    withdrawal.approvals.all().delete()
    withdrawal.status, withdrawal.decided_by, withdrawal.decided_at = Status.REQUESTED, None, None
    withdrawal.not_before = people.held_until(withdrawal.user) or withdrawal.not_before
    withdrawal.reasons = [*map(str, found), *(code for code in withdrawal.reasons if code not in found)]
    withdrawal.save()
    why = ", ".join(found)
    log.warning("withdrawal.back_to_staff", withdrawal=withdrawal.pk, reasons=why)
    office.record(None, "withdrawal.back_to_staff", "withdrawal", withdrawal.pk, reason=why)
    tell_pages(withdrawal)


# ------------------------------------------------------------------ what came of the call
@transaction.atomic
def _wait_for_house(withdrawal_id: int, error: Rejected) -> None:
    """Refused for what is the house's to mend, so nothing left: it waits, and people are told."""
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.status != Status.SENDING:
        return
    withdrawal.status, withdrawal.sending_at = Status.APPROVED, None
    withdrawal.not_before = timezone.now() + HOUSE_PAUSE
    withdrawal.save()
    note_exception(
        source="withdrawal waits for the house",
        key=f"waiting withdrawal:{withdrawal.pk}:{error.code}",
        asset=withdrawal.asset_id,
        amount=withdrawal.amount,
        detail={"withdrawal": withdrawal.pk, "code": error.code, "message": error.message[:200]},
    )


def _words_of(code: int) -> Text:
    if code in ADDRESS_CODES:
        return _("The network's operator refused the address, memo or tag; please check them.")
    return _("The network's operator refused it.")


@transaction.atomic
def _put_back(withdrawal_id: int) -> None:
    """It provably never left: it may be sent later."""
    Withdrawal.objects.filter(pk=withdrawal_id, status=Status.SENDING).update(
        status=Status.APPROVED, sending_at=None
    )


@transaction.atomic
def _mark_sent(withdrawal_id: int, venue_id: str) -> None:
    withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal_id)
    if withdrawal.status == Status.SENDING:
        withdrawal.status, withdrawal.venue_id = Status.SENT, venue_id
        withdrawal.save()
        tell_pages(withdrawal)


@transaction_with_retry
def _fail(withdrawal_id: int, reason: Text) -> None:
    found = Withdrawal.objects.select_for_update(of=("self",)).select_related("user")
    withdrawal = found.get(pk=withdrawal_id)
    if withdrawal.status in (Status.SENDING, Status.SENT):
        give_back(withdrawal, Status.FAILED, reason)
