"""What accounts refuses."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotAllowed, NotFound


class TierTooLow(NotAllowed):
    code = "tier_too_low"
    message = _("Prove your identity first; then you can trade and withdraw.")


class AccountFrozen(NotAllowed):
    code = "account_frozen"
    message = _("This account is frozen. Please contact support.")


class AccountLocked(NotAllowed):
    code = "account_locked"
    message = _("You have locked this account by the panic button. Unlock it on the security page.")


class UnlockedByStaff(NotAllowed):
    code = "unlocked_by_staff"
    message = _(
        "Only our staff can unlock it: there is no authenticator app that was set up before it was locked."
        " Please contact support."
    )


class SecondFactorMissing(NotAllowed):
    code = "second_factor_missing"
    message = _("Set up a second factor first; a withdrawal needs a code of your authenticator.")


class WrongCode(DomainError):
    code = "wrong_code"
    message = _("This code is not right, or was used already.")


class WrongPassword(DomainError):
    code = "wrong_password"
    message = _("This password is not right.")


class TooManyCodes(DomainError):
    code = "too_many_codes"
    status = 429
    message = _("Too many wrong tries. Please wait ten minutes.")


class CaseIncomplete(DomainError):
    code = "case_incomplete"
    message = _("Fill in your name, date of birth, country and address first.")


class CaseIsDecided(Conflict):
    code = "case_is_decided"
    message = _("This case was decided already.")


class AlreadyVerified(Conflict):
    code = "already_verified"
    message = _("Your identity is verified already.")


class OwnCase(NotAllowed):
    code = "own_case"
    message = _("Somebody else must decide your own case.")


class ReasonMissing(DomainError):
    code = "reason_missing"
    message = _("Say why, so that it can be understood later.")


class DocumentRefused(DomainError):
    code = "document_refused"
    message = _("This file cannot be taken. Send a JPEG, PNG or PDF of at most 8 MB.")


class TooManyDocuments(DomainError):
    code = "too_many_documents"
    message = _("That is enough: at most eight files can be uploaded.")


class UnknownDocument(NotFound):
    code = "unknown_document"


class UnknownToken(NotFound):
    code = "unknown_token"
    message = _("There is no such token.")


class TooManyTokens(DomainError):
    code = "too_many_tokens"
    message = _("At most twenty tokens can be alive at once. Revoke one first.")
