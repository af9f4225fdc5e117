"""The house's own acts: audit records, approvals by a second person, notices as rows."""

import hashlib
import json
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from datetime import timedelta
from smtplib import SMTPException
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation

from exchange.context import MONEY_LABELS
from exchange.errors import Text
from exchange.office import queries
from exchange.office.errors import AlreadyDecided, OwnMoney, OwnRequest, UnknownApproval
from exchange.office.models import Approval, AuditRecord, Notice

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger()
Words = Mapping[str, object]
MAIL_ATTEMPTS = 8
# While a mail is under way nobody else takes it; who dies on the way leaves it to the next sweep after this.
MAIL_LEASE = timedelta(minutes=3)
LONGEST_BACK_OFF_SECONDS = 3600


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


def said_to(user: "User | None", text: Text, words: Words | None = None) -> str:
    """A lazy text in the user's language, whoever acts, with the words put into it; any other stays as it is."""
    if isinstance(text, str):
        return text
    with translation.override(user.language or None) if user else nullcontext():
        return str(text) % words if words else str(text)


def mail(
    *,
    to: str,
    kind: str,
    subject: Text,
    body: Text,
    user: "User | None" = None,
    words: Words | None = None,
) -> Notice:
    """A mail waits to be sent by the sweep; it says what kind of money this is about. Texts: see `said_to`."""
    notice = _mail(to, kind, said_to(user, subject, words), said_to(user, body, words), user)
    notice.save(force_insert=True)
    return notice


def _mail(to: str, kind: str, subject: str, body: str, user: "User | None") -> Notice:
    label = said_to(user, MONEY_LABELS.get(settings.VENUE, ""))
    return Notice(
        user=user,
        channel=Notice.Channel.MAIL,
        kind=kind,
        to=to,
        subject=_one_line(subject),
        body=f"{body}\n\n{label}" if label else body,
    )


def tell(user: "User", kind: str, subject: Text, body: Text, words: Words | None = None) -> Notice:
    """The user finds a message on the site. Texts: see `said_to`."""
    notice = _message(user, kind, said_to(user, subject, words), said_to(user, body, words))
    notice.save(force_insert=True)
    return notice


def _message(user: "User", kind: str, subject: str, body: str) -> Notice:
    return Notice(
        user=user,
        channel=Notice.Channel.SITE,
        kind=kind,
        subject=_one_line(subject),
        body=body,
        status=Notice.Status.SENT,
        sent_at=timezone.now(),
    )


def notify(user: "User", kind: str, subject: Text, body: Text, words: Words | None = None) -> None:
    """The user finds a message on the site and in the mail. Texts: see `said_to`."""
    subject, body = said_to(user, subject, words), said_to(user, body, words)
    mailed = _mail(user.email, kind, subject, body, user)
    Notice.objects.bulk_create([_message(user, kind, subject, body), mailed])


def tell_staff(kind: str, subject: Text, body: Text, words: Words | None = None) -> None:
    """Everybody of staff finds a message on the site, each in their own language. Texts: see `said_to`."""
    staff = get_user_model().objects.filter(is_active=True, is_staff=True)
    Notice.objects.bulk_create(
        [_message(user, kind, said_to(user, subject, words), said_to(user, body, words)) for user in staff]
    )


def mark_read(user: "User") -> int:
    """The user has seen all messages on the site; gives how many were new."""
    new = Notice.objects.filter(user=user, channel=Notice.Channel.SITE, read_at__isnull=True)
    return new.update(read_at=timezone.now())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def hash_of(payload: object) -> str:
    """The digest a decision is bound to."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def ask_approval(
    kind: str,
    payload: dict[str, object],
    reason: str,
    by: "User",
    payload_hash: str = "",
    owners: Collection[int] = (),
) -> Approval:
    """A second person is asked to decide exactly this payload; neither of the two may own any of the money in it."""
    if by.pk in owners:
        raise OwnMoney()
    if owners:
        payload = {**payload, "owners": sorted(owners)}
    return Approval.objects.create(
        kind=kind, payload=payload, payload_hash=payload_hash or hash_of(payload), reason=reason, asked_by=by
    )


def grant(approval_id: int, *, by: "User", reason: str = "") -> Approval:
    """The request is granted, once, by somebody other than who asked and than whose money it is about."""
    return _decide(approval_id, by=by, status=Approval.Status.GRANTED, reason=reason)


def refuse(approval_id: int, *, by: "User", reason: str = "") -> Approval:
    """The request is refused, once, by somebody other than who asked and than whose money it is about."""
    return _decide(approval_id, by=by, status=Approval.Status.REFUSED, reason=reason)


@transaction.atomic
def _decide(approval_id: int, *, by: "User", status: Approval.Status, reason: str) -> Approval:
    approval = Approval.objects.select_for_update().filter(pk=approval_id).first()
    if approval is None:
        raise UnknownApproval()
    if approval.status != Approval.Status.ASKED:
        raise AlreadyDecided()
    if approval.asked_by_id == by.pk:
        raise OwnRequest()
    if by.pk in approval.payload.get("owners", ()):
        raise OwnMoney()
    approval.status, approval.decided_by, approval.decided_at = status, by, timezone.now()
    approval.save(update_fields=["status", "decided_by", "decided_at"])
    record(
        by,
        f"approval.{status.lower()}",
        "approval",
        approval.pk,
        after={"kind": approval.kind},
        reason=reason,
    )
    return approval


def lock_granted(approval_id: int) -> Approval | None:
    """The request, locked until the transaction ends, when it is granted and nobody has carried it out yet."""
    granted = Approval.objects.filter(pk=approval_id, status=Approval.Status.GRANTED)
    return granted.select_for_update(skip_locked=True).first()


def note_used(approval_id: int, outcome: str = "") -> None:
    """What was granted is carried out; it cannot be used again."""
    Approval.objects.filter(pk=approval_id).update(status=Approval.Status.USED, outcome=outcome[:300])


@transaction.atomic
def note_failed(approval_id: int, outcome: str) -> None:
    """What was granted could not be carried out, and says why; it has to be asked for anew."""
    granted = Approval.objects.filter(pk=approval_id, status=Approval.Status.GRANTED)
    if granted.update(status=Approval.Status.FAILED, outcome=outcome[:300]):
        record(None, "approval.failed", "approval", approval_id, reason=outcome)


def send_waiting_mail(limit: int = 50) -> int:
    """Every mail that is due is handed to the mail server, or kept here when none is set; gives how many."""
    if not settings.EMAIL_HOST:
        return queries.overdue_notices().update(status=Notice.Status.KEPT)
    taken = 0
    while taken < limit and (notice := _take_one()):
        _hand_over(notice)
        taken += 1
    return taken


@transaction.atomic
def _take_one() -> Notice | None:
    notice = queries.overdue_notices().select_for_update(skip_locked=True).order_by("id").first()
    if notice is not None:
        notice.attempts += 1
        notice.next_attempt_at = timezone.now() + MAIL_LEASE
        notice.save(update_fields=["attempts", "next_attempt_at"])
    return notice


def _hand_over(notice: Notice) -> None:
    try:
        EmailMessage(notice.subject, notice.body, settings.DEFAULT_FROM_EMAIL, [notice.to]).send()
    except (OSError, SMTPException, ValueError) as error:
        _put_back(notice, type(error).__name__)
    else:
        Notice.objects.filter(pk=notice.pk).update(
            status=Notice.Status.SENT, sent_at=timezone.now(), error=""
        )


def _put_back(notice: Notice, error: str) -> None:
    is_last = notice.attempts >= MAIL_ATTEMPTS
    wait = min(15 * 2**notice.attempts, LONGEST_BACK_OFF_SECONDS)
    log.warning("mail.failed", notice=notice.pk, attempts=notice.attempts, error=error)
    Notice.objects.filter(pk=notice.pk).update(
        status=Notice.Status.FAILED if is_last else Notice.Status.WAITING,
        next_attempt_at=timezone.now() + timedelta(seconds=wait),
        error=error,
    )


def send_again(notice_id: int, *, by: "User") -> None:
    """A mail that was given up, or kept here, waits to be sent once more."""
    given_up = Notice.objects.filter(
        pk=notice_id, channel=Notice.Channel.MAIL, status__in=[Notice.Status.FAILED, Notice.Status.KEPT]
    )
    if given_up.update(status=Notice.Status.WAITING, attempts=0, next_attempt_at=timezone.now()):
        record(by, "notice.sent_again", "notice", notice_id)
