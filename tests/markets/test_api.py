"""Public market data by API: open to all, kept for a moment, plain texts."""

import json
import time

import pytest
from django.test import Client

from exchange.broadcast import WATCHED
from markets import feed, interest
from markets.queries import WHOLE_WAIT_MS
from tests.factories import make_market, publish_book

pytestmark = pytest.mark.django_db


def publish(levels: int = 120) -> None:
    """As the markets process does: the best levels, and all of them for who looks deeper."""
    bids = [(f"{1000 - n}.00", "1.50") for n in range(levels)]
    asks = [(f"{1001 + n}.00", "2.50") for n in range(levels)]
    publish_book(bids=bids[:20], asks=asks[:20])
    raw = feed.client().get(feed.book_key("BTCUSDT"))
    whole = {**feed.load(raw), "bids": bids, "asks": asks}  # type: ignore[arg-type]
    feed.client().set(feed.whole_key("BTCUSDT"), json.dumps(whole))


def test_markets_come_in_the_order_of_staff_with_their_rules(client: Client) -> None:
    make_market("ETH", rank=1)
    make_market("BTC", rank=0)
    make_market("OLD", is_listed=False)
    answer = client.get("/api/v1/markets/")
    body = answer.json()
    assert [row["symbol"] for row in body["results"]] == ["BTCUSDT", "ETHUSDT"]
    assert (body["count"], answer["Cache-Control"]) == (2, "public, max-age=30")
    first = body["results"][0]
    assert (first["tick_size"], first["step_size"], first["min_notional"]) == ("0.01", "0.00001", "5")


def test_a_page_of_markets_is_as_long_as_asked(client: Client) -> None:
    for base in ("BTC", "ETH", "SOL"):
        make_market(base)
    body = client.get("/api/v1/markets/", {"limit": 1, "offset": 1}).json()
    assert ([row["symbol"] for row in body["results"]], body["count"]) == (["ETHUSDT"], 3)


def test_one_market(client: Client) -> None:
    make_market()
    assert client.get("/api/v1/markets/BTCUSDT/").json()["base"] == "BTC"


@pytest.mark.parametrize("part", ["", "book/", "trades/", "candles/"])
@pytest.mark.parametrize("symbol", ["NOPE", "btcusdt", "%20", "%ED%A0%80"])
def test_an_unknown_market_is_a_404_with_a_sentence(client: Client, symbol: str, part: str) -> None:
    answer = client.get(f"/api/v1/markets/{symbol}/{part}")
    assert answer.status_code == 404
    assert answer.json() == {
        "code": "unknown_market",
        "message": "There is no such market.",
        "field": "symbol",
    }


def test_a_book_is_the_published_texts_best_first(client: Client) -> None:
    make_market()
    publish()
    answer = client.get("/api/v1/markets/BTCUSDT/book/", {"limit": 2})
    body = answer.json()
    assert (body["bids"], body["asks"]) == (
        [["1000.00", "1.50"], ["999.00", "1.50"]],
        [["1001.00", "2.50"], ["1002.00", "2.50"]],
    )
    assert (body["state"], body["u"], body["age_ms"] < 5000) == ("LIVE", 1, True)
    assert answer["Cache-Control"] == "public, max-age=0"
    assert len(client.get("/api/v1/markets/BTCUSDT/book/").json()["bids"]) == 100


def test_a_book_that_is_not_there_yet_is_unavailable(client: Client) -> None:
    make_market()
    answer = client.get("/api/v1/markets/BTCUSDT/book/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1e3", "9" * 400, "٣"])
@pytest.mark.parametrize("part", ["book", "trades"])
def test_a_limit_out_of_bounds_is_refused(client: Client, limit: str, part: str) -> None:
    make_market()
    publish()
    answer = client.get(f"/api/v1/markets/BTCUSDT/{part}/", {"limit": limit})
    assert (answer.status_code, answer.json()["field"]) == (400, "limit")


def test_trades_come_newest_first(client: Client) -> None:
    make_market()
    for number in range(3):
        row = {"id": number, "price": "1", "quantity": "2", "at": 5, "maker_side": "BUY"}
        feed.client().lpush(feed.trades_key("BTCUSDT"), json.dumps(row))
    body = client.get("/api/v1/markets/BTCUSDT/trades/", {"limit": 2}).json()
    assert [row["id"] for row in body] == [2, 1]


def test_tickers_are_those_of_listed_markets(client: Client) -> None:
    make_market()
    names = ("last", "open", "high", "low", "volume", "quote_volume", "change_percent")
    for symbol in ("BTCUSDT", "OTHER"):
        row = {"symbol": symbol, **dict.fromkeys(names, "1")}
        feed.client().hset(feed.TICKERS, symbol, json.dumps(row))
    assert [row["symbol"] for row in client.get("/api/v1/tickers/").json()["results"]] == ["BTCUSDT"]


def test_the_api_tells_the_time(client: Client) -> None:
    assert client.get("/api/v1/time/").json()["time"].startswith("20")


def test_nothing_of_it_can_be_written(client: Client) -> None:
    answer = client.post("/api/v1/markets/", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_nobody_waits_for_the_levels_of_a_market_that_nobody_looked_at(client: Client) -> None:
    make_market()
    publish()
    feed.client().delete(feed.whole_key("BTCUSDT"))
    began = time.monotonic()
    body = client.get("/api/v1/markets/BTCUSDT/book/").json()
    assert time.monotonic() - began < WHOLE_WAIT_MS / 1000 / 2
    assert (len(body["bids"]), body["known"]) == (20, 20), "there may be more"
    assert "BTCUSDT" in interest.watched()


def test_of_too_many_names_the_newest_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interest, "MOST_NAMES", 3)
    now = time.time()
    feed.client().zadd(WATCHED, {f"M{number}": now - number for number in range(6)})
    assert interest.watched() == {"M0", "M1", "M2"}
