"""What the office has on record."""

from django.db.models import QuerySet
from django.utils import timezone

from exchange.office.models import Approval, AuditRecord, Notice


def failed_notices() -> QuerySet[Notice]:
    """Mails that the server refused for good."""
    return Notice.objects.filter(channel=Notice.Channel.MAIL, status=Notice.Status.FAILED)


def overdue_notices() -> QuerySet[Notice]:
    """Mails that should have left by now."""
    return Notice.objects.filter(
        channel=Notice.Channel.MAIL, status=Notice.Status.WAITING, next_attempt_at__lte=timezone.now()
    )


def open_approvals() -> QuerySet[Approval]:
    """Requests that wait for a second person."""
    return Approval.objects.filter(status=Approval.Status.ASKED).select_related("asked_by").order_by("id")


def approvals(prefix: str) -> QuerySet[Approval]:
    """Every request of these kinds, newest first."""
    found = Approval.objects.filter(kind__startswith=prefix).select_related("asked_by", "decided_by")
    return found.order_by("-id")


def granted_approvals(prefix: str) -> QuerySet[Approval]:
    """Requests of these kinds that were granted and wait to be carried out, oldest first."""
    return Approval.objects.filter(status=Approval.Status.GRANTED, kind__startswith=prefix).order_by("id")


def history_of(subject_type: str, subject_id: object) -> QuerySet[AuditRecord]:
    """Everything that was done to one thing, newest first."""
    return AuditRecord.objects.filter(subject_type=subject_type, subject_id=str(subject_id)).select_related(
        "actor"
    )


def latest_notice(kind: str) -> Notice | None:
    """The newest mail or message of the kind."""
    return Notice.objects.filter(kind=kind).order_by("-id").first()


def latest_record(subject_type: str) -> AuditRecord | None:
    """The newest record about things of this type."""
    return AuditRecord.objects.filter(subject_type=subject_type).order_by("-id").first()


def find_notices(text: str) -> QuerySet[Notice]:
    """Mails to an address that contains the text, newest first."""
    return (
        Notice.objects.filter(channel=Notice.Channel.MAIL, to__icontains=text)
        .select_related("user")
        .order_by("-id")
    )
