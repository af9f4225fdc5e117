"""The WebSocket API: requests as JSON frames, and the account's own events."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

from exchange.paper import errors, rest
from exchange.paper.accounts import ApiKey
from exchange.paper.errors import ApiError
from exchange.paper.request import check_time, known_key
from exchange.paper.venue import Venue

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = {
    "order.place": ("POST", "/api/v3/order"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "account.status": ("GET", "/api/v3/account"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "depth": ("GET", "/api/v3/depth"),
    "klines": ("GET", "/api/v3/klines"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
}
MOST_WAITING = 10_000


def payload_of(params: dict[str, Any]) -> str:
    """What was signed: every parameter but the signature, by name, not percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


class Session:
    """One connection: perhaps logged on, perhaps subscribed to its account's events."""

    def __init__(self, venue: Venue, address: str) -> None:
        self.venue, self.address = venue, address
        self.queue: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.key: ApiKey | None = None
        self.subscriptions: dict[int, tuple[int, Callable[[dict[str, Any]], None]]] = {}
        self._next_subscription = 0

    def receive(self, raw: str) -> None:
        """Answers one request frame; the id comes back as it was."""
        try:
            asked = json.loads(raw)
            request_id, method = asked.get("id"), asked["method"]
            params = {str(name): value for name, value in (asked.get("params") or {}).items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._send({"id": None, "status": 400, "error": {"code": -1135, "msg": "Invalid JSON Request"}})
            return
        try:
            used = self.venue.limits.spend(self.address, 2)
            result = self._call(method, params)
        except ApiError as error:
            body = {
                "id": request_id,
                "status": error.status,
                "error": {"code": error.code, "msg": error.message},
            }
        else:
            limit = {**self.venue.info["rateLimits"][0], "count": used}
            body = {"id": request_id, "status": 200, "result": result, "rateLimits": [limit]}
        self._send(body)

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        if method == "session.logon":
            self.key = self._signed(params)
            if not self.key.public_key:
                raise ApiError(-4056, "HMAC_SHA256 API key is not supported.")
            return {
                "apiKey": self.key.key,
                "authorizedSince": 0,
                "connectedSince": 0,
                "serverTime": 0,
                "userDataStream": False,
            }
        if method == "userDataStream.subscribe.signature":
            return self._subscribe(self._signed(params))
        if method == "userDataStream.subscribe":
            return self._subscribe(self._logged_on())
        if method == "userDataStream.unsubscribe":
            self._unsubscribe(params.get("subscriptionId"))
            return {}
        if method not in METHODS:
            raise ApiError(-1003 if not method else -1, f"Unknown method: {method}", 400)
        found = rest.ROUTES[METHODS[method]]
        texts = {name: _text(value) for name, value in params.items()}
        if not found.needs:
            return found.handle(self.venue, texts)
        key = self._signed(params) if "signature" in params else self._logged_on()
        if not rest.allowed(key, found.needs):
            raise errors.BAD_KEY
        return found.handle(self.venue, texts, self.venue.accounts[key.account_id])

    def _signed(self, params: dict[str, Any]) -> ApiKey:
        key = known_key(str(params.get("apiKey", "")), self.venue.keys)
        texts = {name: _text(value) for name, value in params.items()}
        check_time(texts)
        if not key.verifies(payload_of(params), texts.get("signature", "")):
            raise errors.BAD_SIGNATURE
        return key

    def _logged_on(self) -> ApiKey:
        if self.key is None:
            raise errors.mandatory("apiKey")
        return self.key

    # ------------------------------------------------------------------ events
    def _subscribe(self, key: ApiKey) -> dict[str, int]:
        if any(account == key.account_id for account, _listen in self.subscriptions.values()):
            raise ApiError(-2035, "User Data Stream subscription is already active.")
        number = self._next_subscription
        self._next_subscription += 1

        def listen(event: dict[str, Any]) -> None:
            self._send({"subscriptionId": number, "event": event})

        self.subscriptions[number] = (key.account_id, listen)
        self.venue.listening.setdefault(key.account_id, []).append(listen)
        return {"subscriptionId": number}

    def _unsubscribe(self, wanted: Any) -> None:
        for number in list(self.subscriptions) if wanted is None else [wanted]:
            if number in self.subscriptions:
                account_id, listen = self.subscriptions.pop(number)
                self.venue.listening[account_id].remove(listen)

    def close(self) -> None:
        self._unsubscribe(None)

    def _send(self, body: dict[str, Any]) -> None:
        try:
            self.queue.put_nowait(json.dumps(body, separators=(",", ":")))
        except asyncio.QueueFull:
            self.close()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
