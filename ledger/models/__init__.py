"""The books, and the money that comes in and goes out. Written only by `ledger_post` and the services."""

from ledger.models.books import Account, Balance, Entry, Hold, Transfer
from ledger.models.claims import DepositClaim
from ledger.models.deposits import Deposit, DepositAddress, DepositReading, SubAccount
from ledger.models.evidence import Seal, SealedTransfer, Snapshot
from ledger.models.fields import amount_field
from ledger.models.networks import Network
from ledger.models.proofs import Proof, ProofLeaf, ProofLevel
from ledger.models.reconciling import HistoryCheck, LedgerException, Place, ReconciledAsset, Reconciliation
from ledger.models.withdrawals import SavedAddress, Withdrawal, WithdrawalApproval, WithdrawalTerms

__all__ = [
    "Account",
    "Balance",
    "Deposit",
    "DepositAddress",
    "DepositClaim",
    "DepositReading",
    "Entry",
    "HistoryCheck",
    "Hold",
    "LedgerException",
    "Network",
    "Place",
    "Proof",
    "ProofLeaf",
    "ProofLevel",
    "ReconciledAsset",
    "Reconciliation",
    "SavedAddress",
    "Seal",
    "SealedTransfer",
    "Snapshot",
    "SubAccount",
    "Transfer",
    "Withdrawal",
    "WithdrawalApproval",
    "WithdrawalTerms",
    "amount_field",
]
