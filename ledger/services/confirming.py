"""The customer's word by mail: without it nothing goes on, and what it was given for is sealed."""

import structlog
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import queries as people
from accounts import services as accounts
from accounts.models import User
from exchange.database import transaction_with_retry
from exchange.office import services as office
from ledger import queries
from ledger.errors import ConfirmationExpired, ConfirmationWrong, UnknownWithdrawal, WithdrawalDecided
from ledger.models import Withdrawal
from ledger.services import seals
from ledger.services.withdrawals import give_back, lock_terms, tell_pages

log = structlog.get_logger()
Status = Withdrawal.Status


@transaction_with_retry
def confirm_withdrawal(*, withdrawal_id: int, user: User, token: str) -> Withdrawal:
    """What was asked for is sealed and goes to staff, or on its way when nothing speaks against it.

    Refuses a token that is none, old, used, another withdrawal's, or of a row that is no longer as it was asked for;
    and a customer who was frozen since.
    """
    lock_terms(user)  # what was confirmed lately counts, and two at once would not see each other
    withdrawal = _locked().filter(pk=withdrawal_id, user=user).first()
    if withdrawal is None:
        raise UnknownWithdrawal()
    if withdrawal.status != Status.AWAITING:
        raise WithdrawalDecided()
    if withdrawal.confirm_by is None or withdrawal.confirm_by <= timezone.now():
        raise ConfirmationExpired(field="token")
    if not seals.is_token(withdrawal, token.strip()):
        log.warning("withdrawal.wrong_confirmation", withdrawal=withdrawal.pk)
        raise ConfirmationWrong(field="token")
    accounts.require_can_withdraw(withdrawal.user)
    _seal(withdrawal)
    office.record(user, "withdrawal.confirmed", "withdrawal", withdrawal.pk)
    tell_pages(withdrawal)
    return withdrawal


def _locked() -> QuerySet[Withdrawal]:
    return Withdrawal.objects.select_for_update(of=("self",)).select_related("user", "network")


def _seal(withdrawal: Withdrawal) -> None:
    found = queries.reasons(withdrawal)
    withdrawal.reasons = [str(reason) for reason in found]
    withdrawal.needs = queries.people_needed(found)
    withdrawal.not_before = people.held_until(withdrawal.user)
    withdrawal.confirmed_at, withdrawal.token_digest = timezone.now(), ""
    withdrawal.status = Status.REQUESTED if withdrawal.needs else Status.APPROVED
    withdrawal.seal = seals.seal_of(withdrawal)
    withdrawal.save()


def expire_withdrawals() -> int:
    """Every request that nobody confirmed in time ends, and its money is available again; gives how many."""
    late = Withdrawal.objects.filter(status=Status.AWAITING, confirm_by__lte=timezone.now())
    return sum(_expire(withdrawal_id) for withdrawal_id in late.values_list("pk", flat=True)[:200])


@transaction_with_retry
def _expire(withdrawal_id: int) -> bool:
    withdrawal = _locked().filter(pk=withdrawal_id, status=Status.AWAITING).first()
    if withdrawal is None:
        return False
    give_back(withdrawal, Status.EXPIRED, _("It was not confirmed in time; the money is available again."))
    office.record(None, "withdrawal.expired", "withdrawal", withdrawal.pk)
    return True
