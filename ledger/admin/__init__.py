"""Staff read the books, decide, and resolve differences."""

from ledger.admin import books, claims, deposits, evidence, proofs, reconciling, withdrawals

__all__ = ["books", "claims", "deposits", "evidence", "proofs", "reconciling", "withdrawals"]
