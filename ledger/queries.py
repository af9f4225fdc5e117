"""What the books say."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Q, QuerySet, Sum

from ledger.errors import UnknownNetwork, UnknownWithdrawal
from ledger.models import (
    Account,
    Balance,
    Deposit,
    DepositAddress,
    Entry,
    Hold,
    LedgerException,
    Network,
    Withdrawal,
)

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class BalanceRow:
    asset: str
    available: Decimal
    held: Decimal


def balances(user_id: int) -> list[BalanceRow]:
    """Every asset the customer ever had, by code."""
    found = Balance.objects.filter(account__owner_id=user_id, account__type=Account.Type.USER)
    rows = found.order_by("account__asset_id").values_list("account__asset_id", "available", "held")
    return [BalanceRow(*row) for row in rows]


def available(user_id: int, asset: str) -> Decimal:
    """What the customer can spend of the asset."""
    return next((row.available for row in balances(user_id) if row.asset == asset), Decimal(0))


def trial_balance() -> dict[str, Decimal]:
    """Assets whose entries do not sum to zero; empty when all is well."""
    sums = Entry.objects.order_by().values_list("asset_id").annotate(total=Sum("amount")).exclude(total=0)
    return dict(sums)


def statement(user_id: int, asset: str) -> QuerySet[Entry]:
    """The customer's entries in the asset, newest first, each with its bucket's balance afterwards."""
    return (
        Entry.objects.filter(account__owner_id=user_id, account__type=Account.Type.USER, asset_id=asset)
        .select_related("transfer")
        .order_by("-seq")
    )


def entries_of_cause(cause: Hold.Cause, cause_id: int, user_id: int) -> QuerySet[Entry]:
    """The customer's entries that one order or withdrawal brought about, oldest first."""
    return (
        Entry.objects.filter(transfer__reference=f"{cause}:{cause_id}", account__owner_id=user_id)
        .select_related("transfer")
        .order_by("id")
    )


def house(asset: str) -> dict[str, Decimal]:
    """The house's accounts in the asset, by type."""
    sums = Entry.objects.filter(asset_id=asset, account__owner__isnull=True).order_by()
    return {row[0]: row[1] for row in sums.values_list("account__type").annotate(total=Sum("amount"))}


def open_holds(asset: str | None = None) -> QuerySet[Hold]:
    """Holds that still hold something, oldest first."""
    found = Hold.objects.filter(is_open=True, remaining__gt=0).select_related("account").order_by("id")
    return found.filter(account__asset_id=asset) if asset else found


def venue_position(venue_account_id: int) -> dict[str, Decimal]:
    """What the books say the venue account holds for us: minus the sum of its entries, by asset, zero left out."""
    sums = Entry.objects.filter(account__venue_account_id=venue_account_id).order_by()
    rows = sums.values_list("asset_id").annotate(total=Sum("amount")).exclude(total=0)
    return {asset: -total for asset, total in rows}


def network(asset: str, code: str) -> Network:
    """Raises UnknownNetwork."""
    found = Network.objects.filter(asset_id=asset, code=code).first()
    if found is None:
        raise UnknownNetwork(field="network")
    return found


def networks(asset: str | None = None) -> QuerySet[Network]:
    """The ways an asset can travel, the venue's default first."""
    found = Network.objects.order_by("asset_id", "-is_default", "code")
    return found.filter(asset_id=asset) if asset else found


def deposits(user: "User") -> QuerySet[Deposit]:
    """The customer's deposits, newest first."""
    return Deposit.objects.filter(user=user)


def withdrawals(user: "User") -> QuerySet[Withdrawal]:
    """The customer's withdrawals, newest first."""
    return Withdrawal.objects.filter(user=user).select_related("network")


def withdrawal_of(user: "User", withdrawal_id: int) -> Withdrawal:
    """Raises UnknownWithdrawal, for somebody else's too."""
    found = withdrawals(user).filter(pk=withdrawal_id).first()
    if found is None:
        raise UnknownWithdrawal()
    return found


def addresses(user: "User") -> QuerySet[DepositAddress]:
    return DepositAddress.objects.filter(user=user).select_related("network")


def open_exceptions() -> QuerySet[LedgerException]:
    """Differences nobody has explained yet, oldest first."""
    return LedgerException.objects.filter(resolved_at__isnull=True).order_by("id")


def waiting_withdrawals() -> QuerySet[Withdrawal]:
    """Withdrawals that wait for staff, oldest first."""
    found = Withdrawal.objects.filter(status=Withdrawal.Status.REQUESTED)
    return found.select_related("user", "network").order_by("id")


def first_broken_row() -> str:
    """The first row that breaks a law of the books, in words; empty when none does."""
    for name, sql in _LAWS:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            if row := cursor.fetchone():
                return f"{name}: {' '.join(str(part) for part in row)}"
    return ""


_LAWS = (
    (
        "trial balance of asset",
        "SELECT asset_id, sum(amount) FROM ledger_entry GROUP BY 1 HAVING sum(amount) <> 0",
    ),
    (
        "unbalanced transfer",
        "SELECT transfer_id, asset_id, sum(amount) FROM ledger_entry GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1",
    ),
    (
        "transfer without entries",
        "SELECT id FROM ledger_transfer t WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transfer_id = t.id)",
    ),
    (
        "balance of account",
        "SELECT b.account_id, b.available, b.held FROM ledger_balance b LEFT JOIN ("
        " SELECT account_id, coalesce(sum(amount) FILTER (WHERE bucket = 'A'), 0) AS a,"
        " coalesce(sum(amount) FILTER (WHERE bucket = 'H'), 0) AS h, count(*) AS n FROM ledger_entry GROUP BY 1"
        ") e USING (account_id)"
        " WHERE b.available <> coalesce(e.a, 0) OR b.held <> coalesce(e.h, 0) OR b.version <> coalesce(e.n, 0)",
    ),
    (
        "gap in the sequence of account",
        "SELECT account_id, max(seq), count(*) FROM ledger_entry WHERE seq IS NOT NULL GROUP BY 1"
        " HAVING max(seq) <> count(*) OR min(seq) <> 1",
    ),
    (
        "balance after entry",
        "SELECT id FROM (SELECT id, balance_after, sum(amount) OVER (PARTITION BY account_id, bucket ORDER BY seq) AS s"
        " FROM ledger_entry WHERE seq IS NOT NULL) e WHERE balance_after <> s ORDER BY id",
    ),
    (
        "holds of account",
        "SELECT b.account_id, b.held FROM ledger_balance b LEFT JOIN ("
        " SELECT account_id, sum(remaining) AS r FROM ledger_hold GROUP BY 1) h USING (account_id)"
        " WHERE b.held <> coalesce(h.r, 0)",
    ),
)


def unfinished_withdrawals() -> QuerySet[Withdrawal]:
    """Withdrawals the venue was told of, or may have been, and that are not final."""
    return Withdrawal.objects.filter(
        Q(status=Withdrawal.Status.SENDING) | Q(status=Withdrawal.Status.SENT)
    ).order_by("id")


def find_withdrawals(text: str, number: int | None = None) -> QuerySet[Withdrawal]:
    """Withdrawals with this number, address, transaction or id at the venue, newest first."""
    named = (
        Q(address=text) | Q(tx_id=text) | Q(client_id=text) | Q(venue_id=text) | Q(user__email__iexact=text)
    )
    return Withdrawal.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")


def find_deposits(text: str, number: int | None = None) -> QuerySet[Deposit]:
    """Deposits with this number, address, transaction or id at the venue, newest first."""
    named = Q(address=text) | Q(tx_id=text) | Q(venue_id=text) | Q(user__email__iexact=text)
    return Deposit.objects.filter(named | Q(pk=number)).select_related("user").order_by("-id")
