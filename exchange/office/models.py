"""What the house keeps about its own acts: who did what, what a second person decided, what was written to whom."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditRecord(models.Model):
    """One act of a person or of the system, never changed afterwards."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        verbose_name = _("audit record")
        ordering = ["-id"]
        indexes = [models.Index(fields=["subject_type", "subject_id"])]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_type}:{self.subject_id}"


class Approval(models.Model):
    """A request that a second person decides; `payload_hash` binds the decision to exactly what was asked."""

    class Status(models.TextChoices):
        ASKED = "ASKED", _("asked")
        GRANTED = "GRANTED", _("granted")
        REFUSED = "REFUSED", _("refused")
        USED = "USED", _("carried out")
        FAILED = "FAILED", _("could not be carried out")

    kind = models.CharField(max_length=32)
    payload = models.JSONField()
    payload_hash = models.CharField(max_length=64)
    reason = models.TextField()
    status = models.CharField(max_length=8, choices=Status, default=Status.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=300, blank=True, help_text=_("What came of it, in words."))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("asked_by")),
                name="approval_is_decided_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=models.Q(status="ASKED") | models.Q(decided_by__isnull=False),
                name="approval_decided_has_a_decider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk} {self.status}"


# Mails with a code or a link that opens something to whoever reads it, by their kind.
SECRET_KINDS = frozenset(
    {
        "withdrawal.confirm",
        "email_confirmation",
        "email_confirmation_signup",
        "login_code",
        "password_reset_code",
        "password_reset_key",
    }
)


class Notice(models.Model):
    """A mail or an on-site message, written in the transaction of the act it tells about."""

    class Channel(models.TextChoices):
        MAIL = "MAIL", _("mail")
        SITE = "SITE", _("on the site")

    class Status(models.TextChoices):
        WAITING = "WAITING", _("waiting")
        SENT = "SENT", _("sent")
        KEPT = "KEPT", _("kept here: no mail server is set")
        FAILED = "FAILED", _("failed")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="notices")
    channel = models.CharField(max_length=4, choices=Channel)
    kind = models.CharField(max_length=64)
    to = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(auto_now_add=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("notice")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"]),
            models.Index(fields=["user", "channel", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to or self.user_id}"

    @property
    def is_for_its_receiver_alone(self) -> bool:
        """It carries a secret; where no mail server is set it is read here, because nobody gets it otherwise."""
        return self.kind in SECRET_KINDS and bool(settings.EMAIL_HOST)
