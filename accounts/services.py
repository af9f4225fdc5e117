"""Who may do what, and every change of it. The only writer of accounts."""

import hashlib
import secrets
from datetime import date, timedelta

import structlog
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from accounts import documents, queries
from accounts.errors import (
    AccountFrozen,
    AccountLocked,
    AlreadyVerified,
    CaseIncomplete,
    CaseIsDecided,
    OwnCase,
    ReasonMissing,
    SecondFactorMissing,
    TierTooLow,
    TooManyCodes,
    TooManyDocuments,
    TooManyTokens,
    UnknownDocument,
    UnknownToken,
    UnlockedByStaff,
    WrongCode,
    WrongPassword,
)
from accounts.models import ApiToken, KycCase, KycDocument, User
from accounts.rules import HOUSE
from exchange.database import with_retry
from exchange.errors import Unavailable
from exchange.office import services as office

log = structlog.get_logger()

TOKEN_PREFIX = "cw_"
WRONG_CODES_ALLOWED = 6
WRONG_CODES_SECONDS = 600
DOCUMENTS_ALLOWED = 8
TOKENS_ALLOWED = 20
SECURITY_CHANGED = _("A security setting of your account was changed")
SECURITY_CHANGES = {
    "password_changed": _("Your password was changed"),
    "password_reset": _("Your password was reset"),
    "password_set": _("Your password was set"),
    "email_changed": _("Your e-mail address was changed"),
    "email_deleted": _("An e-mail address was removed"),
    "totp_activated": _("An authenticator app was set up"),
    "totp_deactivated": _("The authenticator app was removed"),
    "recovery_codes_generated": _("New recovery codes were made"),
}


@transaction.atomic
def enrol(email: str, *, password: str, name: str = "", is_staff: bool = False) -> User:
    """Somebody who need not sign up: the address counts as verified; staff may do everything the desk offers."""
    user = User.objects.create_user(email, password, name=name, is_staff=is_staff, is_superuser=is_staff)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    office.record(None, "user.enrolled", "user", user.pk, after={"is_staff": is_staff})
    return user


def house_customer() -> User:
    """The house's own, made when there is a need for it: nobody signs in as it."""
    found = queries.house_customer()
    if found is None:
        fields = {"name": "The house", "is_active": False, "password": make_password(None)}
        found, _is_new = User.objects.get_or_create(email=HOUSE, defaults=fields)
    return found


def require_can_trade(user: User) -> None:
    """Refuses a customer who is frozen, has locked the account, or has not proved who they are."""
    if user.is_frozen or not user.is_active:
        raise AccountFrozen()
    if user.is_locked:
        raise AccountLocked()
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
    try:
        if _count(tries) > WRONG_CODES_ALLOWED:
            raise TooManyCodes(field="code")
        # Codes are used up under a lock, for which many requests of one customer may have to wait.
        if not with_retry(lambda: _is_right(user, code.strip())):
            raise WrongCode(field="code")
        cache.delete(tries)
    except (OSError, RedisError) as error:
        # Without its memory of used codes and wrong tries nothing may pass.
        raise Unavailable() from error


def require_password(user: User, password: str) -> None:
    """Refuses unless the password is right; wrong tries are counted as wrong codes are."""
    tries = f"password:{user.pk}"
    try:
        if _count(tries) > WRONG_CODES_ALLOWED:
            raise TooManyCodes(field="password")
        if not user.check_password(password):
            raise WrongPassword(field="password")
        cache.delete(tries)
    except (OSError, RedisError) as error:
        raise Unavailable() from error


def _count(key: str) -> int:
    cache.add(key, 0, timeout=WRONG_CODES_SECONDS)
    try:
        return cache.incr(key)
    except ValueError:  # ran out between the two
        cache.set(key, 1, timeout=WRONG_CODES_SECONDS)
        return 1


def _is_right(user: User, code: str) -> bool:
    for factor in Authenticator.objects.filter(user=user):
        if factor.type == Authenticator.Type.TOTP and TOTP(factor).validate_code(code):
            return True
        if factor.type == Authenticator.Type.RECOVERY_CODES and RecoveryCodes(factor).validate_code(code):
            return True
    return False


@transaction.atomic
def freeze(user_id: int, reason: str, by: User | None = None) -> None:
    """The customer neither trades nor withdraws until staff say otherwise, and is signed out everywhere."""
    user = User.objects.select_for_update().get(pk=user_id)
    user.is_frozen, user.frozen_reason = True, reason[:200]
    user.save(update_fields=["is_frozen", "frozen_reason"])
    end_sessions(user)
    office.record(by, "user.frozen", "user", user.pk, reason=reason)


@transaction.atomic
def unfreeze(user_id: int, reason: str, by: User) -> None:
    """The customer may act again."""
    if not reason.strip():
        raise ReasonMissing(field="reason")
    user = User.objects.select_for_update().get(pk=user_id)
    user.is_frozen, user.frozen_reason = False, ""
    user.save(update_fields=["is_frozen", "frozen_reason"])
    office.record(by, "user.unfrozen", "user", user.pk, reason=reason)


@transaction.atomic
def lock(user: User, *, address: str | None = None) -> tuple[int, int]:
    """By their own wish the customer neither trades nor withdraws until it is unlocked; gives how many sessions ended
    and how many tokens were revoked. What is sent afterwards waits as after any change of security."""
    found = User.objects.select_for_update().get(pk=user.pk)
    now = timezone.now()
    found.locked_at, found.security_changed_at = found.locked_at or now, now
    found.save(update_fields=["locked_at", "security_changed_at"])
    ended = (end_sessions(found), queries.live_tokens(found).update(revoked_at=now))
    office.record(found, "user.locked", "user", found.pk, address=address)
    return ended


def unlock_self(user: User, code: str) -> None:
    """The customer may act again, by a factor that was there before the lock; otherwise staff decide."""
    if not queries.may_unlock_self(user):
        raise UnlockedByStaff()
    require_second_factor(user, code)
    _unlock(user.pk, "", user)


def unlock(user_id: int, reason: str, by: User) -> None:
    """The customer may act again."""
    if not reason.strip():
        raise ReasonMissing(field="reason")
    _unlock(user_id, reason, by)


@transaction.atomic
def _unlock(user_id: int, reason: str, by: User) -> None:
    user = User.objects.select_for_update().get(pk=user_id)
    if not user.is_locked:
        return
    user.locked_at = None
    user.save(update_fields=["locked_at"])
    office.record(by, "user.unlocked", "user", user.pk, reason=reason)
    office.notify(
        user, "user.unlocked", _("Your account is unlocked"), _("You can trade and withdraw again.")
    )


def end_sessions(user: User, *, but: str | None = None) -> int:
    """Every session of the user ends, except the one named; gives how many."""
    ended = 0
    for session in UserSession.objects.filter(user=user).exclude(session_key=but or ""):
        session.end()
        ended += 1
    return ended


def note_sign_in(user: User, *, address: str, agent: str) -> None:
    """The sign-in is on record, for the customer's own list of activity too."""
    office.record(user, "user.signed_in", "user", user.pk, address=address, after={"agent": agent[:200]})


@transaction.atomic
def note_security_change(user: User, *, kind: str, address: str, session_key: str | None) -> None:
    """A changed password, address or factor is on record and told on the site; all other sessions end."""
    User.objects.filter(pk=user.pk).update(security_changed_at=timezone.now())
    office.record(user, f"user.{kind}", "user", user.pk, address=address)
    text = SECURITY_CHANGES.get(kind, SECURITY_CHANGED)
    warning = _("If this was not you, change your password and contact support at once.")
    office.tell(user, kind, text, warning)
    end_sessions(user, but=session_key)


@transaction.atomic
def set_preferences(user: User, *, language: str, theme: str) -> None:
    """Pages and mails come in this language and this theme."""
    User.objects.filter(pk=user.pk).update(language=language, theme=theme)


# ------------------------------------------------------------------ identity
def open_case(user: User) -> KycCase:
    """The user's case that can still be edited or is in review; a new draft when there is none."""
    case = queries.open_case(user)
    if case is None and user.is_verified:
        raise AlreadyVerified()
    return case or KycCase.objects.get_or_create(user=user, status=KycCase.Status.DRAFT)[0]


@transaction.atomic
def fill_case(user: User, *, legal_name: str, birth_date: date, country: str, address: str) -> KycCase:
    """The draft holds these personal data."""
    case = _draft_of(user)
    case.legal_name, case.birth_date, case.country, case.address = legal_name, birth_date, country, address
    case.save(update_fields=["legal_name", "birth_date", "country", "address"])
    return case


def add_document(user: User, *, kind: KycDocument.Kind, content: bytes) -> KycDocument:
    """The upload is part of the draft, kept encrypted; refuses what is not a readable JPEG, PNG or PDF."""
    proof = documents.inspect(content)
    name = documents.keep(proof)
    try:
        return _add_document(user, kind=kind, proof=proof, name=name)
    except BaseException:
        documents.forget(name)
        raise


@transaction.atomic
def _add_document(user: User, *, kind: KycDocument.Kind, proof: documents.Proof, name: str) -> KycDocument:
    case = _draft_of(user)
    if case.documents.count() >= DOCUMENTS_ALLOWED:
        raise TooManyDocuments(field="file")
    return KycDocument.objects.create(
        case=case,
        kind=kind,
        file_name=name,
        content_type=proof.content_type,
        size=len(proof.content),
        sha256=proof.digest,
    )


@transaction.atomic
def remove_document(user: User, document_id: int) -> None:
    """The upload is no longer part of the draft, and its file is gone."""
    document = KycDocument.objects.filter(case=_draft_of(user), pk=document_id).first()
    if document is None:
        raise UnknownDocument()
    document.delete()
    transaction.on_commit(lambda: documents.forget(document.file_name))


@transaction.atomic
def read_document(document_id: int, *, by: User, address: str | None) -> tuple[KycDocument, bytes]:
    """The file, for its owner or for staff who may see it; for others there is none. Each read is on record."""
    document = KycDocument.objects.select_related("case").filter(pk=document_id).first()
    if document is None or not (document.case.user_id == by.pk or may_see_documents(by)):
        raise UnknownDocument()
    office.record(by, "kyc.document_read", "kyc_document", document.pk, address=address)
    try:
        return document, documents.load(document.file_name)
    except OSError as error:
        log.error("kyc.document_lost", document=document.pk)
        raise Unavailable() from error


def may_see_documents(user: User | AnonymousUser) -> bool:
    """True for staff who were given the right."""
    return user.is_staff and user.has_perm("accounts.view_kycdocument")


@transaction.atomic
def submit_case(user: User) -> KycCase:
    """The draft goes to staff; refuses when something is missing."""
    case = _draft_of(user)
    if not (case.legal_name and case.birth_date and case.country and case.address):
        raise CaseIncomplete(field="legal_name")
    if queries.missing_kinds(case):
        raise CaseIncomplete(_("Upload a proof of identity and a proof of address first."), field="file")
    case.status, case.submitted_at = KycCase.Status.SUBMITTED, timezone.now()
    case.save(update_fields=["status", "submitted_at"])
    office.record(user, "kyc.submitted", "kyc_case", case.pk)
    return case


def _draft_of(user: User) -> KycCase:
    case = KycCase.objects.select_for_update().get(pk=open_case(user).pk)
    if case.status != KycCase.Status.DRAFT:
        raise CaseIsDecided(_("Your case is in review; it cannot be changed now."))
    return case


def approve_case(case_id: int, *, by: User, reason: str) -> KycCase:
    """The customer has proved who they are; the tier rises."""
    return _decide(case_id, by=by, status=KycCase.Status.APPROVED, reason=reason)


def refuse_case(case_id: int, *, by: User, reason: str) -> KycCase:
    """The customer learns why, and may open another case."""
    return _decide(case_id, by=by, status=KycCase.Status.REFUSED, reason=reason)


@transaction.atomic
def _decide(case_id: int, *, by: User, status: KycCase.Status, reason: str) -> KycCase:
    if not reason.strip():
        raise ReasonMissing(field="reason")
    case = KycCase.objects.select_for_update(of=("self",)).select_related("user").get(pk=case_id)
    if case.status != KycCase.Status.SUBMITTED:
        raise CaseIsDecided()
    if case.user_id == by.pk:
        raise OwnCase()
    case.status, case.decided_by, case.decided_at = status, by, timezone.now()
    case.decision_reason = reason.strip()
    case.save(update_fields=["status", "decided_by", "decided_at", "decision_reason"])
    if status == KycCase.Status.APPROVED:
        User.objects.filter(pk=case.user_id).update(tier=User.Tier.VERIFIED, name=case.legal_name[:120])
    office.record(by, f"kyc.{status.lower()}", "kyc_case", case.pk, reason=reason)
    _tell_decision(case)
    return case


def _tell_decision(case: KycCase) -> None:
    if case.status == KycCase.Status.APPROVED:
        office.notify(
            case.user, "kyc.approved", _("Your identity is verified"), _("You can now trade and withdraw.")
        )
    else:
        office.notify(case.user, "kyc.refused", _("We could not verify your identity"), case.decision_reason)


# ------------------------------------------------------------------ API tokens
@transaction.atomic
def issue_token(
    user: User, *, name: str, can_trade: bool = False, days: int | None = None
) -> tuple[ApiToken, str]:
    """A new token and its plain text, which is shown once and never kept."""
    if queries.live_tokens(user).count() >= TOKENS_ALLOWED:
        raise TooManyTokens()
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
    token = queries.token_by_digest(_digest(secret))
    if token is None or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


@transaction.atomic
def revoke_token(user: User, token_id: int) -> None:
    """The token opens nothing any more."""
    changed = queries.live_tokens(user).filter(pk=token_id).update(revoked_at=timezone.now())
    if not changed:
        raise UnknownToken()
    office.record(user, "token.revoked", "api_token", token_id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
