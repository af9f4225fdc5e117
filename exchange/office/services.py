"""The house's own acts: audit records, approvals by a second person, notices as rows."""

import hashlib
import json
from datetime import timedelta
from smtplib import SMTPException
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from exchange.errors import Conflict, NotAllowed
from exchange.office.models import Approval, AuditRecord, Notice

if TYPE_CHECKING:
    from accounts.models import User

MAIL_ATTEMPTS = 8


def record(
    actor: "User | None",
    action: str,
    subject_type: str,
    subject_id: object,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
    address: str | None = None,
) -> AuditRecord:
    """One act is on record for ever."""
    return AuditRecord.objects.create(
        actor=actor,
        action=action,
        subject_type=subject_type,
        subject_id=str(subject_id),
        before=before or {},
        after=after or {},
        reason=reason,
        address=address,
    )


def mail(*, to: str, kind: str, subject: str, body: str, user: "User | None" = None) -> Notice:
    """A mail waits to be sent by the sweep."""
    return Notice.objects.create(
        user=user, channel=Notice.Channel.MAIL, kind=kind, to=to, subject=" ".join(subject.split())[:200], body=body
    )


def notify(user: "User", kind: str, subject: str, body: str) -> None:
    """The user finds a message on the site and in the mail."""
    Notice.objects.create(
        user=user, channel=Notice.Channel.SITE, kind=kind, subject=subject, body=body, status=Notice.Status.SENT
    )
    mail(to=user.email, kind=kind, subject=subject, body=body, user=user)


def hash_of(payload: object) -> str:
    """The digest a decision is bound to."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def ask_approval(kind: str, payload: dict[str, object], reason: str, by: "User", payload_hash: str = "") -> Approval:
    """A second person is asked to decide exactly this payload."""
    return Approval.objects.create(
        kind=kind, payload=payload, payload_hash=payload_hash or hash_of(payload), reason=reason, asked_by=by
    )


@transaction.atomic
def decide(approval_id: int, *, by: "User", grant: bool) -> Approval:
    """The request is granted or refused, once, by somebody other than who asked."""
    approval = Approval.objects.select_for_update().get(pk=approval_id)
    if approval.status != Approval.Status.ASKED:
        raise Conflict()
    if approval.asked_by_id == by.pk:
        raise NotAllowed()
    approval.status = Approval.Status.GRANTED if grant else Approval.Status.REFUSED
    approval.decided_by, approval.decided_at = by, timezone.now()
    approval.save(update_fields=["status", "decided_by", "decided_at"])
    record(by, f"approval.{approval.status.lower()}", "approval", approval.pk, after={"kind": approval.kind})
    return approval


def send_waiting_mail(limit: int = 50) -> int:
    """Every mail that is due is handed to the mail server, or kept when there is none; gives how many."""
    sent = 0
    while sent < limit and _send_one():
        sent += 1
    return sent


@transaction.atomic
def _send_one() -> bool:
    due = Notice.objects.filter(
        channel=Notice.Channel.MAIL, status=Notice.Status.WAITING, next_attempt_at__lte=timezone.now()
    )
    notice = due.select_for_update(skip_locked=True).order_by("id").first()
    if notice is None:
        return False
    if not settings.EMAIL_HOST:
        notice.status = Notice.Status.KEPT
    else:
        _hand_over(notice)
    notice.save()
    return True


def _hand_over(notice: Notice) -> None:
    notice.attempts += 1
    try:
        EmailMessage(notice.subject, notice.body, to=[notice.to]).send()
    except (OSError, SMTPException) as error:
        notice.error = type(error).__name__
        notice.next_attempt_at = timezone.now() + timedelta(seconds=min(30 * 2**notice.attempts, 3600))
        if notice.attempts >= MAIL_ATTEMPTS:
            notice.status = Notice.Status.FAILED
    else:
        notice.status, notice.sent_at, notice.error = Notice.Status.SENT, timezone.now(), ""
