"""Rules of networks and statuses, without a database."""

import re
from collections.abc import Iterable
from decimal import Decimal

from ledger.errors import Unbalanced

# binance.md 15
DEPOSIT_SUCCESS = 1
DEPOSIT_REJECTED = frozenset({2, 7})
DEPOSIT_CREDITED = frozenset({1, 6})  # 6: in the account, but it cannot leave yet
WITHDRAW_COMPLETED = 6
WITHDRAW_FAILED = frozenset({1, 3, 5})
LONGEST_MATCHED = 200
_NESTED = re.compile(r"\([^()]*[+*][^()]*\)[+*{]")


def fits(pattern: str, text: str) -> bool:
    """True when the venue's pattern matches the whole text; a pattern that could run away is not run at all.

    Nested repetition is what makes a backtracking search explode; without it, and on at most 200 characters, the
    search is bounded.
    """
    if not text or len(text) > LONGEST_MATCHED or not text.isprintable() or " " in text:
        return False
    if not pattern or _NESTED.search(pattern):
        return True
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return True


def venue_cost(sent: Decimal, fee: Decimal) -> Decimal:
    """What a withdrawal took from the venue account: the history names what arrived and the network's fee."""
    return sent + fee


def sweep_name(deposit_id: int) -> str:
    """The client's id of the transfer that moves a deposit to the trading account: a repeat of it is harmless."""
    return f"cwsweep{deposit_id}"


def require_bookable(lines: Iterable[tuple[str, Decimal]]) -> None:
    """Refuses lines of (asset, amount) that do not sum to zero in every asset, or are fewer than two."""
    sums: dict[str, Decimal] = {}
    count = 0
    for asset, amount in lines:
        sums[asset] = sums.get(asset, Decimal(0)) + amount
        count += 1
    if count < 2 or any(sums.values()):
        raise Unbalanced(field="lines")
