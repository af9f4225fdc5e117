"""Rules of networks, amounts and statuses, without a database."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from exchange.money import MAX_DECIMALS, MAX_DIGITS, decimals, is_multiple, plain
from ledger.errors import AmountOffStep, AmountTooLarge, AmountTooSmall, FeeChanged, Unbalanced

# binance.md 15
DEPOSIT_PENDING, DEPOSIT_SUCCESS, DEPOSIT_LOCKED, DEPOSIT_UNCONFIRMED = 0, 1, 6, 8
DEPOSIT_WRONG = 7
DEPOSIT_REJECTED = frozenset({2, DEPOSIT_WRONG})
DEPOSIT_CREDITED = frozenset({DEPOSIT_SUCCESS, DEPOSIT_LOCKED})  # locked: there, but it cannot leave yet
DAY_MS = 86_400_000
WINDOW_MS = 89 * DAY_MS  # the venue answers for less than 90 days
WITHDRAW_COMPLETED = 6
WITHDRAW_FAILED = frozenset({1, 3, 5})
LONGEST_CODE = 32
LARGEST = Decimal(10) ** MAX_DIGITS


class Tariff(Protocol):
    """What a network says of amounts."""

    withdraw_fee: Decimal
    withdraw_min: Decimal
    withdraw_max: Decimal
    withdraw_multiple: Decimal


def require_amount(tariff: Tariff, amount: Decimal, scale: int) -> None:
    """Refuses what is no multiple, too little to leave something after the fee, or too much for the network."""
    unit = Decimal(1).scaleb(-scale)
    if decimals(amount) > scale:
        raise AmountOffStep(field="amount", step=plain(unit))
    if not is_multiple(amount, tariff.withdraw_multiple):
        raise AmountOffStep(field="amount", step=plain(tariff.withdraw_multiple))
    least = max(tariff.withdraw_min, tariff.withdraw_fee + unit)
    if amount < least:
        raise AmountTooSmall(field="amount", limit=plain(least))
    if tariff.withdraw_max and amount > tariff.withdraw_max:
        raise AmountTooLarge(field="amount", limit=plain(tariff.withdraw_max))


def require_fee(tariff: Tariff, amount: Decimal, fee: Decimal) -> None:
    """Refuses a fee other than the one that holds now, and says what the receiver would get."""
    if fee != tariff.withdraw_fee:
        net = plain(amount - tariff.withdraw_fee)
        raise FeeChanged(field="fee", fee=plain(tariff.withdraw_fee), net=net)


def venue_cost(sent: Decimal, fee: Decimal) -> Decimal:
    """What a withdrawal took from the venue account: the history names what arrived and the network's fee."""
    return sent + fee


def is_paid_as_asked(
    *, amount: Decimal, net: Decimal, most_fee: Decimal, sent: Decimal, fee: Decimal
) -> bool:
    """True when what arrived and what was taken are those of the request, give or take one fee of its network.

    The venue's fee moves between our quote and its sending, and may be taken from the amount or on top of it; by more
    than a whole fee nothing honest differs, and then people look before it is booked.
    """
    if not 0 < sent <= amount or fee < 0:
        return False
    return abs(sent - net) <= most_fee and abs(venue_cost(sent, fee) - amount) <= most_fee


def sweep_name(deposit_id: int, times_failed: int = 0) -> str:
    """The client's id of the transfer that moves a deposit to the trading account: a repeat of it is harmless."""
    return f"cwsweep{deposit_id}" + (f"r{times_failed}" if times_failed else "")


def windows(start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """The time from start to end in pieces the venue answers for, the newest first; their edges belong to both."""
    found = []
    while end_ms - start_ms > WINDOW_MS:
        found.append((end_ms - WINDOW_MS, end_ms))
        end_ms -= WINDOW_MS
    return [*found, (start_ms, end_ms)]


def oddity_of_deposit(amount: Decimal, coin: str, texts: Iterable[tuple[str, int]]) -> str:
    """What makes a venue's record nothing that could ever be booked; `texts` with what each may measure."""
    if not amount.is_finite() or amount <= 0:
        return "its amount is not above zero"
    if amount >= LARGEST or decimals(amount) > MAX_DECIMALS:
        return "its amount has more digits than the books keep"
    if not coin or len(coin) > LONGEST_CODE or any(len(text) > most for text, most in texts):
        return "its words are longer than any coin, address or transaction"
    return ""


def confirmations_of(text: str) -> tuple[int, int] | None:
    """`3/12` as three of twelve; None when the venue says something else."""
    have, slash, need = text.partition("/")
    return (int(have), int(need)) if slash and have.isdecimal() and need.isdecimal() else None


def minutes_left(text: str, minutes: int) -> int | None:
    """About how long the rest of the confirmations takes, when all of them take so many minutes."""
    counted = confirmations_of(text)
    if not minutes or counted is None or not counted[1]:
        return None
    have, need = counted
    return -(-minutes * max(0, need - have) // need)


def is_transaction_id(text: str) -> bool:
    """True for what a chain or an exchange may call a transaction: no page's address, no sentence."""
    return _TRANSACTION.fullmatch(text) is not None and "://" not in text


_TRANSACTION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z .:_@+/=-]{6,198}[0-9A-Za-z=])")


def require_bookable(lines: Iterable[tuple[str, Decimal]]) -> None:
    """Refuses lines of (asset, amount) that do not sum to zero in every asset, or are fewer than two."""
    sums: dict[str, Decimal] = {}
    count = 0
    for asset, amount in lines:
        sums[asset] = sums.get(asset, Decimal(0)) + amount
        count += 1
    if count < 2 or any(sums.values()):
        raise Unbalanced(field="lines")
