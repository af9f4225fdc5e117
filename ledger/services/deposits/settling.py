"""What staff decide about a deposit by four eyes: one asks, another grants, the sweep carries it out."""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import queries as people
from accounts.models import User
from exchange import push
from exchange.database import transaction_with_retry
from exchange.errors import DomainError
from exchange.money import plain
from exchange.office import services as office
from exchange.office.errors import OwnMoney
from exchange.office.models import Approval
from ledger import queries, rules
from ledger.errors import (
    DepositDecided,
    DepositInDecision,
    NoRecordYet,
    SeveralRecords,
    UnknownCustomer,
    UnknownDeposit,
)
from ledger.models import Account, Deposit, LedgerException
from ledger.services import exceptions
from ledger.services.approved import afterwards, ask_decision, ask_posting
from ledger.services.deposits.claiming import accept_claims
from ledger.services.deposits.crediting import event_of, standing_of, tell, where_it_lies
from ledger.services.posting import Line, available, system

Status = Deposit.Status
ATTRIBUTE, RETURN, KEEP = "deposit-attribute", "deposit-return", "deposit-keep"
TAKE_BACK, RESTORE = "deposit-take-back", "deposit-restore"
UNDECIDED = (Approval.Status.ASKED, Approval.Status.GRANTED)


# ------------------------------------------------------------------ whose money is it
@transaction_with_retry
def ask_attribution(*, deposit_id: int, customer: str, reason: str, by: User) -> Approval:
    """A second person is asked to credit money in suspense to the customer with this address; nobody credits alone.

    Raises UnknownDeposit, DepositDecided, DepositInDecision, UnknownCustomer, OwnMoney.
    """
    deposit = _locked(deposit_id, Status.UNATTRIBUTED)
    user = people.find_by_email(customer.strip())
    if user is None:
        raise UnknownCustomer(field="customer")
    if user.pk == by.pk:
        raise OwnMoney(field="customer")
    lines = [_from_suspense(deposit), available(user.pk, deposit.coin, deposit.booked)]
    return _ask(deposit, ATTRIBUTE, lines, reason, by, customer=user.pk, email=user.email)


@transaction_with_retry
def ask_claim(*, claim_id: int, reason: str, by: User) -> Approval:
    """A second person is asked to credit the one record of the venue that this claim can mean.

    Raises UnknownClaim, ClaimDecided, NoRecordYet, SeveralRecords, and what `ask_attribution` raises.
    """
    claim = queries.open_claim(claim_id)
    records = list(queries.claimable(claim)[:2])
    if not records:
        raise NoRecordYet()
    if len(records) > 1:
        raise SeveralRecords()
    return ask_attribution(deposit_id=records[0].pk, customer=claim.user.email, reason=reason, by=by)


@transaction_with_retry
def ask_return(*, deposit_id: int, tx_id: str, reason: str, by: User) -> Approval:
    """A second person is asked to book that the money was sent back at the venue, by this transaction."""
    deposit = _locked(deposit_id, Status.UNATTRIBUTED)
    if not rules.is_transaction_id(tx_id.strip()):
        raise DomainError(_("Name the transaction by which it was sent back at the venue."), field="tx_id")
    lines = [_from_suspense(deposit), where_it_lies(deposit, deposit.booked)]
    return _ask(deposit, RETURN, lines, reason, by, returned_by=tx_id.strip())


@transaction_with_retry
def ask_keeping(*, deposit_id: int, reason: str, by: User) -> Approval:
    """A second person is asked to let the money be the house's own, such as a pre-funding."""
    deposit = _locked(deposit_id, Status.UNATTRIBUTED)
    lines = [_from_suspense(deposit), system(Account.Type.EQUITY, deposit.coin, deposit.booked)]
    return _ask(deposit, KEEP, lines, reason, by)


# ------------------------------------------------------------------ what the venue took back
@transaction_with_retry
def ask_taking_back(*, deposit_id: int, reason: str, by: User) -> Approval:
    """A second person is asked to take a credit back that the venue reversed."""
    deposit = _locked(deposit_id, Status.REVERSED)
    owed = available(deposit.user_id, deposit.coin, -deposit.booked) if deposit.user_id else None
    lines = [owed or _from_suspense(deposit), where_it_lies(deposit, deposit.booked)]
    return _ask(deposit, TAKE_BACK, lines, reason, by)


@transaction_with_retry
def ask_restoring(*, deposit_id: int, reason: str, by: User) -> Approval:
    """A second person is asked to agree that the money is there after all, and the credit stays."""
    deposit = _locked(deposit_id, Status.REVERSED)
    detail: dict[str, object] = {"deposit": deposit.pk}
    asked = ask_decision(
        category=RESTORE,
        subject=f"deposit {deposit.pk}",
        reason=reason,
        by=by,
        detail=detail,
        owner_id=deposit.user_id,
    )
    return _remember(deposit, asked)


def _locked(deposit_id: int, status: Status) -> Deposit:
    deposit = Deposit.objects.select_for_update(of=("self",)).filter(pk=deposit_id).first()
    if deposit is None:
        raise UnknownDeposit()
    if deposit.status != status:
        raise DepositDecided()
    if deposit.request is not None and deposit.request.status in UNDECIDED:
        raise DepositInDecision(request=deposit.request_id)
    return deposit


def _from_suspense(deposit: Deposit) -> Line:
    return system(Account.Type.SUSPENSE, deposit.coin, -deposit.booked)


def _ask(
    deposit: Deposit, category: str, lines: Sequence[Line], reason: str, by: User, **more: object
) -> Approval:
    detail = {"deposit": deposit.pk, "tx_id": deposit.tx_id, **more}
    return _remember(
        deposit, ask_posting(category=category, lines=lines, reason=reason, by=by, detail=detail)
    )


def _remember(deposit: Deposit, asked: Approval) -> Approval:
    deposit.request = asked
    deposit.save(update_fields=["request"])
    return asked


# ------------------------------------------------------------------ once it is granted
def _of(approval: Approval) -> Deposit:
    """The deposit of the request, locked."""
    return Deposit.objects.select_for_update(of=("self",)).get(pk=approval.payload["detail"]["deposit"])


@afterwards(ATTRIBUTE, lock=_of)
def attributed(approval: Approval, transfer_id: int | None) -> None:
    """The customer has the money, hears of it, and what was announced of it is answered."""
    deposit = _settled(approval, Status.UNATTRIBUTED, transfer_id)
    customer_id = int(approval.payload["detail"]["customer"])
    deposit.user_id = customer_id
    deposit.status = standing_of(deposit)
    deposit.save()
    accept_claims(deposit, customer_id)
    _explain(f"unattributed:{deposit.pk}:", approval, transfer_id)
    tell(deposit)
    push.to_user(customer_id, "deposit", event_of(deposit))


@afterwards(RETURN, lock=_of)
def returned(approval: Approval, transfer_id: int | None) -> None:
    _end(approval, Status.UNATTRIBUTED, Status.RETURNED, transfer_id)


@afterwards(KEEP, lock=_of)
def kept(approval: Approval, transfer_id: int | None) -> None:
    _end(approval, Status.UNATTRIBUTED, Status.KEPT, transfer_id)


@afterwards(TAKE_BACK, lock=_of)
def taken_back(approval: Approval, transfer_id: int | None) -> None:
    """The customer learns why the balance fell."""
    deposit = _end(approval, Status.REVERSED, Status.TAKEN_BACK, transfer_id)
    if deposit.user is None:
        return
    office.notify(
        deposit.user,
        "deposit.taken_back",
        _("Your deposit of %(amount)s %(asset)s was taken back"),
        _(
            "The venue took back %(amount)s %(asset)s that were credited to you before. Please contact support."
        ),
        {"amount": plain(deposit.booked), "asset": deposit.coin},
    )


@afterwards(RESTORE, lock=_of)
def restored(approval: Approval, transfer_id: int | None) -> None:
    """It counts as before; locked again while the venue does not call it final."""
    deposit = _settled(approval, Status.REVERSED, transfer_id)
    deposit.status = standing_of(deposit) if deposit.user_id else Status.UNATTRIBUTED
    deposit.missing_reads, deposit.missing_since = 0, None
    deposit.save()
    _explain(f"reversed:{deposit.pk}:", approval, transfer_id)
    _show(deposit)


def _end(approval: Approval, before: Status, after: Status, transfer_id: int | None) -> Deposit:
    deposit = _settled(approval, before, transfer_id)
    deposit.status = after
    deposit.save()
    key = "unattributed" if before == Status.UNATTRIBUTED else "reversed"
    _explain(f"{key}:{deposit.pk}:", approval, transfer_id)
    _show(deposit)
    return deposit


def _settled(approval: Approval, before: Status, transfer_id: int | None) -> Deposit:
    """The deposit of the request, locked; refused, and nothing is booked, when it moved on meanwhile."""
    deposit = _of(approval)
    if deposit.status != before or deposit.request_id != approval.pk:
        raise DepositDecided()
    deposit.correction_id = transfer_id or deposit.correction_id
    deposit.settled_at = timezone.now()
    action = approval.payload["category"].replace("-", ".", 1).replace("-", "_")
    office.record(approval.decided_by, action, "deposit", deposit.pk, reason=approval.reason)
    return deposit


def _explain(prefix: str, approval: Approval, transfer_id: int | None) -> None:
    """The difference that was noted about it has its explanation."""
    words = _("Request %(id)s: %(reason)s") % {"id": approval.pk, "reason": approval.reason}
    noted = LedgerException.objects.select_for_update(of=("self",)).filter(key__startswith=prefix)
    for found in noted.filter(resolved_at__isnull=True).order_by("id"):
        exceptions.close(found, approval, transfer_id, resolution=words)


def _show(deposit: Deposit) -> None:
    if deposit.user_id:
        push.to_user(deposit.user_id, "deposit", event_of(deposit))
        push.to_user(deposit.user_id, "balance", {"asset": deposit.coin})
