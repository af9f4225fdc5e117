"""Staff read the books, decide, and resolve differences."""

from ledger.admin import books, deposits, reconciling, withdrawals

__all__ = ["books", "deposits", "reconciling", "withdrawals"]
