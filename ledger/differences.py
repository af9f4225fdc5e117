"""Arithmetic of differences between the books and the venue, without a database.

A difference is what the venue has more than the books say, after what is under way between the two: the venue's
amount less ours less what is explained.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True)
class Explanation:
    """An amount under way that one side knows of and the other does not yet, and the row behind it.

    An uncertain one may or may not have happened, such as a withdrawal the venue never answered to: it counts only as
    far as the difference asks for it.
    """

    place: str
    asset: str
    amount: Decimal
    words: str
    row: str
    is_certain: bool = True


@dataclass(frozen=True)
class Candidate:
    """Something of the recent past that would have made a difference of this amount."""

    code: str
    amount: Decimal
    row: str


def counted(difference: Decimal, explanations: Sequence[Explanation]) -> list[Explanation]:
    """The explanations that hold: every certain one, and of the uncertain those the rest of the difference contains.

    The largest first, so one of the very amount comes before any that are parts of it.
    """
    taken = [found for found in explanations if found.is_certain]
    left = difference - sum((found.amount for found in taken), ZERO)
    uncertain = [found for found in explanations if not found.is_certain]
    for found in sorted(uncertain, key=lambda each: abs(each.amount), reverse=True):
        if left * found.amount > 0 and abs(found.amount) <= abs(left):
            taken.append(found)
            left -= found.amount
    return taken


def meanwhile(left: Decimal, *, moved: Decimal) -> Decimal:
    """The part of what is left that the books' own movement while the venue was asked can account for.

    The venue's figure is of some moment in between, so it may lack anything from nothing to all of the movement.
    """
    if left * moved >= 0:
        return ZERO
    return max(left, -moved) if left < 0 else min(left, -moved)


def persisted(differences: Sequence[Decimal]) -> Decimal:
    """The part of a difference that every one of the runs found: the smallest, or zero when the sign changed."""
    if not differences or any(difference * differences[0] <= 0 for difference in differences):
        return ZERO
    return min(differences, key=abs)


def probable_cause(
    difference: Decimal, *, ours: Decimal, smallest_step: Decimal, candidates: Iterable[Candidate]
) -> tuple[str, str]:
    """A code and the row behind it: the first thing of that very amount, else what its size or place says."""
    for candidate in candidates:
        if candidate.amount == difference:
            return candidate.code, candidate.row
    if abs(difference) < smallest_step:
        return "dust", ""
    if ours == 0 and difference > 0:
        return "gift", ""
    return "unknown", ""
