"""Firm prices, what is booked at them, and how the house covers itself. The only writer of conversions."""

from exchange.conversions.services.accepting import accept_quote
from exchange.conversions.services.covering import cover_positions
from exchange.conversions.services.margins import begin_margin, end_margin
from exchange.conversions.services.quoting import Wish, make_quote, prune_quotes

__all__ = [
    "Wish",
    "accept_quote",
    "begin_margin",
    "cover_positions",
    "end_margin",
    "make_quote",
    "prune_quotes",
]
