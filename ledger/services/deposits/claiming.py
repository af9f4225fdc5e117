"""Deposits that customers announce. A claim books nothing and decides nothing: not by amount, not by who came first."""

from datetime import timedelta
from decimal import Decimal

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import documents
from accounts.models import User
from exchange.database import transaction_with_retry
from exchange.errors import DomainError, Text, Unavailable
from exchange.money import plain
from exchange.office import services as office
from exchange.office.errors import OwnMoney
from ledger import queries, rules
from ledger.errors import (
    AlreadyAnnounced,
    AlreadyCredited,
    BadAddress,
    BadTransaction,
    ClaimDecided,
    NotAnnounced,
    ProofMissing,
    TooManyClaims,
    UnknownClaim,
)
from ledger.models import Deposit, DepositClaim, Network
from ledger.services.destinations import is_of
from ledger.services.withdrawals import lock_terms

log = structlog.get_logger()
Status = DepositClaim.Status
MOST_OPEN, MOST_A_DAY = 10, 30


def announce_deposit(
    *,
    user: User,
    asset: str,
    network: str,
    amount: Decimal,
    tx_id: str,
    from_address: str = "",
    statement: str = "",
    proof: bytes = b"",
) -> DepositClaim:
    """The customer's word that a transaction is theirs is on record; it waits for the venue's record and for staff.

    Raises UnknownNetwork, NotAnnounced, BadTransaction, BadAddress, ProofMissing, AlreadyAnnounced, AlreadyCredited,
    TooManyClaims, and what is wrong with the file.
    """
    route = queries.network(asset, network)
    if not queries.announced_networks().filter(pk=route.pk).exists():
        raise NotAnnounced(field="network")
    tx_id, from_address, statement = tx_id.strip(), from_address.strip(), statement.strip()
    if not rules.is_transaction_id(tx_id):
        raise BadTransaction(field="tx_id")
    if from_address and not is_of(route, "from_address", route.address_regex, from_address):
        raise BadAddress(field="from_address")
    if not (statement or proof):
        raise ProofMissing(field="statement")
    said: dict[str, object] = {
        "amount": amount,
        "tx_id": tx_id,
        "from_address": from_address,
        "statement": statement,
    }
    if not proof:
        return _keep(user, route, said)
    found = _inspected(proof)
    name = documents.keep(found)
    try:
        return _keep(user, route, {**said, "proof": name, "proof_type": found.content_type})
    except BaseException:
        documents.forget(name)
        raise


def _inspected(proof: bytes) -> documents.Proof:
    try:
        return documents.inspect(proof)
    except DomainError as error:
        error.field = "proof"
        raise


@transaction_with_retry
def _keep(user: User, route: Network, said: dict[str, object]) -> DepositClaim:
    lock_terms(user)  # two at once are counted one after the other
    mine = DepositClaim.objects.filter(user=user)
    today = mine.filter(created_at__gt=timezone.now() - timedelta(days=1))
    if mine.filter(status=Status.OPEN).count() >= MOST_OPEN or today.count() >= MOST_A_DAY:
        raise TooManyClaims()
    known = queries.deposits(user).filter(tx_id__iexact=said["tx_id"], coin=route.asset_id).first()
    if known is not None and not known.claims.exists():
        raise AlreadyCredited(field="tx_id", deposit=known.pk)
    try:
        with transaction.atomic():
            claim = DepositClaim.objects.create(user=user, network=route, **said)
    except IntegrityError as error:
        raise AlreadyAnnounced(field="tx_id") from error
    office.record(user, "deposit.announced", "deposit_claim", claim.pk, after={"tx_id": claim.tx_id})
    return claim


@transaction_with_retry
def cancel_claim(*, claim_id: int, user: User) -> DepositClaim:
    """The customer takes an open claim back. Raises UnknownClaim, for somebody else's too, ClaimDecided."""
    claim = _open(claim_id)
    if claim.user_id != user.pk:
        raise UnknownClaim()
    claim.status, claim.decided_at = Status.CANCELED, timezone.now()
    claim.save(update_fields=["status", "decided_at"])
    office.record(user, "deposit_claim.canceled", "deposit_claim", claim.pk)
    return claim


@transaction_with_retry
def refuse_claim(*, claim_id: int, reason: str, by: User) -> DepositClaim:
    """The customer learns why; no money moves by it. Raises UnknownClaim, ClaimDecided, OwnMoney."""
    if not reason.strip():
        raise DomainError(_("Say why; the customer reads it."), field="reason")
    claim = _open(claim_id)
    if claim.user_id == by.pk:
        raise OwnMoney()
    _refuse(claim, reason.strip(), by)
    office.record(by, "deposit_claim.refused", "deposit_claim", claim.pk, reason=reason)
    return claim


def _open(claim_id: int) -> DepositClaim:
    rows = DepositClaim.objects.select_for_update(of=("self",)).select_related("user", "network")
    claim = rows.filter(pk=claim_id).first()
    if claim is None:
        raise UnknownClaim()
    if claim.status != Status.OPEN:
        raise ClaimDecided()
    return claim


def _refuse(claim: DepositClaim, reason: Text, by: User | None) -> None:
    claim.status, claim.reason = Status.REFUSED, office.said_to(claim.user, reason)[:300]
    claim.decided_at, claim.decided_by = timezone.now(), by
    claim.save(update_fields=["status", "reason", "decided_at", "decided_by"])
    office.notify(
        claim.user,
        "deposit.claim_refused",
        _("Your announced deposit of %(amount)s %(asset)s was refused"),
        claim.reason,
        {"amount": plain(claim.amount), "asset": claim.network.asset_id},
    )


def accept_claims(deposit: Deposit, customer_id: int) -> None:
    """What was announced of this transaction is answered; joins the transaction in which four eyes credited it."""
    same = queries.claims_of(deposit).filter(status=Status.OPEN).order_by("id")
    claims = list(same.select_for_update(of=("self",)))
    accepted = next((claim for claim in claims if claim.user_id == customer_id), None)
    if accepted is not None:
        accepted.status, accepted.deposit, accepted.decided_at = Status.ACCEPTED, deposit, timezone.now()
        accepted.save(update_fields=["status", "deposit", "decided_at"])
    for claim in claims:
        if claim is not accepted and not queries.claimable(claim).exists():
            _refuse(claim, _("Two people of our staff found that this transaction is somebody else's."), None)


@transaction.atomic
def read_claim_proof(*, claim_id: int, by: User, address: str | None) -> tuple[DepositClaim, bytes]:
    """The uploaded file, for its owner or for staff who may see claims; each read is on record."""
    claim = DepositClaim.objects.filter(pk=claim_id).exclude(proof="").first()
    may_see = by.is_staff and by.has_perm("ledger.view_depositclaim")
    if claim is None or not (claim.user_id == by.pk or may_see):
        raise UnknownClaim()
    office.record(by, "deposit_claim.proof_read", "deposit_claim", claim.pk, address=address)
    try:
        return claim, documents.load(claim.proof)
    except OSError as error:
        log.error("deposit_claim.proof_lost", claim=claim.pk)
        raise Unavailable() from error
