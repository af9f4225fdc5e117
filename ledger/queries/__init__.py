"""What the books, and what came in and went out, say."""

from ledger.queries.books import (
    BalanceRow,
    available,
    balances,
    entries_of_cause,
    house,
    open_holds,
    statement,
    trial_balance,
    venue_position,
)
from ledger.queries.deposits import addresses, deposits, find_deposits, locked
from ledger.queries.evidence import first_broken_row
from ledger.queries.networks import network, networks
from ledger.queries.reconciling import has_exception, open_exceptions
from ledger.queries.withdrawals import (
    find_withdrawals,
    unfinished_withdrawals,
    waiting_withdrawals,
    withdrawal_of,
    withdrawals,
)

__all__ = [
    "BalanceRow",
    "addresses",
    "available",
    "balances",
    "deposits",
    "entries_of_cause",
    "find_deposits",
    "find_withdrawals",
    "first_broken_row",
    "has_exception",
    "house",
    "locked",
    "network",
    "networks",
    "open_exceptions",
    "open_holds",
    "statement",
    "trial_balance",
    "unfinished_withdrawals",
    "venue_position",
    "waiting_withdrawals",
    "withdrawal_of",
    "withdrawals",
]
