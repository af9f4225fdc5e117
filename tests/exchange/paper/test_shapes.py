"""Every answer and event has the keys and JSON types that real ones were recorded with."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.paper.venue import Venue
from tests.exchange.paper.listening import Socket
from tests.exchange.paper.people import KEYS, WITHDRAW, Caller, serving, wait_for
from tests.exchange.paper.test_socketapi import ask, signed

DATA = Path(__file__).parents[2] / "data"
TRON = "TJ6Piuaw35M4PM54CzWFqzEPP998yXydc6"
PAIR = {"symbol": "BTCUSDT"}
RESTING = {
    **PAIR,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "70000",
    "quantity": "0.001",
}
PROFIT_AND_STOP = {
    "side": "SELL", "quantity": "0.0004", "aboveType": "LIMIT_MAKER", "abovePrice": "150000",
    "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "60000", "belowPrice": "60000", "belowTimeInForce": "GTC",
}  # fmt: skip
WORKING = {f"working{key[0].upper()}{key[1:]}": value for key, value in RESTING.items() if key != "symbol"}
LISTS: dict[str, dict[str, str]] = {
    "oco": {**PAIR, **PROFIT_AND_STOP, "belowIcebergQty": "0.0002"},
    "oto": {**PAIR, **WORKING, "pendingType": "MARKET", "pendingSide": "SELL", "pendingQuantity": "0.0004"},
    "otoco": {
        **PAIR, **WORKING, "pendingSide": "SELL", "pendingQuantity": "0.0004",
        **{f"pending{key[0].upper()}{key[1:]}": value for key, value in PROFIT_AND_STOP.items()
           if key.startswith(("above", "below"))},
    },
}  # fmt: skip
QUERIES: dict[str, dict[str, Any]] = {
    "/api/v3/aggTrades": PAIR,
    "/api/v3/avgPrice": PAIR,
    "/api/v3/depth": PAIR,
    "/api/v3/exchangeInfo": {},
    "/api/v3/historicalTrades": PAIR,
    "/api/v3/klines": {**PAIR, "interval": "5m"},
    "/api/v3/ticker/24hr": PAIR,
    "/api/v3/ticker/bookTicker": PAIR,
    "/api/v3/ticker/price": PAIR,
    "/api/v3/time": {},
    "/api/v3/trades": PAIR,
    "/api/v3/uiKlines": {**PAIR, "interval": "5m"},
    "/sapi/v1/system/status": {},
}
SIGNED: dict[str, dict[str, Any]] = {
    "/api/v3/account": {},
    "/api/v3/account/commission": PAIR,
    "/api/v3/allOrders": PAIR,
    "/api/v3/myTrades": PAIR,
    "/api/v3/openOrders": PAIR,
    "/api/v3/order": {**PAIR, "origClientOrderId": "stays-open"},
    "/api/v3/rateLimit/order": {},
    "/sapi/v1/account/apiRestrictions": {},
    "/sapi/v1/asset/tradeFee": {},
    "/sapi/v1/capital/config/getall": {},
    "/sapi/v1/capital/deposit/address": {"coin": "USDT"},
    "/sapi/v1/capital/deposit/hisrec": {},
    "/sapi/v1/capital/withdraw/history": {},
}
STREAMS = {
    "AggregatedTrades": "aggTrade", "Klines": "kline_8h", "MiniTicker": "miniTicker", "PartialBook": "depth5@100ms",
    "Ticker": "ticker", "Trades": "trade", "BookTicker": "bookTicker",
}  # fmt: skip
# Keys the venue gives although the record lacks them: the record is older than the key, or shows another case.
NEWER = {
    "origQuoteOrderQty": "in answers to placing and canceling since 2025",
    "workingTime": "since 2022",
    "selfTradePreventionMode": "since 2022",
    "closeTime": "of avgPrice since 2023",
    "orderListId": "since 2019",
    "origClientOrderId": "of orders that were canceled with their list over the socket",
    "specialCommission": "since 2025",
    "specialCommissionForOrder": "since 2025",
    "commissionRates": "of accounts since 2022",
    "brokered": "",
    "requireSelfTradePrevention": "",
    "preventSor": "",
    "uid": "",
    "permissions": "of accounts since 2020",
    "enableFixApiTrade": "since 2024",
    "enableFixReadOnly": "since 2024",
    "completeTime": "of deposits since 2024",
    "travelRuleStatus": "of deposits since 2025",
    "addressTag": "of withdrawals, where there is one",
    "withdrawOrderId": "of withdrawals, where there is one",
    "withdrawInternalMin": "",
    "depositDust": "",
    "withdrawTag": "",
    "sameAddress": "",
    "denomination": "",
    "contractAddress": "",
    "contractAddressUrl": "",
    "estimatedArrivalTime": "",
    "busy": "",
    "resetAddressStatus": "",
    "depositDesc": "",
    "withdrawDesc": "",
}
# Keys that an order has only when it is of another kind, or ended in another way, than ours that is compared.
ELSEWHERE = {
    "strategyId",
    "strategyType",
    "trailingDelta",
    "trailingTime",
    "preventedMatchId",
    "preventedQuantity",
}
GONE = {".data.a", ".data.b"}  # the orders' ids in trade events, until 2023


# Written by the exchange since the recordings, or said in another way now.
NEW_OF_SYMBOLS = {
    "otoAllowed", "opoAllowed", "amendAllowed", "pegInstructionsAllowed", "permissionSets", "cancelReplaceAllowed",
    "allowTrailingStop", "defaultSelfTradePreventionMode", "allowedSelfTradePreventionModes",
}  # fmt: skip


OTHERWISE_NOW = {"filters", "orderTypes", "permissions", "allowedSelfTradePreventionModes"}


def records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "rest" / name).read_text().splitlines()]


def recorded() -> list[tuple[str, Any]]:
    """(door, answer) of everything that was recorded."""
    rest = [(f"{row['method']} {row['path']}", row["response"]) for row in records("gocryptotrader.jsonl")]
    return rest + [(row["door"], row["response"]) for row in records("binance-net.jsonl")] + captured()


def captured() -> list[tuple[str, Any]]:
    """One event of every kind of the recorded session, and a snapshot."""
    kinds = {"depthUpdate": "Depth", "kline": "Klines", "aggTrade": "AggregatedTrades", None: "BookTicker"}
    found: dict[str, Any] = {}
    with gzip.open(DATA / "depth" / "binance-2021-04-17-10sym.jsonl.gz", "rt") as file:
        for line in map(json.loads, file):
            body = json.loads(line["data"]) if line.get("data") else {}
            if line["t"] == "recv":
                if body["data"].get("b", "x") and body["data"].get("a", "x"):  # a change on both sides
                    found[f"stream {kinds[body['data'].get('e')]}"] = body
            elif "lastUpdateId" in body:
                found["GET /api/v3/depth"] = body
    return list(found.items())


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """(door, answer) of everything the venue gave in one short life of an account."""
    with serving(Venue(tmp_path_factory.mktemp("paper"), KEYS, pace=0.1)) as url:
        caller = Caller(url)
        found: dict[str, Any] = {}
        private = Socket(url, "/ws-api/v3")
        names = [f"btcusdt@{stream}" for stream in (*STREAMS.values(), "depth@100ms")]
        public = Socket(url, "/stream?streams=" + "/".join(names))
        ask(private, "userDataStream.subscribe.signature", **signed(caller.key["key"], caller.sign))
        found |= live(caller)
        found |= {f"GET {path}": caller.get(path, **params) for path, params in QUERIES.items()}
        for path, params in SIGNED.items():
            found[f"GET {path}"] = caller.signed("GET", path, **params).json()
        found |= by_socket(caller, private)
        wait_for(lambda: {frame["stream"] for frame in public.frames} == set(names))
        wait_for(lambda: any(event["b"] and event["a"] for event in public.of("depthUpdate")))
        by_name = {frame["stream"]: frame for frame in public.frames}
        found |= {f"stream {kind}": by_name[f"btcusdt@{stream}"] for kind, stream in STREAMS.items()}
        found["stream Depth"] = next(
            f for f in public.frames if f["data"].get("U") and f["data"]["b"] and f["data"]["a"]
        )
        wait_for(lambda: private.of("balanceUpdate") and private.of("executionReport"))
        events = {frame["event"]["e"]: frame for frame in reversed(private.frames) if "event" in frame}
        kinds = {
            "AccountPosition": "outboundAccountPosition",
            "Balance": "balanceUpdate",
            "Order": "executionReport",
            "List": "listStatus",
        }
        found |= {f"stream {kind}": events[event] for kind, event in kinds.items()}
        yield found


REPLACING = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "stays-open"}


def live(caller: Caller) -> dict[str, Any]:
    """Deposits, orders of all ends, a withdrawal."""
    caller.deposit("USDT", "1000")
    found = {
        "POST /api/v3/order/test": caller.signed(
            "POST", "/api/v3/order/test", **RESTING, computeCommissionRates="true"
        )
    }
    found["POST /api/v3/order"] = caller.signed(
        "POST", "/api/v3/order", **PAIR, side="BUY", type="MARKET", quantity="0.002"
    )
    for name in ("stays-open", "goes", "goes-too"):
        caller.signed("POST", "/api/v3/order", **RESTING, newClientOrderId=name)
    found["DELETE /api/v3/order"] = caller.signed("DELETE", "/api/v3/order", **PAIR, origClientOrderId="goes")
    found["DELETE /api/v3/openOrders"] = caller.signed("DELETE", "/api/v3/openOrders", **PAIR)
    caller.signed("POST", "/api/v3/order", **RESTING, newClientOrderId="stays-open")
    found["POST /api/v3/order/cancelReplace"] = caller.signed(
        "POST", "/api/v3/order/cancelReplace", **RESTING, **REPLACING, newClientOrderId="stays-open"
    )
    for kind, params in LISTS.items():
        path = f"/api/v3/orderList/{kind}"
        found[f"POST {path}"] = caller.signed("POST", path, **params, listClientOrderId=kind)
    found["GET /api/v3/openOrderList"] = caller.signed("GET", "/api/v3/openOrderList")
    named = {**PAIR, "listClientOrderId": "plain"}
    caller.signed("POST", "/api/v3/orderList/oco", **PROFIT_AND_STOP, **named)
    found["DELETE /api/v3/orderList"] = caller.signed("DELETE", "/api/v3/orderList", **named)
    found["GET /api/v3/orderList"] = caller.signed("GET", "/api/v3/orderList", origClientOrderId="oto")
    found["GET /api/v3/allOrderList"] = caller.signed("GET", "/api/v3/allOrderList")
    found["POST /sapi/v1/capital/withdraw/apply"] = Caller(caller.url, WITHDRAW).signed(
        "POST", "/sapi/v1/capital/withdraw/apply", coin="USDT", network="TRX", address=TRON, amount="50"
    )
    return {door: answer.json() for door, answer in found.items()}


def by_socket(caller: Caller, channel: Socket) -> dict[str, Any]:
    rates = {**RESTING, "computeCommissionRates": "true"}
    market = {**PAIR, "side": "BUY", "type": "MARKET", "quantity": "0.0005"}
    resting = {**RESTING, "newClientOrderId": "by-socket"}
    asks: list[tuple[str, dict[str, Any], bool]] = [
        ("order.test", rates, True), ("order.place", resting, True),
        ("order.cancel", {**PAIR, "origClientOrderId": "by-socket"}, True), ("order.place", market, True),
        ("account.status", {}, True), ("account.rateLimits.orders", {}, True), ("myTrades", PAIR, True),
        ("order.status", {**PAIR, "origClientOrderId": "stays-open"}, True), ("openOrders.status", PAIR, True),
        ("order.cancelReplace", {**RESTING, **REPLACING, "newOrderRespType": "RESULT"}, True),
        ("orderList.place.oco", {**PAIR, **PROFIT_AND_STOP, "listClientOrderId": "by-socket"}, True),
        ("orderList.status", {"origClientOrderId": "by-socket"}, True), ("openOrderLists.status", {}, True),
        ("orderList.cancel", {**PAIR, "listClientOrderId": "by-socket"}, True),
        ("openOrders.cancelAll", PAIR, True), ("ticker.book", {}, False), ("ticker.24hr", {}, False),
        ("avgPrice", PAIR, False), ("exchangeInfo", {}, False), ("klines", {**PAIR, "interval": "1h"}, False),
        ("uiKlines", {**PAIR, "interval": "1h"}, False), ("depth", PAIR, False), ("trades.recent", PAIR, False),
    ]  # fmt: skip
    return {
        f"socket {method}": ask(
            channel, method, **(signed(caller.key["key"], caller.sign, **params) if is_signed else params)
        )
        for method, params, is_signed in asks
    }


class Compared:
    """Where ours has not the keys and types of the real one, and what was let pass by its name."""

    def __init__(self) -> None:
        self.wrong: dict[str, list[str]] = {}
        self.passed: Counter[str] = Counter()

    def compare(self, what: str, real: Any, ours: Any, at: str = "") -> None:
        if isinstance(real, dict) and isinstance(ours, dict):
            self.keys(what, set(real), set(ours), at)
            for key in set(real) & set(ours):
                self.compare(what, real[key], ours[key], f"{at}.{key}")
        elif isinstance(real, list) and isinstance(ours, list):
            self.lists(what, real, ours, at)
        elif type(real) is not type(ours):
            self.say(what, f"{at} is {type(ours).__name__} and not {type(real).__name__}")

    def keys(self, what: str, real: set[str], ours: set[str], at: str) -> None:
        for key in real - ours:
            is_known = key in ELSEWHERE or f"{at}.{key}" in GONE
            self.let_pass(f"-{key}") if is_known else self.say(what, f"{at}.{key} is missing")
        for key in ours - real:
            self.let_pass(f"+{key}") if key in NEWER else self.say(what, f"{at}.{key} is made up")

    def lists(self, what: str, real: list[Any], ours: list[Any], at: str) -> None:
        """Rows are compared with our first row; orders of a list and a row of scalars place by place."""
        if real and not ours:
            self.say(what, f"{at} is empty")
        elif at.endswith("orderReports"):
            for number, (one, other) in enumerate(zip(real, ours, strict=True)):
                self.compare(what, one, other, f"{at}[{number}]")
        elif real and isinstance(real[0], dict | list):
            for number, row in enumerate(real):
                self.compare(what, row, ours[0], f"{at}[{number}]")
        elif len(real) != len(ours):
            self.say(what, f"{at} has {len(ours)} places and not {len(real)}")
        else:
            for number, (one, other) in enumerate(zip(real, ours, strict=True)):
                self.compare(what, one, other, f"{at}[{number}]")

    def symbols(self, real: dict[str, Any], ours: dict[str, Any]) -> None:
        """A listed symbol against the recorded one of its name, filter by filter."""
        name = real["symbol"]
        for key in set(real) - set(ours):
            self.say(name, f"{key} is missing")
        for key in set(ours) - set(real):
            is_known = key in NEW_OF_SYMBOLS
            self.let_pass(f"+{key}") if is_known else self.say(name, f"{key} is made up")
        for key in set(real) & set(ours) - OTHERWISE_NOW:
            self.compare(name, real[key], ours[key], key)
        theirs, mine = ({row["filterType"]: row for row in each["filters"]} for each in (real, ours))
        for kind in set(theirs) ^ set(mine):
            self.let_pass(f"{'-' if kind in theirs else '+'}{kind}")
        for kind in set(theirs) & set(mine):
            self.compare(name, theirs[kind], mine[kind], kind)

    def say(self, what: str, sentence: str) -> None:
        self.wrong.setdefault(what, []).append(sentence)

    def let_pass(self, name: str) -> None:
        self.passed[name] += 1

    def __str__(self) -> str:
        names = " ".join(f"{name}×{count}" for name, count in sorted(self.passed.items()))
        return f"{len(self.passed)} names let pass {self.passed.total()} times (+ ours alone, - theirs alone): {names}"


def test_answers_and_events_have_the_shapes_of_real_ones(
    given: dict[str, Any], figure: Callable[[str], None]
) -> None:
    found = Compared()
    for number, (door, real) in enumerate(recorded()):
        ours = given[door]
        real, ours = ([real], ours) if isinstance(ours, list) and isinstance(real, dict) else (real, ours)
        real = real if not isinstance(real, list) or isinstance(ours, list) else real[0]
        found.compare(f"{number} {door}", real, ours)
    figure(f"{len(recorded())} recorded shapes of {len(given)} answers and events compared; {found}")
    assert len(recorded()) > 90
    assert not found.wrong
    assert {name[1:] for name in found.passed if name.startswith("+")} == set(NEWER), (
        "allowed, and needed by none"
    )


@pytest.mark.parametrize("name", ["binance-2021-10-12", "binance-cloud-2023-04-10"])
def test_listed_symbols_have_the_shape_of_recorded_ones(
    given: dict[str, Any], name: str, figure: Callable[[str], None]
) -> None:
    with gzip.open(DATA / "exchangeinfo" / f"{name}.json.gz", "rt") as file:
        known = {row["symbol"]: row for row in json.load(file)["symbols"]}
    found = Compared()
    both = [row for row in given["GET /api/v3/exchangeInfo"]["symbols"] if row["symbol"] in known]
    for ours in both:
        found.symbols(known[ours["symbol"]], ours)
    figure(f"{len(both)} recorded symbols compared ({name}); {found}")
    assert len(both) >= 14
    assert not found.wrong
