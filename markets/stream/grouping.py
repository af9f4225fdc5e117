"""A book with several prices to a row, as a page shows it from farther away."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from exchange.money import EXACT, plain

ROWS = 20


def grouped(body: dict[str, Any], step: str) -> dict[str, Any]:
    """The published book with its levels summed by `step`: bids down to a multiple of it, asks up to one.

    A last row that may lack levels which are not known is left out, and so is one whose price would be zero; `best` has
    the venue's own best prices.
    """
    width = Decimal(step)
    rows = {"bids": ROUND_FLOOR, "asks": ROUND_CEILING}
    sides = {name: _side(body[name], width, rounding, body["known"]) for name, rounding in rows.items()}
    best = {name: body[name][0][0] for name in rows if body[name]}
    return {**body, "step": step, "best": best, **sides}


def _side(
    levels: list[tuple[str, str]], width: Decimal, rounding: str, known: int | None
) -> list[tuple[str, str]]:
    rows: list[tuple[Decimal, Decimal]] = []
    for price_text, quantity in levels[:known]:
        price = EXACT.multiply((Decimal(price_text) / width).to_integral_value(rounding), width)
        if rows and rows[-1][0] == price:
            rows[-1] = (price, EXACT.add(rows[-1][1], Decimal(quantity)))
        elif len(rows) == ROWS:
            break
        else:
            rows.append((price, Decimal(quantity)))
    else:
        if known is not None and rows:
            rows.pop()
    return [(plain(price), plain(quantity)) for price, quantity in rows if price]
