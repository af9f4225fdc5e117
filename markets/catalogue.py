"""What of the venue's list can be kept: each row for itself, so that an odd one holds up no other market."""

from dataclasses import replace

from exchange.binance.models import ExchangeInfo, SymbolInfo, Unreadable
from markets import rules
from markets.limits import amounts_of

LONGEST_SYMBOL, LONGEST_WORD, MOST_PRECISION = 64, 32, 38


def readable(info: ExchangeInfo) -> ExchangeInfo:
    """The same with what cannot be kept among the unreadable rows."""
    kept, odd = [], []
    for symbol in info.symbols:
        if symbol.is_spot and (reason := _oddity(symbol)):
            odd.append(Unreadable(symbol.symbol, symbol.status, reason))
        else:
            kept.append(symbol)
    return replace(info, symbols=tuple(kept), unreadable=(*info.unreadable, *odd))


def status_of(row: Unreadable) -> str:
    """What the row says of the market's state all the same; else our own word, with which nobody can place."""
    return row.status if 0 < len(row.status) <= LONGEST_WORD else rules.UNREADABLE


def _oddity(symbol: SymbolInfo) -> str:
    """Why it cannot be kept; empty when it can."""
    words = (symbol.status, symbol.base, symbol.quote)
    if (
        not all(0 < len(word) <= LONGEST_WORD for word in words)
        or len(symbol.default_stp_mode) > LONGEST_WORD
    ):
        return "a word that is too long or none"
    if not 0 < len(symbol.symbol) <= LONGEST_SYMBOL:
        return "a name that is too long or none"
    if not all(0 <= most <= MOST_PRECISION for most in (symbol.base_precision, symbol.quote_precision)):
        return "a precision that cannot be"
    try:
        amounts = list(amounts_of(symbol.filters))
    except ArithmeticError:
        return "a limit that is no number"
    if not all(amount.is_finite() and abs(amount.adjusted()) <= MOST_PRECISION for amount in amounts):
        return "a limit that cannot be"
    return ""
