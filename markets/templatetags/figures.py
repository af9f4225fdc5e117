"""Amounts, prices and changes as people read them: grouped by thousands, never rounded silently."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from exchange.money import decimals, plain

register = template.Library()
NOTHING = "–"
SPARK_WIDTH, SPARK_HEIGHT = 230, 60


def number(value: object) -> Decimal | None:
    """The value as a finite Decimal, or None when there is none."""
    if value is None or value == "":
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def grouped(text: str) -> str:
    """1234567.891 as 1,234,567.891; the sign stays in front."""
    whole, point, rest = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits or 0):,}{point}{rest}"


@register.filter
def amount(value: object) -> str:
    """All the digits the amount has, and no trailing zeros."""
    found = number(value)
    return NOTHING if found is None else grouped(plain(found))


@register.filter(name="plain")
def plain_text(value: object) -> str:
    """The amount as forms and scripts take it."""
    found = number(value)
    return "" if found is None else plain(found)


@register.filter
def at_step(value: object, step: object) -> str:
    """A price or quantity with as many decimals as its step has."""
    found, grain = number(value), number(step)
    if found is None or grain is None:
        return amount(value)
    places = max(decimals(grain), decimals(found))
    return grouped(format(found.quantize(Decimal(1).scaleb(-places)), "f"))


@register.filter
def places(value: object, count: int) -> str:
    """A figure for orientation, cut to so many decimals: sums and changes, never a balance."""
    found = number(value)
    if found is None:
        return NOTHING
    cut = found.quantize(Decimal(1).scaleb(-int(count))) + 0  # nothing has no sign
    return grouped(format(cut, "f")).replace("-", "−")


@register.filter
def compact(value: object) -> str:
    """A volume in at most four figures: 1.234M."""
    found = number(value)
    if found is None:
        return NOTHING
    for power, letter in ((12, "T"), (9, "B"), (6, "M"), (3, "K")):
        if abs(found) >= Decimal(10) ** power:
            return f"{found.scaleb(-power):.2f}{letter}"
    return f"{found:.2f}"


@register.filter
def change(value: object) -> SafeString:
    """A change in per cent with its sign and its colour."""
    found = number(value)
    if found is None:
        return format_html('<span class="muted">{}</span>', NOTHING)
    kind = "up" if found > 0 else "down" if found < 0 else "muted"
    return format_html('<span class="{}">{}</span>', kind, f"{found:+.2f}%".replace("-", "−"))


@register.filter
def signed(value: object) -> str:
    """An amount with its sign in front."""
    found = number(value)
    if found is None:
        return NOTHING
    return f"+{amount(found)}" if found > 0 else amount(found).replace("-", "−")


@register.filter
def minus(value: object) -> str:
    """An amount that is taken off."""
    found = number(value)
    return NOTHING if found is None else f"−{amount(found)}" if found else "0"


@register.filter
def bps(value: object) -> str:
    """Basis points as per cent: 10 is 0.1%."""
    found = number(value)
    return NOTHING if found is None else f"{plain(found.scaleb(-2))}%"


@register.filter
def stamp(at: datetime) -> str:
    """A moment to the millisecond, where it matters which of two things came first."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"


@register.filter
def spark(closes: Sequence[Decimal], percent: object = None) -> SafeString:
    """Prices as a line in the colour of their change, for the eye alone: the figures stand beside it."""
    if len(closes) < 2:
        return format_html('<span class="muted">{}</span>', NOTHING)
    low, span = min(closes), max(closes) - min(closes)
    heights = [(close - low) * SPARK_HEIGHT / span if span else Decimal(SPARK_HEIGHT) / 2 for close in closes]
    step = Decimal(SPARK_WIDTH) / (len(closes) - 1)
    points = " ".join(
        f"{index * step:.0f},{SPARK_HEIGHT - height:.0f}" for index, height in enumerate(heights)
    )
    moved = closes[-1] - closes[0] if percent is None else number(percent) or Decimal(0)
    kind = "up" if moved > 0 else "down" if moved < 0 else "muted"
    return format_html(
        '<svg class="spark {}" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<polyline points="{}" vector-effect="non-scaling-stroke"/></svg>',
        kind, SPARK_WIDTH, SPARK_HEIGHT, points,
    )  # fmt: skip
