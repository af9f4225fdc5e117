"""What the books said at another time: balances at any moment, the entries of a period."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from exchange.database import same_moment
from ledger.errors import NotYet, UnknownTransfer
from ledger.models import Account, Balance, Entry, Hold, Transfer
from ledger.queries.books import BalanceRow, balance, require_asset, statement

# Nobody waits longer for a page.
PAGE_SECONDS = 5
TRADES = (Transfer.Kind.FILL, Transfer.Kind.CROSS)
ACCOUNTS = Account.objects.filter(type=Account.Type.USER)


@dataclass(frozen=True)
class Wanted:
    """Which entries of a statement: from a moment, up to but without another, of a kind of transfer.

    Of trades also the asset they were made against, and whether they brought in or took out.
    """

    since: datetime | None = None
    until: datetime | None = None
    kind: str = ""
    against: str = ""
    way: str = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.kind or self.against or self.way)


@dataclass(frozen=True)
class Statement:
    """The balance before a period, its entries, newest first, and the balance after it."""

    opening: BalanceRow
    closing: BalanceRow
    entries: QuerySet[Entry]

    @property
    def total(self) -> Decimal:
        """What the entries sum to, both buckets together."""
        return self.entries.order_by().aggregate(total=Sum("amount"))["total"] or Decimal(0)


# ------------------------------------------------------------------ at a moment
def balances_at(user_id: int, at: datetime) -> list[BalanceRow]:
    """Every asset the customer had by then, as the books had it; refuses a moment that has not come.

    What counts is every entry up to the last one whose posting began at that moment or before (see history.sql): the
    later moment never counts fewer entries, and an answer is final once the postings under way then have ended, which
    takes seconds.
    """
    if at > timezone.now():
        raise NotYet(field="at")
    sql = (
        "SELECT a.asset_id, b.available, b.held FROM ledger_account a,"
        " LATERAL ledger_seq_before(a.id, %s + interval '1 microsecond') AS s (seq),"
        " LATERAL ledger_balance_after(a.id, s.seq) AS b"
        " WHERE a.owner_id = %s AND a.type = 'USER' AND s.seq > 0 ORDER BY a.asset_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [at, user_id])
        return [BalanceRow(*row) for row in cursor.fetchall()]


# ------------------------------------------------------------------ a period
def statement_of(user_id: int, asset: str, wanted: Wanted) -> Statement:
    """The customer's statement; its entries lie exactly between its two balances, whatever was posted at once."""
    with same_moment(seconds=PAGE_SECONDS):
        account = ACCOUNTS.filter(owner_id=user_id, asset_id=asset).first()
        if account is None:
            require_asset(asset)
            nothing = balance(user_id, asset)
            return Statement(nothing, nothing, Entry.objects.none())
        first = _seq_before(account, wanted.since) if wanted.since else 0
        last = _seq_before(account, wanted.until) if wanted.until else latest(account)
        last = max(first, last)
        entries = statement(user_id, asset).filter(seq__gt=first, seq__lte=last)
        return Statement(
            balance_after(account, first), balance_after(account, last), narrowed(entries, account, wanted)
        )


def _seq_before(account: Account, moment: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_seq_before(%s, %s)", [account.pk, moment])
        return int(cursor.fetchone()[0])


def latest(account: Account) -> int:
    """The number of the account's last entry."""
    return Balance.objects.values_list("version", flat=True).get(account=account)


def balance_after(account: Account, seq: int) -> BalanceRow:
    """What was available and held after the account's entry of that number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT available, held FROM ledger_balance_after(%s, %s)", [account.pk, seq])
        return BalanceRow(account.asset_id, *cursor.fetchone())


def narrowed(entries: QuerySet[Entry], account: Account, wanted: Wanted) -> QuerySet[Entry]:
    """The entries of the wanted kind; a trade is one whether the venue or another customer made it."""
    if wanted.kind:
        kinds = TRADES if wanted.kind in TRADES else (wanted.kind,)
        entries = entries.filter(transfer__kind__in=kinds)
    if wanted.against:
        other = ACCOUNTS.filter(owner_id=account.owner_id, asset_id=wanted.against).values("id")
        lines = Entry.objects.filter(transfer_id=OuterRef("transfer_id"), account_id__in=other)
        entries = entries.filter(Exists(lines))
    if wanted.way:
        sums = Entry.objects.filter(account=account).order_by().values("transfer_id")
        net = sums.annotate(net=Sum("amount"))
        net = net.filter(net__gt=0) if wanted.way == "in" else net.filter(net__lt=0)
        entries = entries.filter(transfer_id__in=net.values("transfer_id"))
    return entries


# ------------------------------------------------------------------ one transfer
def own_lines(user_id: int, transfer_id: int) -> list[Entry]:
    """The customer's lines of the transfer, in the order they were booked; raises UnknownTransfer, for others' too."""
    found = Entry.objects.filter(transfer_id=transfer_id, account__owner_id=user_id)
    lines = list(found.select_related("transfer").order_by("id"))
    if not lines:
        raise UnknownTransfer()
    return lines


def own_reference(reference: str, user_id: int) -> str:
    """The part of a transfer's reference that is the customer's to see: of a crossed trade their own order alone."""
    cause, _colon, numbers = reference.partition(":")
    both = numbers.split("+")
    if len(both) < 2:
        return reference
    own = Hold.objects.filter(cause=cause, cause_id__in=both, account__owner_id=user_id)
    return f"{cause}:{own.values_list('cause_id', flat=True).first() or ''}"
