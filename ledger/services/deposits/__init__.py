"""Deposits: an address of one's own, every record of the venue seen, credited once, swept, and followed afterwards.

addresses  the customer's own address, by the strategy the venue account is set to
reading    the sweep that asks the venue for every record; windows and pages, nothing lost between them
crediting  what a record means for the books
reversing  what the venue takes back after it was credited: an alarm, never a silent change
sweeping   from the customer's sub-account to the trading account
settling   what staff decide by four eyes: whose money is it, sent back, kept
claiming   deposits that customers announce, because the address is everybody's
"""

from ledger.services.deposits.addresses import deposit_address
from ledger.services.deposits.claiming import (
    announce_deposit,
    cancel_claim,
    read_claim_proof,
    refuse_claim,
)
from ledger.services.deposits.reading import poll_deposits
from ledger.services.deposits.settling import (
    UNDECIDED,
    ask_attribution,
    ask_claim,
    ask_keeping,
    ask_restoring,
    ask_return,
    ask_taking_back,
)

__all__ = [
    "UNDECIDED",
    "announce_deposit",
    "ask_attribution",
    "ask_claim",
    "ask_keeping",
    "ask_restoring",
    "ask_return",
    "ask_taking_back",
    "cancel_claim",
    "deposit_address",
    "poll_deposits",
    "read_claim_proof",
    "refuse_claim",
]
