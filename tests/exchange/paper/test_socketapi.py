"""The WebSocket API: subscriptions by signature or by logon, orders, ids as they came."""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import TRADE, WITHDRAW, Caller, serving, wait_for

Sign = Callable[[str], str]


def signed(key: str, sign: Sign, **params: Any) -> dict[str, Any]:
    asked = {"apiKey": key, "timestamp": int(time.time() * 1000), **params}
    asked["signature"] = sign("&".join(f"{name}={asked[name]}" for name in sorted(asked)))
    return asked


def ask(socket: Socket, method: str, request_id: Any = "an-id", **params: Any) -> dict[str, Any]:
    """The answer to one request."""
    before = len(socket.frames)
    socket.send(id=request_id, method=method, params=params)
    wait_for(lambda: any("status" in frame for frame in socket.frames[before:]))
    found: dict[str, Any] = next(frame for frame in socket.frames[before:] if "status" in frame)
    return found


@pytest.fixture
def channel(trader: Caller) -> Iterator[Socket]:
    socket = Socket(trader.url, "/ws-api/v3")
    yield socket
    socket.close()


def test_the_account_is_heard_after_a_signed_subscription(trader: Caller, channel: Socket) -> None:
    answer = ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    trader.deposit("USDT", "100")
    wait_for(lambda: channel.of("balanceUpdate"))
    told = [frame for frame in channel.frames if "event" in frame]
    assert (answer["status"], answer["result"]) == (200, {"subscriptionId": 0})
    assert told[0]["subscriptionId"] == 0
    assert set(told[0]["event"]) == {"e", "E", "a", "d", "T"}


def test_nobody_hears_the_account_by_a_key_that_is_revoked(trader: Caller, channel: Socket) -> None:
    ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    trader.door("key", key=TRADE["key"], revoked=True)
    wait_for(lambda: channel.of("eventStreamTerminated"))
    again = ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    assert again["error"]["code"] == -2015


def test_an_account_is_heard_once_a_connection_and_not_after_leaving(trader: Caller, channel: Socket) -> None:
    ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    again = ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    left = ask(channel, "userDataStream.unsubscribe", subscriptionId=0)
    unknown = ask(channel, "userDataStream.unsubscribe", subscriptionId=0)
    trader.deposit("USDT", "100")
    assert (again["error"]["code"], left["result"], unknown["error"]["code"]) == (-2035, {}, -2036)
    assert channel.of("balanceUpdate") == []


@pytest.mark.parametrize("request_id", ["4f1a-uuid", 17, None])
def test_the_id_comes_back_as_it_was(channel: Socket, request_id: Any) -> None:
    assert ask(channel, "ping", request_id)["id"] == request_id


def test_an_order_is_placed_asked_for_and_canceled(trader: Caller, channel: Socket) -> None:
    trader.deposit("USDT", "1000")
    order = {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "70000.00",
        "quantity": "0.01", "newClientOrderId": "by-socket",
    }  # fmt: skip
    placed = ask(channel, "order.place", **signed(TRADE["key"], trader.sign, **order))
    name = {"symbol": "BTCUSDT", "origClientOrderId": "by-socket"}
    found = ask(channel, "order.status", **signed(TRADE["key"], trader.sign, **name))
    number = {"symbol": "BTCUSDT", "orderId": str(placed["result"]["orderId"])}
    gone = ask(channel, "order.cancel", **signed(TRADE["key"], trader.sign, **number))
    assert [answer["result"]["status"] for answer in (placed, found, gone)] == ["NEW", "NEW", "CANCELED"]
    assert [limit["rateLimitType"] for limit in placed["rateLimits"]] == [
        "ORDERS",
        "ORDERS",
        "REQUEST_WEIGHT",
    ]


LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "70000",
    "quantity": "0.01",
}
PAIR = {
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "150000",
    "belowType": "STOP_LOSS",
    "belowStopPrice": "60000",
}
WORKING = {f"working{name[0].upper()}{name[1:]}": value for name, value in LIMIT.items() if name != "symbol"}
PENDING = {f"pending{name[0].upper()}{name[1:]}": value for name, value in PAIR.items()}
SELL = {"pendingType": "MARKET", "pendingSide": "SELL"}


@pytest.mark.parametrize(
    ("kind", "params", "orders"),
    [
        ("orderList.place", {"side": "SELL", "quantity": "0.01", "price": "150000", "stopPrice": "60000"}, 2),
        ("orderList.place.oco", {"side": "SELL", "quantity": "0.01", **PAIR}, 2),
        ("orderList.place.oto", {**WORKING, **SELL, "pendingQuantity": "0.01"}, 2),
        (
            "orderList.place.otoco",
            {**WORKING, **PENDING, "pendingSide": "SELL", "pendingQuantity": "0.01"},
            3,
        ),
        ("orderList.place.opo", {**WORKING, **SELL}, 2),
        ("orderList.place.opoco", {**WORKING, **PENDING, "pendingSide": "SELL"}, 3),
    ],
)
def test_a_list_is_placed_asked_for_and_canceled(
    trader: Caller, channel: Socket, kind: str, params: dict[str, str], orders: int
) -> None:
    trader.deposit("USDT", "1000")
    trader.deposit("BTC", "1")
    pair = {"symbol": "BTCUSDT", **params}

    def asked(method: str, **sent: Any) -> Any:
        return ask(channel, method, **signed(TRADE["key"], trader.sign, **sent))["result"]

    placed = ask(channel, kind, **signed(TRADE["key"], trader.sign, **pair))
    number = placed["result"]["orderListId"]
    found, still_open = asked("orderList.status", orderListId=number), asked("openOrderLists.status")
    gone = asked("orderList.cancel", symbol="BTCUSDT", orderListId=number)
    every = asked("allOrderLists")
    counts = [row["count"] for row in placed["rateLimits"] if row["rateLimitType"] == "ORDERS"]
    assert (len(found["orders"]), still_open, counts) == (orders, [found], [orders, orders])
    assert [row["status"] for row in gone["orderReports"]] == ["CANCELED"] * orders
    assert [row["listOrderStatus"] for row in every] == ["ALL_DONE"]


def test_an_order_is_replaced_amended_and_canceled_with_all_others(trader: Caller, channel: Socket) -> None:
    trader.deposit("USDT", "5000")

    def asked(method: str, **sent: Any) -> dict[str, Any]:
        return ask(channel, method, **signed(TRADE["key"], trader.sign, **sent))

    mode = {"cancelReplaceMode": "STOP_ON_FAILURE"}
    none = asked("order.cancelReplace", **LIMIT, **mode, cancelOrderId="1")
    first = asked("order.place", **LIMIT)["result"]["orderId"]
    replaced = asked("order.cancelReplace", **LIMIT, **mode, cancelOrderId=first)["result"]
    second = replaced["newOrderResponse"]["orderId"]
    amended = asked("order.amend.keepPriority", symbol="BTCUSDT", orderId=second, newQty="0.005")["result"]
    history = asked("order.amendments", symbol="BTCUSDT", orderId=second)["result"]
    gone = asked("openOrders.cancelAll", symbol="BTCUSDT")["result"]
    assert (none["status"], none["error"]["code"], none["error"]["data"]["newOrderResult"]) == (
        400,
        -2022,
        "NOT_ATTEMPTED",
    )
    assert (replaced["cancelResult"], amended["amendedOrder"]["qty"]) == ("SUCCESS", "0.00500000")
    assert ([row["newQty"] for row in history], [row["orderId"] for row in gone]) == (
        ["0.00500000"],
        [second],
    )


def test_numbers_are_signed_as_they_were_written(trader: Caller, channel: Socket) -> None:
    asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 0.5}
    assert ask(channel, "order.test", **signed(TRADE["key"], trader.sign, **asked))["result"] == {}


def test_who_asks_wrongly_is_told_so_and_may_go_on(trader: Caller, channel: Socket) -> None:
    wrong = signed(TRADE["key"], lambda _payload: "00")
    right_of_another = signed(
        WITHDRAW["key"], Caller(trader.url, WITHDRAW).sign, symbol="BTCUSDT", side="BUY"
    )
    answers = [
        ask(channel, "account.status", **wrong),
        ask(channel, "order.place", **right_of_another),
        ask(channel, "userDataStream.subscribe"),
        ask(channel, "session.logon", **signed(TRADE["key"], trader.sign)),
        ask(channel, "no.such.method"),
    ]
    channel._socket.send("{oops")
    wait_for(lambda: channel.frames[-1].get("error", {}).get("code") == -1135)
    assert [answer["error"]["code"] for answer in answers] == [-1022, -2015, -1102, -4056, -1000]
    assert ask(channel, "time")["result"]["serverTime"] > 0


def test_an_ed25519_key_logs_on_once_and_then_needs_no_signatures(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    venue = Venue(tmp_path, {"trade": {"key": "edkey", "public_key": public}}, pace=0.1)

    def sign(payload: str) -> str:
        return base64.b64encode(private.sign(payload.encode())).decode()

    with serving(venue) as url:
        channel = Socket(url, "/ws-api/v3")
        logon = ask(channel, "session.logon", **signed("edkey", sign))
        subscribed = ask(channel, "userDataStream.subscribe")
        account = ask(channel, "account.status")
        channel.close()
    assert logon["result"]["apiKey"] == "edkey"
    assert (subscribed["result"], account["result"]["balances"]) == ({"subscriptionId": 0}, [])


def test_an_order_on_rest_is_told_on_the_socket_before_or_after_its_answer(
    trader: Caller, channel: Socket
) -> None:
    ask(channel, "userDataStream.subscribe.signature", **signed(TRADE["key"], trader.sign))
    trader.deposit("USDT", "1000")
    placed = trader.signed(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quoteOrderQty="500"
    ).json()
    wait_for(lambda: any(report["X"] == "FILLED" for report in channel.of("executionReport")))
    trades = [report for report in channel.of("executionReport") if report["x"] == "TRADE"]
    assert [trade["t"] for trade in trades] == [fill["tradeId"] for fill in placed["fills"]]
    assert trades[-1]["Z"] == placed["cummulativeQuoteQty"]
