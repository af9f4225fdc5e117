"""Faults that tests set at the control door: what goes wrong, where, how often."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from exchange.paper.errors import (
    BAD_SIGNATURE,
    INSUFFICIENT,
    OVERLOADED,
    UNKNOWN_ORDER,
    ApiError,
    rejected,
)
from exchange.paper.limits import PLACE_LISTS, too_much
from exchange.paper.market import Frozen, now_ms

DOORS: dict[str, object] = {
    "place": ("POST", "/api/v3/order"),
    "route": ("POST", "/api/v3/sor/order"),
    "cancel": ("DELETE", "/api/v3/order"),
    "cancel all": ("DELETE", "/api/v3/openOrders"),
    "cancel-replace": ("POST", "/api/v3/order/cancelReplace"),
    "amend": ("PUT", "/api/v3/order/amend/keepPriority"),
    "query": ("GET", "/api/v3/order"),
    "open orders": ("GET", "/api/v3/openOrders"),
    "all orders": ("GET", "/api/v3/allOrders"),
    "trades": ("GET", "/api/v3/myTrades"),
    "allocations": ("GET", "/api/v3/myAllocations"),
    "list": "list",  # of every kind
    "cancel list": ("DELETE", "/api/v3/orderList"),
    "query list": ("GET", "/api/v3/orderList"),
    "listen key": ("POST", "/api/v3/userDataStream"),
    "keep listen key": ("PUT", "/api/v3/userDataStream"),
    "account": ("GET", "/api/v3/account"),
    "depth": ("GET", "/api/v3/depth"),
    "withdraw": ("POST", "/sapi/v1/capital/withdraw/apply"),
    "withdraw history": ("GET", "/sapi/v1/capital/withdraw/history"),
    "deposit history": ("GET", "/sapi/v1/capital/deposit/hisrec"),
    "sub-account history": ("GET", "/sapi/v1/capital/deposit/subHisrec"),
    "sub-account": ("POST", "/sapi/v1/sub-account/virtualSubAccount"),
    "networks": ("GET", "/sapi/v1/capital/config/getall"),
    "transfer": ("POST", "/sapi/v1/sub-account/universalTransfer"),
}
BEFORE = (
    "429",
    "418",
    "refuse",
    "-1022",
    "403",
    "503 before",
    "-1007 before",
    "-1008",
    "reset before",
    "hang before",
)
AFTER = (
    "504 after", "-1000 after", "-1001 after", "-1006 after", "-1007 after", "garbage after", "hang after",
    "reset after", "hide", "slow",
)  # fmt: skip
# One of the two requests of a cancel-replace is refused, and the other is not.
HALVES = ("refuse cancel", "refuse new")
# Of a depth snapshot alone: a side is not in it, or has no levels, or it is one from before.
SNAPSHOT = ("without bids", "without asks", "empty bids", "empty asks", "older")
UNCLEAR = {
    "-1000": "An unknown error occurred while processing the request.",
    "-1001": "Internal error; unable to process your request. Please try again.",
    "-1006": "An unexpected response was received from the message bus. Execution status unknown.",
    "-1007": "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    "-1008": OVERLOADED.message,
}
PAGES = {
    "403": (403, "Request blocked"),
    "503 before": (503, "Service Unavailable"),
    "504 after": (504, "Gateway Timeout"),
}


@dataclass
class Fault:
    """`do` strikes the next `count` calls at the door `on`, of one symbol when it is named; `ms` is how long it hangs,
    hides or is slow. What was done in spite of it nobody who asks is told of for `hide_ms`."""

    on: str
    do: str
    count: int = 1
    ms: int = 3000
    symbol: str = ""
    hide_ms: int = 0
    older: dict[str, Frozen] = field(default_factory=dict)

    @property
    def is_before(self) -> bool:
        return self.do in BEFORE

    def told(self) -> dict[str, Any]:
        """What was asked for, and how often it is still to come."""
        found = {"on": self.on, "do": self.do, "count": self.count, "ms": self.ms, "symbol": self.symbol}
        return found | ({"hideMs": self.hide_ms} if self.hide_ms else {})


@dataclass
class Faults:
    waiting: list[Fault] = field(default_factory=list)
    hidden_until: dict[str, int] = field(default_factory=dict)

    def add(self, asked: dict[str, Any]) -> Fault:
        """Sets a fault; says in a sentence what there is when it is not known."""
        on, do = asked.get("on", "depth" if asked.get("do") in SNAPSHOT else "place"), asked.get("do", "")
        known = BEFORE + AFTER + {"depth": SNAPSHOT, "cancel-replace": HALVES}.get(on, ())
        if on not in DOORS or do not in known:
            raise ApiError(-1100, f"`on` is one of {', '.join(DOORS)}; `do` one of {', '.join(known)}.")
        count, ms = int(asked.get("count", 1)), int(asked.get("ms", 3000))
        fault = Fault(on, do, count, ms, str(asked.get("symbol", "")), int(asked.get("hideMs", 0)))
        self.waiting.append(fault)
        return fault

    def take(self, method: str, path: str, symbol: str = "") -> Fault | None:
        """The first fault set for this door, used up by one."""
        door = "list" if (method, path) in PLACE_LISTS else (method, path)
        for fault in self.waiting:
            if DOORS[fault.on] == door and fault.symbol in ("", symbol) and fault.do not in HALVES:
                return self._use(fault)
        return None

    def refuse_half(self, half: str) -> None:
        """Refuses this half of a cancel-replace when that was set."""
        for fault in self.waiting:
            if fault.do == f"refuse {half}":
                self._use(fault)
                raise ApiError(-2011, UNKNOWN_ORDER) if half == "cancel" else rejected(INSUFFICIENT)

    def _use(self, fault: Fault) -> Fault:
        fault.count -= 1
        if fault.count <= 0:
            self.waiting.remove(fault)
        return fault

    def hide(self, client_id: str, ms: int) -> None:
        """The order exists, but for a while nobody who asks is told so."""
        self.hidden_until = {name: until for name, until in self.hidden_until.items() if until > now_ms()}
        self.hidden_until[client_id] = now_ms() + ms

    def hide_all(self, body: Any, ms: int) -> None:
        for client_id in hidden_ids(body):
            self.hide(client_id, ms)

    def is_hidden(self, client_id: str) -> bool:
        return self.hidden_until.get(client_id, 0) > now_ms()


def spoiled(fault: Fault, body: dict[str, Any], params: dict[str, str]) -> dict[str, Any]:
    """The snapshot as the fault shows it."""
    how, _space, side = fault.do.partition(" ")
    if how == "older":
        return fault.older[params["symbol"]](int(params.get("limit") or 100))
    return {
        name: [] if how == "empty" else rows
        for name, rows in body.items()
        if (how, name) != ("without", side)
    }


async def strike(fault: Fault, incoming: web.Request) -> web.StreamResponse:
    """The answer, or the silence, that the fault gives instead of the right one."""
    if fault.do in ("hang before", "hang after"):
        await asyncio.sleep(fault.ms / 1000)
    if fault.do in PAGES:
        status, words = PAGES[fault.do]
        return web.Response(
            status=status, text=f"<html><body>{words}</body></html>", content_type="text/html"
        )
    if error := unclear(fault):
        return web.json_response({"code": error.code, "msg": error.message}, status=error.status)
    if fault.do == "garbage after":
        return web.Response(text='{"symbol":"BTC', content_type="application/json")
    return cut(incoming)


def unclear(fault: Fault) -> ApiError | None:
    """The code by which the venue says that it does not know what became of a request."""
    code = fault.do.partition(" ")[0]
    if code not in UNCLEAR:
        return None
    status = {"-1007": 504, "-1008": 503}.get(code, 500)
    return ApiError(int(code), UNCLEAR[code], status)


def hidden_ids(body: Any) -> list[str]:
    """The client's ids of the orders that an answer is about."""
    if not isinstance(body, dict):
        return []
    found = [body["clientOrderId"]] if "clientOrderId" in body else []
    found += [row["clientOrderId"] for row in body.get("orders", ())]
    return found + hidden_ids(body.get("newOrderResponse")) + hidden_ids(body.get("amendedOrder"))


def refuse(fault: Fault, ban: Callable[[int], ApiError]) -> None:
    """429 for this request alone, 418 for everything from this address for a while; or a plain no."""
    if fault.do == "-1022":
        raise BAD_SIGNATURE
    if fault.do == "refuse":
        raise ApiError(-9000, "This account has no right to this.")
    if fault.do == "429":
        raise too_much(max(1, fault.ms // 1000))
    if fault.do == "418":
        raise ban(max(1, fault.ms // 1000))


def cut(incoming: web.Request) -> web.Response:
    """Cuts the connection without an answer."""
    if incoming.transport is not None:
        incoming.transport.abort()
    return web.Response(status=500)
