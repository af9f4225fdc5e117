"""The only writers of the books and of what comes in and goes out."""

from ledger.differences import Explanation
from ledger.models import Hold, LedgerException, Place
from ledger.services.addresses import remove_address, save_address, set_book_only
from ledger.services.adjusting import CATEGORIES, SIDES, ask_adjustment, sides
from ledger.services.approved import PREFIX, ask_decision, ask_posting, ask_reversal, carry_out_approvals
from ledger.services.beneficiaries import Beneficiary, beneficiary_of, read_beneficiary
from ledger.services.confirming import confirm_withdrawal, expire_withdrawals
from ledger.services.converting import ConversionPosting, give_back_cover, hold_for_cover, post_conversion
from ledger.services.crossing import CrossSide, post_cross, post_dust, post_fee
from ledger.services.deciding import approve_withdrawal, ask_paid, ask_refund, refuse_withdrawal
from ledger.services.deposits import (
    UNDECIDED,
    announce_deposit,
    ask_attribution,
    ask_claim,
    ask_keeping,
    ask_restoring,
    ask_return,
    ask_taking_back,
    cancel_claim,
    deposit_address,
    poll_deposits,
    read_claim_proof,
    refuse_claim,
)
from ledger.services.exceptions import ask_closing, note_exception, take_exception
from ledger.services.explaining import explains
from ledger.services.fills import FillPosting, commission_lines, covered_fill, post_fill, post_orphan_fill
from ledger.services.following import poll_withdrawals, revisit_withdrawals
from ledger.services.history import (
    Comparison,
    Finding,
    compare_days,
    compare_history,
    note_findings,
    note_history,
    span_of,
)
from ledger.services.holds import held_for_new, hold, hold_of_new, lock_hold, reduce_hold, release
from ledger.services.networks import synchronise_first_networks, synchronise_networks
from ledger.services.overdue import note_overdue_withdrawals
from ledger.services.posting import POST, Line, Posted, post, refusals
from ledger.services.proofs import publish_due_proof, publish_proof
from ledger.services.reconciling import (
    prune_reconciliations,
    reconcile,
    reconcile_all,
    reconcile_now,
)
from ledger.services.reporting import export_report
from ledger.services.sealing import export_seals, mail_seal, note_verified, seal_books
from ledger.services.sending import send_next_withdrawal
from ledger.services.snapshots import snapshot_house
from ledger.services.stopping import require_asset_open
from ledger.services.withdrawals import cancel_withdrawal, cancel_withdrawals, request_withdrawal

Cause = Hold.Cause
Source = LedgerException.Source

__all__ = [
    "CATEGORIES",
    "POST",
    "PREFIX",
    "SIDES",
    "UNDECIDED",
    "Beneficiary",
    "Cause",
    "Comparison",
    "ConversionPosting",
    "CrossSide",
    "Explanation",
    "FillPosting",
    "Finding",
    "Line",
    "Place",
    "Posted",
    "Source",
    "announce_deposit",
    "approve_withdrawal",
    "ask_adjustment",
    "ask_attribution",
    "ask_claim",
    "ask_closing",
    "ask_decision",
    "ask_keeping",
    "ask_paid",
    "ask_posting",
    "ask_refund",
    "ask_restoring",
    "ask_return",
    "ask_reversal",
    "ask_taking_back",
    "beneficiary_of",
    "cancel_claim",
    "cancel_withdrawal",
    "cancel_withdrawals",
    "carry_out_approvals",
    "commission_lines",
    "compare_days",
    "compare_history",
    "confirm_withdrawal",
    "covered_fill",
    "deposit_address",
    "expire_withdrawals",
    "explains",
    "export_report",
    "export_seals",
    "give_back_cover",
    "held_for_new",
    "hold",
    "hold_for_cover",
    "hold_of_new",
    "lock_hold",
    "mail_seal",
    "note_exception",
    "note_findings",
    "note_history",
    "note_overdue_withdrawals",
    "note_verified",
    "poll_deposits",
    "poll_withdrawals",
    "post",
    "post_conversion",
    "post_cross",
    "post_dust",
    "post_fee",
    "post_fill",
    "post_orphan_fill",
    "prune_reconciliations",
    "publish_due_proof",
    "publish_proof",
    "read_beneficiary",
    "read_claim_proof",
    "reconcile",
    "reconcile_all",
    "reconcile_now",
    "reduce_hold",
    "refusals",
    "refuse_claim",
    "refuse_withdrawal",
    "release",
    "remove_address",
    "request_withdrawal",
    "require_asset_open",
    "revisit_withdrawals",
    "save_address",
    "seal_books",
    "send_next_withdrawal",
    "set_book_only",
    "sides",
    "snapshot_house",
    "span_of",
    "synchronise_first_networks",
    "synchronise_networks",
    "take_exception",
]
