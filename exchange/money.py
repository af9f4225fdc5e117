"""Amounts: Decimal from wire to wire, plain text outside, rounding only where it is named."""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation, Overflow

from exchange.errors import BadNumber

MAX_DECIMALS = 18
MAX_DIGITS = 20
_PLAIN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")
# Wide enough for a 38-digit product of two amounts; anything that would be rounded raises instead.
EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
_WIDE = Context(prec=80, traps=[InvalidOperation, Overflow])  # rounds half even
_QUOTIENT = Context(prec=40)


def parse(text: object, *, field: str | None = None) -> Decimal:
    """A plain, unsigned decimal string as Decimal; refuses floats, exponents, signs, NaN and foreign digits."""
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise BadNumber(field=field)
    return Decimal(text)


def plain(amount: Decimal) -> str:
    """The amount as plain text without exponent and without trailing zeros."""
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def decimals(amount: Decimal) -> int:
    """How many decimals the amount really needs."""
    exponent = amount.normalize(_WIDE).as_tuple().exponent
    assert isinstance(exponent, int), "NaN and infinity never get this far"
    return max(0, -exponent)


def is_multiple(amount: Decimal, step: Decimal) -> bool:
    """True when the step divides the amount; a step of zero means there is no rule."""
    return step == 0 or EXACT.remainder(amount, step) == 0


def floor_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of the step that is not above the amount."""
    return amount if step == 0 else EXACT.multiply(EXACT.divide_int(amount, step), step)


def ceil_to_step(amount: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of the step that is not below the amount."""
    low = floor_to_step(amount, step)
    return low if low == amount else EXACT.add(low, step)


def round_up(amount: Decimal, scale: int) -> Decimal:
    """Rounded up to the scale: what a hold takes, so that it always covers its cause."""
    return amount.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_CEILING, context=_WIDE)


def round_down(amount: Decimal, scale: int) -> Decimal:
    """Rounded down to the scale."""
    return amount.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_FLOOR, context=_WIDE)


def round_half_even(amount: Decimal, scale: int) -> Decimal:
    """Rounded to the nearest of the scale: for figures that are shown and move nothing."""
    return amount.quantize(Decimal(1).scaleb(-scale), context=_WIDE)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product; raises Inexact rather than lose a digit."""
    return EXACT.multiply(left, right)


def divide(amount: Decimal, by: Decimal) -> Decimal:
    """A quotient of 40 digits, for estimates and before rounding down to a step."""
    return _QUOTIENT.divide(amount, by)
