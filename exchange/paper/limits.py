"""What the venue counts: request weight by address, unfilled orders by account."""

import time
from collections import deque

from exchange.paper.errors import ApiError

MINUTE_LIMIT = 6000
ORDERS_10S, ORDERS_DAY = 100, 200_000
BAN_SECONDS = 120
WEIGHTS = {
    ("GET", "/api/v3/exchangeInfo"): 20, ("GET", "/api/v3/trades"): 25, ("GET", "/api/v3/historicalTrades"): 25,
    ("GET", "/api/v3/aggTrades"): 4, ("GET", "/api/v3/klines"): 2, ("GET", "/api/v3/uiKlines"): 2,
    ("GET", "/api/v3/avgPrice"): 2, ("GET", "/api/v3/order"): 4, ("GET", "/api/v3/allOrders"): 20,
    ("GET", "/api/v3/account"): 20, ("GET", "/api/v3/rateLimit/order"): 40,
    ("GET", "/sapi/v1/capital/config/getall"): 10, ("GET", "/sapi/v1/capital/deposit/address"): 10,
}  # fmt: skip
FREE_WHEN_TAKEN = {("POST", "/api/v3/order"), ("DELETE", "/api/v3/order"), ("DELETE", "/api/v3/openOrders")}


def weight_of(method: str, path: str, params: dict[str, str]) -> int:
    if path == "/api/v3/depth":
        limit = int(params.get("limit", "100") or 100) if params.get("limit", "100").isdecimal() else 100
        return next(
            weight for most, weight in ((100, 5), (500, 25), (1000, 50), (10**9, 250)) if limit <= most
        )
    if path == "/api/v3/openOrders" and method == "GET":
        return 6 if params.get("symbol") else 80
    if path == "/api/v3/myTrades":
        return 5 if params.get("orderId") else 20
    if path == "/api/v3/ticker/24hr":
        return 2 if params.get("symbol") else 80
    if path.startswith("/api/v3/ticker/"):
        return 2 if params.get("symbol") else 4
    return WEIGHTS.get((method, path), 1)


class Limits:
    def __init__(self) -> None:
        self._weights: dict[str, tuple[int, int]] = {}
        self._banned: dict[str, float] = {}
        self._warned: dict[str, int] = {}
        self._orders: dict[int, deque[float]] = {}
        self._day: dict[int, tuple[int, int]] = {}

    def spend(self, address: str, weight: int) -> int:
        """Counts the weight and gives the minute's total; 429 beyond the limit, 418 for who goes on."""
        now = time.time()
        if self._banned.get(address, 0) > now:
            raise _banned(int(self._banned[address] - now) + 1)
        minute = int(now // 60)
        known, used = self._weights.get(address, (minute, 0))
        used = weight if known != minute else used + weight
        self._weights[address] = (minute, used)
        if used > MINUTE_LIMIT:
            self._warned[address] = self._warned.get(address, 0) + 1
            if self._warned[address] > 10:
                self._banned[address] = now + BAN_SECONDS
            raise _too_much(60 - int(now % 60))
        self._warned.pop(address, None)
        return used

    def refund(self, address: str, weight: int) -> int:
        minute, used = self._weights[address]
        self._weights[address] = (minute, used - weight)
        return used - weight

    def ban(self, address: str, seconds: int) -> None:
        self._banned[address] = time.time() + seconds

    def count_order(self, account_id: int) -> None:
        now = time.time()
        recent = self._recent(account_id)
        day, today = self._day.get(account_id, (int(now // 86400), 0))
        today = today if day == int(now // 86400) else 0
        if len(recent) >= ORDERS_10S or today >= ORDERS_DAY:
            raise ApiError(
                -1015, f"Too many new orders; current limit is {ORDERS_10S} orders per 10 SECOND.", 429, 10
            )
        recent.append(now)
        self._day[account_id] = (int(now // 86400), today + 1)

    def uncount_order(self, account_id: int) -> None:
        """A first fill gives the order's place back."""
        recent = self._recent(account_id)
        if recent:
            recent.popleft()

    def _recent(self, account_id: int) -> deque[float]:
        recent = self._orders.setdefault(account_id, deque())
        window = time.time() // 10 * 10
        while recent and recent[0] < window:
            recent.popleft()
        return recent

    def order_counts(self, account_id: int) -> tuple[int, int]:
        return len(self._recent(account_id)), self._day.get(account_id, (0, 0))[1]


def _too_much(seconds: int) -> ApiError:
    words = f"Too much request weight used; current limit is {MINUTE_LIMIT} request weight per 1 MINUTE."
    return ApiError(
        -1003,
        f"{words} Please use WebSocket Streams for live updates to avoid polling the API.",
        429,
        seconds,
    )


def _banned(seconds: int) -> ApiError:
    until = int((time.time() + seconds) * 1000)
    return ApiError(
        -1003,
        f"Way too much request weight used; IP banned until {until}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        418,
        seconds,
    )
