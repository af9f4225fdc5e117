"""What deposits and announcements of them refuse."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable


class DepositsClosed(Unavailable):
    code = "deposits_closed"
    message = _("Deposits of this asset on this network are closed at the moment.")


class NoOwnAddress(Unavailable):
    code = "no_own_address"
    message = _("No deposit address of your own is available on this network. Please contact support.")


class UnknownDeposit(NotFound):
    code = "unknown_deposit"
    message = _("There is no such deposit.")


class DepositDecided(Conflict):
    code = "deposit_decided"
    message = _("This deposit is past that point.")


class DepositInDecision(Conflict):
    code = "deposit_in_decision"
    message = _("A second person is asked about this deposit already: request %(request)s.")


class UnknownClaim(NotFound):
    code = "unknown_claim"
    message = _("There is no such announced deposit.")


class ClaimDecided(Conflict):
    code = "claim_decided"
    message = _("This announced deposit was decided already.")


class NotAnnounced(DomainError):
    code = "not_announced"
    message = _(
        "Deposits on this network come to an address of your own and are credited by themselves. If one is missing, "
        "please contact support."
    )


class AlreadyAnnounced(Conflict):
    code = "already_announced"
    message = _("You have announced this transaction with this amount already; it is being looked for.")


class AlreadyCredited(Conflict):
    code = "already_credited"
    message = _("This transaction is among your deposits already: deposit %(deposit)s.")


class TooManyClaims(DomainError):
    code = "too_many_claims"
    status = 429
    message = _("You have announced many deposits already. Please wait until some of them are decided.")


class ProofMissing(DomainError):
    code = "proof_missing"
    message = _("Say how we can know that you sent it, or upload a picture or PDF that shows it.")


class BadTransaction(DomainError):
    code = "bad_transaction"
    message = _(
        "This is not a transaction id. It has 8 to 200 letters and digits, as your wallet or the sending exchange "
        "shows it; the address of a page about it is not enough."
    )


class NoRecordYet(Conflict):
    code = "no_record_yet"
    message = _("The venue has no record of this transaction that is still nobody's. It cannot be credited.")


class SeveralRecords(Conflict):
    code = "several_records"
    message = _(
        "This transaction paid several outputs. Choose the right one among the deposits and credit it there."
    )
