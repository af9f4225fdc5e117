"""Staff read the books, decide, and resolve differences."""

from ledger.admin import books, deposits, evidence, proofs, reconciling, withdrawals

__all__ = ["books", "deposits", "evidence", "proofs", "reconciling", "withdrawals"]
