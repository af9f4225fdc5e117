"""Firm prices, what is booked at them, and how the house covers itself. The only writer of conversions."""

from conversions.services.accepting import accept_quote
from conversions.services.covering import cover_positions
from conversions.services.margins import begin_margin, end_margin
from conversions.services.quoting import Wish, make_quote, prune_quotes

__all__ = [
    "Wish",
    "accept_quote",
    "begin_margin",
    "cover_positions",
    "end_margin",
    "make_quote",
    "prune_quotes",
]
