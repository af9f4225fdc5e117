"""What withdrawals and the address book refuse."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotFound, Unavailable


class UnknownNetwork(NotFound):
    code = "unknown_network"
    message = _("This network is not known for the asset.")


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
