"""Four eyes: what one person of staff asks and another grants is carried out by a sweep, exactly as it was asked."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import structlog
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.models import User
from exchange.database import transaction_with_retry
from exchange.errors import Conflict, DomainError, Unavailable
from exchange.money import plain
from exchange.office import queries as requests
from exchange.office import services as office
from exchange.office.errors import OwnMoney
from exchange.office.models import Approval
from ledger import queries, rules
from ledger.errors import AlreadyReversed, UnknownTransfer
from ledger.models import Account, Entry, Transfer
from ledger.services.posting import AccountName, Line, call, columns_of, post

log = structlog.get_logger()

PREFIX = "ledger."
Afterwards = Callable[[Approval, int | None], None]
AFTERWARDS: dict[str, Afterwards] = {}
Lock = Callable[[Approval], object]
LOCKS: dict[str, Lock] = {}
Beforehand = Callable[[Approval], None]
BEFOREHAND: dict[str, Beforehand] = {}


def beforehand(category: str) -> Callable[[Beforehand], Beforehand]:
    """The function may refuse a granted request of the category; outside a transaction, so it can ask the venue."""

    def keep(check: Beforehand) -> Beforehand:
        BEFOREHAND[category] = check
        return check

    return keep


def afterwards(category: str, *, lock: Lock | None = None) -> Callable[[Afterwards], Afterwards]:
    """The function finishes what a granted request of the category began, in the transaction of its posting.

    `lock` locks the row the request is about before anything is booked: rows come before balances everywhere.
    """

    def keep(finish: Afterwards) -> Afterwards:
        AFTERWARDS[category] = finish
        if lock is not None:
            LOCKS[category] = lock
        return finish

    return keep


def ask_posting(
    *,
    category: str,
    lines: Sequence[Line],
    reason: str,
    by: User,
    detail: dict[str, object] | None = None,
    kind: Transfer.Kind = Transfer.Kind.ADJUSTMENT,
    reverses_id: int | None = None,
) -> Approval:
    """A second person is asked to let exactly these lines be booked.

    Refuses lines that could never be booked, lines of an account of who asks, and a request without a reason.
    """
    _require_reason(reason)
    lines = [line for line in lines if line.amount]
    rules.require_bookable([(line.account.asset, line.amount) for line in lines])
    columns = columns_of(lines)
    payload: dict[str, object] = {
        "category": category,
        "kind": str(kind),
        "lines": [[code, bucket, plain(amount)] for code, bucket, amount in zip(*columns, strict=True)],
        "reverses": reverses_id,
        "detail": detail or {},
    }
    digest = call("ledger_lines_hash", ("text[]", "text[]", "numeric[]"), columns)[0]
    return office.ask_approval(
        PREFIX + category, payload, reason, by, payload_hash=digest, owners=_owners(lines)
    )


def _owners(lines: Sequence[Line]) -> set[int]:
    return {line.account.owner for line in lines if line.account.owner}


def ask_decision(
    *,
    category: str,
    subject: str,
    reason: str,
    by: User,
    detail: dict[str, object] | None = None,
    owner_id: int | None = None,
) -> Approval:
    """A second person is asked to decide something that books nothing by itself; not who owns what it is about."""
    _require_reason(reason)
    payload: dict[str, object] = {
        "category": category,
        "subject": subject,
        "lines": [],
        "detail": detail or {},
    }
    return office.ask_approval(PREFIX + category, payload, reason, by, owners=[owner_id] if owner_id else ())


def ask_reversal(*, transfer_id: int, reason: str, by: User) -> Approval:
    """A second person is asked to let the transfer be taken back, line by line; what was held becomes available.

    Only of what stands alone: a deposit, an order or a withdrawal would go on as if it were still booked.
    """
    found = Transfer.objects.filter(pk=transfer_id).first()
    if found is None:
        raise UnknownTransfer()
    if queries.is_reversed(transfer_id):
        raise AlreadyReversed()
    if queries.has_its_own_exit(found):
        raise Conflict(_("It belongs to a deposit, an order or a withdrawal: take it back there."))
    sums = Entry.objects.filter(transfer=found).order_by("account_id").values_list("account_id")
    accounts = Account.objects.in_bulk([row[0] for row in sums])
    lines = [
        Line(name_of(accounts[account_id]), "A" if accounts[account_id].owner_id else "S", -total)
        for account_id, total in sums.annotate(total=Sum("amount"))
    ]
    return ask_posting(
        category="reversal",
        lines=lines,
        reason=reason,
        by=by,
        detail={"transfer": transfer_id},
        kind=Transfer.Kind.REVERSAL,
        reverses_id=transfer_id,
    )


def name_of(account: Account) -> AccountName:
    """The account as postings name it."""
    return AccountName(account.type, account.asset_id, account.owner_id, account.venue_account_id)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise DomainError(_("Say why; it is kept on record."), field="reason")


# ------------------------------------------------------------------ carried out
def carry_out_approvals() -> int:
    """Every request that was granted is carried out once, or says why it could not be; gives how many were tried."""
    waiting = list(requests.granted_approvals(PREFIX)[:100])
    for approval in waiting:
        try:
            _look_once_more(approval)
            _carry_out(approval.pk)
        except Unavailable as error:  # it passes: the next sweep tries again
            log.warning("approval.busy", approval=approval.pk, reason=str(error))
        except DomainError as error:
            office.note_failed(approval.pk, str(error))
        except Exception:  # one odd request never stops the next
            log.exception("approval.failed", approval=approval.pk)
    return len(waiting)


def _look_once_more(approval: Approval) -> None:
    check = BEFOREHAND.get(approval.payload["category"])
    if check is not None:
        check(approval)


@transaction_with_retry
def _carry_out(approval_id: int) -> None:
    approval = office.lock_granted(approval_id)
    if approval is None:
        return
    category = approval.payload["category"]
    if lock := LOCKS.get(category):
        lock(approval)
    transfer_id = _book(approval) if approval.payload["lines"] else None
    office.note_used(
        approval.pk, _("Booked as transfer %(id)s.") % {"id": transfer_id} if transfer_id else ""
    )
    if finish := AFTERWARDS.get(category):
        finish(approval, transfer_id)


def _book(approval: Approval) -> int:
    payload = approval.payload
    lines = [line_of(*row) for row in payload["lines"]]
    # The lines are bound to the request, its list of owners is not: here the lines count.
    if _owners(lines) & {approval.asked_by_id, approval.decided_by_id}:
        raise OwnMoney()
    posted = post(
        scope="approval",
        key=str(approval.pk),
        kind=Transfer.Kind(payload["kind"]),
        reference=f"APPROVAL:{approval.pk}",
        lines=lines,
        approval_id=approval.pk,
        reverses_id=payload["reverses"],
    )
    return posted.transfer_id


def line_of(code: str, bucket: str, amount: str) -> Line:
    """A line from the words it was kept in."""
    kind, who, asset = code.split(":", 2)
    number = int(who) if who else None
    owner, venue_account = (number, None) if kind == Account.Type.USER else (None, number)
    return Line(AccountName(kind, asset, owner, venue_account), bucket, Decimal(amount))
