"""The venue at its wire: answers in Binance's own words, given to the real client by `responses`."""

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import responses

from exchange.gate import bans, store
from exchange.gate.models import Ban

REST = "http://venue.test"
Body = dict[str, Any]
Answer = tuple[int, dict[str, str], str]


def order_body(asked: Body, **changes: Any) -> Body:
    """The answer to a new order that rests."""
    return {
        "symbol": asked["symbol"],
        "orderId": 4711,
        "orderListId": -1,
        "clientOrderId": asked.get("newClientOrderId") or asked.get("origClientOrderId"),
        "transactTime": 1_700_000_000_000,
        "price": asked.get("price", "0.00000000"),
        "origQty": asked.get("quantity", "0.00000000"),
        "executedQty": "0.00000000",
        "origQuoteOrderQty": asked.get("quoteOrderQty", "0.00000000"),
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": asked.get("timeInForce", "GTC"),
        "type": asked.get("type", "LIMIT"),
        "side": asked.get("side", "BUY"),
        "workingTime": 1_700_000_000_000,
        "fills": [],
        "selfTradePreventionMode": "EXPIRE_MAKER",
        **changes,
    }


def leg_body(asked: Body, prefix: str, number: int, **changes: Any) -> Body:
    """One of the orders in the answer to a new list, which sends what concerns it under the prefix."""
    own = {name.removeprefix(prefix): value for name, value in asked.items() if name.startswith(prefix)}
    named = {f"{name[0].lower()}{name[1:]}": value for name, value in own.items()}
    named |= {
        "newClientOrderId": named["clientOrderId"],
        "quantity": asked["quantity"],
        "side": asked["side"],
    }
    return order_body({"symbol": asked["symbol"], **named}, orderId=number, orderListId=77, **changes)


def list_body(asked: Body, reports: list[Body], status: str = "EXECUTING") -> Body:
    """The answer to a new list, and to the cancel of one of its orders."""
    return {
        "orderListId": 77,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if status == "EXECUTING" else status,
        "listOrderStatus": status,
        "listClientOrderId": asked.get("listClientOrderId", "list"),
        "transactionTime": 1_700_000_000_000,
        "symbol": asked["symbol"],
        "orders": [
            {key: report[key] for key in ("symbol", "orderId", "clientOrderId")} for report in reports
        ],
        "orderReports": reports,
    }


def fill_body(
    trade_id: int, price: str, quantity: str, commission: str = "0.00000000", asset: str = "BTC"
) -> Body:
    return {
        "price": price,
        "qty": quantity,
        "commission": commission,
        "commissionAsset": asset,
        "tradeId": trade_id,
    }


def trade_body(order_id: int, trade_id: int, price: str, quantity: str, quote: str, **changes: Any) -> Body:
    """A row of myTrades."""
    return {
        "symbol": "BTCUSDT",
        "id": trade_id,
        "orderId": order_id,
        "orderListId": -1,
        "price": price,
        "qty": quantity,
        "quoteQty": quote,
        "commission": "0.00000000",
        "commissionAsset": "BTC",
        "time": 1_700_000_000_000,
        "isBuyer": True,
        "isMaker": False,
        "isBestMatch": True,
        **changes,
    }


def error(code: int, message: str, status: int = 400) -> tuple[int, Body]:
    return status, {"code": code, "msg": message}


def in_time(answer: Callable[[Body], Any], window_ms: int = 200) -> Callable[[Body], Any]:
    """A venue that refuses what was signed longer ago than that."""

    def answered(asked: Body) -> Any:
        is_late = time.time() * 1000 - int(asked["timestamp"]) > window_ms
        return (
            error(-1021, "Timestamp for this request is outside of the recvWindow.")
            if is_late
            else answer(asked)
        )

    return answered


def has_counted(weight: int) -> None:
    """So much of the minute's weight is used by this address, as everybody knows."""
    key, window = bans.egress_key(bans.DEFAULT_EGRESS), "weight.60"
    now_ms = time.time() * 1000 + int(store.read(key).get("offset", 0))
    fields: dict[str, object] = {f"{window}.number": int(now_ms // 60_000), f"{window}.base": weight}
    store.write(key, fields | {f"{window}.new": 0, f"{window}.old": 0})


def forget_bans() -> None:
    """The venue listens again."""
    Ban.objects.all().delete()
    bans.forget()
    for key in (bans.egress_key(bans.DEFAULT_EGRESS), bans.account_key("primary")):
        store.write(key, {"ban": 0})


class Venue:
    """Remembers every request; a test says what is answered by method and path."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self._mock = mock
        self.asked: list[tuple[str, str, Body]] = []
        self.on("GET", "/api/v3/time", lambda asked: (200, {"serverTime": time.time_ns() // 1_000_000}))

    def on(self, method: str, path: str, answer: Callable[[Body], Any] | Any) -> None:
        """Answers with (status, body), what a function of the request's parameters gives, or raises an exception."""

        def reply(request: requests.PreparedRequest) -> Answer:
            asked = dict(parse_qsl(urlsplit(str(request.url)).query))
            self.asked.append((method, path, asked))
            found = answer(asked) if callable(answer) and not isinstance(answer, type) else answer
            if isinstance(found, BaseException):
                raise found
            status, body, *headers = found
            text = body if isinstance(body, str) else json.dumps(body)
            return status, dict(headers[0]) if headers else {}, text

        self._mock.remove(method, re.compile(re.escape(REST + path) + r"(\?.*)?$"))
        self._mock.add_callback(method, re.compile(re.escape(REST + path) + r"(\?.*)?$"), callback=reply)

    def count(self, method: str, path: str) -> int:
        return sum(
            1 for seen_method, seen_path, _asked in self.asked if (seen_method, seen_path) == (method, path)
        )

    def places(self, **changes: Any) -> None:
        """New orders are taken and rest, unless the changes say otherwise."""
        self.on("POST", "/api/v3/order", lambda asked: (200, order_body(asked, **changes)))

    def places_pairs(self, **changes: Any) -> None:
        """Two orders that cancel each other are taken, numbered 4711 and 4712, and rest."""

        def answer(asked: Body) -> tuple[int, Body]:
            legs = [leg_body(asked, *leg, **changes) for leg in (("above", 4711), ("below", 4712))]
            return 200, list_body(asked, legs)

        self.on("POST", "/api/v3/orderList/oco", answer)

    def knows(self, **changes: Any) -> None:
        """Asking for an order finds it."""
        self.on("GET", "/api/v3/order", lambda asked: (200, order_body(asked, **changes)))

    def knows_none(self) -> None:
        self.on("GET", "/api/v3/order", error(-2013, "Order does not exist."))
        for path in ("openOrders", "allOrders"):
            self.on("GET", f"/api/v3/{path}", (200, []))
