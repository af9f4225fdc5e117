"""What the ledger refuses."""

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


class UnknownNetwork(NotFound):
    code = "unknown_network"
    message = _("This network is not known for the asset.")


class DepositsClosed(Unavailable):
    code = "deposits_closed"
    message = _("Deposits of this asset on this network are closed at the moment.")


class NoOwnAddress(Unavailable):
    code = "no_own_address"
    message = _("No deposit address of your own is available on this network. Please contact support.")


class WithdrawalsClosed(Unavailable):
    code = "withdrawals_closed"
    message = _("Withdrawals of this asset on this network are closed at the moment.")


class AmountTooSmall(DomainError):
    code = "amount_too_small"
    message = _("The smallest amount is %(limit)s.")


class AmountTooLarge(DomainError):
    code = "amount_too_large"
    message = _("The largest amount is %(limit)s.")


class AmountOffStep(DomainError):
    code = "amount_off_step"
    message = _("The amount must be a multiple of %(step)s.")


class BadAddress(DomainError):
    code = "bad_address"
    message = _("This is not an address of this network.")


class BadTag(DomainError):
    code = "bad_tag"
    message = _("This is not a tag (memo) of this network.")


class TagMissing(DomainError):
    code = "tag_missing"
    message = _("This network needs a tag (memo); without it the money would be lost.")


class TagRefused(DomainError):
    code = "tag_refused"
    message = _("This network knows no tag (memo); leave it empty.")


class AddressMistyped(DomainError):
    code = "address_mistyped"
    message = _("This address has a mistyped letter: its checksum does not fit. Copy it again.")


class OwnAddress(DomainError):
    code = "own_address"
    message = _("This is a deposit address of this exchange. Enter the address of a wallet elsewhere.")


class AddressUnchecked(Unavailable):
    code = "address_unchecked"
    message = _(
        "The address could not be checked against the network's rules, so it is refused for now. Our staff know of it; "
        "please try again later."
    )


class FeeChanged(Conflict):
    code = "fee_changed"
    message = _(
        "The network's fee is now %(fee)s, so that the receiver would get %(net)s. Ask again with this fee."
    )


class NoPrice(Unavailable):
    code = "no_price"
    message = _(
        "%(asset)s cannot be valued at the moment, so your limits cannot be counted. Please try again shortly."
    )


class OverDayLimit(DomainError):
    code = "over_day_limit"
    message = _(
        "This is worth %(value)s %(reference)s. Of your limit of %(limit)s in 24 hours %(left)s %(reference)s are left."
    )


class OverMonthLimit(DomainError):
    code = "over_month_limit"
    message = _(
        "This is worth %(value)s %(reference)s. Of your limit of %(limit)s in 30 days %(left)s %(reference)s are left."
    )


class StillLocked(DomainError):
    code = "still_locked"
    message = _(
        "%(locked)s of this came by a deposit that still waits for confirmations; it cannot leave yet."
    )


class LockedElsewhere(DomainError):
    code = "locked_elsewhere"
    message = _(
        "A deposit worth %(locked)s %(reference)s still waits for confirmations; until then as much must stay here."
    )


class NotInBook(DomainError):
    code = "not_in_book"
    message = _("Your money may only go to addresses of your address book, and this is not one of them.")


class AddressCooling(DomainError):
    code = "address_cooling"
    message = _("This address is new in your book; it can be used from %(at)s on.")


class UnknownAddress(NotFound):
    code = "unknown_address"
    message = _("There is no such address in your book.")


class AddressKnown(Conflict):
    code = "address_known"
    message = _("Your book has this address, or this label, on the network already.")


class BookFull(DomainError):
    code = "book_full"
    message = _("An address book holds at most %(most)s addresses. Remove one first.")


class BeneficiaryMissing(DomainError):
    code = "beneficiary_missing"
    message = _("From %(limit)s %(reference)s on we must know who receives it.")


class UnknownWithdrawal(NotFound):
    code = "unknown_withdrawal"
    message = _("There is no such withdrawal.")


class WithdrawalDecided(Conflict):
    code = "withdrawal_decided"
    message = _("This withdrawal is past that point.")


class ConfirmationWrong(DomainError):
    code = "confirmation_wrong"
    message = _("This is not the confirmation of this withdrawal. Use the link in our newest mail about it.")


class ConfirmationExpired(DomainError):
    code = "confirmation_expired"
    message = _("The time to confirm this withdrawal is over; the money is available again. Please ask anew.")


class ApprovedAlready(Conflict):
    code = "approved_already"
    message = _("You have approved this already; somebody else of staff must too.")


class WithdrawalChanged(Conflict):
    code = "withdrawal_changed"
    message = _("This is not what the customer confirmed. It was stopped; look into it.")


class NeverConfirmed(Conflict):
    code = "never_confirmed"
    message = _("The customer never confirmed this by mail. Refuse it; they can ask anew.")


class VenueKnowsIt(Conflict):
    code = "venue_knows_it"
    message = _(
        "The venue's history shows this withdrawal; it is settled from there and cannot be given back."
    )


class VenueTookIt(Conflict):
    code = "venue_took_it"
    message = _(
        "The venue took this withdrawal and gave it an id; it is given back only when its history says that it failed."
    )


class HistoryOver(Conflict):
    code = "history_over"
    message = _(
        "The venue no longer answers for the time this was sent, so its silence proves nothing. Ask its support."
    )


class HistoryTooLong(Conflict):
    code = "history_too_long"
    message = _(
        "The venue has more withdrawals of that day than are read here. Ask its support for this one."
    )


class TooEarly(Conflict):
    code = "too_early"
    message = _("It is too early for this: the venue may still tell. Wait until it is overdue.")


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
