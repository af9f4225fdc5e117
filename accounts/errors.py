"""What accounts refuses."""

from django.utils.translation import gettext_lazy as _

from exchange.errors import Conflict, DomainError, NotAllowed


class TierTooLow(NotAllowed):
    code = "tier_too_low"
    message = _("Prove your identity first; then you can trade and withdraw.")


class AccountFrozen(NotAllowed):
    code = "account_frozen"
    message = _("This account is frozen. Please contact support.")


class SecondFactorMissing(NotAllowed):
    code = "second_factor_missing"
    message = _("Set up an authenticator app first; a withdrawal needs its code.")


class WrongCode(DomainError):
    code = "wrong_code"
    message = _("This code is not right, or was used already.")


class CaseIsDecided(Conflict):
    code = "case_is_decided"
    message = _("This case was decided already.")


class DocumentRefused(DomainError):
    code = "document_refused"
    message = _("This file cannot be taken. Send a JPEG, PNG or PDF of at most 8 MB.")
