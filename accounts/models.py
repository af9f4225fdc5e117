"""Who may do what: people, their proof of identity, their tier, their API tokens."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    class Tier(models.IntegerChoices):
        NONE = 0, _("not verified")
        VERIFIED = 1, _("verified")

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    tier = models.PositiveSmallIntegerField(choices=Tier, default=Tier.NONE)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    is_frozen = models.BooleanField(_("frozen"), default=False, help_text=_("Neither trades nor withdraws."))
    frozen_reason = models.CharField(max_length=200, blank=True)
    locked_at = models.DateTimeField(
        _("locked"),
        null=True,
        help_text=_("By the customer's own panic button; neither trades nor withdraws."),
    )
    language = models.CharField(max_length=10, blank=True)
    theme = models.CharField(max_length=6, default="system")
    security_changed_at = models.DateTimeField(null=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("customer")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_is_unique_in_any_case")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_verified(self) -> bool:
        return self.tier >= self.Tier.VERIFIED

    @property
    def is_locked(self) -> bool:
        return self.locked_at is not None


class KycCase(models.Model):
    class Status(models.TextChoices):
        DRAFT = "DRAFT", _("draft")
        SUBMITTED = "SUBMITTED", _("in review")
        APPROVED = "APPROVED", _("approved")
        REFUSED = "REFUSED", _("refused")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="kyc_cases")
    status = models.CharField(max_length=9, choices=Status, default=Status.DRAFT)
    legal_name = models.CharField(_("full legal name"), max_length=160, blank=True)
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    country = models.CharField(_("country of residence"), max_length=2, blank=True)
    address = models.TextField(_("residential address"), max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decision_reason = models.TextField(blank=True)

    class Meta:
        verbose_name = _("case of identity")
        verbose_name_plural = _("cases of identity")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(status__in=["DRAFT", "SUBMITTED"]),
                name="one_open_kyc_case_a_user",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=models.F("user")),
                name="kyc_is_decided_by_another_person",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["DRAFT", "SUBMITTED"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="kyc_decided_has_a_decider",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.status}"


class KycDocument(models.Model):
    """An uploaded proof; the file lies encrypted under PRIVATE_DIR, named at random."""

    class Kind(models.TextChoices):
        IDENTITY = "IDENTITY", _("passport or identity card")
        ADDRESS = "ADDRESS", _("proof of address")

    case = models.ForeignKey(KycCase, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=8, choices=Kind)
    file_name = models.CharField(max_length=64, unique=True)
    content_type = models.CharField(max_length=32)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("document")

    def __str__(self) -> str:
        return f"{self.kind} of case {self.case_id}"


class ApiToken(models.Model):
    """A bearer token for the API; only its SHA-256 digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    can_trade = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("API token")

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"
