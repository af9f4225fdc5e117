"""What is known about people, their cases, tokens and sessions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import ApiToken, KycCase, KycDocument, User
from accounts.rules import HOUSE
from exchange.office.models import AuditRecord, Notice
from exchange.prepared import Given, Prepared


def customer(user_id: int) -> User:
    """The person with this number; raises User.DoesNotExist."""
    return User.objects.get(pk=user_id)


def find_by_email(email: str) -> User | None:
    """The person with this address, in whatever case it is written."""
    return User.objects.filter(email__iexact=email).first()


def house_customer() -> User | None:
    """The house's own, for which it trades at the venue; None until there was a need."""
    return User.objects.filter(email=HOUSE).first()


def find(text: str) -> QuerySet[User]:
    """People whose address or name contains the text."""
    return User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text)).order_by("email")


def find_cases(text: str) -> QuerySet[KycCase]:
    """Cases of these people, or with this name on the papers."""
    named = Q(user__email__icontains=text) | Q(legal_name__icontains=text)
    return KycCase.objects.filter(named).select_related("user").order_by("-id")


def has_second_factor(user: User) -> bool:
    """True once an authenticator app is set up."""
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def may_unlock_self(user: User) -> bool:
    """True while the only factors are from before the account was locked: whoever made one since may be anybody."""
    factors = Authenticator.objects.filter(user=user)
    if user.locked_at is None or factors.filter(created_at__gte=user.locked_at).exists():
        return False
    return factors.filter(type=Authenticator.Type.TOTP).exists()


def open_case(user: User) -> KycCase | None:
    """The case that can still be edited or is in review."""
    return KycCase.objects.filter(
        user=user, status__in=[KycCase.Status.DRAFT, KycCase.Status.SUBMITTED]
    ).first()


def latest_case(user: User) -> KycCase | None:
    """The newest case, decided or not."""
    return KycCase.objects.filter(user=user).prefetch_related("documents").order_by("-id").first()


def missing_kinds(case: KycCase) -> list[KycDocument.Kind]:
    """The kinds of proof that the case still lacks."""
    present = set(case.documents.values_list("kind", flat=True))
    return [kind for kind in KycDocument.Kind if kind not in present]


def cases_in_review() -> QuerySet[KycCase]:
    """What staff have to decide, the longest waiting first."""
    return (
        KycCase.objects.filter(status=KycCase.Status.SUBMITTED)
        .select_related("user")
        .order_by("submitted_at")
    )


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """The tokens that open something, newest first."""
    return _live(timezone.now()).filter(user=user).order_by("-id")


def token_by_digest(digest: str) -> ApiToken | None:
    """The live token with this digest."""
    return _BY_DIGEST.first(digest=digest, now=timezone.now())


def _live(now: datetime | Given) -> QuerySet[ApiToken]:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return ApiToken.objects.filter(unexpired, revoked_at__isnull=True)


_BY_DIGEST = Prepared(lambda: _live(Given("now")).select_related("user").filter(digest=Given("digest")))


def sessions_of(user: User) -> list[UserSession]:
    """The sessions that are alive, the last seen first."""
    return sorted(
        UserSession.objects.purge_and_list(user), key=lambda session: session.last_seen_at, reverse=True
    )


def activity_of(user: User, limit: int = 20) -> QuerySet[AuditRecord]:
    """What the customer did about the account's security, newest first."""
    found = AuditRecord.objects.filter(
        Q(action__startswith="user.") | Q(action__startswith="token."), actor=user
    )
    return found.order_by("-id")[:limit]


def notices_of(user: User) -> QuerySet[Notice]:
    """The messages on the site, newest first."""
    return Notice.objects.filter(user=user, channel=Notice.Channel.SITE).order_by("-id")


def unread_notices(user: User) -> int:
    """How many messages were not read yet."""
    return notices_of(user).filter(read_at__isnull=True).count()


# ------------------------------------------------------------------ what withdrawals ask
@dataclass(frozen=True)
class WithdrawalLimits:
    """Worth in the reference asset, in 24 hours and in 30 days."""

    day: Decimal
    month: Decimal


def withdrawal_limits(user: User) -> WithdrawalLimits:
    """What the customer's tier may withdraw."""
    days, months = settings.WITHDRAWAL_DAY_LIMITS, settings.WITHDRAWAL_MONTH_LIMITS
    return WithdrawalLimits(
        day=days[min(user.tier, len(days) - 1)], month=months[min(user.tier, len(months) - 1)]
    )


def order_value_limit(user: User) -> Decimal:
    """What one order of the customer's tier may be worth, in the reference asset."""
    limits: list[Decimal] = settings.ORDER_VALUE_LIMITS
    return limits[min(user.tier, len(limits) - 1)]


def held_until(user: User) -> datetime | None:
    """Until then nothing is sent, because a password, address or second factor was changed; None when over."""
    if user.security_changed_at is None:
        return None
    end: datetime = user.security_changed_at + timedelta(minutes=settings.WITHDRAWAL_HOLD_MINUTES)
    return end if end > timezone.now() else None


def has_new_device(user: User, since: datetime) -> bool:
    """True when somebody signed in since then with a browser or from a network that was not seen before."""
    signed_in = AuditRecord.objects.filter(actor=user, action="user.signed_in").order_by()
    known = set(signed_in.filter(at__lt=since).values_list("after__agent", "address"))
    return any(
        seen not in known for seen in signed_in.filter(at__gte=since).values_list("after__agent", "address")
    )
