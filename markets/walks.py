"""What an order would get from a book as it stands: level after level, to the last digit."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from exchange.money import EXACT, MAX_DECIMALS, divide, floor_to_step, multiply, round_down

ZERO, BPS = Decimal(0), Decimal(10_000)
Level = tuple[str, str]  # price, quantity: the venue's texts


@dataclass(frozen=True)
class Walk:
    """What an order would get; `average`, `worst` and `slippage_bps` are None when that is nothing.

    `share` is the part of what was wanted that is got, from 0 to 1. `is_complete` means that the order wants nothing
    more (a total less than a step would cost may be left); `is_beyond` that the known levels ended first.
    """

    quantity: Decimal
    quote: Decimal
    average: Decimal | None
    worst: Decimal | None
    slippage_bps: Decimal | None
    share: Decimal
    is_complete: bool
    is_beyond: bool


def walk(
    levels: Sequence[Level],
    side: str,
    *,
    quantity: Decimal | None = None,
    quote: Decimal | None = None,
    limit: Decimal | None = None,
    step: Decimal = ZERO,
    scale: int = MAX_DECIMALS,
) -> Walk:
    """Walks the levels that the order takes, best first, for a quantity of base or for a total in quote.

    No level beyond the limit is taken. A total buys or sells whole steps only, as at the venue; 0 is no rule. What a
    level costs is rounded down to the scale, the quote asset's decimals, as the venue does it trade by trade.
    """
    wanted = quantity if quote is None else quote
    assert wanted is not None, "a walk is for a quantity or for a total"
    left, got, spent, worst = wanted, ZERO, ZERO, None
    is_complete, is_beyond = not wanted, bool(wanted)
    for price_text, offered_text in levels:
        price, offered = Decimal(price_text), Decimal(offered_text)
        if is_complete or (limit is not None and (price > limit if side == "BUY" else price < limit)):
            is_beyond = False
            break
        taken, paid = _take(price, offered, left, step, is_total=quote is not None)
        if taken:
            worst, got = price, EXACT.add(got, taken)
            spent = EXACT.add(spent, round_down(paid, scale))
            left = EXACT.subtract(left, taken if quote is None else paid)
        is_complete = taken < offered or not left
    share = divide(EXACT.subtract(wanted, left), wanted) if wanted else Decimal(1)
    if worst is None:
        return Walk(got, spent, None, None, None, share, is_complete, is_beyond and not is_complete)
    average, best = divide(spent, got), Decimal(levels[0][0])
    slippage = divide(abs(average - best) * BPS, best)
    return Walk(got, spent, average, worst, slippage, share, is_complete, is_beyond and not is_complete)


def _take(
    price: Decimal, offered: Decimal, left: Decimal, step: Decimal, *, is_total: bool
) -> tuple[Decimal, Decimal]:
    """How much of one level is taken and what it costs, when so much quantity, or so much of the total, is left."""
    if not is_total:
        taken = min(left, offered)
        return taken, multiply(price, taken)
    worth = multiply(price, offered)
    if worth <= left:
        return offered, worth
    if not step:
        return divide(left, price), left
    taken = floor_to_step(divide(left, price), step)
    return taken, multiply(price, taken)
