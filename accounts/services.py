"""Who may do what, and every change of it. The only writer of accounts."""

import hashlib
import secrets
from datetime import timedelta

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import AccountFrozen, CaseIsDecided, SecondFactorMissing, TierTooLow, WrongCode
from accounts.models import ApiToken, KycCase, User
from exchange.errors import DomainError, NotAllowed
from exchange.office import services as office

TOKEN_PREFIX = "cw_"
WRONG_CODES_ALLOWED = 6
WRONG_CODES_SECONDS = 600


def require_can_trade(user: User) -> None:
    """Refuses a customer who is frozen or has not proved who they are."""
    if user.is_frozen or not user.is_active:
        raise AccountFrozen()
    if not user.is_verified:
        raise TierTooLow()


def require_can_withdraw(user: User) -> None:
    """Refuses a customer who may not trade, or has no second factor."""
    require_can_trade(user)
    if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        raise SecondFactorMissing()


def require_second_factor(user: User, code: str) -> None:
    """Refuses unless the code is right, not used before, and not one of too many tries."""
    tries = f"second-factor:{user.pk}"
    cache.add(tries, 0, timeout=WRONG_CODES_SECONDS)
    if cache.incr(tries) > WRONG_CODES_ALLOWED:
        raise WrongCode(_("Too many wrong codes. Please wait ten minutes."), field="code")
    if not _is_right(user, code.strip()):
        raise WrongCode(field="code")
    cache.delete(tries)


def _is_right(user: User, code: str) -> bool:
    for factor in Authenticator.objects.filter(user=user):
        if factor.type == Authenticator.Type.TOTP and TOTP(factor).validate_code(code):
            return True
        if factor.type == Authenticator.Type.RECOVERY_CODES and RecoveryCodes(factor).validate_code(code):
            return True
    return False


@transaction.atomic
def freeze(user_id: int, reason: str, by: User | None = None) -> None:
    """The customer neither trades nor withdraws until staff say otherwise."""
    user = User.objects.select_for_update().get(pk=user_id)
    user.is_frozen, user.frozen_reason = True, reason[:200]
    user.save(update_fields=["is_frozen", "frozen_reason"])
    office.record(by, "user.frozen", "user", user.pk, reason=reason)


@transaction.atomic
def unfreeze(user_id: int, reason: str, by: User) -> None:
    """The customer may act again."""
    user = User.objects.select_for_update().get(pk=user_id)
    user.is_frozen, user.frozen_reason = False, ""
    user.save(update_fields=["is_frozen", "frozen_reason"])
    office.record(by, "user.unfrozen", "user", user.pk, reason=reason)


def end_sessions(user: User, *, but: str | None = None) -> None:
    """Every session of the user ends, except the one named."""
    for session in UserSession.objects.filter(user=user).exclude(session_key=but or ""):
        session.end()


# ------------------------------------------------------------------ identity
def open_case(user: User) -> KycCase:
    """The user's case that can still be edited or is in review; a new draft when there is none."""
    case = user.kyc_cases.filter(Q(status=KycCase.Status.DRAFT) | Q(status=KycCase.Status.SUBMITTED)).first()
    return case or KycCase.objects.create(user=user)


@transaction.atomic
def fill_case(user: User, **fields: object) -> KycCase:
    """The draft holds these personal data."""
    case = _draft_of(user)
    for name in ("legal_name", "birth_date", "country", "address"):
        setattr(case, name, fields[name])
    case.save()
    return case


@transaction.atomic
def submit_case(user: User) -> KycCase:
    """The draft goes to staff; refuses when something is missing."""
    case = _draft_of(user)
    if not (case.legal_name and case.birth_date and case.country and case.address):
        raise DomainError(_("Fill in your name, date of birth, country and address first."), field="legal_name")
    kinds = set(case.documents.values_list("kind", flat=True))
    if kinds != {"IDENTITY", "ADDRESS"}:
        raise DomainError(_("Upload a proof of identity and a proof of address first."), field="file")
    case.status, case.submitted_at = KycCase.Status.SUBMITTED, timezone.now()
    case.save(update_fields=["status", "submitted_at"])
    return case


def _draft_of(user: User) -> KycCase:
    case = KycCase.objects.select_for_update().get(pk=open_case(user).pk)
    if case.status != KycCase.Status.DRAFT:
        raise CaseIsDecided(_("Your case is in review; it cannot be changed now."))
    return case


def approve_case(*, case_id: int, by: User, reason: str = "") -> KycCase:
    """The customer has proved who they are; the tier rises."""
    return _decide(case_id, by=by, status=KycCase.Status.APPROVED, reason=reason)


def refuse_case(*, case_id: int, by: User, reason: str) -> KycCase:
    """The customer learns why, and may open another case."""
    if not reason.strip():
        raise DomainError(_("Say why, so that the customer can mend it."), field="reason")
    return _decide(case_id, by=by, status=KycCase.Status.REFUSED, reason=reason)


@transaction.atomic
def _decide(case_id: int, *, by: User, status: KycCase.Status, reason: str) -> KycCase:
    case = KycCase.objects.select_for_update(of=("self",)).select_related("user").get(pk=case_id)
    if case.status != KycCase.Status.SUBMITTED:
        raise CaseIsDecided()
    if case.user_id == by.pk:
        raise NotAllowed(_("Somebody else must decide your own case."))
    case.status, case.decided_by, case.decided_at = status, by, timezone.now()
    case.decision_reason = reason
    case.save()
    if status == KycCase.Status.APPROVED:
        User.objects.filter(pk=case.user_id).update(tier=User.Tier.VERIFIED, name=case.legal_name[:120])
    office.record(by, f"kyc.{status.lower()}", "kyc_case", case.pk, reason=reason)
    _tell(case)
    return case


def _tell(case: KycCase) -> None:
    if case.status == KycCase.Status.APPROVED:
        office.notify(case.user, "kyc.approved", _("Your identity is verified"), _("You can now trade and withdraw."))
    else:
        office.notify(case.user, "kyc.refused", _("We could not verify your identity"), case.decision_reason)


# ------------------------------------------------------------------ API tokens
def issue_token(user: User, *, name: str, can_trade: bool = False, days: int | None = None) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is shown once and never kept."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip()[:60],
        prefix=secret[:10],
        digest=_digest(secret),
        can_trade=can_trade,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    office.record(user, "token.issued", "api_token", token.pk, after={"can_trade": can_trade})
    return token, secret


def use_token(secret: str) -> ApiToken | None:
    """The live token behind the plain text, if there is one; notes its use."""
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("user")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), digest=_digest(secret), revoked_at__isnull=True)
        .first()
    )
    if token is None or not token.user.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_token(user: User, token_id: int) -> None:
    """The token opens nothing any more."""
    changed = ApiToken.objects.filter(user=user, pk=token_id, revoked_at__isnull=True).update(revoked_at=timezone.now())
    if changed:
        office.record(user, "token.revoked", "api_token", token_id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
