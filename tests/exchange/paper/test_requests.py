"""Requests at the venue's door: signatures over the raw text, clocks, rights, limits, words of refusals."""

import json
import time
from urllib.parse import parse_qsl, quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.paper.accounts import ApiKey
from exchange.paper.errors import ApiError
from exchange.paper.limits import PATIENCE, Limits, weight_of
from exchange.paper.request import Request
from exchange.paper.socketapi import payload_of
from exchange.paper.venue import Venue
from tests.exchange.paper.people import TRADE, Caller, wait_for

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ORDER = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
V1 = ("symbol=LTCBTC&" + ORDER, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71")
V2 = (
    "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&" + ORDER,
    "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
)
ED25519_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")


def request_of(query: str, body: str) -> Request:
    return Request("POST", "/api/v3/order", query, body, API_KEY, "127.0.0.1")


@pytest.mark.parametrize(("payload", "signature"), [V1, V2])
def test_the_signature_is_over_the_raw_text_wherever_its_parts_stand(payload: str, signature: str) -> None:
    key = ApiKey(API_KEY, 1, secret=SECRET)
    head, tail = payload[:60], payload[60:]
    signed = f"signature={signature}"
    ways = [
        (f"{payload}&{signed}", ""),
        ("", f"{payload}&{signed}"),
        (f"{signed}&{payload}", ""),
        (head, f"{tail}&{signed}"),
        (f"{signed}&{head}", tail),
    ]
    assert [key.verifies(request_of(*way).payload, signature) for way in ways] == [True] * len(ways)


def test_the_signature_is_not_over_parameters_encoded_anew() -> None:
    key = ApiKey(API_KEY, 1, secret=SECRET)
    assert not key.verifies(request_of(V2[0].replace("%EF", "%ef"), "").payload, V2[1])


@pytest.mark.parametrize(
    ("symbol", "price", "quantity", "window", "side", "signature"),
    [
        ("BTCUSDT", "52000.00", "0.01000000", "100", "SELL",
         "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"),
        ("１２３４５６", "0.10000000", "1.00000000", "5000", "BUY",
         "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"),
    ],
)  # fmt: skip
def test_on_the_websocket_api_the_sorted_text_is_signed_and_nothing_is_encoded(
    symbol: str, price: str, quantity: str, window: str, side: str, signature: str
) -> None:
    params = {
        "symbol": symbol, "side": side, "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": quantity,
        "recvWindow": window, "timestamp": "1645423376532", "apiKey": API_KEY, "signature": signature,
    }  # fmt: skip
    assert ApiKey(API_KEY, 1, secret=SECRET).verifies(payload_of(params), signature)


@pytest.mark.parametrize("is_pem", [True, False])
def test_an_ed25519_key_signs_too(is_pem: bool) -> None:
    public = Ed25519PrivateKey.from_private_bytes(ED25519_SEED).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    payload = (
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918"
        "&recvWindow=5000"
    )
    good = "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9zgTDBg=="
    raw = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    key = ApiKey(API_KEY, 1, public_key=pem if is_pem else raw)
    assert (key.verifies(payload, good), key.verifies(payload + "0", good)) == (True, False)


def test_parameters_come_in_the_query_in_the_body_or_in_both(trader: Caller) -> None:
    raw = f"symbol=BTCUSDT&timestamp={int(time.time() * 1000)}"
    order = "&side=BUY&type=MARKET&quantity=1"
    signature = f"&signature={trader.sign(raw + order)}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        trader.raw("POST", "/api/v3/order/test", query=raw + order + signature),
        trader.raw("POST", "/api/v3/order/test", body=raw + order + signature, **form),
        trader.raw("POST", "/api/v3/order/test", query=raw, body=order + signature, **form),
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {})] * 3


def test_the_query_wins_over_the_body(trader: Caller) -> None:
    raw = f"symbol=BTCUSDT&timestamp={int(time.time() * 1000)}"
    body = "symbol=ETHUSDT"
    answer = trader.raw(
        "GET", "/api/v3/openOrders", query=f"{raw}&signature={trader.sign(raw + body)}", body=body
    )
    assert answer.json() == []


def test_a_delete_may_carry_its_parameters_in_the_body(trader: Caller) -> None:
    raw = f"symbol=BTCUSDT&orderId=1&timestamp={int(time.time() * 1000)}"
    answer = trader.raw("DELETE", "/api/v3/order", body=f"{raw}&signature={trader.sign(raw)}")
    assert answer.json() == {"code": -2011, "msg": "Unknown order sent."}


def test_a_json_content_type_on_an_empty_body_is_nothing_to_stumble_over(trader: Caller) -> None:
    answer = trader.raw(
        "GET", "/api/v3/account", query=trader.query(), **{"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("shift_ms", "window", "message"),
    [
        (-5_500, "5000", "Timestamp for this request is outside of the recvWindow."),
        (-40_000, "60000", None),
        (1_500, "5000", "Timestamp for this request was 1000ms ahead of the server's time."),
        (500, "5000", None),
        (0, "60001", "recvWindow must be less than 60000"),
    ],
)
def test_a_clock_that_is_off_is_refused_by_the_window(
    trader: Caller, shift_ms: int, window: str, message: str | None
) -> None:
    answer = trader.signed(
        "GET", "/api/v3/account", timestamp=int(time.time() * 1000) + shift_ms, recvWindow=window
    ).json()
    assert answer.get("msg") == message


def test_who_asks_wrongly_gets_the_venues_own_words(trader: Caller) -> None:
    stranger = Caller(trader.url, {"key": "nobody", "secret": "x"})
    query = trader.query(symbol="BTCUSDT")
    answers = [
        stranger.signed("GET", "/api/v3/account"),
        stranger.raw("GET", "/api/v3/account", query=query, **{"X-MBX-APIKEY": "not a key"}),
        trader.raw(
            "GET", "/api/v3/account", query=query[:-1] + "0" if query[-1] != "0" else query[:-1] + "1"
        ),
        trader.raw("GET", "/api/v3/account", query=f"timestamp={int(time.time() * 1000)}"),
        trader.raw("GET", "/api/v3/account", query="signature=00"),
        trader.raw("GET", "/api/v3/account", query="a=1&a=2"),
        trader.raw("GET", "/api/v3/depth", query="symbol=NOSUCH"),
        trader.raw("GET", "/api/v3/depth", query="symbol=BTCUSDT&limit=ten"),
        trader.raw("GET", "/api/v3/klines", query="symbol=BTCUSDT&interval=7m"),
        trader.raw("GET", "/api/v3/ticker/price", query=f"symbols={quote('[oops')}"),
        trader.raw("POST", "/api/v3/userDataStream"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (401, -2015), (401, -2014), (400, -1022), (400, -1102), (400, -1102), (400, -1101), (400, -1121),
        (400, -1100), (400, -1120), (400, -1100), (410, -1000),
    ]  # fmt: skip


def test_the_trade_key_may_not_withdraw_and_the_withdraw_key_may_not_trade(
    trader: Caller, cashier: Caller
) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    withdrawal = {"coin": "USDT", "network": "TRX", "address": "T" + "1" * 33, "amount": "20"}
    refused = [
        trader.signed("POST", "/sapi/v1/capital/withdraw/apply", **withdrawal),
        cashier.signed("POST", "/api/v3/order", **order),
    ]
    assert [answer.json()["code"] for answer in refused] == [-2015, -2015]


def test_weight_is_counted_by_address_and_shown(trader: Caller) -> None:
    first = trader.http.get(f"{trader.url}/api/v3/depth?symbol=BTCUSDT&limit=5000")
    second = trader.http.get(f"{trader.url}/api/v3/ping")
    used = [int(answer.headers["X-MBX-USED-WEIGHT-1M"]) for answer in (first, second)]
    assert used == [250, 251]
    assert sum(trader.door_get("state")["weight"]["127.0.0.1"].values()) == 251


def test_who_asks_too_much_is_told_to_wait_and_who_goes_on_is_banned(venue: Venue, trader: Caller) -> None:
    if time.time() % 60 > 55:
        time.sleep(6)  # not across a minute's end
    venue.limits.spend("127.0.0.1", 5_999)
    first = trader.http.get(f"{trader.url}/api/v3/exchangeInfo")
    for _time in range(11):
        last = trader.http.get(f"{trader.url}/api/v3/ping")
    assert (first.status_code, last.status_code, last.json()["code"]) == (429, 418, -1003)
    assert 0 < int(first.headers["Retry-After"]) <= 60 < int(last.headers["Retry-After"])


DOCUMENTED = {
    "GET ping": 1, "GET time": 1, "GET exchangeInfo": 20, "GET executionRules?symbol=A": 2,
    "GET executionRules?symbols=A,B": 4, "GET executionRules": 40, "GET referencePrice": 2,
    "GET referencePrice/calculation": 2, "GET depth": 5, "GET depth?limit=100": 5, "GET depth?limit=101": 25,
    "GET depth?limit=500": 25, "GET depth?limit=1000": 50, "GET depth?limit=5000": 250, "GET trades": 25,
    "GET historicalTrades": 25, "GET historicalBlockTrades": 25, "GET aggTrades": 4, "GET klines": 2,
    "GET uiKlines": 2, "GET avgPrice": 2, "GET ticker/24hr?symbol=A": 2, "GET ticker/24hr?symbols=A,B": 2,
    "GET ticker/24hr": 80, "GET ticker/price?symbol=A": 2, "GET ticker/price": 4, "GET ticker/bookTicker": 4,
    "GET ticker?symbol=A": 4, "GET ticker/tradingDay?symbols=A,B": 8, "POST order": 1, "POST sor/order": 1,
    "POST order/cancelReplace": 1, "POST orderList/oco": 1, "POST order/test": 1,
    "POST order/test?computeCommissionRates=true": 20, "PUT order/amend/keepPriority": 4, "DELETE order": 1,
    "DELETE openOrders": 1, "DELETE orderList": 1, "GET order": 4, "GET openOrders?symbol=A": 6,
    "GET openOrders": 80, "GET allOrders": 20, "GET orderList": 4, "GET allOrderList": 20, "GET openOrderList": 6,
    "GET myTrades": 20, "GET myTrades?orderId=1": 5, "GET account": 20, "GET account/commission": 20,
    "GET rateLimit/order": 40, "GET myPreventedMatches?preventedMatchId=1": 2,
    "GET myPreventedMatches?orderId=1": 20, "GET myAllocations": 20, "GET order/amendments": 4, "GET myFilters": 40,
}  # fmt: skip


def test_every_request_weighs_what_is_documented() -> None:
    """binance.md 7."""
    found = {}
    for request in DOCUMENTED:
        method, _space, address = request.partition(" ")
        path, _mark, query = address.partition("?")
        found[request] = weight_of(method, f"/api/v3/{path}", dict(parse_qsl(query)))
    assert found == DOCUMENTED


def test_what_comes_inside_a_ban_is_counted_and_the_next_ban_lasts_longer(venue: Venue) -> None:
    lasted = []
    for _time in range(3):
        venue.limits.spend("10.0.0.1", 0)
        for _request in range(PATIENCE + 1):
            with pytest.raises(ApiError):
                venue.limits.spend("10.0.0.1", 6_001)
        with pytest.raises(ApiError) as inside:
            venue.limits.spend("10.0.0.1", 0)
        lasted.append((inside.value.retry_after or 0) // 10 * 10)
        venue.limits = limits_after(venue.limits)
    assert lasted == [120, 240, 480]
    assert venue.limits.unwelcome == {"10.0.0.1": {"weight": 33, "inside a ban": 3}}


def limits_after(limits: Limits) -> Limits:
    """The ban is over, and so is the minute."""
    limits._banned.clear()
    limits._windows.clear()
    return limits


def test_requests_are_counted_too_whatever_they_weigh(venue: Venue, trader: Caller) -> None:
    trader.door("fault", do="order limit", raw=3)
    if time.time() % 300 > 295:
        time.sleep(6)  # not across the end of their five minutes
    venue.limits._windows.clear()
    statuses = [trader.http.get(f"{trader.url}/api/v3/ping").status_code for _time in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert venue.limits.unwelcome == {"127.0.0.1": {"raw requests": 1}}


def test_the_first_fill_of_a_maker_gives_back_more_than_its_own_place(venue: Venue) -> None:
    wait_for(lambda: time.time() % 10 < 7)
    for _order in range(8):
        venue.limits.count_order(1)
    venue.limits.uncount_order(1)
    venue.limits.uncount_order(1, is_maker=True)
    assert venue.limits.order_counts(1) == (2, 2)
    venue.limits.uncount_order(1, is_maker=True)
    assert venue.limits.order_counts(1) == (0, 0)


def test_what_each_account_placed_is_told_by_ten_seconds_though_it_was_filled(
    venue: Venue, trader: Caller
) -> None:
    wait_for(lambda: time.time() % 10 < 7)
    window = int(time.time() // 10 * 10)
    for _order in range(3):
        venue.limits.count_order(1)
    venue.limits.count_order(2)
    venue.limits.uncount_order(1)
    assert trader.door_get("state")["placed"] == {"1": {str(window): 3}, "2": {str(window): 1}}


def test_a_taken_order_costs_no_weight_and_counts_as_an_order_until_it_is_filled(trader: Caller) -> None:
    trader.deposit("USDT", "1000")
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "70000"}
    before = int(trader.http.get(f"{trader.url}/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"])
    resting = trader.signed("POST", "/api/v3/order", **order, quantity="0.001")
    filled = trader.signed(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
    )
    assert int(resting.headers["X-MBX-USED-WEIGHT-1M"]) == before
    counts = [answer.headers["X-MBX-ORDER-COUNT-1D"] for answer in (resting, filled)]
    assert (counts, filled.json()["status"]) == (["1", "1"], "FILLED")


def test_too_many_unfilled_orders_are_refused_for_a_while(venue: Venue, trader: Caller) -> None:
    trader.deposit("USDT", "1000")
    wait_for(lambda: time.time() % 10 < 7)
    for _order in range(100):
        venue.limits.count_order(1)
    answer = trader.signed(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.001"
    )
    assert (answer.status_code, answer.json()) == (
        429,
        {"code": -1015, "msg": "Too many new orders; current limit is 100 orders per 10 SECOND."},
    )


def test_an_answer_is_compact_json_in_utf8(trader: Caller) -> None:
    text = trader.http.get(f"{trader.url}/api/v3/time").text
    assert text == json.dumps(json.loads(text), separators=(",", ":"))


# ------------------------------------------------------------------ what a key may do
def test_what_a_key_may_do_is_set_at_the_control_door(trader: Caller) -> None:
    doors = ("GET", "/sapi/v1/account/apiRestrictions")
    assert trader.signed(*doors).json()["ipRestrict"] is True
    assert "set" in trader.door("key", key=TRADE["key"], withdraw=True, bound=False, trade=False)
    found = trader.signed(*doors).json()
    assert (found["enableWithdrawals"], found["ipRestrict"], found["enableSpotAndMarginTrading"]) == (
        True,
        False,
        False,
    )
    for odd in (
        {"key": "nobody's", "trade": True},
        {"key": TRADE["key"], "trade": "no"},
        {"key": TRADE["key"], "fly": True},
    ):
        assert "code" in trader.door("key", **odd)


def test_a_revoked_key_is_unknown(trader: Caller) -> None:
    trader.door("key", key=TRADE["key"], revoked=True)
    answer = trader.signed("GET", "/api/v3/account")
    assert (answer.status_code, answer.json()["code"]) == (401, -2015)
