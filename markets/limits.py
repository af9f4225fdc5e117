"""What staff want to hear of: limits of the venue that became narrower, and words of it that nobody here knows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from markets.rules import GONE, UNREADABLE, ZERO, Filter, number

Word = tuple[str, str]
# What is known here of binance.md 8, 10 and 11; the last three states are of older documents.
STATUSES = frozenset(
    {
        "TRADING",
        "HALT",
        "BREAK",
        "CANCEL_ONLY",
        "END_OF_DAY",
        "PRE_TRADING",
        "POST_TRADING",
        "AUCTION_MATCH",
        GONE,
        UNREADABLE,
    }
)
ORDER_TYPES = frozenset(
    {"LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}
)
STP_MODES = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"})
_LEAST = {
    "PRICE_FILTER": ("minPrice", "tickSize"),
    "LOT_SIZE": ("minQty", "stepSize"),
    "MARKET_LOT_SIZE": ("minQty", "stepSize"),
    "MIN_NOTIONAL": ("minNotional",),
    "NOTIONAL": ("minNotional",),
    "PERCENT_PRICE": ("multiplierDown",),
    "PERCENT_PRICE_BY_SIDE": ("bidMultiplierDown", "askMultiplierDown"),
    "TRAILING_DELTA": ("minTrailingAboveDelta", "minTrailingBelowDelta"),
}
_MOST = {
    "PRICE_FILTER": ("maxPrice",),
    "LOT_SIZE": ("maxQty",),
    "MARKET_LOT_SIZE": ("maxQty",),
    "NOTIONAL": ("maxNotional",),
    "PERCENT_PRICE": ("multiplierUp",),
    "PERCENT_PRICE_BY_SIDE": ("bidMultiplierUp", "askMultiplierUp"),
    "TRAILING_DELTA": ("maxTrailingAboveDelta", "maxTrailingBelowDelta"),
    "ICEBERG_PARTS": ("limit",),
    "MAX_NUM_ORDERS": ("maxNumOrders",),
    "MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
    "MAX_NUM_ORDER_AMENDS": ("maxNumOrderAmends",),
    "MAX_POSITION": ("maxPosition",),
    "MAX_ASSET": ("limit",),
    "EXCHANGE_MAX_NUM_ORDERS": ("maxNumOrders",),
    "EXCHANGE_MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders",),
    "EXCHANGE_MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders",),
    "EXCHANGE_MAX_NUM_ORDER_LISTS": ("maxNumOrderLists",),
}
# One rule by two names: the venue has replaced the first filter of each pair by the second.
_SAME: dict[Word, tuple[Word, ...]] = {
    ("MIN_NOTIONAL", "minNotional"): (("NOTIONAL", "minNotional"),),
    **{
        ("PERCENT_PRICE", f"multiplier{end}"): tuple(
            ("PERCENT_PRICE_BY_SIDE", f"{who}Multiplier{end}") for who in ("bid", "ask")
        )
        for end in ("Up", "Down")
    },
}


@dataclass(frozen=True)
class Narrower:
    """A limit that leaves less room than before; zero: there was none."""

    filter_type: str
    name: str
    before: Decimal
    after: Decimal


def narrowed(before: Sequence[Filter], after: Sequence[Filter]) -> list[Narrower]:
    """The limits that are tighter now: a least amount or a step that grew, a most that shrank or is new."""
    found = []
    for names, is_most in ((_LEAST, False), (_MOST, True)):
        old, new = _limits(before, names, is_most=is_most), _limits(after, names, is_most=is_most)
        for key, value in new.items():
            was = old.get(key, ZERO)
            if value and (value < was or not was if is_most else value > was):
                found.append(Narrower(*key, was, value))
    return found


def narrowed_rates(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[Narrower]:
    """The venue's limits of requests and orders in a time that shrank or are new."""
    old, new = _rates(before), _rates(after)
    return [
        Narrower(*key, old.get(key, ZERO), limit)
        for key, limit in new.items()
        if key not in old or limit < old[key]
    ]


def _rates(rows: Iterable[Mapping[str, Any]]) -> dict[Word, Decimal]:
    """The limits, each by what is counted and in which time."""
    return {
        (str(row.get("rateLimitType")), f"{row.get('intervalNum')} {row.get('interval')}"): Decimal(
            row["limit"]
        )
        for row in rows
        if type(row.get("limit")) is int
    }


def _limits(
    filters: Sequence[Filter], names: Mapping[str, Sequence[str]], *, is_most: bool
) -> dict[Word, Decimal]:
    """Every limit of one direction that is there; of several by one name the tightest."""
    found: dict[Word, Decimal] = {}
    for item in filters:
        kind = str(item.get("filterType"))
        for name in names.get(kind, ()):
            value = number(item, name)
            for key in _SAME.get((kind, name), ((kind, name),)) if value else ():
                found[key] = (min if is_most else max)(value, found.get(key, value))
    return found


def amounts_of(filters: Iterable[Filter]) -> Iterator[Decimal]:
    """Every limit that is known here; raises InvalidOperation at what is no number."""
    for item in filters:
        for names in (_LEAST, _MOST):
            for name in names.get(str(item.get("filterType")), ()):
                yield number(item, name)


def unknown_words(
    status: str, filters: Iterable[Filter], order_types: Iterable[str], stp_modes: Iterable[str]
) -> Iterator[Word]:
    """What the venue says of a market in words that nothing here was written for, each with its kind."""
    said = chain(
        [("status", status)],
        (("filter", str(item.get("filterType"))) for item in filters),
        (("order type", str(word)) for word in order_types),
        (("self-trade prevention", str(word)) for word in stp_modes),
    )
    return (word for word in said if word not in _KNOWN)


_KNOWN = frozenset(
    (kind, word)
    for kind, words in (
        ("status", STATUSES),
        ("filter", {*_LEAST, *_MOST}),
        ("order type", ORDER_TYPES),
        ("self-trade prevention", STP_MODES),
    )
    for word in words
)
