"""What the venue counts: request weight by address, wallet requests by address and account, unfilled orders."""

import time
from collections import deque
from typing import Any

from exchange.paper.catalogue import RATE_LIMITS
from exchange.paper.errors import ApiError

MINUTE_LIMIT = 6000
ORDERS_10S, ORDERS_DAY = 100, 200_000
WALLET_IP_LIMIT, WALLET_UID_LIMIT = 12_000, 180_000
RAW_SECONDS, RAW_LIMIT = 300, 300_000
BAN_SECONDS, LONGEST_BAN = 120, 3 * 86_400  # each longer than the one before
CONNECT_WEIGHT = 2  # of a socket to the WebSocket API
MINUTES_KEPT, WINDOWS_KEPT = 60, 360
PATIENCE = 10  # refused requests in a row until an address is banned
WEIGHTS = {
    ("GET", "/api/v3/exchangeInfo"): 20, ("GET", "/api/v3/trades"): 25, ("GET", "/api/v3/historicalTrades"): 25,
    ("GET", "/api/v3/historicalBlockTrades"): 25,
    ("GET", "/api/v3/aggTrades"): 4, ("GET", "/api/v3/klines"): 2, ("GET", "/api/v3/uiKlines"): 2,
    ("GET", "/api/v3/avgPrice"): 2, ("GET", "/api/v3/order"): 4, ("GET", "/api/v3/allOrders"): 20,
    ("PUT", "/api/v3/order/amend/keepPriority"): 4, ("GET", "/api/v3/order/amendments"): 4,
    ("POST", "/api/v3/userDataStream"): 2, ("PUT", "/api/v3/userDataStream"): 2,
    ("DELETE", "/api/v3/userDataStream"): 2, ("GET", "/api/v3/referencePrice"): 2,
    ("GET", "/api/v3/referencePrice/calculation"): 2, ("GET", "/api/v3/myAllocations"): 20,
    ("GET", "/api/v3/account/commission"): 20, ("GET", "/api/v3/myFilters"): 40,
    ("GET", "/api/v3/orderList"): 4, ("GET", "/api/v3/allOrderList"): 20, ("GET", "/api/v3/openOrderList"): 6,
    ("GET", "/api/v3/account"): 20, ("GET", "/api/v3/rateLimit/order"): 40,
    ("GET", "/sapi/v1/capital/config/getall"): 10, ("GET", "/sapi/v1/capital/deposit/address"): 10,
    ("POST", "/sapi/v1/capital/withdraw/apply"): 900, ("GET", "/sapi/v1/capital/withdraw/history"): 18_000,
    ("GET", "/sapi/v4/sub-account/assets"): 60,
}  # fmt: skip
PLACE_LISTS = [
    ("POST", path) for path in (
        "/api/v3/orderList/oco", "/api/v3/order/oco", "/api/v3/orderList/oto", "/api/v3/orderList/otoco",
        "/api/v3/orderList/opo", "/api/v3/orderList/opoco",
    )
]  # fmt: skip
FREE_WHEN_TAKEN = {
    ("POST", "/api/v3/order"), ("POST", "/api/v3/order/cancelReplace"), ("DELETE", "/api/v3/order"),
    ("DELETE", "/api/v3/openOrders"), ("POST", "/api/v3/sor/order"), ("DELETE", "/api/v3/orderList"), *PLACE_LISTS,
}  # fmt: skip
COUNTED_BY_ACCOUNT = {
    "/sapi/v1/capital/withdraw/apply", "/sapi/v1/capital/withdraw/history", "/sapi/v4/sub-account/assets",
}  # fmt: skip
HISTORY_PER_SECOND = 10
PLACES_OF_MAKER = 5  # binance.md 6: more than one, for example
CONNECTS, CONNECT_SECONDS = 300, 300


def weight_of(method: str, path: str, params: dict[str, str]) -> int:
    if path == "/api/v3/depth":
        wanted = params.get("limit") or "100"
        limit = int(wanted) if wanted.isdecimal() else 100
        return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250
    if path == "/api/v3/openOrders" and method == "GET":
        return 6 if params.get("symbol") else 80
    if path == "/api/v3/myPreventedMatches":
        return 20 if params.get("orderId") else 2
    if path == "/api/v3/myTrades":
        return 5 if params.get("orderId") else 20
    if path == "/api/v3/ticker/24hr":
        return 2 if params.get("symbol") else _weight_of_day_tickers(params.get("symbols", ""))
    if path in ("/api/v3/ticker", "/api/v3/ticker/tradingDay"):
        return min(200, 4 * (params.get("symbols", "").count(",") + 1))
    if path.startswith("/api/v3/ticker/"):
        return 2 if params.get("symbol") else 4
    if path == "/api/v3/executionRules":
        return (
            2
            if params.get("symbol")
            else 2 * (params["symbols"].count(",") + 1)
            if params.get("symbols")
            else 40
        )
    if path in ("/api/v3/order/test", "/api/v3/sor/order/test"):
        return 20 if params.get("computeCommissionRates") == "true" else 1
    return WEIGHTS.get((method, path), 1)


def _weight_of_day_tickers(symbols: str) -> int:
    count = symbols.count(",") + 1 if symbols else 10**9
    return 2 if count <= 20 else 40 if count <= 100 else 80


class Limits:
    def __init__(self) -> None:
        self.weight_minute, self.raw_limit = MINUTE_LIMIT, RAW_LIMIT
        self.orders_10s, self.orders_day = ORDERS_10S, ORDERS_DAY
        self._windows: dict[object, tuple[int, int]] = {}
        self._banned: dict[str, float] = {}
        self._ban_seconds: dict[str, int] = {}
        self._warned: dict[str, int] = {}
        self._orders: dict[int, deque[float]] = {}
        # By address and the minute's first second.
        self.spent: dict[str, dict[int, int]] = {}
        # What came although it was not to come: inside a ban, and beyond a limit.
        self.unwelcome: dict[str, dict[str, int]] = {}
        # Milliseconds after the ban began at which they came, of the latest.
        self.inside_ms: deque[int] = deque(maxlen=1000)
        # By address, when the latest ban began.
        self.banned_at: dict[str, float] = {}
        # By account and the first second of a window of ten.
        self.placed: dict[int, dict[int, int]] = {}

    def spend(self, address: str, weight: int) -> int:
        """Counts the request and its weight, and gives the minute's total; 429 beyond a limit, 418 for who goes on."""
        now = time.time()
        if self._banned.get(address, 0) > now:
            self._note_unwelcome(address, "inside a ban")
            self.inside_ms.append(int((now - self.banned_at[address]) * 1000))
            raise _banned(int(self._banned[address] - now) + 1)
        used = self._weigh(address, weight)
        if self._count((address, "raw"), 1, RAW_SECONDS) > self.raw_limit:
            raise self._refusal(address, "raw requests", RAW_SECONDS)
        if used > self.weight_minute:
            raise self._refusal(address, "weight", 60)
        self._warned.pop(address, None)
        return used

    def _refusal(self, address: str, limit: str, seconds: int) -> ApiError:
        """429; who goes on all the same is banned, longer each time."""
        self._note_unwelcome(address, limit)
        self._warned[address] = self._warned.get(address, 0) + 1
        if self._warned[address] > PATIENCE:
            last = self._ban_seconds.get(address, BAN_SECONDS // 2)
            self._ban_seconds[address] = min(2 * last, LONGEST_BAN)
            self.ban(address, self._ban_seconds[address])
        return too_much(seconds - int(time.time() % seconds))

    def _note_unwelcome(self, address: str, why: str) -> None:
        counts = self.unwelcome.setdefault(address, {})
        counts[why] = counts.get(why, 0) + 1

    def _weigh(self, address: str, weight: int) -> int:
        """The minute's total with this weight; the last minutes are remembered."""
        used = self._count(address, weight, 60)
        minutes = self.spent.setdefault(address, {})
        minutes[int(time.time() // 60 * 60)] = used
        if len(minutes) > MINUTES_KEPT:
            del minutes[min(minutes)]
        return used

    def connect(self, address: str, kind: str = "streams") -> None:
        """Counts an attempt to open a socket of its kind; 429 for too many in five minutes."""
        if self._count((address, kind), 1, CONNECT_SECONDS) > CONNECTS:
            self._note_unwelcome(address, kind)
            raise ApiError(-1003, "Too many connection attempts.", 429, 60)

    def _count(self, name: object, weight: int, seconds: int) -> int:
        """The sum in the window of that length, which begins at a whole multiple of it."""
        window = int(time.time() // seconds)
        known, used = self._windows.get(name, (window, 0))
        used = weight if known != window else used + weight
        self._windows[name] = (window, used)
        return used

    def refund(self, address: str, weight: int) -> int:
        return self._weigh(address, -weight)

    def ban(self, address: str, seconds: int) -> ApiError:
        """From now on; gives what the request that led to it is told."""
        self.banned_at[address] = time.time()
        self._banned[address] = self.banned_at[address] + seconds
        return _banned(seconds)

    def spend_at_wallet(self, address: str, account_id: int, path: str, weight: int) -> dict[str, str]:
        """Wallet paths count each for itself, some by address and some by account; gives the header that tells it."""
        if path not in COUNTED_BY_ACCOUNT:
            used = self._count((address, path), weight, 60)
            if used > WALLET_IP_LIMIT:
                self._note_unwelcome(address, "wallet")
                raise too_much(60 - int(time.time() % 60))
            return {"x-sapi-used-ip-weight-1m": str(used)}
        if path.endswith("/history"):
            if self._count((account_id, path, "second"), 1, 1) > HISTORY_PER_SECOND:
                self._note_unwelcome(f"account {account_id}", "wallet")
                raise too_much(1)
            return {"x-sapi-used-uid-weight-1m": str(self._count((account_id, path), weight, 60))}
        used = self._count((account_id, path), weight, 60)
        if used > WALLET_UID_LIMIT:
            self._note_unwelcome(f"account {account_id}", "wallet")
            raise too_much(60 - int(time.time() % 60))
        return {"x-sapi-used-uid-weight-1m": str(used)}

    # ------------------------------------------------------------------ unfilled orders
    def rows(self) -> list[dict[str, Any]]:
        """The limits as exchangeInfo shows them."""
        limits = {
            ("REQUEST_WEIGHT", "MINUTE"): self.weight_minute,
            ("RAW_REQUESTS", "MINUTE"): self.raw_limit,
            ("ORDERS", "SECOND"): self.orders_10s,
            ("ORDERS", "DAY"): self.orders_day,
        }
        return [
            row | {"limit": limits[str(row["rateLimitType"]), str(row["interval"])]} for row in RATE_LIMITS
        ]

    def require_room_for_order(self, account_id: int, orders: int = 1) -> None:
        """-1015 when the account would have too many unfilled orders in the ten seconds or the day."""
        recent, today = self.order_counts(account_id)
        if today + orders > self.orders_day:
            self._note_unwelcome(f"account {account_id}", "orders")
            raise _too_many_orders(self.orders_day, "1 DAY", 86_400 - int(time.time() % 86_400))
        if recent + orders > self.orders_10s:
            self._note_unwelcome(f"account {account_id}", "orders")
            raise _too_many_orders(self.orders_10s, "10 SECOND", 10 - int(time.time() % 10))

    def count_order(self, account_id: int) -> None:
        now = time.time()
        self._recent(account_id).append(now)
        self._count(("orders", account_id), 1, 86_400)
        windows = self.placed.setdefault(account_id, {})
        windows[int(now // 10 * 10)] = windows.get(int(now // 10 * 10), 0) + 1
        if len(windows) > WINDOWS_KEPT:
            del windows[min(windows)]

    def uncount_order(self, account_id: int, *, is_maker: bool = False) -> None:
        """A first fill gives the order's place back, a maker's several; the count never falls below zero."""
        recent, places = self._recent(account_id), PLACES_OF_MAKER if is_maker else 1
        for _place in range(min(places, len(recent))):
            recent.popleft()
        today = self._count(("orders", account_id), 0, 86_400)
        self._count(("orders", account_id), -min(places, today), 86_400)

    def _recent(self, account_id: int) -> deque[float]:
        recent = self._orders.setdefault(account_id, deque())
        window = time.time() // 10 * 10
        while recent and recent[0] < window:
            recent.popleft()
        return recent

    def order_counts(self, account_id: int) -> tuple[int, int]:
        return len(self._recent(account_id)), self._count(("orders", account_id), 0, 86_400)


def _too_many_orders(limit: int, window: str, seconds: int) -> ApiError:
    return ApiError(
        -1015, f"Too many new orders; current limit is {limit} orders per {window}.", 429, seconds
    )


def too_much(seconds: int) -> ApiError:
    words = f"Too much request weight used; current limit is {MINUTE_LIMIT} request weight per 1 MINUTE."
    advice = "Please use WebSocket Streams for live updates to avoid polling the API."
    return ApiError(-1003, f"{words} {advice}", 429, seconds)


def _banned(seconds: int) -> ApiError:
    until = int((time.time() + seconds) * 1000)
    words = f"Way too much request weight used; IP banned until {until}."
    advice = "Please use WebSocket Streams for live updates to avoid bans."
    return ApiError(-1003, f"{words} {advice}", 418, seconds)
