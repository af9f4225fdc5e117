"""What the books, their seals and proofs, and staff's decisions about them refuse."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable


class InsufficientFunds(DomainError):
    code = "insufficient_funds"
    message = _("There is not enough available for this.")


class KeyReused(Conflict):
    code = "key_reused"
    message = _("This id was already used for a different request.")


class NotApproved(DomainError):
    code = "not_approved"
    status = 403
    message = _("No second person has approved exactly this.")


class BadPosting(DomainError):
    """Lines the books cannot take: our own mistake, never a customer's."""

    code = "bad_posting"
    status = 500
    message = _("This could not be booked.")


class Unbalanced(DomainError):
    code = "unbalanced"
    message = _("The lines of a posting must sum to zero in every asset, and be at least two.")


class UnknownTransfer(NotFound):
    code = "unknown_transfer"
    message = _("There is no such transfer.")


class NotYet(DomainError):
    code = "not_yet"
    message = _("This moment has not come yet; ask about one that is over.")


class AlreadyReversed(Conflict):
    code = "already_reversed"
    message = _("This transfer was taken back already.")


class UnknownProof(NotFound):
    code = "unknown_proof"
    message = _("There is no such proof of liabilities, or none yet.")


class NotInProof(NotFound):
    code = "not_in_proof"
    message = _("You are not in this proof: you had never had anything here when it was made.")


class NothingOwed(DomainError):
    code = "nothing_owed"
    message = _("Nobody is owed anything yet, so there is nothing to prove.")


class BooksDoNotAgree(Conflict):
    """No proof is made of books that are not in order."""

    code = "books_do_not_agree"
    message = _("The books do not agree with themselves (%(what)s); no proof is published.")


class ProofOvertaken(Conflict):
    code = "proof_overtaken"
    message = _("Another proof was published meanwhile.")


class UnknownAsset(NotFound):
    code = "unknown_asset"
    message = _("This asset is not known here.")


class UnknownException(NotFound):
    code = "unknown_difference"
    message = _("There is no such difference.")


class AlreadyClosed(Conflict):
    code = "already_closed"
    message = _("This difference was closed already.")


class NothingToBook(DomainError):
    code = "nothing_to_book"
    message = _(
        "No posting is suggested for this difference; close it without one, or ask for an adjustment."
    )


class AssetStopped(Unavailable):
    code = "asset_stopped"
    status = 409
    message = _(
        "New orders and withdrawals of %(asset)s are paused: our books and the venue differ, and staff look into it. "
        "Open orders can be canceled."
    )


class SameAccount(DomainError):
    code = "same_account"
    message = _("Choose two different accounts; an amount cannot move from an account to itself.")


class CaseMissing(DomainError):
    code = "case_missing"
    message = _("A change of a customer's balance needs the number of the case it belongs to.")


class UnknownCustomer(NotFound):
    code = "unknown_customer"
    message = _("No customer has this e-mail address.")


class NotASeal(DomainError):
    code = "not_a_seal"
    message = _("Line %(line)s is not a seal: block, hash and moment parted by one space are wanted.")


class OtherChain(Conflict):
    code = "other_chain"
    message = _("The file of seals and the books differ, and nothing was added to it: %(what)s.")
