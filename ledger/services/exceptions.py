"""What the books could only book to suspense or slippage, or what differs from the venue, is put before staff.

Each has an owner from its first moment; it is closed by a request that a second person grants, and never deleted.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from exchange.money import plain
from exchange.office import queries as requests
from exchange.office import services as office
from exchange.office.models import Approval
from ledger.errors import AlreadyClosed, NothingToBook, UnknownException
from ledger.models import LedgerException
from ledger.services.approved import PREFIX, afterwards, ask_decision, ask_posting, line_of
from ledger.services.posting import Line, columns_of

CLOSING = "exception"
PERMISSION = "ledger.change_ledgerexception"
Words = list[list[str]]


def note_exception(
    *,
    source: str,
    key: str,
    asset: str | None,
    amount: Decimal | None,
    detail: dict[str, object],
    cause: str = "",
    suggestion: Sequence[Line] = (),
    **more: object,
) -> LedgerException:
    """The difference is on record once, and waits for its owner; joins the caller's transaction.

    `source` is one of LedgerException.Source.
    """
    first: dict[str, Any] = {
        "source": source,
        "asset_id": asset,
        "amount": amount,
        "detail": detail,
        "owner": next_owner,  # looked for only when the row is new
        "cause": cause[:300],
        "suggestion": words_of(suggestion),
        **more,
    }
    found, is_new = LedgerException.objects.get_or_create(key=key, defaults=first)
    if is_new and found.owner is not None:
        _tell_owner(found, found.owner)
    return found


def next_owner() -> User | None:
    """Who of those that may close differences has the fewest to look after; None when nobody may."""
    staff = User.objects.filter(is_active=True, is_staff=True).annotate(
        load=Count("owned_differences", filter=Q(owned_differences__resolved_at__isnull=True))
    )
    return next((user for user in staff.order_by("load", "id") if user.has_perm(PERMISSION)), None)


def adopt_orphans() -> None:
    """Differences that nobody owns, or whose owner has left, have an owner as soon as there is one."""
    lost = Q(owner__isnull=True) | Q(owner__is_active=False) | Q(owner__is_staff=False)
    for found in LedgerException.objects.filter(lost, resolved_at__isnull=True).order_by("id"):
        owner = next_owner()
        if owner is None:
            return
        LedgerException.objects.filter(pk=found.pk).update(owner=owner)
        _tell_owner(found, owner)


def _tell_owner(found: LedgerException, owner: User) -> None:
    amount = "" if found.amount is None else f"{plain(found.amount)} {found.asset_id or ''}"
    office.tell(
        owner,
        "ledger.difference",
        _("A difference in the books is yours to look into: %(source)s"),
        f"{amount} · {found.cause or found.key}",
        {"source": found.words},
    )


def words_of(lines: Sequence[Line]) -> Words:
    """Lines as they are kept: account, bucket, amount in plain text."""
    columns = columns_of(lines)
    return [[code, bucket, plain(amount)] for code, bucket, amount in zip(*columns, strict=True)]


@transaction.atomic
def take_exception(*, exception_id: int, by: User, reason: str) -> LedgerException:
    """The person of staff owns the difference from now on. Raises UnknownException, AlreadyClosed."""
    found = _open(exception_id)
    before, found.owner = found.owner, by
    found.save(update_fields=["owner"])
    office.record(
        by, "difference.taken", "difference", found.pk, before={"owner": str(before or "")}, reason=reason
    )
    return found


@transaction.atomic
def ask_closing(*, exception_id: int, category: str, reason: str, by: User, books: bool) -> Approval:
    """A second person is asked to let the difference be closed, and with `books` its suggested lines be booked first.

    Raises UnknownException, AlreadyClosed (also while another such request waits), NothingToBook.
    """
    found = _open(exception_id)
    if requests.open_approvals().filter(kind=PREFIX + CLOSING, payload__detail__exception=found.pk).exists():
        raise AlreadyClosed(_("Somebody has already asked to close this; the request waits for a decision."))
    detail: dict[str, object] = {"exception": found.pk, "why": category, "key": found.key}
    if not books:
        return ask_decision(
            category=CLOSING, subject=f"difference {found.pk}", reason=reason, by=by, detail=detail
        )
    if not found.suggestion:
        raise NothingToBook(field="books")
    lines = [line_of(*row) for row in found.suggestion]
    return ask_posting(category=CLOSING, lines=lines, reason=reason, by=by, detail=detail)


def _of(approval: Approval) -> LedgerException:
    return _open(approval.payload["detail"]["exception"])


@afterwards(CLOSING, lock=_of)
def _close(approval: Approval, transfer_id: int | None) -> None:
    why = f"{approval.payload['detail']['why']}: {approval.reason}"
    close(_of(approval), approval, transfer_id, resolution=why)


def close(found: LedgerException, approval: Approval, transfer_id: int | None, *, resolution: str) -> None:
    """The difference has its explanation, by what two people agreed; the caller holds its lock."""
    found.resolved_at, found.approval, found.transfer_id = timezone.now(), approval, transfer_id
    found.resolution = resolution
    found.stops_asset = False
    found.save()
    office.record(
        approval.decided_by,
        "difference.closed",
        "difference",
        found.pk,
        after={"transfer": transfer_id, "approval": approval.pk},
        reason=resolution,
    )


def _open(exception_id: int) -> LedgerException:
    """The difference, locked until the transaction ends."""
    found = LedgerException.objects.select_for_update(of=("self",)).filter(pk=exception_id).first()
    if found is None:
        raise UnknownException()
    if not found.is_open:
        raise AlreadyClosed()
    return found
