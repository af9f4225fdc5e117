"""The WebSocket API: requests as JSON frames, and the account's own events."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from exchange.paper import errors
from exchange.paper.accounts import ApiKey
from exchange.paper.errors import ApiError
from exchange.paper.faults import PAGES, Fault, refuse, unclear
from exchange.paper.limits import FREE_WHEN_TAKEN, weight_of
from exchange.paper.market import now_ms
from exchange.paper.request import check_time, known_key
from exchange.paper.routes import ROUTES, is_allowed
from exchange.paper.venue import Venue

METHODS = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.historical": ("GET", "/api/v3/historicalTrades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "uiKlines": ("GET", "/api/v3/uiKlines"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "ticker": ("GET", "/api/v3/ticker"),
    "ticker.tradingDay": ("GET", "/api/v3/ticker/tradingDay"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "sor.order.place": ("POST", "/api/v3/sor/order"),
    "sor.order.test": ("POST", "/api/v3/sor/order/test"),
    "myPreventedMatches": ("GET", "/api/v3/myPreventedMatches"),
    "myAllocations": ("GET", "/api/v3/myAllocations"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "/api/v3/order/amend/keepPriority"),
    "order.amendments": ("GET", "/api/v3/order/amendments"),
    "orderList.place": ("POST", "/api/v3/order/oco"),
    "orderList.place.oco": ("POST", "/api/v3/orderList/oco"),
    "orderList.place.oto": ("POST", "/api/v3/orderList/oto"),
    "orderList.place.otoco": ("POST", "/api/v3/orderList/otoco"),
    "orderList.place.opo": ("POST", "/api/v3/orderList/opo"),
    "orderList.place.opoco": ("POST", "/api/v3/orderList/opoco"),
    "orderList.cancel": ("DELETE", "/api/v3/orderList"),
    "orderList.status": ("GET", "/api/v3/orderList"),
    "allOrderLists": ("GET", "/api/v3/allOrderList"),
    "openOrderLists.status": ("GET", "/api/v3/openOrderList"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "account.rateLimits.orders": ("GET", "/api/v3/rateLimit/order"),
}
COUNTED = (
    "sor.order.place",
    "order.place",
    "order.cancelReplace",
    "orderList.place",
)  # they tell the count of unfilled orders
SESSION_WEIGHT = 2
MOST_WAITING = 10_000
HMAC_LOGON = ApiError(-4056, "Only Ed25519 API keys are supported for session.logon.")
Params = dict[str, str]


def payload_of(params: Params) -> str:
    """What was signed: every parameter but the signature, by name, not percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


class Session:
    """One connection: perhaps logged on, perhaps subscribed to its accounts' events."""

    def __init__(self, venue: Venue, address: str, cut: Callable[[], object]) -> None:
        """`cut` ends the connection without a word."""
        self.venue, self.address, self._cut = venue, address, cut
        self.queue: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.is_lost = False
        self.key: ApiKey | None = None  # of the one who logged on
        self.key_of_last: ApiKey | None = None  # of the one who signed last
        self._connected_ms, self._authorized_ms = now_ms(), 0
        self._subscriptions: dict[int, tuple[ApiKey, Callable[[dict[str, Any]], None]]] = {}
        self._next_subscription = 0
        self._methods = {
            "session.logon": self._logon,
            "session.status": self._status,
            "session.logout": self._logout,
            "session.subscriptions": self._listed,
            "userDataStream.subscribe": lambda _params: self._subscribe(self._logged_on()),
            "userDataStream.subscribe.signature": lambda params: self._subscribe(self._signed(params)),
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    def receive(self, raw: str) -> None:
        """Answers one request frame; the id comes back as it was."""
        try:
            asked = json.loads(raw, parse_float=_Number, parse_int=_Number)
            method, params = str(asked["method"]), asked.get("params") or {}
            texts = {str(name): _text(value) for name, value in params.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._send({"id": None, "status": 400, "error": {"code": -1135, "msg": "Invalid JSON Request"}})
            return
        door = METHODS.get(method)
        fault = self.venue.faults.take(*door, texts.get("symbol", "")) if door else None
        answer = {"id": json.loads(raw).get("id"), **self._answer(method, texts, fault)}
        if texts.get("returnRateLimits") != "false":
            answer["rateLimits"] = self._limits(method)
        self._strike(fault, answer) if fault else self._send(answer)

    def _answer(self, method: str, params: Params, fault: Fault | None) -> dict[str, Any]:
        """What came of the request, or what the fault says of it."""
        try:
            if fault and fault.is_before:
                refuse(fault, lambda seconds: self.venue.limits.ban(self.address, seconds))
            result = None if fault and fault.is_before else self._call(method, params)
            if fault and (error := unclear(fault)):
                raise error
        except ApiError as error:
            return {"status": error.status, "error": _error(error)}
        return {"status": 200, "result": result}

    def _strike(self, fault: Fault, answer: dict[str, Any]) -> None:
        """Here is no gateway: what would be its page is the end of the connection."""
        if fault.do.startswith("reset") or fault.do in PAGES:
            self._cut()
        elif fault.do == "garbage after":
            self.queue.put_nowait('{"id":')
        elif fault.do == "slow":
            asyncio.get_running_loop().call_later(fault.ms / 1000, self._send, answer)
        elif not fault.do.startswith("hang"):
            if fault.do == "hide":
                self.venue.faults.hide_all(answer.get("result"), fault.ms)
            self._send(answer)

    def _call(self, method: str, params: Params) -> Any:
        door = METHODS.get(method)
        weight = weight_of(*door, params) if door else SESSION_WEIGHT
        self.venue.limits.spend(self.address, weight)
        if method in self._methods:
            return self._methods[method](params)
        if door is None:
            raise ApiError(-1000, f"Unknown method '{method}'")
        found = ROUTES[door]
        if not found.needs:
            return found.handle(self.venue, params)
        key = self._signed(params) if "signature" in params else self._logged_on()
        if not is_allowed(key, found.needs):
            raise errors.BAD_KEY
        result = found.handle(self.venue, params, self.venue.accounts[key.account_id])
        if door in FREE_WHEN_TAKEN:
            self.venue.limits.refund(self.address, weight)
        return result

    def _limits(self, method: str) -> list[dict[str, Any]]:
        """The counts after this request; an order's also of orders."""
        by_weight, by_second, by_day = self.venue.info["rateLimits"][:3]
        found = [{**by_weight, "count": self.venue.limits.refund(self.address, 0)}]
        if method.startswith(COUNTED) and self.key_of_last is not None:
            recent, today = self.venue.limits.order_counts(self.key_of_last.account_id)
            found = [{**by_second, "count": recent}, {**by_day, "count": today}, *found]
        return found

    # ------------------------------------------------------------------ who asks
    def _signed(self, params: Params) -> ApiKey:
        key = known_key(params.get("apiKey", ""), self.venue.keys)
        if not params.get("signature"):
            raise errors.mandatory("signature")
        check_time(params, self.venue.clock.now_ms())
        if not key.verifies(payload_of(params), params["signature"]):
            raise errors.BAD_SIGNATURE
        self.key_of_last = key
        return key

    def _logged_on(self) -> ApiKey:
        if self.key is None:
            raise errors.mandatory("apiKey")
        self.key_of_last = self.key
        return self.key

    def _logon(self, params: Params) -> Any:
        key = self._signed(params)
        if not key.public_key:
            raise HMAC_LOGON
        self.key, self._authorized_ms = key, now_ms()
        return self._status({})

    def _logout(self, params: Params) -> Any:
        self.key = None
        return self._status({})

    def _status(self, params: Params) -> Any:
        return {
            "apiKey": self.key.key if self.key else None,
            "authorizedSince": self._authorized_ms if self.key else None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": True,
            "serverTime": self.venue.clock.now_ms(),
            "userDataStream": bool(self._subscriptions),
        }

    # ------------------------------------------------------------------ events
    def _subscribe(self, key: ApiKey) -> dict[str, int]:
        if any(known.account_id == key.account_id for known, _listen in self._subscriptions.values()):
            raise ApiError(-2035, "User Data Stream subscription is already active.")
        number = self._next_subscription
        self._next_subscription += 1

        def listen(event: dict[str, Any]) -> None:
            self._send({"subscriptionId": number, "event": event})

        self._subscriptions[number] = (key, listen)
        self.venue.listening.setdefault(key.account_id, []).append(listen)
        return {"subscriptionId": number}

    def _listed(self, params: Params) -> Any:
        return [{"subscriptionId": number} for number in self._subscriptions]

    def _unsubscribe(self, params: Params) -> Any:
        """One, or all without a number."""
        wanted = params.get("subscriptionId")
        if wanted is not None and wanted not in map(str, self._subscriptions):
            raise ApiError(-2036, "User Data Stream subscription is not active.")
        for number in list(self._subscriptions) if wanted is None else [int(wanted)]:
            self._end(number)
        return {}

    def _end(self, number: int) -> None:
        key, listen = self._subscriptions.pop(number)
        self.venue.listening[key.account_id].remove(listen)
        self._send({"subscriptionId": number, "event": {"e": "eventStreamTerminated", "E": now_ms()}})

    def forget(self, key: ApiKey) -> None:
        """Nothing that was begun with the key goes on."""
        for number in [number for number, (known, _listen) in self._subscriptions.items() if known is key]:
            self._end(number)
        if self.key is key:
            self.key = None

    def announce_shutdown(self) -> None:
        self._send({"event": {"e": "serverShutdown", "E": now_ms()}})

    def close(self) -> None:
        self._unsubscribe({})

    def _send(self, body: dict[str, Any]) -> None:
        try:
            self.queue.put_nowait(json.dumps(body, separators=(",", ":"), ensure_ascii=False))
        except asyncio.QueueFull:
            self.is_lost = True


class _Number(str):
    """A JSON number as it was written: signatures are over texts."""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list | dict) else str(value)


def _error(error: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "msg": error.message}
    if error.data is not None:
        body["data"] = error.data
    elif error.retry_after is not None:
        body["data"] = {"serverTime": now_ms(), "retryAfter": now_ms() + error.retry_after * 1000}
    return body
