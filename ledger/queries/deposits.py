"""What came in, and what is said to have come in."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from exchange.gate import queries as gate
from exchange.gate.models import VenueAccount
from ledger.errors import ClaimDecided, UnknownClaim, UnknownDeposit
from ledger.models import (
    Deposit,
    DepositAddress,
    DepositClaim,
    Entry,
    Network,
)
from ledger.queries.networks import networks

if TYPE_CHECKING:
    from accounts.models import User

Status = Deposit.Status
WAITS_FOR_STAFF = (Status.UNATTRIBUTED, Status.REVERSED, Status.CHECKING, Status.HELD_UP, Status.UNLISTED)


def deposits(user: "User") -> QuerySet[Deposit]:
    """The customer's deposits, newest first."""
    return Deposit.objects.filter(user=user)


def deposit_of(user: "User", deposit_id: int) -> Deposit:
    """Raises UnknownDeposit, for somebody else's too."""
    found = deposits(user).filter(pk=deposit_id).first()
    if found is None:
        raise UnknownDeposit()
    return found


def locked(user_id: int) -> dict[str, Decimal]:
    """What was credited and cannot leave: the venue waits for more confirmations, or took it back; by asset."""
    rows = Deposit.objects.filter(user_id=user_id, status__in=[Status.LOCKED, Status.REVERSED]).order_by()
    booked = Sum(F("amount") - F("remainder"))
    return dict(rows.values_list("coin").annotate(total=booked))


def addresses(user: "User") -> QuerySet[DepositAddress]:
    return DepositAddress.objects.filter(user=user).select_related("network")


def address_on(network: Network, user: "User") -> DepositAddress | None:
    """The customer's own address, or the one that all are shown when the venue account is set to that first."""
    if own := addresses(user).filter(network=network).first():
        return own
    shared = DepositAddress.objects.filter(user=None, network=network).first()
    if shared is None or gate.primary_account().deposit_strategy != VenueAccount.Deposits.ANNOUNCED:
        return None
    return shared


def find_deposits(text: str, number: int | None = None) -> QuerySet[Deposit]:
    """Deposits with this number, address, transaction or id at the venue, newest first."""
    named = Q(address__iexact=text) | Q(tx_id__iexact=text) | Q(venue_id=text) | Q(user__email__iexact=text)
    return Deposit.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")


def deposits_for_staff() -> QuerySet[Deposit]:
    """Deposits that go on only when staff do something, the longest waiting first."""
    return Deposit.objects.filter(status__in=WAITS_FOR_STAFF).select_related("user").order_by("id")


# ------------------------------------------------------------------ announced
def announced_networks() -> QuerySet[Network]:
    """Where deposits are announced: everywhere when the venue account is set to that first, otherwise where its
    fallback has given the pooled address out."""
    way = VenueAccount.Deposits.ANNOUNCED
    if VenueAccount.objects.filter(is_primary=True, deposit_strategy=way).exists():
        return networks()
    return networks().filter(Exists(DepositAddress.objects.filter(user=None, network=OuterRef("pk"))))


def claims(user: "User") -> QuerySet[DepositClaim]:
    """What the customer announced, newest first."""
    return DepositClaim.objects.filter(user=user).select_related("network", "deposit")


def claim_of(user: "User", claim_id: int) -> DepositClaim:
    """Raises UnknownClaim, for somebody else's too."""
    found = claims(user).filter(pk=claim_id).first()
    if found is None:
        raise UnknownClaim()
    return found


def open_claims() -> QuerySet[DepositClaim]:
    """What is announced and not decided, the longest waiting first."""
    found = DepositClaim.objects.filter(status=DepositClaim.Status.OPEN)
    return found.select_related("user", "network").order_by("id")


def open_claim(claim_id: int) -> DepositClaim:
    """Raises UnknownClaim, ClaimDecided."""
    found = DepositClaim.objects.select_related("user", "network").filter(pk=claim_id).first()
    if found is None:
        raise UnknownClaim()
    if found.status != DepositClaim.Status.OPEN:
        raise ClaimDecided()
    return found


def records_of(claim: DepositClaim) -> QuerySet[Deposit]:
    """The venue's records of the announced transaction, on its network and of its asset, whosever they are."""
    route = claim.network
    return Deposit.objects.filter(
        tx_id__iexact=claim.tx_id, coin=route.asset_id, network=route.code
    ).order_by("id")


def claimable(claim: DepositClaim) -> QuerySet[Deposit]:
    """Those of them that are booked and still nobody's."""
    return records_of(claim).filter(status=Status.UNATTRIBUTED)


def claims_of(deposit: Deposit) -> QuerySet[DepositClaim]:
    """What customers announced of the deposit's transaction, side by side, earliest first."""
    return _claims_of(deposit.tx_id, deposit.coin, deposit.network)


def rival_claims(claim: DepositClaim) -> QuerySet[DepositClaim]:
    """All claims of the same transaction, this one among them, earliest first."""
    return _claims_of(claim.tx_id, claim.network.asset_id, claim.network.code)


def _claims_of(tx_id: str, coin: str, network: str) -> QuerySet[DepositClaim]:
    if not tx_id:
        return DepositClaim.objects.none()
    named = Q(tx_id__iexact=tx_id, network__asset_id=coin, network__code=network)
    return DepositClaim.objects.filter(named).select_related("user", "network").order_by("id")


def was_attributed(deposit: Deposit) -> bool:
    """True when the money lay in suspense before it was the customer's."""
    if deposit.transfer_id is None or deposit.user_id is None:
        return False
    return not Entry.objects.filter(transfer=deposit.transfer_id, account__owner=deposit.user_id).exists()


@dataclass(frozen=True)
class Mine:
    deposits: QuerySet[Deposit]
    claims: QuerySet[DepositClaim]


def find_mine(user: "User", tx_id: str) -> Mine:
    """The customer's own deposits and claims, of one transaction or all; nobody learns of anybody else's."""
    if not tx_id:
        return Mine(deposits(user), claims(user))
    return Mine(deposits(user).filter(tx_id__iexact=tx_id), claims(user).filter(tx_id__iexact=tx_id))
