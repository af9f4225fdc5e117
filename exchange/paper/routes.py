"""The table of REST paths, and how parameters of requests are read."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exchange.paper import errors
from exchange.paper.accounts import ApiKey
from exchange.paper.errors import ApiError, mandatory

if TYPE_CHECKING:
    from exchange.paper.market import Listed
    from exchange.paper.venue import Venue

Params = dict[str, str]
Handler = Callable[..., Any]
_DIGITS = re.compile(r"[0-9]{1,20}")
_SYMBOL = re.compile(r"[A-Z0-9\-_.]{1,20}")
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Route:
    handle: Handler
    needs: str = ""  # "", "key" and "stream" (unsigned), "read", "trade" or "withdraw"


ROUTES: dict[tuple[str, str], Route] = {}


def route(method: str, path: str, needs: str = "") -> Callable[[Handler], Handler]:
    def register(handle: Handler) -> Handler:
        ROUTES[(method, path)] = Route(handle, needs)
        return handle

    return register


def is_allowed(key: ApiKey, needs: str) -> bool:
    return {"": True, "read": True, "trade": key.can_trade, "withdraw": key.can_withdraw}[needs]


def market_of(venue: "Venue", params: Params) -> "Listed":
    symbol = params.get("symbol")
    if not symbol:
        raise mandatory("symbol")
    if not _SYMBOL.fullmatch(symbol):
        raise errors.illegal("symbol", "^[A-Z0-9-_.]{1,20}$")
    if symbol not in venue.markets:
        raise errors.BAD_SYMBOL
    return venue.markets[symbol]


def markets_of(venue: "Venue", params: Params) -> "list[Listed]":
    """The markets that `symbol` or `symbols` names; all without them."""
    if params.get("symbol") and params.get("symbols"):
        raise errors.BAD_COMBINATION
    if params.get("symbol"):
        return [market_of(venue, params)]
    if not params.get("symbols"):
        return list(venue.markets.values())
    try:
        wanted = json.loads(params["symbols"])
    except ValueError:
        wanted = None
    if not isinstance(wanted, list) or not wanted:
        raise errors.illegal("symbols", r"^\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\]$")
    if len(set(map(str, wanted))) < len(wanted):
        raise ApiError(-1151, "Symbol is present multiple times in the list.")
    return [market_of(venue, {"symbol": str(symbol)}) for symbol in wanted]


def number(params: Params, name: str, default: int, most: int = 2**63) -> int:
    raw = params.get(name) or str(default)
    if not _DIGITS.fullmatch(raw):
        raise errors.illegal(name, "^[0-9]{1,20}$")
    return min(int(raw), most)


def moment(params: Params, name: str) -> int | None:
    """A time in milliseconds; microseconds are taken too."""
    if not params.get(name):
        return None
    value = number(params, name, 0)
    return value // 1000 if value > 10**14 else value


def span(params: Params, hours: int | None = None) -> tuple[int, int]:
    """`startTime` and `endTime` with their open ends; refused when the wrong way round or too far apart."""
    start, end = moment(params, "startTime"), moment(params, "endTime")
    if start is not None and end is not None:
        if start > end:
            raise ApiError(-1023, "Start time is greater than end time.")
        if hours is not None and end - start > hours * 3_600_000:
            raise ApiError(-1127, f"More than {hours} hours between startTime and endTime.")
    return start or 0, end if end is not None else 2**62


def newest_or_from(rows: list[Any], params: Params, first: str) -> list[Any]:
    """The newest rows up to the limit; with a start the oldest from it."""
    limit = max(1, number(params, "limit", 500, 1000))
    return rows[:limit] if params.get(first) or params.get("startTime") else rows[-limit:]
