"""The only writers of the books and of what comes in and goes out."""

from ledger.models import Hold
from ledger.services.approved import ask_decision, ask_posting, ask_reversal, carry_out_approvals
from ledger.services.comparing import Difference, compare_with_venue
from ledger.services.crossing import CrossSide, post_cross, post_dust, post_fee
from ledger.services.deposits import deposit_address, poll_deposits
from ledger.services.exceptions import note_exception
from ledger.services.fills import FillPosting, post_fill, post_orphan_fill
from ledger.services.holds import hold, release
from ledger.services.networks import synchronise_networks
from ledger.services.posting import Line, Posted, post
from ledger.services.sending import poll_withdrawals, send_next_withdrawal
from ledger.services.withdrawals import (
    approve_withdrawal,
    cancel_withdrawal,
    refuse_withdrawal,
    request_withdrawal,
)

Cause = Hold.Cause

__all__ = [
    "Cause",
    "CrossSide",
    "Difference",
    "FillPosting",
    "Line",
    "Posted",
    "approve_withdrawal",
    "ask_decision",
    "ask_posting",
    "ask_reversal",
    "cancel_withdrawal",
    "carry_out_approvals",
    "compare_with_venue",
    "deposit_address",
    "hold",
    "note_exception",
    "poll_deposits",
    "poll_withdrawals",
    "post",
    "post_cross",
    "post_dust",
    "post_fee",
    "post_fill",
    "post_orphan_fill",
    "refuse_withdrawal",
    "release",
    "request_withdrawal",
    "send_next_withdrawal",
    "synchronise_networks",
]
