"""What staff decide: approved by as many people as it needs, refused by one, and the exits of what got stuck."""

from collections.abc import Callable
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import services as accounts
from accounts.models import User
from exchange.binance.wallet import WithdrawRecord
from exchange.database import transaction_with_retry
from exchange.errors import Conflict, DomainError, NotAllowed
from exchange.money import plain
from exchange.office import services as office
from exchange.office.models import Approval
from ledger import queries, rules
from ledger.errors import (
    ApprovedAlready,
    NeverConfirmed,
    TooEarly,
    UnknownWithdrawal,
    VenueKnowsIt,
    VenueTookIt,
    WithdrawalChanged,
    WithdrawalDecided,
)
from ledger.models import Withdrawal, WithdrawalApproval
from ledger.services import seals
from ledger.services.approved import afterwards, ask_decision, beforehand
from ledger.services.following import settle
from ledger.services.locked import require_unlocked
from ledger.services.searching import records_of, records_within_a_moment
from ledger.services.withdrawals import give_back, stop, tell_pages

Status = Withdrawal.Status
REFUND, PAID = "withdrawal refund", "withdrawal paid"
UNCERTAIN = {Status.SENDING, Status.SENT}


def approve_withdrawal(*, withdrawal_id: int, by: User, reason: str = "") -> Withdrawal:
    """One more person lets it be sent; approved when it has as many as it needs, none of them its owner.

    Refuses what a deposit that is not final keeps here: the sender would give it back to staff; what is not as the
    customer confirmed it is stopped besides.
    """
    withdrawal = _approve(withdrawal_id, by, reason, queries.Prices())
    if withdrawal.status == Status.STOPPED:  # said only now: a refusal would take the stop back
        raise WithdrawalChanged()
    return withdrawal


@transaction_with_retry
def _approve(withdrawal_id: int, by: User, reason: str, prices: queries.Prices) -> Withdrawal:
    withdrawal = _to_decide(withdrawal_id, by)
    if withdrawal.status != Status.REQUESTED:
        raise WithdrawalDecided()
    if not withdrawal.seal:
        raise NeverConfirmed()
    if not seals.is_sealed(withdrawal):
        stop(withdrawal)
        return withdrawal
    accounts.require_can_withdraw(withdrawal.user)
    require_unlocked(withdrawal, prices)
    _note_approval(withdrawal, by)
    if withdrawal.approvals.count() >= withdrawal.needs:
        withdrawal.status, withdrawal.decided_by, withdrawal.decided_at = Status.APPROVED, by, timezone.now()
        withdrawal.save()
    office.record(by, "withdrawal.approved", "withdrawal", withdrawal.pk, reason=reason)
    tell_pages(withdrawal)
    return withdrawal


def _note_approval(withdrawal: Withdrawal, by: User) -> None:
    try:
        with transaction.atomic():
            WithdrawalApproval.objects.create(withdrawal=withdrawal, customer_id=withdrawal.user_id, by=by)
    except IntegrityError as error:
        raise ApprovedAlready() from error


@transaction_with_retry
def refuse_withdrawal(*, withdrawal_id: int, by: User, reason: str) -> Withdrawal:
    """Nothing was sent and nothing will be: the money is available again and the customer learns why."""
    if not reason.strip():
        raise DomainError(_("Say why, so that the customer understands."), field="reason")
    withdrawal = _to_decide(withdrawal_id, by)
    if not withdrawal.is_cancelable:
        raise WithdrawalDecided()
    withdrawal.decided_by, withdrawal.decided_at = by, timezone.now()
    give_back(withdrawal, Status.REFUSED, reason)
    office.record(by, "withdrawal.refused", "withdrawal", withdrawal.pk, reason=reason)
    return withdrawal


def _to_decide(withdrawal_id: int, by: User) -> Withdrawal:
    withdrawal = _lock(withdrawal_id)
    if not by.is_staff or withdrawal.user_id == by.pk:
        raise NotAllowed(_("Somebody else of staff must decide this."))
    return withdrawal


def _lock(withdrawal_id: int) -> Withdrawal:
    found = Withdrawal.objects.select_for_update(of=("self",)).select_related(
        "user", "network", "venue_account"
    )
    withdrawal = found.filter(pk=withdrawal_id).first()
    if withdrawal is None:
        raise UnknownWithdrawal()
    return withdrawal


# ------------------------------------------------------------------ exits by four eyes; none of them sends anything
def ask_refund(*, withdrawal_id: int, by: User, reason: str) -> Approval:
    """A second person is asked to give the money back, because the venue never had this withdrawal.

    Refuses one that is not overdue, that the venue gave an id or shows, and one of a time it no longer answers for.
    """
    withdrawal = _stuck(withdrawal_id, by, UNCERTAIN | {Status.STOPPED})
    if withdrawal.status != Status.STOPPED:
        _require_not_taken(withdrawal)
        _require_overdue(withdrawal)
        _require_unknown_to_venue(withdrawal, records_within_a_moment)
    detail: dict[str, object] = {"withdrawal": withdrawal.pk, "amount": plain(withdrawal.amount)}
    return ask_decision(
        category=REFUND,
        subject=f"withdrawal {withdrawal.pk}",
        reason=reason,
        by=by,
        detail=detail,
        owner_id=withdrawal.user_id,
    )


def ask_paid(
    *, withdrawal_id: int, tx_id: str, sent: Decimal, fee: Decimal, by: User, reason: str
) -> Approval:
    """A second person is asked to settle it: the transaction was seen on its chain, with these figures.

    Refuses figures that no sending has, and more than was held, unless the venue's own record says so.
    """
    withdrawal = _stuck(withdrawal_id, by, UNCERTAIN)
    if not tx_id.strip() or not tx_id.isprintable():
        raise DomainError(_("Give the transaction's id on its chain."), field="tx_id")
    _require_possible(withdrawal, sent, fee)
    detail: dict[str, object] = {
        "withdrawal": withdrawal.pk,
        "tx_id": tx_id.strip()[:200],
        "sent": plain(sent),
        "fee": plain(fee),
    }
    return ask_decision(
        category=PAID,
        subject=f"withdrawal {withdrawal.pk}",
        reason=reason,
        by=by,
        detail=detail,
        owner_id=withdrawal.user_id,
    )


def _require_possible(withdrawal: Withdrawal, sent: Decimal, fee: Decimal) -> None:
    if fee < 0:
        raise DomainError(_("A fee is never less than nothing."), field="fee")
    if sent > 0 and (rules.venue_cost(sent, fee) <= withdrawal.amount or _is_reported(withdrawal, sent, fee)):
        return
    if not 0 < sent <= withdrawal.amount:
        raise DomainError(_("What was sent is more than nothing and at most the amount."), field="sent")
    raise DomainError(_("What was sent and the fee are together at most the amount."), field="fee")


def _is_reported(withdrawal: Withdrawal, sent: Decimal, fee: Decimal) -> bool:
    """The venue itself says that it took more than was held: then that is what is booked."""
    try:
        records = records_within_a_moment(withdrawal)
    except Conflict:  # it cannot say
        return False
    return any(
        (record.client_id, record.status, record.asset, record.amount, record.fee)
        == (withdrawal.client_id, rules.WITHDRAW_COMPLETED, withdrawal.asset_id, sent, fee)
        for record in records
    )


def _stuck(withdrawal_id: int, by: User, states: set[Withdrawal.Status]) -> Withdrawal:
    found = Withdrawal.objects.select_related("venue_account").filter(pk=withdrawal_id).first()
    if found is None:
        raise UnknownWithdrawal()
    if found.status not in states:
        raise WithdrawalDecided()
    if not by.is_staff or found.user_id == by.pk:
        raise NotAllowed(_("Somebody else of staff must decide this."))
    return found


def _require_overdue(withdrawal: Withdrawal) -> None:
    most = settings.WITHDRAWAL_MOST_MINUTES[withdrawal.status]
    if (timezone.now() - withdrawal.moved_at).total_seconds() < most * 60:
        raise TooEarly()


def _require_unknown_to_venue(
    withdrawal: Withdrawal, look_up: Callable[[Withdrawal], list[WithdrawRecord]] = records_of
) -> None:
    """An empty history is no evidence against an answer: what the venue gave an id it had."""
    _require_not_taken(withdrawal)
    if look_up(withdrawal):
        raise VenueKnowsIt()


def _require_not_taken(withdrawal: Withdrawal) -> None:
    if withdrawal.status == Status.SENT or withdrawal.venue_id:
        raise VenueTookIt()


@beforehand(REFUND)
def _ask_the_venue_again(approval: Approval) -> None:
    """Between the question and the second person's yes the venue may have found it."""
    found = Withdrawal.objects.select_related("venue_account")
    withdrawal = found.get(pk=approval.payload["detail"]["withdrawal"])
    if withdrawal.status in UNCERTAIN:
        _require_unknown_to_venue(withdrawal)


@afterwards(REFUND)
def _refund(approval: Approval, _transfer: int | None) -> None:
    withdrawal = _lock(approval.payload["detail"]["withdrawal"])
    if withdrawal.status not in UNCERTAIN | {Status.STOPPED}:
        raise WithdrawalDecided()
    _require_not_taken(withdrawal)
    ended = Status.REFUSED if withdrawal.status == Status.STOPPED else Status.FAILED
    give_back(withdrawal, ended, _("It could not be sent; the money is available again."))
    _record_exit(approval, withdrawal, "withdrawal.refunded")


@afterwards(PAID)
def _paid(approval: Approval, _transfer: int | None) -> None:
    detail = approval.payload["detail"]
    withdrawal = _lock(detail["withdrawal"])
    if withdrawal.status not in UNCERTAIN:
        raise WithdrawalDecided()
    settle(withdrawal, sent=Decimal(detail["sent"]), fee=Decimal(detail["fee"]), tx_id=detail["tx_id"])
    _record_exit(approval, withdrawal, "withdrawal.settled_by_hand")


def _record_exit(approval: Approval, withdrawal: Withdrawal, action: str) -> None:
    after: dict[str, object] = {"approval": approval.pk}
    office.record(
        approval.decided_by, action, "withdrawal", withdrawal.pk, reason=approval.reason, after=after
    )
